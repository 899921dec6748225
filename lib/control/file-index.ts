import { append } from '../base/collections.js';
import { forwardingRoutes } from '../config/every-route.js';
import type { Config, GroupConfig, ServerConfig } from '../config/types.js';
import type { Move } from './changes.js';

/**
 * The routes, groups and servers of one file, each found by its name: there may be 10,000 of them, and who looks for all of
 * them one by one would go through all of them for each.
 */
export class FileIndex {
  /** Those that have servers, in the order of the file. */
  readonly routes: readonly { readonly name: string; readonly group: GroupConfig }[];
  readonly groups: readonly GroupConfig[];
  readonly #groupOf = new Map<string, GroupConfig>();
  readonly #routeOf = new Map<GroupConfig, string>();
  readonly #listings = new Map<string, ServerConfig[]>();

  constructor(config: Config) {
    this.routes = forwardingRoutes(config);
    this.groups = config.groups;
    for (const { name, group } of this.routes) {
      this.#groupOf.set(name, group);
      if (!this.#routeOf.has(group)) this.#routeOf.set(group, name);
    }
    for (const server of this.groups.flatMap(({ servers }) => servers))
      append(this.#listings, server.name, server);
  }

  /** null: there is no such route, or it has no servers. */
  groupOf(route: string): GroupConfig | null {
    return this.#groupOf.get(route) ?? null;
  }

  /** The first route that leads to a group: what its changes are kept by. */
  routeOf(group: GroupConfig): string {
    return this.#routeOf.get(group) ?? group.name;
  }

  /** A server wherever the file names it. */
  listingsOf(name: string): readonly ServerConfig[] {
    return this.#listings.get(name) ?? [];
  }

  /** The weights that the file gives a server, each once, in order; none when it does not have it. */
  weightsOf(name: string): readonly number[] {
    const weights = new Set(this.listingsOf(name).map(({ weight }) => weight));
    return [...weights].sort((one, other) => one - other);
  }

  /** The servers of moves by the group that each concerns; those whose route leads to no group are left out. */
  byGroup(moves: readonly Move[]): ReadonlyMap<GroupConfig, readonly ServerConfig[]> {
    const found = new Map<GroupConfig, ServerConfig[]>();
    for (const { route, server } of moves) {
      const group = this.groupOf(route);
      if (group !== null) append(found, group, server);
    }
    return found;
  }
}
