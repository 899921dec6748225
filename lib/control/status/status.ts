import type { BalancerEvent, Reason } from '../../base/observer.js';
import type { HealthEventKind } from '../health/health-history.js';

/**
 * What a balancer is doing, as plain data that JSON can carry: the one source of the API, the page, the command line
 * and the gauges. Times are ms since the epoch, durations ms, sizes bytes. A snapshot: nothing in it changes later.
 */
export interface BalancerStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly state: BalancerState;
  /** May somebody in front of it send it requests? */
  readonly ready: boolean;
  /** Why not, a line each; empty when it is ready. */
  readonly readyReasons: readonly string[];
  /** Where it listens; port 0 is resolved. */
  readonly listen: readonly string[];
  /** Client connections open now. */
  readonly clients: number;
  readonly requests: RequestCounts;
  /** In the order of the file. */
  readonly routes: readonly RouteStatus[];
  /**
   * Each name once, in the order of the file. Where routes ask different checks of one server, its numbers are added up
   * and its state is the worst; `routes` has them apart.
   */
  readonly servers: readonly ServerStatus[];
  readonly firewall: readonly FirewallStatus[];
  /** Those that are shown to clients, in the order of the file. */
  readonly certificates: readonly CertificateStatus[];
  readonly config: ConfigStatus;
}

/** starting: not all listeners are bound yet. draining: answers what is in flight, then stops. */
export type BalancerState = 'starting' | 'running' | 'draining' | 'stopped';

/** What was sent, by the class of its status; `none`: the client went away, or was cut off, before a head. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

export type StatusCounts = { readonly [status in StatusClass]: number };

/** Since the start. */
export interface RequestCounts {
  readonly total: number;
  readonly inFlight: number;
  readonly byStatus: StatusCounts;
  /** Those that did not end well; a reason that never came up is not there. */
  readonly byReason: { readonly [reason in Reason]?: number };
}

/**
 * ms, of about the last minute: of a route from a request's head to its end, of a server to the first byte of its answer
 * without the waiting for a connection. null: there was no request.
 */
export type Latency = { readonly p50: number; readonly p90: number; readonly p99: number } | null;

export interface RouteStatus {
  /** As in logs: `default`, `www.example.com/img`. */
  readonly name: string;
  /** What leads to it, for people: `www.example.com`, `*.example.com /img`, `any host`. */
  readonly match: string;
  /** `forward`, or what it answers by itself. */
  readonly action: 'forward' | 'redirect' | 'respond';
  /** How its server is chosen; empty when it does not forward. */
  readonly algorithm: string;
  readonly requests: number;
  readonly latency: Latency;
  /** Since when none of its servers takes new requests; null while one does, and when it does not forward. */
  readonly downSince: number | null;
  readonly servers: readonly ServerStatus[];
}

/**
 * up: its checks pass. unchecked: it has no health check. down: its checks fail. ejected: real requests failed too often, for
 * a while. draining: no new requests, those bound to it go on. maintenance: none at all.
 */
export type ServerState = 'up' | 'unchecked' | 'down' | 'ejected' | 'draining' | 'maintenance';

export interface ServerStatus {
  readonly name: string;
  readonly address: string;
  /** null: connections to it are not encrypted. */
  readonly tls: ServerTlsStatus | null;
  /** The routes that forward to it. */
  readonly routes: readonly string[];
  /** Those among them of which no server takes new requests: they are answered 503. */
  readonly routesDown: readonly string[];
  readonly state: ServerState;
  /** Since when it is in this state. */
  readonly since: number;
  /** Only used when no other server of the route can be. */
  readonly backup: boolean;
  readonly weight: number;
  /** The weight as slow start has it now; 0 when it gets no new requests. */
  readonly effectiveWeight: number;
  /** Requests on it now, tunnels and those that wait for a connection included. */
  readonly active: number;
  /** How many of the active ones wait for a connection. */
  readonly waiting: number;
  /**
   * While it takes no requests but those of clients that are bound to it: how many of these it has served in the last
   * ten minutes. By cookie they are told apart by their addresses, and counted from when it began to drain. 0 otherwise.
   */
  readonly bound: number;
  /** Connections open to it, those in use and those being opened included. */
  readonly open: number;
  readonly idle: number;
  readonly lastCheck: LastCheck | null;
  /** The last 100, oldest first. */
  readonly events: readonly ServerEvent[];
  readonly totals: ServerTotals;
  /** Of about the last minute: answers with 5xx, and attempts that failed. */
  readonly errors: number;
  readonly latency: Latency;
  /** Its share of all requests of the last minute, from 0 to 1. */
  readonly share: number;
  /** False when it was added while running. */
  readonly fromFile: boolean;
}

/** How connections to a server are encrypted. */
export interface ServerTlsStatus {
  /** The host name or IP address that its certificate must have. */
  readonly serverName: string;
  /** Is its certificate looked at? */
  readonly verify: boolean;
}

export interface LastCheck {
  readonly ok: boolean;
  /** `status 200`, `refused`, `timed out`, … */
  readonly result: string;
  readonly at: number;
  readonly durationMs: number;
}

/** Since the start, or since it was added. */
export interface ServerTotals {
  readonly requests: number;
  readonly byStatus: StatusCounts;
  /** Attempts that did not end in an answer; those that could not connect and those that were reset are among them. */
  readonly failures: number;
  readonly connectFailures: number;
  readonly resets: number;
  /** Requests that came here after another server had failed. */
  readonly retries: number;
  readonly ejections: number;
  /** How often it ought to have been ejected, but could not be done without. */
  readonly spared: number;
  /** Connections opened to it: the fewer per request, the more were used again. */
  readonly connections: number;
  /** Connections closed as it had sent what no request asked for. */
  readonly unsolicited: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface FirewallStatus {
  /** `firewall_rules`, or whose they are: `firewall_rules of www.mango.com`. */
  readonly rule: string;
  /** In the order in which they are asked. */
  readonly verdicts: readonly GuardVerdicts[];
  /** Clients that its ban refuses now; those that it would, where the rule only observes. */
  readonly bans: number;
}

/** A client that is refused for what it did. */
export interface BanStatus {
  /** Its address, of IPv6 its /64: `192.0.2.1`, `2001:db8:0:1::/64`. */
  readonly client: string;
  /** Whose ban it is, as in `FirewallStatus`. */
  readonly rule: string;
  /** ms since the epoch. */
  readonly until: number;
  readonly leftMs: number;
  /** Let in all the same, because the rule only observes. */
  readonly observed: boolean;
}

/** Those that last longest first, a thousand at most. */
export interface BanList {
  /** How many there are, listed or not. */
  readonly total: number;
  readonly bans: readonly BanStatus[];
}

/** How often a guard objected since the start. */
export interface GuardVerdicts {
  readonly guard: string;
  readonly refused: number;
  /** Let through, because the rule only observes. */
  readonly observed: number;
}

/** A certificate that is shown to clients. */
export interface CertificateStatus {
  /** The first of its names. */
  readonly name: string;
  /** Host names, wildcards and IP addresses that it covers. */
  readonly names: readonly string[];
  /** As RFC 4514 writes names: `CN=R11,O=Example`. */
  readonly issuer: string;
  /** In hex, in upper case. */
  readonly serial: string;
  /** SHA-256 in hex, in lower case. */
  readonly fingerprint: string;
  /** `RSA 2048`, `EC P-256`, `Ed25519`. */
  readonly keyType: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** expiring: within 30 days, and nothing renews it by itself. */
  readonly state: 'valid' | 'expiring' | 'expired' | 'not_yet_valid';
  /** From a file, ordered by ACME, or of the local authority. */
  readonly source: 'file' | 'acme' | 'internal';
  /** Empty when it comes from no file. */
  readonly file: string;
  /** What is wrong with its file, a line each. When the file cannot be used any more, the certificate is the last good one. */
  readonly problems: readonly string[];
}

export interface ConfigStatus {
  /** The settings file; null without one. */
  readonly path: string | null;
  readonly loadedAt: number;
  /** What was changed while running and is not in the file, a line each: `weight of big: 5 (file: 3)`. */
  readonly drift: readonly string[];
}

export type EventKind = Exclude<BalancerEvent['what'], 'checked'> | 'draining';

/** Something an operator would want to have seen. */
export interface StatusEvent {
  /** Counts up from 1. */
  readonly id: number;
  readonly at: number;
  readonly what: EventKind;
  /** Empty when it concerns no server in particular. */
  readonly server: string;
  /** The route that it concerns: there in `route_down` and `route_up` alone. */
  readonly route?: string;
  /** In words: `status 500`, `ready -> draining`, `3 -> 5`; may be empty. */
  readonly reason: string;
}

/** What happened to a server, or was seen of its health. */
export interface ServerEvent {
  /** ms since the epoch; of the first, when it happened several times in a row. */
  readonly at: number;
  readonly what: EventKind | HealthEventKind;
  /** In words, as in a `StatusEvent`. */
  readonly reason: string;
  /** How often in a row. */
  readonly times: number;
}
