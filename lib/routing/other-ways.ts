import { everyRouteOf } from '../config/every-route.js';
import type { PathPattern } from '../config/pattern.js';
import type { RouteConfig, ScopeConfig } from '../config/types.js';
import { otherReadings } from '../firewall/path-readings.js';
import type { RequestView } from '../http/request-view.js';
import { NO_CAPTURES } from '../rules/pattern.js';
import type { RouteMatch, Scope } from './scope.js';

/**
 * The routes of one host that a request ends up on where a server reads its path in another way (`path-readings.ts`).
 * A slash at the end makes no difference here, as for `path_reject`, unless the path is written down exactly as it came.
 */
export class OtherWays<T> {
  readonly #scope: Scope<T>;
  readonly #exact: ReadonlySet<string>;

  constructor(config: ScopeConfig, scope: Scope<T>) {
    this.#scope = scope;
    this.#exact = exactPathsIn(config);
  }

  /** null where all routes have the same guards, so that no reading leads past one. */
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

  /** The path without its last slash, or with one more where such a path is written down; null when neither is another. */
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

/** Does its answer keep everybody out, as `respond: { status: 403 }`? */
export function keepsOut({ action }: RouteConfig): boolean {
  return action.kind === 'respond' && (action.status === 401 || action.status === 403);
}

/** The same text for routes with the same guards. */
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
