import { everyRouteOf } from '../config/every-route.js';
import type { PathPattern } from '../config/pattern.js';
import { MAX_SUBJECT } from '../config/regex.js';
import type { RouteConfig, ScopeConfig } from '../config/types.js';
import { MAX_OTHER_READING, otherReadings } from '../firewall/path-readings.js';
import type { RequestView } from '../http/request-view.js';
import { NO_CAPTURES } from '../rules/pattern.js';
import type { Resolution, Scope } from './scope.js';

/** What other readings of a path are compared with. */
interface Patterns {
  readonly exact: Set<string>;
  /** Routes that a regular expression leads to. */
  readonly regexRoutes: Set<RouteConfig>;
}

/**
 * The routes of one host that a request ends up on where a server reads its path in another way (`path-readings.ts`).
 * A slash at the end makes no difference here, as for `path_reject`, unless the path is written down exactly as it came.
 */
export class OtherWays<T> {
  readonly #scope: Scope<T>;
  readonly #exact: ReadonlySet<string>;
  readonly #regexRoutes: readonly Resolution<T>[];

  constructor(config: ScopeConfig, scope: Scope<T>, resolutionOf: (route: RouteConfig) => Resolution<T>) {
    const { exact, regexRoutes } = patternsIn(config);
    this.#scope = scope;
    this.#exact = exact;
    this.#regexRoutes = [...regexRoutes].map(resolutionOf);
  }

  /** null where all routes have the same guards, so that no reading leads past one. */
  static in<T>(
    config: ScopeConfig,
    scope: Scope<T>,
    resolutionOf: (route: RouteConfig) => Resolution<T>,
  ): OtherWays<T> | null {
    const [first, ...others] = everyRouteOf(config);
    const differ = first !== undefined && others.some((route) => guardsOf(route) !== guardsOf(first));
    return differ ? new OtherWays(config, scope, resolutionOf) : null;
  }

  /** null for nearly every request: there is no other reading. */
  of(view: RequestView): Iterable<Resolution<T>> | null {
    const { path, rawPath } = view;
    const readings = otherReadings(path, rawPath);
    const slashless = this.#exact.has(path) ? null : this.#otherSlash(path);
    if (readings.length === 0 && slashless === null && path.length <= MAX_SUBJECT) return null;
    const found = new Set<Resolution<T>>();
    // A path that is too long for regular expressions matches none: nobody can tell that it should not.
    if (path.length > MAX_SUBJECT) this.#addRegexRoutes(found);
    if (slashless !== null) this.#follow(view, slashless, found);
    for (const reading of readings) {
      if (reading.length > MAX_OTHER_READING) this.#addRegexRoutes(found);
      this.#follow(view, reading, found);
      const other = this.#otherSlash(reading);
      if (other !== null) this.#follow(view, other, found);
    }
    view.readAs(path);
    return found;
  }

  /** The path without its last slash, or with one more where such a path is written down; null when neither is another. */
  #otherSlash(path: string): string | null {
    if (path.length > 1 && path.endsWith('/')) return path.slice(0, -1);
    return this.#exact.has(`${path}/`) ? `${path}/` : null;
  }

  #follow(view: RequestView, reading: string, found: Set<Resolution<T>>): void {
    view.readAs(reading);
    const resolution = this.#scope.resolve(view, NO_CAPTURES);
    if (resolution !== null) found.add(resolution);
  }

  #addRegexRoutes(found: Set<Resolution<T>>): void {
    for (const resolution of this.#regexRoutes) found.add(resolution);
  }
}

/** Does its answer keep everybody out, as `respond: { status: 403 }`? */
export function keepsOut({ action }: RouteConfig): boolean {
  return action.kind === 'respond' && (action.status === 401 || action.status === 403);
}

/** The same text for routes with the same guards. */
function guardsOf(route: RouteConfig): string {
  return [keepsOut(route), ...route.firewalls.map(({ name }) => name)].join('\n');
}

function patternsIn(config: ScopeConfig): Patterns {
  const patterns: Patterns = { exact: new Set(), regexRoutes: new Set() };
  collect(config, patterns);
  return patterns;
}

function collect({ routes, paths }: ScopeConfig, patterns: Patterns): void {
  const note = (path: PathPattern | null, leadsTo: Iterable<RouteConfig>): void => {
    if (path?.kind === 'exact') patterns.exact.add(path.path);
    else if (path?.kind === 'regex') for (const route of leadsTo) patterns.regexRoutes.add(route);
  };
  for (const { match, route } of routes) note(match.path, [route]);
  for (const { path, scope } of paths) {
    note(path, everyRouteOf(scope));
    collect(scope, patterns);
  }
}
