import { atOnce, type Steps } from '../base/slices.js';
import type { Config, RouteConfig, ScopeConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { NO_CAPTURES } from '../rules/pattern.js';
import type { RouteRules } from '../rules/route-rules.js';
import { HostTable } from './host-table.js';
import { OtherWays } from './other-ways.js';
import { type RouteMatch, Scope } from './scope.js';

export type { RouteMatch } from './scope.js';

/** All that leads to the routes of one host. */
interface HostRoutes<T> {
  readonly scope: Scope<T>;
  readonly otherWays: OtherWays<T> | null;
}

/** Finds the route of a request. Built once from a configuration and never changed. */
export class Router<T> {
  readonly #hosts: HostTable<HostRoutes<T>>;
  readonly #rest: HostRoutes<T>;
  /** Those of `#rest` where there are no hosts: nobody has to read the Host then. */
  readonly #only: HostRoutes<T> | null;
  /** The rules for answers to requests that come to no host. */
  readonly lostRules: RouteRules;
  /** Has a guard to be asked about other readings of a path? */
  readonly hasOtherWays: boolean;

  private constructor(hosts: HostTable<HostRoutes<T>>, rest: HostRoutes<T>, hasOtherWays: boolean) {
    this.#hosts = hosts;
    this.#rest = rest;
    this.#only = hosts.isEmpty ? rest : null;
    this.lostRules = rest.scope.lostRules;
    this.hasOtherWays = hasOtherWays;
  }

  /** `attach` is called once for every route; what it gives comes with each resolution that leads there. */
  static of<T>(config: Pick<Config, 'hosts' | 'rest'>, attach: (route: RouteConfig) => T): Router<T> {
    return atOnce(Router.build(config, attach));
  }

  /** The same in steps. */
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
    let hasOtherWays = false;
    for (const { names, scope } of hosts) {
      const site = yield* siteOf(scope, resolutionOf);
      hasOtherWays ||= site.otherWays !== null;
      for (const name of names) table.add(name, site);
      yield;
    }
    const others = yield* siteOf(rest, resolutionOf);
    return new Router(table, others, hasOtherWays || others.otherWays !== null);
  }

  /** The rules for the answer to a request that `resolve` found no way for. */
  lostRulesOf(view: RequestView): RouteRules {
    return this.#siteOf(view).scope.lostRules;
  }

  /** The way of a request whose path has no problem; null when nothing matches: 404. */
  resolve(view: RequestView): RouteMatch<T> | null {
    return (this.#only ?? this.#siteOf(view)).scope.resolve(view, NO_CAPTURES);
  }

  /**
   * Where the request would go if a server that reads its path in another way were asked; null when there is no other
   * way to read it, or no guard that one could get past.
   */
  otherWays(view: RequestView): Iterable<RouteMatch<T>> | null {
    const { otherWays } = this.#siteOf(view);
    return otherWays === null ? null : otherWays.of(view);
  }

  #siteOf(view: RequestView): HostRoutes<T> {
    return this.#only ?? this.#hosts.find(view.host) ?? this.#rest;
  }
}

function* siteOf<T>(
  config: ScopeConfig,
  resolutionOf: (route: RouteConfig) => RouteMatch<T>,
): Steps<HostRoutes<T>> {
  const scope = yield* Scope.build(config, resolutionOf);
  return { scope, otherWays: OtherWays.in(config, scope) };
}
