import type { Address } from './address.js';
import type { Reason } from './failure.js';
import type { TransportInfo } from './transport-info.js';

export type { Reason } from './failure.js';

/** What an operator allows a server: all requests; only requests bound to it; none. */
export type Availability = 'ready' | 'draining' | 'maintenance';

/**
 * One attempt to have a request answered. The object is reused: it is valid as long as the record that it is part of.
 */
export interface AttemptRecord {
  readonly server: string;
  /**
   * Empty: the server answered. `stale`: a pooled connection had been closed and was replaced by a new one to the same
   * server.
   */
  readonly reason: Reason | 'stale' | '';
  /** The status of the response; 0 without a response. */
  readonly status: number;
  /** ms from choosing the server to the end of its response or to its failure. */
  readonly durationMs: number;
  /** Was the connection used before? */
  readonly reused: boolean;
}

/** A span of another trace. */
export interface TraceLink {
  readonly traceId: string;
  readonly spanId: string;
}

/** The span of an attempt. */
export interface TracedAttempt {
  readonly spanId: string;
  /** ms from the beginning of the request. */
  readonly startedMs: number;
  /** How the server is spoken to. */
  readonly scheme: 'http' | 'https';
  /** The host of the server, its address, or the path of its socket. */
  readonly address: string;
  /** 0 for a socket with a path. */
  readonly port: number;
  /** As sent to the server; empty if nothing was sent. */
  readonly target: string;
}

/** The spans of a request whose trace is recorded. The object is reused like the record that it is part of. */
export interface TraceRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span; empty when the trace began here. */
  readonly parentSpanId: string;
  /** As in `traceparent`. */
  readonly flags: number;
  /** The `tracestate` that is passed on. */
  readonly traceState: string;
  /** Wall-clock time when the head was complete, in ms since the epoch, with fractions. */
  readonly startedAt: number;
  /** What the request came with and was not continued, because the client is not trusted; null: nothing. */
  readonly link: TraceLink | null;
  /** One for each of the request's `tries`, in the same order. */
  readonly attempts: readonly TracedAttempt[];
}

/**
 * One settled request. The object belongs to the connection and is reused for its next request: an observer reads what
 * it needs during the call and keeps no reference.
 */
export interface RequestRecord {
  readonly requestId: string;
  /** Wall-clock time when the head was complete, in ms since the epoch. */
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
  /**
   * The trace that it belongs to, 32 hexadecimal digits: with `tracing`, the one that servers are sent. Without, that of its
   * `traceparent` (W3C Trace Context); empty when there is no valid one.
   */
  readonly traceId: string;
  /** The span of the request, 16 hexadecimal digits; empty without `tracing`. */
  readonly spanId: string;
  /** Its spans; null when the trace is not recorded, and for observers in another thread than the one that served it. */
  readonly trace: TraceRecord | null;
  /** The status that the client was sent; 0 if nothing was sent. */
  readonly status: number;
  /** The server that answered, or that was tried last; empty if none was tried. */
  readonly server: string;
  /** How many servers were tried, without stale pooled connections. */
  readonly attempts: number;
  /** The attempts, in order; a stale pooled connection that was replaced has an entry of its own. */
  readonly tries: readonly AttemptRecord[];
  /** ms spent waiting for a connection, over all attempts. */
  readonly queueMs: number;
  /** ms spent opening connections, over all attempts; 0 if only pooled ones were used. */
  readonly connectMs: number;
  /** Body bytes received from the client. */
  readonly bytesIn: number;
  /** Body bytes sent to the client. */
  readonly bytesOut: number;
  /** Empty for a success. */
  readonly reason: Reason | '';
  /** The details (`ECONNREFUSED`, `more than one Host field`), or who ended a tunnel; empty when there are none. */
  readonly detail: string;
  /** How the client's connection is transported. */
  readonly transport: TransportInfo;
  /** The request head as received (latin1, ends with the empty line), for `-v`. */
  readonly requestHeadText: string;
  /**
   * The request head as the server of the last attempt gets it (as above), for `-v`; empty when no server was asked, and
   * unless an observer has `readsServerHeads`.
   */
  readonly serverHeadText: string;
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
 * An event that is not a request. `server` and `route` are names, `reason` and `detail` one line for people; times are
 * in ms.
 */
export type BalancerEvent =
  /** A health check ended. */
  | ({ readonly what: 'checked' } & CheckRecord)
  /** Health checks failed. `reason`: `status 500`, `refused`, `timed out`, … */
  | { readonly what: 'down'; readonly server: string; readonly reason: string }
  /** `downMs`: how long the server was down. */
  | { readonly what: 'up'; readonly server: string; readonly downMs: number }
  /** Requests to the server failed: it gets no new ones for `forMs`. */
  | { readonly what: 'ejected'; readonly server: string; readonly reason: string; readonly forMs: number }
  /** Requests to the server fail, but ejecting it would leave too few servers. At most once per `eject_for`. */
  | { readonly what: 'spared'; readonly server: string; readonly reason: string }
  /** The ejection is over. */
  | { readonly what: 'returned'; readonly server: string }
  /** No server of the route takes new requests. `detail`: why, by server. */
  | { readonly what: 'route_down'; readonly route: string; readonly detail: string }
  | { readonly what: 'route_up'; readonly route: string; readonly downMs: number }
  /** An operator changed the availability of a server. */
  | {
      readonly what: 'availability';
      readonly server: string;
      readonly to: Availability;
      readonly from: Availability;
    }
  /**
   * An operator put a host into maintenance, or took it out, or its time is over. `until`: ms since the epoch; null: until
   * it is taken out.
   */
  | {
      readonly what: 'host_maintenance';
      readonly host: string;
      readonly on: boolean;
      readonly until: number | null;
    }
  | { readonly what: 'weight'; readonly server: string; readonly to: number; readonly from: number }
  | { readonly what: 'added'; readonly server: string; readonly route: string }
  | { readonly what: 'removed'; readonly server: string }
  /** The last request on a draining server ended. */
  | { readonly what: 'drained'; readonly server: string }
  /** Requests are refused because too many wait for a connection to the server. At most once per second. */
  | { readonly what: 'queue_full'; readonly server: string }
  /** `firewall`: the name of the firewall. */
  | { readonly what: 'banned'; readonly client: string; readonly firewall: string; readonly forMs: number }
  /** An operator lifted the ban. */
  | { readonly what: 'unbanned'; readonly client: string; readonly firewall: string }
  /** A new configuration is in force. `detail`: what changed. */
  | { readonly what: 'reloaded'; readonly detail: string }
  /** A configuration was refused, and the current one stays in force. `detail`: why. */
  | { readonly what: 'reload_refused'; readonly detail: string }
  /** A new program has the sockets and takes the connections: this one answers what is left, and ends. `pid`: of the new one. */
  | { readonly what: 'upgraded'; readonly pid: number; readonly version: string }
  /** The new program did not become ready: this one goes on. `detail`: why. */
  | { readonly what: 'upgrade_failed'; readonly detail: string }
  /**
   * A host name has other addresses than before. `isFirst`: it is resolved for the first time, and no failure was
   * reported before.
   */
  | {
      readonly what: 'resolved';
      readonly host: string;
      readonly addresses: readonly string[];
      readonly isFirst: boolean;
    }
  | { readonly what: 'resolve_failed'; readonly host: string; readonly detail: string }
  /** A source of servers reported others than before. `source`: as people write it. `came`, `left`: names of servers. */
  | {
      readonly what: 'discovered';
      readonly source: string;
      readonly came: readonly string[];
      readonly left: readonly string[];
    }
  /** A source of servers can't be asked, or its answer can't be used. `servers`: how many that it reported before stay in force. */
  | {
      readonly what: 'source_failed';
      readonly source: string;
      readonly detail: string;
      readonly servers: number;
    }
  /** It answers again, after `failedMs`. */
  | { readonly what: 'source_recovered'; readonly source: string; readonly failedMs: number }
  /** The OpenTelemetry collector did not take spans or figures. `signal`: which of them. `detail`: why. */
  | { readonly what: 'export_failed'; readonly signal: 'traces' | 'metrics'; readonly detail: string }
  /** It takes them again, after `failedMs`. `dropped`: how many spans were lost meanwhile. */
  | {
      readonly what: 'export_recovered';
      readonly signal: 'traces' | 'metrics';
      readonly failedMs: number;
      readonly dropped: number;
    }
  /** Redis does not answer as it should: each node has its share of the limits until it does. `detail`: why. */
  | { readonly what: 'shared_lost'; readonly detail: string }
  /** It answers again, after `lostMs`. */
  | { readonly what: 'shared_recovered'; readonly lostMs: number }
  /** Files of certificates were read again. `detail`: the certificates that are new. */
  | { readonly what: 'certificates_reloaded'; readonly detail: string }
  /** A file cannot be used, and what was read before stays in force. `detail`: why. */
  | { readonly what: 'certificate_refused'; readonly file: string; readonly detail: string }
  /** `certificate`: its first name. `days`: it expires within this many. `file`: empty when it comes from none. */
  | {
      readonly what: 'certificate_expiring';
      readonly certificate: string;
      readonly file: string;
      readonly notAfter: number;
      readonly days: number;
    }
  | {
      readonly what: 'certificate_expired';
      readonly certificate: string;
      readonly file: string;
      readonly notAfter: number;
    }
  /** An authority issued a certificate. `host`: the first of its `hosts`. `notAfter`: when it expires. */
  | {
      readonly what: 'certificate_ordered';
      readonly host: string;
      readonly hosts: readonly string[];
      readonly notAfter: number;
    }
  /** An order failed, and is tried again in `retryMs`. */
  | {
      readonly what: 'certificate_failed';
      readonly host: string;
      readonly hosts: readonly string[];
      readonly reason: string;
      readonly retryMs: number;
    }
  | { readonly what: 'listening'; readonly address: Address }
  /** A reload closed the listener. */
  | { readonly what: 'closed'; readonly address: Address }
  /** One line that an operator should read; everything goes on. `limit`: of one kind, at most one is reported in `everyMs`. */
  | {
      readonly what: 'warning';
      readonly message: string;
      readonly limit?: { readonly kind: string; readonly everyMs: number };
    };

/**
 * Observes a balancer. An error that a method throws, or that its promise rejects with, is counted, and the first one
 * is reported as a `warning`; the request and the other observers go on.
 */
export interface Observer {
  /** Called exactly once for every request with a parsed or refused head. */
  requestSettled?(record: RequestRecord): void;
  /** Does it read `serverHeadText`? That text is kept for as long as the request lasts, and a tunnel may last for days. */
  readonly readsServerHeads?: boolean;
  event?(event: BalancerEvent): void;
}
