import type { CertificateIdentity } from '../../base/certificate-identity.js';
import type { BalancerEvent, Reason } from '../../base/observer.js';
import type { ProviderStatus } from '../../discovery/contract.js';
import type { FleetStatus } from '../../fleet/fleet.js';
import type { ListenerFigures } from '../../net/listeners.js';
import type { LiveHold } from '../../observe/server-families.js';
import type { ThreadFigures } from '../../servers/engine-contract.js';
import type { AcmeStatus } from '../../tls/acme-manager.js';
import type { HealthEventKind } from '../health/health-history.js';

export type { ProviderStatus } from '../../discovery/contract.js';
export type { FleetStatus } from '../../fleet/fleet.js';
export type { ThreadFigures } from '../../servers/engine-contract.js';
export type { AcmeStatus } from '../../tls/acme-manager.js';

/**
 * The state of a balancer as plain data for JSON: the one source of the API, the page, the command line and the gauges.
 * Times are ms since the epoch, durations ms, sizes bytes. A snapshot: nothing in it changes later.
 */
export interface BalancerStatus {
  readonly version: string;
  /** What it is called among others of its kind. */
  readonly instance: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly state: BalancerState;
  /** Should load balancers in front send requests? */
  readonly ready: boolean;
  /** The reasons why not, a line each; empty when ready. */
  readonly readyReasons: readonly string[];
  /** Addresses of listeners; port 0 is resolved. */
  readonly listen: readonly string[];
  /** The same listeners, and how they are. */
  readonly listeners: readonly ListenerFigures[];
  /** Client connections open now. */
  readonly clients: number;
  /** The threads that serve requests, by number; empty when the process has one thread, which serves them. */
  readonly threads: readonly ThreadFigures[];
  readonly requests: RequestCounts;
  /** In the order of the file. */
  readonly routes: readonly RouteStatus[];
  /**
   * Each name once, in the order of the file. If routes check one server differently, its numbers are added up and its
   * state is the worst; `routes` has the servers separately.
   */
  readonly servers: readonly ServerStatus[];
  readonly firewall: readonly FirewallStatus[];
  /** What is in maintenance: hosts by operators, then places of the file. */
  readonly maintenance: readonly MaintenanceStatus[];
  /** The certificates that are shown to clients, in the order of the file. */
  readonly certificates: readonly CertificateStatus[];
  /** Those that are ordered by ACME, in the order of the file. */
  readonly acme: readonly AcmeStatus[];
  /** Where servers come from by themselves, in the order of the file. */
  readonly providers: readonly ProviderStatus[];
  /** What is shared with other nodes; null: nothing is. */
  readonly shared: FleetStatus | null;
  readonly config: ConfigStatus;
}

/** starting: not all listeners are bound. draining: requests in flight are answered, then the balancer stops. */
export type BalancerState = 'starting' | 'running' | 'draining' | 'stopped';

/** The class of the status sent; `none`: the client left or was cut before a head was sent. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

export type StatusCounts = { readonly [status in StatusClass]: number };

/** Since the start. */
export interface RequestCounts {
  readonly total: number;
  readonly inFlight: number;
  readonly byStatus: StatusCounts;
  /** Requests with a reason; reasons that never occurred are missing. */
  readonly byReason: { readonly [reason in Reason]?: number };
}

/**
 * ms, of about the last minute: for a route from a request's head to its end, for a server to the first byte of the
 * answer without the wait for a connection. null: no requests.
 */
export type Latency = { readonly p50: number; readonly p90: number; readonly p99: number } | null;

export interface RouteStatus {
  /** As in logs: `default`, `www.example.com/img`. */
  readonly name: string;
  /** What matches the route, for people: `www.example.com`, `*.example.com /img`, `any host`. */
  readonly match: string;
  /** `forward`, or the kind of its own answer. */
  readonly action: 'forward' | 'redirect' | 'respond';
  /** The algorithm that picks a server; empty when the route does not forward. */
  readonly algorithm: string;
  readonly requests: number;
  readonly latency: Latency;
  /** Since when none of its servers takes new requests; null while one does, and when the route does not forward. */
  readonly downSince: number | null;
  /** Its requests that wait for a server; null without `hold`. */
  readonly hold: LiveHold | null;
  readonly servers: readonly ServerStatus[];
}

/**
 * up: its checks pass, or the first one is not over (`lastCheck` is null). unchecked: it has no health check. down: its checks fail. ejected: live requests failed too often,
 * for a while. draining: no new requests except those of bound clients. maintenance: no requests.
 */
export type ServerState = 'up' | 'unchecked' | 'down' | 'ejected' | 'draining' | 'maintenance';

export interface ServerStatus {
  readonly name: string;
  readonly address: string;
  /** null: connections to it are not encrypted. */
  readonly tls: ServerTlsStatus | null;
  /** The routes that forward to it. */
  readonly routes: readonly string[];
  /** The routes among them in which no server takes new requests: their requests are answered 503. */
  readonly routesDown: readonly string[];
  readonly state: ServerState;
  /** Since when the server has been in this state. */
  readonly since: number;
  /** Why it takes no new requests: `refused`, `3 failures in a row`; empty when it does, and when its state says it. */
  readonly why: string;
  /** When it is tried again, in ms since the epoch; null: it is not ejected. */
  readonly until: number | null;
  /** Used only when no other server of the route is usable. */
  readonly backup: boolean;
  readonly weight: number;
  /** The current weight during slow start; 0 when it gets no new requests. */
  readonly effectiveWeight: number;
  /** Requests in flight, including tunnels and those that wait for a connection. */
  readonly active: number;
  /** The active requests that wait for a connection. */
  readonly waiting: number;
  /**
   * While the server serves only bound clients: the number of clients that it served in the last ten minutes. Clients
   * bound by cookie are counted by address, from the beginning of the drain. Otherwise 0.
   */
  readonly bound: number;
  /** Connections to the server, including those in use and those being opened. */
  readonly open: number;
  readonly idle: number;
  readonly lastCheck: LastCheck | null;
  /** The last 100, oldest first. */
  readonly events: readonly ServerEvent[];
  readonly totals: ServerTotals;
  /** Of about the last minute: 5xx answers and failed attempts. */
  readonly errors: number;
  readonly latency: Latency;
  /** Its share of all requests of the last minute, from 0 to 1. */
  readonly share: number;
  /** Is it listed in the file? Otherwise a source reported it, or it was added while running. */
  readonly fromFile: boolean;
  /** The source that reported it, as people write it; empty when none did. */
  readonly source: string;
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

/** Since the start, or since the server was added. */
export interface ServerTotals {
  readonly requests: number;
  readonly byStatus: StatusCounts;
  /** Attempts without an answer, including failed connects and resets. */
  readonly failures: number;
  readonly connectFailures: number;
  readonly resets: number;
  /** Requests sent here after another server had failed. */
  readonly retries: number;
  readonly ejections: number;
  /** How often the server was not ejected because no other one was left. */
  readonly spared: number;
  /** Connections opened to the server: the fewer per request, the more were reused. */
  readonly connections: number;
  /** Connections closed because the server sent bytes that no request asked for. */
  readonly unsolicited: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface FirewallStatus {
  /** `firewall_rules`, or with its owner: `firewall_rules of www.mango.com`. */
  readonly rule: string;
  /** In the order in which they are checked. */
  readonly verdicts: readonly GuardVerdicts[];
  /** Clients that the ban refuses now, or would refuse if the rule did not only observe. */
  readonly bans: number;
}

/** A host or place whose requests are answered with 503 while work is done. */
export interface MaintenanceStatus {
  /** A host, `*` for every host, or for one of the file the place as routes are called: `www.mango.com/shop`. */
  readonly name: string;
  readonly by: 'operator' | 'file';
  /** ms since the epoch; of the file: since when it is in force. */
  readonly since: number;
  /** ms since the epoch; null: until an operator ends it. */
  readonly until: number | null;
  /** Addresses and CIDRs of the clients that are served as usual. */
  readonly allow: readonly string[];
}

/** A client that is refused because of its earlier requests. */
export interface BanStatus {
  /** Its address, for IPv6 its /64: `192.0.2.1`, `2001:db8:0:1::/64`. */
  readonly client: string;
  /** The firewall of the ban, as in `FirewallStatus`. */
  readonly rule: string;
  /** ms since the epoch. */
  readonly until: number;
  readonly leftMs: number;
  /** The client is let in, because the rule only observes. */
  readonly observed: boolean;
}

/** The longest ones first, at most a thousand. */
export interface BanList {
  /** The number of bans, listed or not. */
  readonly total: number;
  readonly bans: readonly BanStatus[];
}

/** How often a guard refused since the start. */
export interface GuardVerdicts {
  readonly guard: string;
  readonly refused: number;
  /** Let through, because the rule only observes. */
  readonly observed: number;
}

/** A certificate that is shown to clients. */
export interface CertificateStatus extends Omit<CertificateIdentity, 'subject'> {
  /** The first of its names. */
  readonly name: string;
  /** Host names, wildcards and IP addresses that it covers. */
  readonly names: readonly string[];
  /** `RSA 2048`, `EC P-256`, `Ed25519`. */
  readonly keyType: string;
  /** expiring: within 30 days, and not renewed automatically. */
  readonly state: 'valid' | 'expiring' | 'expired' | 'not_yet_valid';
  /** From a file, ordered by ACME, or of the local authority. */
  readonly source: 'file' | 'acme' | 'internal';
  /** Empty when the certificate does not come from a file. */
  readonly file: string;
  /** Problems of its file, a line each. If the file cannot be used, the certificate is the last valid one. */
  readonly problems: readonly string[];
}

export interface ConfigStatus {
  /** The settings file; null without one. */
  readonly path: string | null;
  readonly loadedAt: number;
  /** The last reload, if it was refused: the settings from before are in force. null: it was not, or others are in force. */
  readonly refused: ConfigRefusal | null;
  /** Changes made while running that are not in the file, a line each: `weight of big: 5 (file: 3)`. */
  readonly drift: readonly string[];
}

/** A reload that was refused. */
export interface ConfigRefusal {
  /** ms since the epoch. */
  readonly at: number;
  /** Why, in one line. */
  readonly reason: string;
}

export type EventKind = Exclude<BalancerEvent['what'], 'checked'> | 'draining';

/** An event for operators. */
export interface StatusEvent {
  /** Numbered from 1. */
  readonly id: number;
  readonly at: number;
  readonly what: EventKind;
  /** Empty when the event concerns no particular server. */
  readonly server: string;
  /** The route that the event concerns: only in `route_down` and `route_up`. */
  readonly route?: string;
  /** In words: `status 500`, `ready -> draining`, `3 -> 5`; may be empty. */
  readonly reason: string;
}

/** An event of a server or its health. */
export interface ServerEvent {
  /** ms since the epoch; of the first one, when it happened several times in a row. */
  readonly at: number;
  readonly what: EventKind | HealthEventKind;
  /** In words, as in a `StatusEvent`. */
  readonly reason: string;
  /** How many times in a row. */
  readonly times: number;
}
