import type { Address } from './address.js';
import type { Reason } from './failure.js';

export type { Reason } from './failure.js';

/** What an operator allows a server: all requests; only requests bound to it; none. */
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
 * Something that happened beside the requests. `server` and `route` are names, `reason` and `detail` one line for people;
 * times are in ms.
 */
export type BalancerEvent =
  /** A health check ended. */
  | ({ readonly what: 'checked' } & CheckRecord)
  /** Health checks failed. `reason`: `status 500`, `refused`, `timed out`, … */
  | { readonly what: 'down'; readonly server: string; readonly reason: string }
  /** `downMs`: how long the server was down. */
  | { readonly what: 'up'; readonly server: string; readonly downMs: number }
  /** Requests failed there: the server gets no new ones for `forMs`. */
  | { readonly what: 'ejected'; readonly server: string; readonly reason: string; readonly forMs: number }
  /** Requests fail there, but ejecting the server would leave too few. Told once per `eject_for` at most. */
  | { readonly what: 'spared'; readonly server: string; readonly reason: string }
  /** The ejection is over. */
  | { readonly what: 'returned'; readonly server: string }
  /** None of the servers of the route takes new requests. `detail`: why, by their names. */
  | { readonly what: 'route_down'; readonly route: string; readonly detail: string }
  | { readonly what: 'route_up'; readonly route: string; readonly downMs: number }
  /** An operator changed what a server may be used for. */
  | {
      readonly what: 'availability';
      readonly server: string;
      readonly to: Availability;
      readonly from: Availability;
    }
  | { readonly what: 'weight'; readonly server: string; readonly to: number; readonly from: number }
  | { readonly what: 'added'; readonly server: string; readonly route: string }
  | { readonly what: 'removed'; readonly server: string }
  /** The last request on a draining server ended. */
  | { readonly what: 'drained'; readonly server: string }
  /** Requests are refused, as too many wait for a connection to the server. Told once per second at most. */
  | { readonly what: 'queue_full'; readonly server: string }
  /** `firewall`: the name of the firewall whose `ban` it is. */
  | { readonly what: 'banned'; readonly client: string; readonly firewall: string; readonly forMs: number }
  /** An operator lifted the ban. */
  | { readonly what: 'unbanned'; readonly client: string; readonly firewall: string }
  /** Another configuration is in force. `detail`: what changed. */
  | { readonly what: 'reloaded'; readonly detail: string }
  /** A configuration was refused, and the one before stays in force. `detail`: why. */
  | { readonly what: 'reload_refused'; readonly detail: string }
  /** A host name has other addresses than before. `isFirst`: it had none before, and no failure was told. */
  | {
      readonly what: 'resolved';
      readonly host: string;
      readonly addresses: readonly string[];
      readonly isFirst: boolean;
    }
  | { readonly what: 'resolve_failed'; readonly host: string; readonly detail: string }
  | { readonly what: 'listening'; readonly address: Address }
  /** A reload closed the listener. */
  | { readonly what: 'closed'; readonly address: Address }
  /** Something an operator should read but that stops nothing: one line. */
  | { readonly what: 'warning'; readonly message: string };

/**
 * Watches a balancer. What a method throws, or the promise it returns rejects with, is counted and the first time reported
 * as a `warning`; the request and the other observers go on.
 */
export interface Observer {
  /** Every request from a parsed or refused head on, exactly once. */
  requestSettled?(record: RequestRecord): void;
  event?(event: BalancerEvent): void;
}
