import { addressKey } from '../base/address.js';
import { append } from '../base/collections.js';
import { atOnce, type Steps } from '../base/slices.js';
import { forwardingRoutes } from '../config/every-route.js';
import type { Config, GroupConfig, ProviderConfig, ServerConfig } from '../config/types.js';
import { splitHostOf } from './several-addresses.js';

/** A server in a group that lists it. */
export interface Listing {
  readonly group: GroupConfig;
  readonly server: ServerConfig;
  /** The number of servers that the group lists. */
  readonly of: number;
}

/** The servers of one name in the file. */
interface NamedServer {
  readonly listings: Listing[];
  /** Each weight once, in order. */
  weights: readonly number[];
}

const NO_GROUPS: readonly GroupConfig[] = [];
const NO_LISTINGS: readonly Listing[] = [];
const NO_WEIGHTS: readonly number[] = [];

/**
 * The routes, groups and servers of one file, each found by name: there may be 10,000 of them, and a search through all
 * of them would delay requests. It never changes.
 */
export class FileIndex {
  /** Routes that have servers, in the order of the file. */
  readonly routes: readonly { readonly name: string; readonly group: GroupConfig }[];
  readonly groups: readonly GroupConfig[];
  readonly config: Config;
  readonly #groupOf = new Map<string, GroupConfig>();
  readonly #routesOf = new Map<GroupConfig, string[]>();
  /** By the key of a source: the groups that have servers of it. */
  readonly #groupsOf = new Map<string, GroupConfig[]>();
  readonly #sources = new Map<string, ProviderConfig>();
  readonly #servers = new Map<string, NamedServer>();
  /** Names of servers by address. */
  readonly #nameAt = new Map<string, string>();
  /** Names of servers by their host name. */
  readonly #namesAtHost = new Map<string, string[]>();

  private constructor(config: Config) {
    this.routes = forwardingRoutes(config);
    this.groups = config.groups;
    // Its servers are in the groups of the routes that it makes, whose sources are their own.
    if (config.docker !== null) this.#sources.set(config.docker.key, config.docker);
    this.config = config;
  }

  static of(config: Config): FileIndex {
    return atOnce(FileIndex.build(config));
  }

  /** Like the constructor, in steps. */
  static *build(config: Config): Steps<FileIndex> {
    const index = new FileIndex(config);
    for (const { name, group } of index.routes) {
      index.#groupOf.set(name, group);
      append(index.#routesOf, group, name);
      yield;
    }
    for (const group of index.groups) {
      for (const provider of group.providers) {
        append(index.#groupsOf, provider.key, group);
        if (!index.#sources.has(provider.key)) index.#sources.set(provider.key, provider);
      }
      for (const server of group.servers) {
        index.#add({ group, server, of: group.servers.length });
        yield;
      }
    }
    return index;
  }

  #add(listing: Listing): void {
    const { name, address, weight } = listing.server;
    const known = this.#servers.get(name);
    if (known === undefined) {
      this.#servers.set(name, { listings: [listing], weights: [weight] });
      this.#nameAt.set(addressKey(address), name);
      const host = splitHostOf(listing.server);
      if (host !== null) append(this.#namesAtHost, host, name);
      return;
    }
    known.listings.push(listing);
    if (!known.weights.includes(weight))
      known.weights = [...known.weights, weight].sort((one, other) => one - other);
  }

  /** null: there is no such route, or it has no servers. */
  groupOf(route: string): GroupConfig | null {
    return this.#groupOf.get(route) ?? null;
  }

  /** The routes that use a group. */
  routesOf(group: GroupConfig): readonly string[] {
    return this.#routesOf.get(group) ?? [];
  }

  /** The first route that uses a group; its changes are kept under that name. */
  routeOf(group: GroupConfig): string {
    return this.routesOf(group)[0] ?? group.name;
  }

  /** The sources of servers, each once, by key, in the order of the file; before them that of routes. */
  get sources(): ReadonlyMap<string, ProviderConfig> {
    return this.#sources;
  }

  /** The groups that have servers of a source. */
  groupsOf(source: string): readonly GroupConfig[] {
    return this.#groupsOf.get(source) ?? NO_GROUPS;
  }

  /** The names of all servers. */
  get names(): Iterable<string> {
    return this.#servers.keys();
  }

  /** All listings of a server in the file. */
  listingsOf(name: string): readonly Listing[] {
    return this.#servers.get(name)?.listings ?? NO_LISTINGS;
  }

  /** The name of the server at an address in the form of `addressKey`. */
  nameAt(address: string): string | undefined {
    return this.#nameAt.get(address);
  }

  /** The names of the servers with this host name. */
  namesAtHost(host: string): readonly string[] {
    return this.#namesAtHost.get(host) ?? [];
  }

  /** The weights that the file has for a server, each once, in order; empty when the server is not in the file. */
  weightsOf(name: string): readonly number[] {
    return this.#servers.get(name)?.weights ?? NO_WEIGHTS;
  }
}
