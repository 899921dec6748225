import type { Address } from '../base/address.js';
import type { Network } from './network.js';
import type { PathPattern, ValuePattern } from './pattern.js';
import type { Template } from './template.js';

/**
 * A configuration after loading: every default filled in, every unit converted (times in ms, sizes in bytes), every
 * text that has a syntax of its own (addresses, networks, paths, patterns, templates) read, and all of it frozen.
 * Nothing after `compile` looks at YAML again.
 *
 * How a request finds its way through it:
 *
 *     firewall            global guards, before routing
 *     hosts ──────┐       the exact name, then the longest wildcard; without one, `rest`
 *     rest ───────┤
 *                 ▼
 *     Scope: routes       conditions, the first that matches wins
 *            paths        exact, then regular expressions in order, then the longest prefix; a path has routes too
 *            fallback     what is left; null answers 404
 *                 ▼
 *     Route: firewalls    its guards, outermost first
 *            rules        what happens to the head, outermost first
 *            action       forward to a group, redirect, or respond
 *
 * Inheritance is resolved here, so that no room has to know of it: a route carries all that applies to it. Guards
 * and rules add up from the outside in (the file's, the host's, the path's, the route's own); `servers`,
 * `redirect` and `respond` of the inside replace those of the outside; so do single timeouts and checks. What two
 * routes share (a group, a firewall) is one object, so its state can be kept by identity.
 */
export interface Config {
  readonly listen: readonly Address[];
  /** The servers of the default route. */
  readonly servers: readonly ServerConfig[];
  /** The check of every group that has none of its own. null: servers are believed to be up. */
  readonly healthCheck: HealthCheckConfig | null;
  /** The same for what live requests may do. null: they take no server out. */
  readonly passiveHealth: PassiveHealthConfig | null;
  /** The pool of every group that has none of its own. */
  readonly pool: PoolConfig;
  readonly dns: DnsConfig;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** CIDRs, as written, of the peers whose X-Forwarded-* and X-Request-Id are believed. */
  readonly trustedProxies: readonly string[];
  readonly accessLog: AccessLogConfig;
  /** Who is told of events beside the reader of stderr; null for nobody. */
  readonly events: EventsConfig | null;
  /** Guards that every request passes before it is routed; null without any. */
  readonly firewall: FirewallConfig | null;
  readonly hosts: readonly HostConfig[];
  /** For requests to a host that is not in `hosts`. */
  readonly rest: ScopeConfig;
  /** Every group a route forwards to, once each. */
  readonly groups: readonly GroupConfig[];
  /** Cases to run before the configuration is used. */
  readonly tests: readonly TestConfig[];
}

export interface ServerConfig {
  readonly address: Address;
  /** What logs and the access line call it; the address's text unless given. One name is one address. */
  readonly name: string;
  /** Connections open at once; 0 is no limit. */
  readonly maxConnections: number;
  /** Its share of the work as against the others', 0 to 256; with 0 only clients that are bound to it come. */
  readonly weight: number;
  /** Used only while no other server of its group can be. */
  readonly backup: boolean;
}

export type AlgorithmName =
  | 'round_robin'
  | 'least_connections'
  | 'random'
  | 'power_of_two'
  | 'ip_hash'
  | 'hash'
  | 'least_response_time'
  | 'first';

/** How a group chooses a server. */
export interface AlgorithmConfig {
  readonly name: AlgorithmName;
  /** What `hash` and `ip_hash` tell requests apart by; null for all others. */
  readonly on: RequestKeyConfig | null;
  /** `hash`: for requests that have nothing of the kind. `client_ip` is hashed in its place. */
  readonly fallback: AlgorithmFallback;
  /** `hash`, `ip_hash`: how many times its share of the requests in flight a server gets at most; 0 is no bound. */
  readonly balanceFactor: number;
}

export type AlgorithmFallback = 'round_robin' | 'least_connections' | 'random' | 'power_of_two' | 'client_ip';

/** Something that requests are told apart by. Header names are in lower case; only fields have a name. */
export interface RequestKeyConfig {
  readonly kind: 'client_ip' | 'uri' | 'path' | 'header' | 'cookie' | 'param';
  readonly name: string;
}

/** By what clients stay with their server. */
export type StickyConfig =
  | {
      readonly kind: 'cookie';
      readonly name: string;
      /** null: one made up at the start. */
      readonly secret: string | null;
      /** s; 0: as long as the browser runs. */
      readonly maxAge: number;
    }
  | { readonly kind: 'header' | 'param'; readonly name: string };

/** An inclusive range of status codes. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** How a server is asked whether it is well. A `tcp` check connects and asks nothing. */
export interface HealthCheckConfig {
  readonly type: 'http' | 'tcp';
  /** Where it is asked: an address, another port of its host, or (null) where its requests go. */
  readonly target: Address | number | null;
  readonly method: string;
  readonly path: string;
  /** The Host field; null: the address that is asked. */
  readonly host: string | null;
  /** Further fields of the request. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** Content of the request; empty: none. */
  readonly body: string;
  readonly expectStatus: readonly StatusRange[];
  /** Fields that must be in the answer. */
  readonly expectHeaders: readonly FieldMatch[];
  /** What must be found in the answer's content: a text in its first 64 KiB, or an expression in its first 8 KiB. */
  readonly expectBody: string | RegExp | null;
  /** ms between the end of one check and the start of the next. */
  readonly interval: number;
  /** The same while a change of the verdict is in the balance; never longer than `interval`. */
  readonly fastInterval: number;
  /** The same while the server is down; null: `interval`. */
  readonly downInterval: number | null;
  /** Share by which an interval is shortened or lengthened at random. */
  readonly jitter: number;
  /** ms for the whole check, connect included. */
  readonly timeout: number;
  /** Checks in a row that must pass before a server that is down is used again. */
  readonly rise: number;
  /** Checks in a row that must fail before a server is taken out. */
  readonly fall: number;
  /** What is believed before the first check. `unknown`: it is not used, and the first check alone decides. */
  readonly initial: 'up' | 'down' | 'unknown';
  /** What becomes of requests and tunnels on a server that goes down. */
  readonly onDown: 'finish' | 'cut';
}

/** When live requests take a server out, and for how long. An error is an answer; a failure is none. */
export interface PassiveHealthConfig {
  /** Failures in a row: connections refused, cut or silent. 0: any number. */
  readonly consecutiveFailures: number;
  /** Answers in a row with one of `errorStatus`. 0: any number. */
  readonly consecutiveErrors: number;
  /** Empty: no answer counts against a server. */
  readonly errorStatus: readonly StatusRange[];
  /** ms that `failureShare` looks back. */
  readonly window: number;
  /** Share of failures and errors among the requests of the window; 0: any share. */
  readonly failureShare: number;
  /** With fewer requests in the window the share says nothing. */
  readonly minimumRequests: number;
  /** ms, times how often it has happened lately. */
  readonly ejectFor: number;
  readonly maxEjectFor: number;
  /** Share of a group that may be out at once, one server at least, and never the last that can be used. */
  readonly maxEjected: number;
  /** Requests that must go well, one at a time, before a server that returns is used as before. */
  readonly trialRequests: number;
}

/** The connections to each server of a group. Times in ms. */
export interface PoolConfig {
  /** Unused connections kept. */
  readonly maxIdle: number;
  /** How long one is kept at most; shorter where the server is known to close earlier. */
  readonly idleTimeout: number;
  /** Connections open at once to a server that has no limit of its own; 0 is no limit. */
  readonly maxConnections: number;
  /** Requests that may wait for a connection. */
  readonly maxWaiting: number;
  /** A connection older than this is closed after its request; 0 is no limit. */
  readonly maxAge: number;
  /** So is one that has carried so many; 0 is no limit. */
  readonly maxRequests: number;
  /** Requests in flight on one connection; 1 is no pipelining. */
  readonly pipelining: number;
}

/** How the names of servers become addresses. */
export interface DnsConfig {
  /** `address` or `address:port`; none: those of the system. */
  readonly servers: readonly string[];
  /** ms; what a TTL is raised to, and cut to. */
  readonly minTtl: number;
  readonly maxTtl: number;
}

/**
 * What may be tried again. connect: no connection was to be had. stale: one that had been open before was closed as
 * the request was sent. reset: any other was, before a byte of the answer. timeout: no answer in time.
 */
export type RetryCause = 'connect' | 'stale' | 'reset' | 'timeout';

export interface RetryConfig {
  /** Attempts behind the first. A stale connection that is replaced is none. */
  readonly attempts: number;
  readonly causes: readonly RetryCause[];
  /** Answers of which the client is to see nothing as long as there are attempts left. */
  readonly statuses: readonly StatusRange[];
  /** Retries as a share of the requests, from 0 to 1; null: no limit. */
  readonly budget: number | null;
  /** Bytes of a request body kept to be sent again. */
  readonly buffer: number;
  /** May any request with an Idempotency-Key be sent twice? */
  readonly idempotencyKey: boolean;
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

/** What may stand in a line, as the keys of a json line are called. */
export type AccessLogField =
  | 'ts'
  | 'request_id'
  | 'client'
  | 'method'
  | 'target'
  | 'host'
  | 'protocol'
  | 'route'
  | 'status'
  | 'server'
  | 'attempts'
  | 'tries'
  | 'duration_ms'
  | 'queue_ms'
  | 'connect_ms'
  | 'first_byte_ms'
  | 'bytes_in'
  | 'bytes_out'
  | 'reason'
  | 'detail'
  | 'user_agent'
  | 'referer';

export interface AccessLogConfig {
  /** undefined: whoever prints it decides, `dev` on a terminal and `json` otherwise. */
  readonly format: AccessLogFormat | undefined;
  /** Appended to, made when it is missing; null: stdout. */
  readonly file: string | null;
  /** null: those of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** null: every request has its line. */
  readonly filter: AccessLogFilter | null;
}

/** Which requests have a line. */
export interface AccessLogFilter {
  /** Always those that got one of these, or were cut half way. */
  readonly statuses: readonly StatusRange[];
  /** Always those that took longer, in ms; null: however long they took. */
  readonly slowerThan: number | null;
  /** And this share of the others, from 0 to 1. */
  readonly sample: number;
}

export interface EventsConfig {
  /** An http or https URL. */
  readonly webhook: string;
  /** Empty: requests are not signed. */
  readonly secret: string;
  /** ms for one request. */
  readonly timeout: number;
}

/** Servers that share the work, with what is asked of them. Two routes with the same servers by inheritance share one. */
export interface GroupConfig {
  /** Where it was written: `servers`, `hosts[0].servers`. Unique. */
  readonly name: string;
  readonly servers: readonly ServerConfig[];
  readonly algorithm: AlgorithmConfig;
  /** ms in which a server comes to its full weight after it was out; 0 is at once. */
  readonly slowStart: number;
  readonly healthCheck: HealthCheckConfig | null;
  readonly passiveHealth: PassiveHealthConfig | null;
  readonly pool: PoolConfig;
  /** ms a connect may take: `timeouts.connect` where the servers are named. */
  readonly connectTimeout: number;
}

export interface HostConfig {
  readonly names: readonly HostName[];
  readonly scope: ScopeConfig;
}

/** In lower case, without a port or a final dot, in ASCII (`xn--`). A wildcard's suffix begins with the dot. */
export type HostName =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'wildcard'; readonly suffix: string };

/** One level of decisions: a host, the rest, or (without paths) a path. */
export interface ScopeConfig {
  /** In order: the first whose conditions hold wins. */
  readonly routes: readonly ConditionalRoute[];
  /** In the order of the file. Exact wins over a regular expression (the first), that over the longest prefix. */
  readonly paths: readonly PathRoute[];
  readonly fallback: RouteConfig | null;
}

export interface ConditionalRoute {
  readonly match: MatchConfig;
  readonly route: RouteConfig;
}

export interface PathRoute {
  readonly path: PathPattern;
  /** Its own `routes`, then itself as the fallback; `paths` is empty. */
  readonly scope: ScopeConfig;
}

/** Conditions that must all hold; an empty list (null for the path) asks nothing. */
export interface MatchConfig {
  readonly path: PathPattern | null;
  /** Any of these. */
  readonly methods: readonly string[];
  readonly headers: readonly FieldMatch[];
  readonly params: readonly FieldMatch[];
  readonly cookies: readonly FieldMatch[];
  /** Any of these, if it is the best fit of Accept-Language among the languages of the sibling routes. */
  readonly languages: readonly string[];
  /** The client's address lies in one of these. */
  readonly clientIps: readonly Network[];
}

/** A field of which one value matches. Header names are in lower case, those of parameters and cookies as written. */
export interface FieldMatch {
  readonly name: string;
  readonly value: ValuePattern;
}

/** Where a request ends up, and all that applies to it there. */
export interface RouteConfig {
  /** What logs and `{route}` call it: `default`, `www.mango.com`, `www.mango.com/img`, `www.mango.com#1`. Unique. */
  readonly name: string;
  /** Where it stands in the file, from 1; 0 when it comes from elsewhere. */
  readonly line: number;
  readonly action: RouteAction;
  /** The host's, the path's and the route's own, in this order. `Config.firewall` is not among them. */
  readonly firewalls: readonly FirewallConfig[];
  readonly rules: RulesConfig;
  /** null: every request is served by whoever is chosen for it. */
  readonly sticky: StickyConfig | null;
  readonly retry: RetryConfig;
  readonly timeouts: TimeoutsConfig;
  /** Bytes of a request body; 0 is no limit. */
  readonly bodyBytes: number;
}

export type RouteAction =
  | { readonly kind: 'forward'; readonly group: GroupConfig }
  | { readonly kind: 'redirect'; readonly status: number; readonly to: Template }
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly body: string;
      readonly headers: readonly { readonly name: string; readonly value: Template }[];
    };

/** What happens to a head. Every list is in the order in which it is carried out, the outermost settings first. */
export interface RulesConfig {
  /** The Host the server gets: the client's, the server's own address, or a text. */
  readonly host: 'client' | 'server' | Template;
  readonly path: readonly PathRule[];
  readonly params: readonly ParamRule[];
  readonly cookies: readonly CookieRule[];
  readonly headers: readonly HeaderRule[];
  readonly responseHeaders: readonly HeaderRule[];
}

/**
 * `name` is as written and goes on the wire, `key` is its lower case. Never Host, nor a field that belongs to
 * framing. `set` replaces every field of the name by one; `replace` edits each value where `find` matches.
 */
export type HeaderRule =
  | { readonly kind: 'set'; readonly name: string; readonly key: string; readonly value: Template }
  | { readonly kind: 'append'; readonly name: string; readonly key: string; readonly value: Template }
  | { readonly kind: 'remove'; readonly name: string; readonly key: string }
  | { readonly kind: 'replace'; readonly name: string; readonly key: string; readonly edit: Edit };

/** Names and values are decoded; other parameters keep their order and their encoding. */
export type ParamRule =
  | { readonly kind: 'set'; readonly name: string; readonly value: Template }
  | { readonly kind: 'remove'; readonly name: string };

export type CookieRule =
  | { readonly kind: 'set'; readonly name: string; readonly value: Template }
  | {
      readonly kind: 'remove';
      readonly name: string;
      /** It follows from `sticky`, not from `cookie_rules`. */
      readonly sticky?: true;
    };

export type PathRule =
  /** By whole segments, when the path has it: `/img` of `/img/a` leaves `/a`, of `/img` leaves `/`. */
  | { readonly kind: 'strip_prefix'; readonly prefix: string }
  | { readonly kind: 'add_prefix'; readonly prefix: Template }
  /** Wherever these segments stand in a row: `v1` in `/v1/a` but not in `/v10`. */
  | { readonly kind: 'replace_segments'; readonly from: readonly string[]; readonly to: Template }
  | { readonly kind: 'replace'; readonly edit: Edit };

/** `find` is global: every occurrence is replaced. `{ kind: 'group' }` in `to` is a group of `find`. */
export interface Edit {
  readonly find: RegExp | string;
  readonly to: Template;
}

/** Guards in the order of their fields; the first refusal wins. */
export interface FirewallConfig {
  /** Where it was written: `firewall_rules`, `hosts[0].firewall_rules`. Unique, and the name in counts and logs. */
  readonly name: string;
  readonly line: number;
  /** `observe` counts and logs what it would have refused, and lets it through. */
  readonly mode: 'enforce' | 'observe';
  readonly ipReject: readonly Network[];
  /** null: everyone who is not rejected. Else nobody but these. */
  readonly ipAllow: readonly Network[] | null;
  /** At once for `Config.firewall`, at accept; requests in flight for a route's. 0 is no limit. */
  readonly maxConnectionsPerIp: number;
  readonly ban: BanConfig | null;
  readonly methodReject: readonly string[];
  readonly pathReject: readonly PathPattern[];
  readonly headerReject: readonly FieldMatch[];
  readonly rateLimit: RateLimitConfig | null;
}

/** A bucket of `burst` tokens for each key, refilled evenly by `requests` in `per` ms. */
export interface RateLimitConfig {
  readonly requests: number;
  readonly per: number;
  readonly burst: number;
  readonly key: RateLimitKey;
  readonly status: number;
}

/** Requests without the header or cookie are counted by client_ip. */
export type RateLimitKey =
  | { readonly kind: 'client_ip' }
  | { readonly kind: 'header' | 'cookie'; readonly name: string };

/** A client that got `count` responses of such a status `within` ms is refused `for` ms. */
export interface BanConfig {
  readonly status: readonly StatusRange[];
  readonly count: number;
  readonly within: number;
  readonly for: number;
}

/** A request that is not sent, and what must become of it. */
export interface TestConfig {
  readonly line: number;
  /** As written: `GET http://www.mango.com/v1`. */
  readonly request: string;
  readonly method: string;
  readonly host: string;
  /** Path and query, as they would stand in the request line. */
  readonly target: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly clientIp: string;
  readonly expect: ExpectConfig;
}

/** What is null or empty is not asked. */
export interface ExpectConfig {
  /** `RouteConfig.name`. */
  readonly route: string | null;
  /** Of a redirect, a fixed reply or a refusal. */
  readonly status: number | null;
  /** The path and query the server would get. */
  readonly path: string | null;
  readonly query: string | null;
  /** Where a redirect leads. */
  readonly location: string | null;
  /** Fields of the head the server would get. */
  readonly headers: readonly FieldMatch[];
  /** Fields that must not be in it; in lower case. */
  readonly noHeaders: readonly string[];
}
