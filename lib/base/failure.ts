/** Who is at fault. */
export type Fault = 'client' | 'server' | 'balancer';

/**
 * May the request be tried on another server? `always`: nothing of it was sent. `idempotent`: the server may have acted
 * on it, so only if acting twice is the same as acting once (RFC 9110, 9.2.2). `never`: the client has received part of
 * a response, or is the cause.
 */
export type RetryClass = 'always' | 'idempotent' | 'never';

/** What is known of a failure when it is noticed. A constant: failing allocates nothing. */
export interface Failure {
  readonly reason: Reason;
  readonly fault: Fault;
  readonly retry: RetryClass;
  /** The status that the client gets if no byte of a response was sent; 0 when the client is gone. */
  readonly status: number;
  /** What happened, in one line without a full stop. */
  readonly meaning: string;
  /** The remedy in one line: where to look, or what to change. */
  readonly remedy: string;
}

function failure(
  fault: Fault,
  retry: RetryClass,
  status: number,
  meaning: string,
  remedy: string,
): Omit<Failure, 'reason'> {
  return { fault, retry, status, meaning, remedy };
}

/**
 * Every way in which a request or an attempt can fail. Retries, responses, the log, metrics and the documentation
 * follow from this table. A failure becomes 502 for a server that refuses, resets or sends an invalid response, 504 for
 * one that does not answer, 503 if no server or no capacity is left (RFC 9110, 15.6).
 */
const TABLE = {
  client_abort: failure(
    'client',
    'never',
    0,
    'the client left before it had the whole response',
    'Usually nothing; many of these on slow paths mean that clients lose patience.',
  ),
  bad_request: failure(
    'client',
    'never',
    400,
    'the request breaks the rules of HTTP',
    'Look at what the client sends; -v shows the head as it came.',
  ),
  misdirected: failure(
    'client',
    'never',
    421,
    'another client certificate is asked for this host',
    'The client should open another connection with that name in its TLS handshake; browsers do so by themselves.',
  ),
  request_timeout: failure(
    'client',
    'never',
    408,
    'the request did not arrive in time',
    'A slow network or a deliberate stall; see timeouts.request_header, .request_body and limits.body_rate.',
  ),
  body_too_large: failure(
    'client',
    'never',
    413,
    'the request body is larger than allowed',
    'Raise limits.body_bytes if such uploads are wanted.',
  ),
  client_stalled: failure(
    'client',
    'never',
    0,
    'the client stopped sending, or stopped reading',
    'A pause may last as long as timeouts.request_body and timeouts.response_body say.',
  ),
  no_server: failure(
    'server',
    'never',
    503,
    'every server is down, or failed when it was tried',
    'Start a server, or look at the health check if they do run.',
  ),
  connect_refused: failure(
    'server',
    'always',
    502,
    'nothing listens at the address of the server',
    'Is the server running, and on this port?',
  ),
  connect_timeout: failure(
    'server',
    'always',
    504,
    'the server did not take the connection in time',
    'A firewall that drops packets, a wrong address or a full backlog; timeouts.connect is the limit.',
  ),
  connect_failed: failure(
    'server',
    'always',
    502,
    'unknown name, or no route to the server',
    'Check its address and the network between here and there.',
  ),
  tls_failed: failure(
    'server',
    'always',
    502,
    'the TLS handshake with the server failed',
    'The detail names what failed; openssl s_client -connect shows what the server does.',
  ),
  out_of_resources: failure(
    'balancer',
    'always',
    503,
    'no file, port or memory left to open a connection',
    'A warning on stderr names what ran out: most often ulimit -n, or the range of local ports.',
  ),
  server_gone: failure(
    'server',
    'always',
    503,
    'its server went down or was taken out as it waited',
    'Nothing was sent yet, so another server is asked; no_server when there is none.',
  ),
  queue_full: failure(
    'server',
    'always',
    503,
    'too many requests wait for a connection',
    'Add servers, or allow more connections to each.',
  ),
  queue_timeout: failure(
    'server',
    'never',
    503,
    'no connection to a server was free in time',
    'The servers are at their limit; timeouts.queue is how long a request may wait.',
  ),
  response_timeout: failure(
    'server',
    'idempotent',
    504,
    'the server took the request and did not answer',
    'A slow handler, a long poll or a hanging server; timeouts.response_header is the limit.',
  ),
  response_stalled: failure(
    'server',
    'never',
    504,
    'the server stopped in the middle of the body',
    'Look at its log; timeouts.response_body limits how long a pause may last.',
  ),
  total_timeout: failure(
    'server',
    'never',
    504,
    'the request as a whole took too long',
    'Its tries and times tell where: in line, connecting, at a slow server; timeouts.total is the limit.',
  ),
  reset_before_response: failure(
    'server',
    'idempotent',
    502,
    'the server hung up without a response',
    'It crashed, restarted or refuses such requests: see its log.',
  ),
  reset_in_response: failure(
    'server',
    'idempotent',
    502,
    'the server hung up in the middle of its response',
    'It crashed or was stopped half way, or announced a wrong Content-Length.',
  ),
  // The status is that of the failure that would have been retried.
  retry_budget: failure(
    'server',
    'never',
    502,
    'it failed, and the retries have used up their budget',
    'The tries in the log name the failure; retry.budget is the share of requests that are retried.',
  ),
  bad_response: failure(
    'server',
    'never',
    502,
    'what the server sent is not valid HTTP',
    'Is it an HTTP/1.1 server at all? Ask it directly with curl -v.',
  ),
  loop: failure(
    'balancer',
    'never',
    508,
    'the request came back to this balancer',
    'One of the servers is this balancer itself, or sends requests back to it.',
  ),
  no_route: failure(
    'client',
    'never',
    404,
    'no host, path or default route takes this request',
    'If it should have one, lb explain shows how it was looked for.',
  ),
  blocked_ip: failure(
    'client',
    'never',
    403,
    'its address is rejected, or not among those allowed',
    'See ip_reject and ip_allow of the firewall that detail names.',
  ),
  blocked_method: failure(
    'client',
    'never',
    403,
    'its method is rejected',
    'See method_reject of the firewall that detail names.',
  ),
  blocked_path: failure(
    'client',
    'never',
    403,
    'its path is rejected, in one of its readings',
    'See path_reject of the firewall that detail names.',
  ),
  blocked_header: failure(
    'client',
    'never',
    403,
    'one of its headers is rejected',
    'See header_reject of the firewall that detail names.',
  ),
  regex_budget: failure(
    'client',
    'never',
    431,
    'matching the patterns of the settings takes too long',
    'The request is very long or made to be slow. If neither: begin patterns with ^, shorten repeats.',
  ),
  banned: failure(
    'client',
    'never',
    403,
    'the client is banned for its earlier requests',
    'The ban ends by itself; ban of the firewall that detail names says after how long.',
  ),
  rate_limited: failure(
    'client',
    'never',
    429,
    'the client sends more requests than it may',
    'See rate_limit of the firewall that detail names; Retry-After tells when to come back.',
  ),
  too_many_requests: failure(
    'client',
    'never',
    429,
    'the client has too many requests in flight',
    'See max_connections_per_ip of the firewall that detail names.',
  ),
  maintenance: failure(
    'balancer',
    'never',
    503,
    'its host or route is in maintenance',
    'The detail names it; lb maintenance --host HOST --off ends it, or maintenance in the settings file.',
  ),
  shutdown: failure(
    'balancer',
    'never',
    503,
    'the balancer was stopping',
    'Raise timeouts.drain if such requests should be finished first.',
  ),
} as const satisfies { readonly [reason: string]: Omit<Failure, 'reason'> };

/** Why a request or an attempt failed, one word each. */
export type Reason = keyof typeof TABLE;

/** By reason, in the order of the documentation. */
export const FAILURES = Object.freeze(
  Object.fromEntries(
    Object.entries(TABLE).map(([reason, row]) => [
      reason,
      Object.freeze({ reason: reason as Reason, ...row }),
    ]),
  ),
) as { readonly [reason in Reason]: Failure };

const CONNECT_FAILURES: ReadonlySet<Failure> = new Set([
  FAILURES.connect_refused,
  FAILURES.connect_timeout,
  FAILURES.connect_failed,
  FAILURES.tls_failed,
]);

/** Did the server, or the network on the way, refuse the connection, or its handshake fail? */
export function isConnectFailure(failure: Failure): boolean {
  return CONNECT_FAILURES.has(failure);
}
