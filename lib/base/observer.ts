import type { Address } from './address.js';

/**
 * Why a request or an attempt did not end well, one word each. `lib/observe/reasons.ts` tells who is at fault
 * and what to do about it.
 */
export type Reason =
  | 'client_abort'
  | 'bad_request'
  | 'request_timeout'
  | 'body_too_large'
  | 'client_stalled'
  | 'no_server'
  | 'connect_refused'
  | 'connect_timeout'
  | 'connect_failed'
  | 'out_of_resources'
  | 'server_gone'
  | 'queue_full'
  | 'queue_timeout'
  | 'response_timeout'
  | 'response_stalled'
  | 'total_timeout'
  | 'reset_before_response'
  | 'reset_in_response'
  | 'retry_budget'
  | 'bad_response'
  | 'loop'
  | 'no_route'
  | 'blocked_ip'
  | 'blocked_method'
  | 'blocked_path'
  | 'blocked_header'
  | 'regex_budget'
  | 'banned'
  | 'rate_limited'
  | 'too_many_requests'
  | 'shutdown';

/** What an operator wants of a server: new requests; only what is bound to it already; nothing. */
export type Availability = 'ready' | 'draining' | 'maintenance';

/** One attempt to have a request answered. Used again for another: valid as long as the record it is part of. */
export interface AttemptRecord {
  readonly server: string;
  /** Empty: it answered. `stale`: a pooled connection that had died was replaced by a fresh one to the same server. */
  readonly reason: Reason | 'stale' | '';
  /** What the server said; 0 if it said nothing. */
  readonly status: number;
  /** ms, from the choice of the server to the end of its answer or to its failure. */
  readonly durationMs: number;
  /** Was it on a connection that had been open before? */
  readonly reused: boolean;
}

/**
 * One settled request. The object belongs to the connection and is used again for its next request: an observer
 * reads what it wants during the call and keeps no reference.
 */
export interface RequestRecord {
  readonly requestId: string;
  /** Wall clock, ms since the epoch, when the head was complete. */
  readonly startedAt: number;
  /** ms, with fractions. */
  readonly durationMs: number;
  /** ms from the head's completion to the first byte of the response head; -1 if none came. */
  readonly firstByteMs: number;
  readonly clientAddress: string;
  /** Empty when the request line could not be parsed. */
  readonly method: string;
  /** As received; empty when the request line could not be parsed. */
  readonly target: string;
  /** `HTTP/1.1` or `HTTP/1.0`. */
  readonly protocol: string;
  readonly host: string;
  /** Name of the route; empty when there was none. */
  readonly route: string;
  readonly userAgent: string;
  readonly referer: string;
  /** Of the `traceparent` it came with (W3C Trace Context), 32 hexadecimal digits; empty without a valid one. */
  readonly traceId: string;
  /** What the client was sent; 0 if nothing was. */
  readonly status: number;
  /** The server that answered, or the last that was tried; empty if none was. */
  readonly server: string;
  /** Servers tried, a stale pooled connection not counted. */
  readonly attempts: number;
  /** What was tried, in order; a stale pooled connection that was replaced is an entry of its own. */
  readonly tries: readonly AttemptRecord[];
  /** ms waited in line for a connection, all attempts together. */
  readonly queueMs: number;
  /** ms spent opening connections, all attempts together; 0 when pooled ones were used. */
  readonly connectMs: number;
  /** Body bytes received from the client. */
  readonly bytesIn: number;
  /** Body bytes sent to the client. */
  readonly bytesOut: number;
  /** Empty when all went well. */
  readonly reason: Reason | '';
  /**
   * What exactly was wrong (`ECONNREFUSED`, `more than one Host field`), or who ended a tunnel; empty when there is no
   * more to say.
   */
  readonly detail: string;
  /** The request head as received (latin1, ends with the empty line), for `-v`. */
  readonly requestHeadText: string;
  /** Status line and fields sent to the client (latin1, ends with the empty line), for `-v`. */
  readonly responseHeadText: string;
}

/** One finished health check. */
export interface CheckRecord {
  readonly server: string;
  readonly ok: boolean;
  /** `status 200`, `status 500`, `refused`, `timed out`, `bad response`, … */
  readonly result: string;
  readonly durationMs: number;
}

/**
 * What the balancer tells those who watch it. Nothing on the request path knows who listens. What a method throws, or rejects
 * with, is counted and the first time reported as a `warning`; the request, and the other observers, go on.
 */
export interface Observer {
  /** Every request from a parsed or refused head on, exactly once. */
  requestSettled?(record: RequestRecord): void;
  checked?(check: CheckRecord): void;
  /** `reason`: `status 500`, `refused`, `timed out`, … */
  serverDown?(server: string, reason: string): void;
  /** `downMs`: how long it was out. */
  serverUp?(server: string, downMs: number): void;
  /** Live traffic failed there: it gets no new requests for a while. */
  serverEjected?(server: string, reason: string, forMs: number): void;
  /** It fails as much, but stays: the others can't do without it. Told once per `eject_for` at most. */
  serverSpared?(server: string, reason: string): void;
  /** That while is over. */
  serverReturned?(server: string): void;
  /** None of its servers takes new requests any more, or none of them does yet. `detail`: why, by their names. */
  routeDown?(route: string, detail: string): void;
  /** One does again, `downMs` later. */
  routeUp?(route: string, downMs: number): void;
  /** An operator changed what a server may be used for. */
  availabilityChanged?(server: string, to: Availability, from: Availability): void;
  serverAdded?(server: string, route: string): void;
  serverRemoved?(server: string): void;
  weightChanged?(server: string, to: number, from: number): void;
  /** The last request on a draining server ended. */
  serverDrained?(server: string): void;
  /** Requests are refused as too many wait for a connection to it; told once per second at most. */
  queueFull?(server: string): void;
  /** `firewall`: the name of the one whose `ban` it is. */
  banned?(client: string, firewall: string, forMs: number): void;
  /** An operator lifted the ban. */
  unbanned?(client: string, firewall: string): void;
  /** `detail`: what changed, or why the new configuration was refused; one line. */
  reloaded?(ok: boolean, detail: string): void;
  /** The addresses of a host name are others than before. `isFirst`: it had none, and nobody was told of that: no news. */
  resolved?(host: string, addresses: readonly string[], isFirst: boolean): void;
  resolveFailed?(host: string, detail: string): void;
  listening?(address: Address): void;
  /** A reload wants no more connections there. */
  closed?(address: Address): void;
  /** Something an operator should read but that stops nothing: one line, no newline. */
  warning?(message: string): void;
}
