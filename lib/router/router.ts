import type { Config, RouteConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { NO_CAPTURES } from '../rules/pattern.js';
import type { RouteRules } from '../rules/route-rules.js';
import { HostTable } from './host-table.js';
import { type Resolution, Scope } from './scope.js';

export type { Resolution } from './scope.js';

/** Finds the route of a request. Built once from a configuration and never changed. */
export class Router<T> {
  readonly #hosts = new HostTable<Scope<T>>();
  readonly #rest: Scope<T>;

  /** `attach` is called once for every route; what it gives comes with each resolution that leads there. */
  constructor({ hosts, rest }: Pick<Config, 'hosts' | 'rest'>, attach: (route: RouteConfig) => T) {
    const resolutions = new Map<RouteConfig, Resolution<T>>();
    const resolutionOf = (route: RouteConfig) => {
      let resolution = resolutions.get(route);
      if (resolution === undefined) {
        resolution = Object.freeze({ route, attached: attach(route), captures: NO_CAPTURES });
        resolutions.set(route, resolution);
      }
      return resolution;
    };
    for (const { names, scope: config } of hosts) {
      const scope = new Scope(config, resolutionOf);
      for (const name of names) this.#hosts.add(name, scope);
    }
    this.#rest = new Scope(rest, resolutionOf);
  }

  /** The rules for answers to requests that come to no host. */
  get lostRules(): RouteRules {
    return this.#rest.lostRules;
  }

  /** The rules for the answer to a request that `resolve` found no way for. */
  lostRulesOf(view: RequestView): RouteRules {
    return (this.#hosts.find(view.host) ?? this.#rest).lostRules;
  }

  /** The way of a request whose path has no problem; null when nothing matches: 404. */
  resolve(view: RequestView): Resolution<T> | null {
    // Without hosts nobody has to read the Host.
    const scope = this.#hosts.isEmpty ? this.#rest : (this.#hosts.find(view.host) ?? this.#rest);
    return scope.resolve(view, NO_CAPTURES);
  }
}
