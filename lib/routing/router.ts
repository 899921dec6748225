import { atOnce, type Steps } from '../base/slices.js';
import { everyRouteOf } from '../config/every-route.js';
import type { PathPattern } from '../config/pattern.js';
import { compileRegex, type Regex } from '../config/regex.js';
import type { Config, RouteConfig, ScopeConfig } from '../config/types.js';
import type { Maintenance } from '../exchange/context.js';
import { otherReadings } from '../firewall/path-readings.js';
import type { RequestView } from '../http/request-view.js';
import { Conditions, firstMet } from '../rules/match.js';
import { type Captures, matchRegex, NO_CAPTURES } from '../rules/pattern.js';
import { NO_RULES, RouteRules } from '../rules/route-rules.js';
import { PlaceInMaintenance } from './host-maintenance.js';
import { HostTable } from './host-table.js';

/** The routes of one host. */
interface HostRoutes<T> {
  readonly scope: Scope<T>;
  readonly otherWays: OtherWays<T> | null;
}

/** The routes of the hosts that a regular expression matches. */
interface HostRegex<T> {
  readonly regex: Regex;
  readonly site: HostRoutes<T>;
}

/** Finds the route of a request. Built once from a configuration and never changed. */
export class Router<T> {
  readonly #hosts: HostTable<HostRoutes<T>>;
  /** In the order of the file; asked only for hosts that no name matches. */
  readonly #patterns: readonly HostRegex<T>[];
  readonly #rest: HostRoutes<T>;
  /** The routes of `#rest` if there are no hosts: Host is not read then. */
  readonly #only: HostRoutes<T> | null;
  /** The rules for local replies to requests that match no host. */
  readonly lostRules: RouteRules;
  /** Must any guard be asked about other readings of a path? */
  readonly hasOtherWays: boolean;

  private constructor(
    hosts: HostTable<HostRoutes<T>>,
    patterns: readonly HostRegex<T>[],
    rest: HostRoutes<T>,
    hasOtherWays: boolean,
  ) {
    this.#hosts = hosts;
    this.#patterns = patterns;
    this.#rest = rest;
    this.#only = hosts.isEmpty && patterns.length === 0 ? rest : null;
    this.lostRules = rest.scope.lostRules;
    this.hasOtherWays = hasOtherWays;
  }

  /** `attach` is called once for every route; its result is part of each match of that route. */
  static of<T>(config: Pick<Config, 'hosts' | 'rest'>, attach: (route: RouteConfig) => T): Router<T> {
    return atOnce(Router.build(config, attach));
  }

  /** Like `of`, in steps. */
  static *build<T>(
    { hosts, rest }: Pick<Config, 'hosts' | 'rest'>,
    attach: (route: RouteConfig) => T,
  ): Steps<Router<T>> {
    const resolutions = new Map<RouteConfig, RouteMatch<T>>();
    const resolutionOf = (route: RouteConfig) => {
      let resolution = resolutions.get(route);
      if (resolution === undefined) {
        resolution = Object.freeze({ route, attached: attach(route), captures: NO_CAPTURES });
        resolutions.set(route, resolution);
      }
      return resolution;
    };
    const table = new HostTable<HostRoutes<T>>();
    const patterns: HostRegex<T>[] = [];
    let hasOtherWays = false;
    for (const { names, scope } of hosts) {
      const site = yield* siteOf(scope, resolutionOf);
      hasOtherWays ||= site.otherWays !== null;
      for (const name of names) {
        if (name.kind === 'regex') patterns.push({ regex: compileRegex(name.regex), site });
        else table.add(name, site);
      }
      yield;
    }
    const others = yield* siteOf(rest, resolutionOf);
    return new Router(table, patterns, others, hasOtherWays || others.otherWays !== null);
  }

  /** The rules for the answer to a request for which `resolve` returned null. */
  lostRulesOf(view: RequestView): RouteRules {
    return this.#siteOf(view).scope.lostRules;
  }

  /** The maintenance of the place where a request was looked for for which `resolve` returned null. */
  maintenanceOf(view: RequestView): Maintenance | null {
    return this.#siteOf(view).scope.maintenance;
  }

  /** How closely the settings name a host, as `HostTable.closeness`; 0: it is served by an expression, or as any host. */
  closeness(host: string): number {
    return this.#hosts.closeness(host);
  }

  /** The match of a request whose path has no problem; null when nothing matches: 404. */
  resolve(view: RequestView): RouteMatch<T> | null {
    const site = this.#only ?? this.#hosts.find(view.host);
    if (site !== undefined) return site.scope.resolve(view, NO_CAPTURES);
    return this.#patterns.length === 0
      ? this.#rest.scope.resolve(view, NO_CAPTURES)
      : this.#resolveByPattern(view);
  }

  /**
   * The matches of a request on servers that read its path in another way; null when there is no other reading, or no
   * guard that could be bypassed.
   */
  otherWays(view: RequestView): Iterable<RouteMatch<T>> | null {
    const { otherWays } = this.#siteOf(view);
    return otherWays === null ? null : otherWays.of(view);
  }

  #resolveByPattern(view: RequestView): RouteMatch<T> | null {
    for (const { regex, site } of this.#patterns) {
      const captures = matchRegex(regex, view.host, view.budget);
      if (captures !== null) return site.scope.resolve(view, captures);
    }
    return this.#rest.scope.resolve(view, NO_CAPTURES);
  }

  #siteOf(view: RequestView): HostRoutes<T> {
    const site = this.#only ?? this.#hosts.find(view.host);
    if (site !== undefined) return site;
    for (const { regex, site: found } of this.#patterns) if (regex.test(view.host, view.budget)) return found;
    return this.#rest;
  }
}

function* siteOf<T>(
  config: ScopeConfig,
  resolutionOf: (route: RouteConfig) => RouteMatch<T>,
): Steps<HostRoutes<T>> {
  const scope = yield* Scope.build(config, resolutionOf);
  return { scope, otherWays: OtherWays.in(config, scope) };
}

/** The route of a request. Without captures, all requests of the route share one object. */
export interface RouteMatch<T> {
  readonly route: RouteConfig;
  /** What the caller attached to the route. */
  readonly attached: T;
  /** The groups of the regular expression that matched, for `{$1}`. */
  readonly captures: Captures;
}

/** One level of decisions: conditions in order, then paths, then the default. */
export class Scope<T> {
  readonly #conditions: readonly Conditions[];
  readonly #conditional: readonly RouteMatch<T>[];
  readonly #languages: readonly string[];
  readonly #exact = new Map<string, Scope<T>>();
  readonly #regexes: { readonly regex: Regex; readonly scope: Scope<T> }[] = [];
  readonly #prefixes = new PrefixTrie<Scope<T>>();
  readonly #hasPaths: boolean;
  readonly #fallback: RouteMatch<T> | null;

  /** For local replies to requests that match no route here. */
  readonly lostRules: RouteRules;
  readonly maintenance: Maintenance | null;

  private constructor(config: ScopeConfig, resolutionOf: (route: RouteConfig) => RouteMatch<T>) {
    this.#conditions = config.routes.map(({ match }) => new Conditions(match));
    this.#conditional = config.routes.map(({ route }) => resolutionOf(route));
    this.#languages = config.languages.map((language) => language.toLowerCase());
    this.lostRules = new RouteRules({
      ...NO_RULES,
      responseHeaders: config.responseHeaders,
      errorPages: config.errorPages,
    });
    this.maintenance = PlaceInMaintenance.of(config.maintenance);
    this.#hasPaths = config.paths.length > 0;
    this.#fallback = config.fallback === null ? null : resolutionOf(config.fallback);
  }

  /** In steps: a host may have thousands of paths. */
  static *build<T>(
    config: ScopeConfig,
    resolutionOf: (route: RouteConfig) => RouteMatch<T>,
  ): Steps<Scope<T>> {
    const scope = new Scope(config, resolutionOf);
    for (const { path, scope: inner } of config.paths) {
      scope.#addPath(path, yield* Scope.build(inner, resolutionOf));
      yield;
    }
    return scope;
  }

  #addPath(path: PathPattern, scope: Scope<T>): void {
    if (path.kind === 'regex') this.#regexes.push({ regex: compileRegex(path.regex), scope });
    else if (path.kind === 'prefix') this.#prefixes.add(path.path, scope);
    else if (!this.#exact.has(path.path)) this.#exact.set(path.path, scope);
  }

  /** `captures`: those of outer scopes. */
  resolve(view: RequestView, captures: Captures): RouteMatch<T> | null {
    const index = this.#conditions.length === 0 ? -1 : firstMet(this.#conditions, view, this.#languages);
    if (index !== -1) {
      const own = (this.#conditions[index] as Conditions).captures(view);
      return withCaptures(this.#conditional[index] as RouteMatch<T>, own.length > 0 ? own : captures);
    }
    if (this.#hasPaths) {
      const inner = this.#resolvePath(view, captures);
      if (inner !== null) return inner;
    }
    return captures.length === 0 ? this.#fallback : withCaptures(this.#fallback, captures);
  }

  #resolvePath(view: RequestView, captures: Captures): RouteMatch<T> | null {
    const { path } = view;
    const exact = this.#exact.get(path);
    if (exact !== undefined) return exact.resolve(view, captures);
    for (const { regex, scope } of this.#regexes) {
      const own = matchRegex(regex, path, view.budget);
      if (own !== null) return scope.resolve(view, own.length > 0 ? own : captures);
    }
    return this.#prefixes.find(path)?.resolve(view, captures) ?? null;
  }
}

function withCaptures<T>(resolution: RouteMatch<T> | null, captures: Captures): RouteMatch<T> | null {
  return resolution === null || captures.length === 0 ? resolution : { ...resolution, captures };
}

/** Values by path prefix, found by whole segments, the longest first. A search takes at most one step per segment. */
class PrefixTrie<T> {
  readonly #root = new Node<T>();

  /** `prefix` as in patterns: without a final slash, or `/` for all paths. The first value for a prefix is kept. */
  add(prefix: string, value: T): void {
    let node = this.#root;
    for (const segment of prefix === '/' ? [] : prefix.slice(1).split('/')) node = node.enter(segment);
    node.value ??= value;
  }

  /** The value of the longest prefix of `path`; null when there is none. */
  find(path: string): T | null {
    let node = this.#root;
    let found = node.value;
    let start = 1;
    while (node.children !== null && start <= path.length) {
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      const child = node.children.get(path.slice(start, end));
      if (child === undefined) break;
      node = child;
      found = node.value ?? found;
      start = end + 1;
    }
    return found;
  }
}

class Node<T> {
  value: T | null = null;
  /** By segment; null for a leaf. */
  children: Map<string, Node<T>> | null = null;

  enter(segment: string): Node<T> {
    this.children ??= new Map();
    let child = this.children.get(segment);
    if (child === undefined) {
      child = new Node();
      this.children.set(segment, child);
    }
    return child;
  }
}

/**
 * The routes of one host that a request matches when a server reads its path in another way (`path-readings.ts`). A final
 * slash makes no difference here, as for `path_reject`, unless the exact path is in the configuration.
 */
class OtherWays<T> {
  readonly #scope: Scope<T>;
  readonly #exact: ReadonlySet<string>;

  constructor(config: ScopeConfig, scope: Scope<T>) {
    this.#scope = scope;
    this.#exact = exactPathsIn(config);
  }

  /** null when all routes have the same guards, so that no reading bypasses one. */
  static in<T>(config: ScopeConfig, scope: Scope<T>): OtherWays<T> | null {
    const [first, ...others] = everyRouteOf(config);
    const differ = first !== undefined && others.some((route) => guardsOf(route) !== guardsOf(first));
    return differ ? new OtherWays(config, scope) : null;
  }

  /** null for nearly every request: there is no other reading. Throws BudgetExhausted. */
  of(view: RequestView): Iterable<RouteMatch<T>> | null {
    const { path, rawPath } = view;
    const readings = otherReadings(path, rawPath);
    const slashless = this.#exact.has(path) ? null : this.#otherSlash(path);
    if (readings.length === 0 && slashless === null) return null;
    const found = new Set<RouteMatch<T>>();
    try {
      if (slashless !== null) this.#follow(view, slashless, found);
      for (const reading of readings) {
        this.#follow(view, reading, found);
        const other = this.#otherSlash(reading);
        if (other !== null) this.#follow(view, other, found);
      }
    } finally {
      view.readAs(path);
    }
    return found;
  }

  /**
   * The path without its last slash, or with an additional one if that path is in the configuration; null when neither
   * applies.
   */
  #otherSlash(path: string): string | null {
    if (path.length > 1 && path.endsWith('/')) return path.slice(0, -1);
    return this.#exact.has(`${path}/`) ? `${path}/` : null;
  }

  #follow(view: RequestView, reading: string, found: Set<RouteMatch<T>>): void {
    view.readAs(reading);
    const resolution = this.#scope.resolve(view, NO_CAPTURES);
    if (resolution !== null) found.add(resolution);
  }
}

/** Does the route refuse all clients, like `respond: { status: 403 }`? */
export function keepsOut({ action }: RouteConfig): boolean {
  return action.kind === 'respond' && (action.status === 401 || action.status === 403);
}

/** The same text for all routes with the same guards. */
function guardsOf(route: RouteConfig): string {
  return [keepsOut(route), ...route.firewalls.map(({ name }) => name)].join('\n');
}

function exactPathsIn(config: ScopeConfig, paths = new Set<string>()): ReadonlySet<string> {
  const note = (path: PathPattern | null): void => {
    if (path?.kind === 'exact') paths.add(path.path);
  };
  for (const { match } of config.routes) note(match.path);
  for (const { path, scope } of config.paths) {
    note(path);
    exactPathsIn(scope, paths);
  }
  return paths;
}
