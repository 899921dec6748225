import type { Address } from '../base/address.js';

/**
 * A configuration after loading: every default filled in, every unit converted (times in ms, sizes in bytes),
 * frozen. Nothing after `compile` looks at YAML again.
 */
export interface Config {
  readonly listen: readonly Address[];
  readonly servers: readonly ServerConfig[];
  /** null: servers are believed to be up, and only live connect failures speak against them. */
  readonly healthCheck: HealthCheckConfig | null;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** CIDRs, as written, of the peers whose X-Forwarded-* and X-Request-Id are believed. */
  readonly trustedProxies: readonly string[];
  /** undefined: whoever prints it decides, `dev` on a terminal and `json` otherwise. */
  readonly accessLog: AccessLogFormat | undefined;
}

export interface ServerConfig {
  readonly address: Address;
  /** What logs and the access line call it; the address's text unless given. One name is one address. */
  readonly name: string;
}

/** An inclusive range of status codes. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export interface HealthCheckConfig {
  readonly path: string;
  /** ms between the end of one check and the start of the next. */
  readonly interval: number;
  /** ms for the whole check, connect included. */
  readonly timeout: number;
  /** Checks in a row that must pass before a server that is down is used again. */
  readonly rise: number;
  /** Checks in a row that must fail before a server is taken out. */
  readonly fall: number;
  readonly expectStatus: readonly StatusRange[];
}

/** All in ms; 0 switches the deadline off. */
export interface TimeoutsConfig {
  /** From the first byte of a request to the end of its head: 408. */
  readonly requestHeader: number;
  /** Without a byte of the request body while the client owes one: 408. */
  readonly requestBody: number;
  /** An idle client connection between two requests: closed. */
  readonly keepAlive: number;
  /** TCP connect to a server: another server, else 504. */
  readonly connect: number;
  /** Waiting for a free connection to a server that is full: 503. */
  readonly queue: number;
  /** From the request sent to the end of the response head: 504. */
  readonly responseHeader: number;
  /** Without a byte of the response body, or a client that takes none of it: cut. */
  readonly responseBody: number;
  /** An upgraded connection with no byte either way: closed. */
  readonly tunnel: number;
  /** On SIGTERM: how long what is in flight may take. */
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
  /** Client connections open at once; beyond it new ones are closed at accept. */
  readonly connections: number;
  /** The same for one client address; 0 is no limit. */
  readonly connectionsPerIp: number;
}

export type AccessLogFormat = 'dev' | 'combined' | 'json' | 'off';
