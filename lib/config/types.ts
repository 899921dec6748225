import type { Address } from '../base/address.js';
import type { Network } from './network.js';
import type { PathPattern } from './pattern.js';
import type { Template } from './template.js';
import type { LimitsConfig, TimeoutsConfig } from './types/limits.js';
import type { AccessLogConfig, EventsConfig } from './types/logs.js';
import type { FirewallConfig, HeaderRule, RulesConfig } from './types/rules.js';
import type {
  DnsConfig,
  GroupConfig,
  HealthCheckConfig,
  PassiveHealthConfig,
  PoolConfig,
  RetryConfig,
  ServerConfig,
  StickyConfig,
} from './types/servers.js';
import type { FieldMatch } from './types/values.js';

export type {
  AccessLogField,
  AccessLogFormat,
  AlgorithmFallback,
  AlgorithmName,
} from './settings.js';
export type * from './types/limits.js';
export type * from './types/logs.js';
export type * from './types/rules.js';
export type * from './types/servers.js';
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
  readonly listen: readonly Address[];
  /** Where metrics, the API and the status page are served; null: nowhere. */
  readonly admin: AdminConfig | null;
  /** The servers of the default route. */
  readonly servers: readonly ServerConfig[];
  /** The check of every group that has none of its own. null: servers are believed to be up. */
  readonly healthCheck: HealthCheckConfig | null;
  /** How live requests are watched, for every group that does not say. null: they take no server out. */
  readonly passiveHealth: PassiveHealthConfig | null;
  /** The pool of every group that has none of its own. */
  readonly pool: PoolConfig;
  readonly dns: DnsConfig;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** CIDRs, as written, of the peers whose X-Forwarded-* and X-Request-Id are believed. */
  readonly trustedProxies: readonly string[];
  /** Are servers told of clients in Forwarded (RFC 7239), beside X-Forwarded-*? */
  readonly forwarded: boolean;
  /** Are servers told in Via that the request came through a proxy? */
  readonly via: boolean;
  /** The path, on every listener, that answers whether the balancer is ready; null: none. */
  readonly readinessPath: string | null;
  readonly accessLog: AccessLogConfig;
  /** Who is told of events beside the reader of stderr; null for nobody. */
  readonly events: EventsConfig | null;
  /** Where what operators change outlives the process; null: nowhere. */
  readonly stateFile: string | null;
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

/** The door for operators. */
export interface AdminConfig {
  readonly listen: Address;
  /** What a caller has to show; null only where nobody else can reach it. */
  readonly token: string | null;
  /** What those show who may look and change nothing; null without such. */
  readonly readToken: string | null;
  /** Names, in lower case, under which it is asked for beside addresses, `localhost` and the one it listens on. */
  readonly hosts: readonly string[];
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
  /** For answers of the balancer's own to requests that find no route here. */
  readonly responseHeaders: readonly HeaderRule[];
  /** Of what is served here where no route of `routes` asked for a language; empty when nobody said so. */
  readonly languages: readonly string[];
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
  /** Any of these, if it is the best fit of Accept-Language among the languages of the sibling routes and the scope's own. */
  readonly languages: readonly string[];
  /** The client's address lies in one of these. */
  readonly clientIps: readonly Network[];
  /** The other end of the connection, be it a proxy, lies in one of these. */
  readonly peerIps: readonly Network[];
  /** Any of these. */
  readonly schemes: readonly string[];
  /** What must not all hold. */
  readonly not: MatchConfig | null;
  /** One of these at least must hold; empty asks nothing. */
  readonly any: readonly MatchConfig[];
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
  readonly bodyRate: number;
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
