/** All in ms; 0 switches the deadline off. */
export interface TimeoutsConfig {
  /** From the first byte of a request to the end of its head: 408. */
  readonly requestHeader: number;
  /** Without a byte of the request body while the client owes one: 408. */
  readonly requestBody: number;
  /** An idle client connection between two requests: closed. */
  readonly keepAlive: number;
  /** The age, give or take a tenth, at which a client connection ends behind its next answer. */
  readonly connectionAge: number;
  /** TCP connect to a server: another server, else 504. */
  readonly connect: number;
  /** Waiting for a free connection to a server that is full: 503. */
  readonly queue: number;
  /** From the request sent to the end of the response head: 504. */
  readonly responseHeader: number;
  /** Without a byte of the response body, or a client that takes none of it: cut. */
  readonly responseBody: number;
  /** A request as a whole, from the end of its head to that of its answer, lines and retries included: 504, or cut. */
  readonly total: number;
  /** An upgraded connection with no byte either way: closed. */
  readonly tunnel: number;
  /** On SIGTERM: how long all is served as before while readiness says no already. */
  readonly drainDelay: number;
  /** Behind that: how long what is in flight may take. */
  readonly drain: number;
}

export interface LimitsConfig {
  /** Bytes of a request head (start line and fields), and of a trailer section: 431. Response heads may have twice that: 502. */
  readonly headerBytes: number;
  /** Fields in a head: 431. */
  readonly headers: number;
  /** Bytes of the request target: 414. */
  readonly uriBytes: number;
  /** Bytes of a request body; 0 is no limit: 413. */
  readonly bodyBytes: number;
  /** Bytes of it a second, on average, after ten seconds; 0 is no limit: 408. */
  readonly bodyRate: number;
  /** Client connections open at once; beyond it new ones are closed at accept. */
  readonly connections: number;
  /** Client connections of one address open at once; 0 is no limit. */
  readonly connectionsPerIp: number;
  /** Requests on one client connection, of which the last ends it; 0 is no limit. */
  readonly requestsPerConnection: number;
}
