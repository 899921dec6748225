import type { Address } from '../base/address.js';
import type { Scheme } from '../base/transport-info.js';
import type { Network } from './network.js';
import type { PathPattern, ValuePattern } from './pattern.js';
import type { RegexConfig } from './regex.js';
import type { IncludedFile } from './sources.js';
import type { Template } from './template.js';
import type { LimitsConfig, TimeoutsConfig } from './types/limits.js';
import type {
  AccessLogConfig,
  EventsConfig,
  MeasuredPath,
  MetricsConfig,
  TracingConfig,
} from './types/logs.js';
import type { ErrorPageConfig, FirewallConfig, HeaderRule, RulesConfig } from './types/rules.js';
import type {
  DnsConfig,
  GroupConfig,
  HealthCheckConfig,
  PassiveHealthConfig,
  PoolConfig,
  ProviderConfig,
  RetryConfig,
  ServerConfig,
  StickyConfig,
} from './types/servers.js';
import type { SharedConfig } from './types/shared.js';
import type { ListenerConfig, TlsConfig } from './types/tls.js';
import type { FieldMatch } from './types/values.js';

export type {
  AccessLogField,
  AccessLogFormat,
  AlgorithmFallback,
  AlgorithmName,
} from './settings.js';
export type * from './types/containers.js';
export type * from './types/limits.js';
export type * from './types/logs.js';
export type * from './types/providers.js';
export type * from './types/rules.js';
export type * from './types/servers.js';
export type * from './types/shared.js';
export type * from './types/tls.js';
export type * from './types/values.js';

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
  readonly listen: readonly ListenerConfig[];
  /** The terms of listeners with `tls: true`; null: none are set. */
  readonly tls: TlsConfig | null;
  /** The listener for operators: metrics, the API and the status page; null: none. */
  readonly admin: AdminConfig | null;
  /** The servers of the default route. */
  readonly servers: readonly ServerConfig[];
  /** The check for every group without its own. null: servers count as up. */
  readonly healthCheck: HealthCheckConfig | null;
  /**
   * How live requests affect the state of servers, for every group without its own setting. null: they never eject a
   * server.
   */
  readonly passiveHealth: PassiveHealthConfig | null;
  /** The pool settings for every group without its own. */
  readonly pool: PoolConfig;
  readonly dns: DnsConfig;
  /** The containers whose labels make routes; null: none. Their servers are in the groups of these routes. */
  readonly docker: ProviderConfig | null;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** CIDRs, as written, of the peers whose X-Forwarded-* and X-Request-Id are trusted. */
  readonly trustedProxies: readonly string[];
  /** Is Forwarded (RFC 7239) sent to servers in addition to X-Forwarded-*? */
  readonly forwarded: boolean;
  /** Is Via sent to servers? */
  readonly via: boolean;
  /** The name of this balancer in Proxy-Status; null: there is no such field. */
  readonly proxyStatus: string | null;
  /** What this balancer is called among others; null: like the machine (`base/instance-name`). */
  readonly instance: string | null;
  /** Do logs and events have the networks of clients in place of their addresses? */
  readonly maskAddresses: boolean;
  /** The path, on every listener, that reports whether the balancer is ready; null: none. */
  readonly readinessPath: string | null;
  readonly accessLog: AccessLogConfig;
  /** The webhook for events; null: none. */
  readonly events: EventsConfig | null;
  /** null: requests are not traced. */
  readonly tracing: TracingConfig | null;
  /** null: figures are not sent anywhere. */
  readonly metrics: MetricsConfig | null;
  /** The paths that requests are counted by. */
  readonly measuredPaths: readonly MeasuredPath[];
  /** How many threads serve clients. */
  readonly workers: number | 'auto';
  /** With whom limits, bans, bindings and certificates are shared; null: with nobody. */
  readonly shared: SharedConfig | null;
  /** The file in which changes made by operators survive a restart; null: none. */
  readonly stateFile: string | null;
  /** Guards that every request passes before it is routed; null without any. */
  readonly firewall: FirewallConfig | null;
  readonly hosts: readonly HostConfig[];
  /** For requests to a host that is not in `hosts`. */
  readonly rest: ScopeConfig;
  /** Every group a route forwards to, once each. */
  readonly groups: readonly GroupConfig[];
  /** Every place that says itself that it is in maintenance. */
  readonly maintenance: readonly MaintenanceConfig[];
  /** Cases to run before the configuration is used. */
  readonly tests: readonly TestConfig[];
  /** The files that the settings file includes, in their order. */
  readonly included: readonly IncludedFile[];
}

/** The listener for operators. */
export interface AdminConfig {
  readonly listen: Address;
  /** null: plain HTTP. */
  readonly tls: TlsConfig | null;
  /** The token that callers need; null only if no other machine can reach the listener. */
  readonly token: string | null;
  /** The token for read-only access; null: none. */
  readonly readToken: string | null;
  /**
   * Host names, in lower case, that callers may use in addition to addresses, `localhost` and the one it listens on.
   */
  readonly hosts: readonly string[];
}

export interface HostConfig {
  readonly names: readonly HostPattern[];
  readonly scope: ScopeConfig;
}

/** In lower case, without a port or a final dot, in ASCII (`xn--`). A wildcard's suffix begins with the dot. */
export type HostName =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'wildcard'; readonly suffix: string };

/** A name, or a regular expression that matches anywhere in a name unless it is anchored; in the same form. */
export type HostPattern = HostName | { readonly kind: 'regex'; readonly regex: RegexConfig };

/** A scope of decisions: a host, the rest of the file, or (without paths) a path. */
export interface ScopeConfig {
  /** In order: the first whose conditions match is taken. */
  readonly routes: readonly ConditionalRoute[];
  /**
   * In the order of the file. An exact path takes precedence, then the first regular expression, then the longest
   * prefix.
   */
  readonly paths: readonly PathRoute[];
  readonly fallback: RouteConfig | null;
  /** For local replies to requests that find no route here. */
  readonly responseHeaders: readonly HeaderRule[];
  /** For requests that find no route here; null: they get 404. */
  readonly maintenance: MaintenanceConfig | null;
  /** The error pages for a request that matches no route here. */
  readonly errorPages: readonly ErrorPageConfig[];
  /** The languages of what is served here when no route of `routes` asked for one; empty when not set. */
  readonly languages: readonly string[];
}

/** What the certificate of a client must be. */
export interface ClientCertMatch {
  /** False: none was shown, or it is not valid. */
  readonly valid: boolean;
  readonly facts: readonly { readonly name: ClientCertFact; readonly value: ValuePattern }[];
}

export type ClientCertFact = 'subject' | 'issuer' | 'serial' | 'fingerprint' | 'name';

export interface ConditionalRoute {
  readonly match: MatchConfig;
  readonly route: RouteConfig;
}

export interface PathRoute {
  readonly path: PathPattern;
  /** Its own `routes`, then itself as the fallback; `paths` is empty. */
  readonly scope: ScopeConfig;
}

/** Conditions that must all hold; an empty list (null for the path) is no condition. */
export interface MatchConfig {
  readonly path: PathPattern | null;
  /** Any of these. */
  readonly methods: readonly string[];
  readonly headers: readonly FieldMatch[];
  readonly params: readonly FieldMatch[];
  readonly cookies: readonly FieldMatch[];
  /** One of these must fit Accept-Language best among the languages of the sibling routes and the scope's own. */
  readonly languages: readonly string[];
  /** The client's address lies in one of these. */
  readonly clientIps: readonly Network[];
  /** The address of the peer, which may be a proxy, lies in one of these. */
  readonly peerIps: readonly Network[];
  /** Any of these. */
  readonly schemes: readonly string[];
  /** The name that the client asked for in its handshake is one of these. */
  readonly snis: readonly HostName[];
  /** null: no condition. */
  readonly clientCert: ClientCertMatch | null;
  /** Conditions that must not all hold. */
  readonly not: MatchConfig | null;
  /** At least one of these must hold; empty is no condition. */
  readonly any: readonly MatchConfig[];
}

/** Requests that wait until a server is back. */
export interface HoldConfig {
  /** ms */
  readonly for: number;
  /** How many wait at once, of one route and in one thread. */
  readonly maxRequests: number;
}

/** A place of the settings file where requests are answered with 503 while work is done. */
export interface MaintenanceConfig {
  /** The name of the place, as in the names of its routes. */
  readonly name: string;
  readonly line: number;
  /** CIDRs, as written, of the clients that are served as usual. */
  readonly allow: readonly string[];
  /** ms */
  readonly retryAfter: number;
}

/** The route of a request, with all that applies to it. */
export interface RouteConfig {
  /** The name in logs and of `{route}`: `default`, `www.mango.com`, `www.mango.com/img`, `www.mango.com#1`. Unique. */
  readonly name: string;
  /** The line in the file, from 1; 0 when the route comes from elsewhere. */
  readonly line: number;
  readonly action: RouteAction;
  /** The firewalls of the host, the path and the route, in this order. `Config.firewall` is not among them. */
  readonly firewalls: readonly FirewallConfig[];
  readonly rules: RulesConfig;
  /** null: clients are not bound to servers. */
  readonly sticky: StickyConfig | null;
  readonly retry: RetryConfig;
  /** null: a request that finds no usable server is answered at once. */
  readonly hold: HoldConfig | null;
  /** null: requests are served. */
  readonly maintenance: MaintenanceConfig | null;
  readonly timeouts: TimeoutsConfig;
  /** Bytes of a request body; 0 is no limit. */
  readonly bodyBytes: number;
  readonly bodyRate: number;
}

export type RouteAction =
  | { readonly kind: 'forward'; readonly group: GroupConfig }
  | { readonly kind: 'redirect'; readonly status: number; readonly to: Template }
  | {
      readonly kind: 'respond';
      readonly status: number;
      /** Bytes as latin1. */
      readonly body: string;
      /** The name of the file that holds the body; null: the settings do. */
      readonly file: string | null;
      readonly headers: readonly { readonly name: string; readonly value: Template }[];
    };

/** A test request that is not sent, and its expected outcome. */
export interface TestConfig {
  readonly line: number;
  /** As written: `GET http://www.mango.com/v1`. */
  readonly request: string;
  readonly scheme: Scheme;
  readonly method: string;
  readonly host: string;
  /** Path and query, as they would stand in the request line. */
  readonly target: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly clientIp: string;
  readonly expect: ExpectConfig;
}

/** null or empty: not checked. */
export interface ExpectConfig {
  /** `RouteConfig.name`. */
  readonly route: string | null;
  /** Whether the connection is closed at accept: then there is no answer, and no status. */
  readonly closed: boolean | null;
  /** The status of a redirect, a fixed reply or a refusal. */
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
