import { type Address, addressKey, namedAddress, parseAddress } from '../base/address.js';
import { atOnce, type Steps } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import type { GroupConfig, ProviderConfig, ServerConfig } from '../config/types.js';
import type { DiscoveredServer } from '../discovery/contract.js';
import { isSameServer } from '../discovery/provider.js';
import type { FileIndex, Listing } from './file-index.js';
import { entryNameOf } from './several-addresses.js';

/** The last answers of sources, by their keys: all servers of each. */
export type Answers = ReadonlyMap<string, readonly DiscoveredServer[]>;

/** What an answer has changed. */
export interface ProvidedChange {
  /** The groups whose servers are others now. */
  readonly groups: readonly GroupConfig[];
  /** The names of servers that came, left or have other terms or groups. */
  readonly names: ReadonlySet<string>;
  /** Those among them that no source reported before, and those that no source reports any more. */
  readonly came: readonly string[];
  readonly left: readonly string[];
}

/** A server in a group, and the source that it came from. */
export interface ProvidedListing extends Listing {
  /** As people write it: `file /etc/lb/targets/*.json`. */
  readonly source: string;
  /** Where in the source. */
  readonly origin: string;
}

interface Compiled {
  readonly told: DiscoveredServer;
  readonly config: ServerConfig;
  readonly key: string;
}

const NONE: readonly ServerConfig[] = [];
const NO_LISTINGS: readonly ProvidedListing[] = [];

/**
 * The servers that sources have reported, by group and by name. An address that the file lists in the same group is left to
 * the file, and one that two sources of a group report belongs to the first. The name of a server is the one that the file
 * has for its address, else the one that its source reports, else the address: a restart finds the same names.
 */
export class ProvidedServers {
  readonly #file: FileIndex;
  readonly #answers = new Map<string, readonly DiscoveredServer[]>();
  readonly #lists = new Map<GroupConfig, readonly ServerConfig[]>();
  readonly #listings = new Map<string, readonly ProvidedListing[]>();
  /** Names by address. */
  readonly #nameAt = new Map<string, string>();
  /** By the address as reported. A server that is reported again with the same settings is the same object. */
  readonly #compiled = new Map<ProviderConfig, ReadonlyMap<string, Compiled>>();
  /** The addresses that the file lists in a group with sources. */
  readonly #fixed = new Map<GroupConfig, ReadonlySet<string>>();

  constructor(file: FileIndex) {
    this.#file = file;
  }

  static of(file: FileIndex, answers: Answers): ProvidedServers {
    return atOnce(ProvidedServers.build(file, answers));
  }

  /** Like `set` for each answer, in steps. Answers of sources that the file does not have are left out. */
  static *build(file: FileIndex, answers: Answers): Steps<ProvidedServers> {
    const provided = new ProvidedServers(file);
    for (const [key, servers] of answers) {
      if (!file.sources.has(key)) continue;
      provided.#answers.set(key, servers);
      yield;
    }
    for (const group of file.groups) {
      if (group.providers.length === 0) continue;
      provided.#update(group, new Map());
      yield;
    }
    return provided;
  }

  /**
   * By their sources, with the names that they have: the name that a server got may depend on earlier answers, and a
   * thread that begins with these answers has to use the same names.
   */
  get answers(): Answers {
    return new Map([...this.#answers.keys()].map((source) => [source, this.answerOf(source)]));
  }

  /** The servers that a source has reported last, with their names. */
  answerOf(source: string): readonly DiscoveredServer[] {
    return (this.#answers.get(source) ?? []).map((told) => this.#asNamed(told));
  }

  #asNamed(told: DiscoveredServer): DiscoveredServer {
    const address = readAddress(told);
    const key = address === null ? '' : addressKey(address);
    const known = this.#nameAt.get(key);
    // Where the file has the address, every thread finds the name there.
    if (known === undefined || this.#file.nameAt(key) !== undefined) return told;
    const name = known === address?.text ? null : known;
    return name === told.name ? told : { ...told, name };
  }

  of(group: GroupConfig): readonly ServerConfig[] {
    return this.#lists.get(group) ?? NONE;
  }

  /** The names of all servers. */
  get names(): Iterable<string> {
    return this.#listings.keys();
  }

  listingsOf(name: string): readonly ProvidedListing[] {
    return this.#listings.get(name) ?? NO_LISTINGS;
  }

  /** The name of the server at an address in the form of `addressKey`. */
  nameAt(address: string): string | undefined {
    return this.#nameAt.get(address);
  }

  /** Takes over an answer of a source: all its servers. The source need not be in the file. */
  set(key: string, servers: readonly DiscoveredServer[]): ProvidedChange {
    this.#answers.set(key, servers);
    const changed = new Map<string, boolean>();
    const groups = this.#file.groupsOf(key).filter((group) => this.#update(group, changed));
    const came: string[] = [];
    const left: string[] = [];
    for (const [name, was] of changed) {
      const is = this.#listings.has(name);
      if (is && !was) came.push(name);
      else if (was && !is) left.push(name);
    }
    return { groups, names: new Set(changed.keys()), came, left };
  }

  /**
   * Rebuilds the servers of a group. Returns whether they are different now, and adds the names of those that are, each
   * with whether a server of this name existed before.
   */
  #update(group: GroupConfig, changed: Map<string, boolean>): boolean {
    const before = this.of(group);
    const left = new Map(before.map((server) => [server.name, server]));
    const came: [server: ServerConfig, provider: ProviderConfig, told: DiscoveredServer][] = [];
    const list: ServerConfig[] = [];
    for (const [{ config, told }, provider] of this.#told(group)) {
      list.push(config);
      if (left.get(config.name) !== config) came.push([config, provider, told]);
      else left.delete(config.name);
    }
    const isSame = list.length === before.length && list.every((server, at) => server === before[at]);
    if (isSame) return false;
    this.#lists.set(group, list);
    for (const name of [...left.keys(), ...came.map(([{ name }]) => name)])
      if (!changed.has(name)) changed.set(name, this.#listings.has(name));
    for (const server of left.values()) this.#unlist(server, group);
    for (const [server, { text }, { origin }] of came)
      this.#list({ group, server, of: 1, source: text, origin });
    return true;
  }

  /** The servers of a group, each address once. */
  *#told(group: GroupConfig): Generator<[Compiled, ProviderConfig]> {
    const fixed = this.#fixedIn(group);
    const seen = new Set<string>();
    const names = new Set<string>();
    for (const provider of group.providers) {
      const known = this.#compiled.get(provider);
      const compiled = new Map<string, Compiled>();
      this.#compiled.set(provider, compiled);
      for (const told of this.#answers.get(provider.key) ?? []) {
        const before = known?.get(told.address);
        const server =
          before !== undefined && isSameServer(before.told, told)
            ? before
            : this.#compile(told, provider, group, names);
        if (server === null || fixed.has(server.key) || seen.has(server.key)) continue;
        seen.add(server.key);
        names.add(server.config.name);
        compiled.set(told.address, server);
        yield [server, provider];
      }
    }
  }

  #fixedIn(group: GroupConfig): ReadonlySet<string> {
    let fixed = this.#fixed.get(group);
    if (fixed === undefined) {
      fixed = new Set(group.servers.map(({ address }) => addressKey(address)));
      this.#fixed.set(group, fixed);
    }
    return fixed;
  }

  /** `taken`: names of others in the group. null: the address can't be read, which its source should have noticed. */
  #compile(
    told: DiscoveredServer,
    { terms }: ProviderConfig,
    group: GroupConfig,
    taken: ReadonlySet<string>,
  ): Compiled | null {
    const address = readAddress(told);
    if (address === null) return null;
    const key = addressKey(address);
    const wanted = told.name !== null && taken.has(told.name) ? null : told.name;
    const name = this.#nameFor(wanted, group, address, key);
    const { weight, backup, maxConnections } = told;
    const config = {
      ...terms,
      address,
      name,
      weight: weight ?? terms.weight,
      backup: backup ?? terms.backup,
      maxConnections: maxConnections ?? terms.maxConnections,
    };
    return { told, config: Object.freeze(config), key };
  }

  #nameFor(name: string | null, group: GroupConfig, address: Address, key: string): string {
    const known = this.#file.nameAt(key) ?? this.#nameElsewhere(key, group);
    if (known !== undefined) return known;
    if (name === null) return address.text;
    // Such a name belongs to an entry of the file: the server would get the changes that operators make to that entry.
    const entry = entryNameOf(name);
    if (entry !== null && this.#file.listingsOf(entry).length > 0) return address.text;
    const namesake = this.#file.listingsOf(name)[0] ?? this.listingsOf(name)[0];
    const isTaken = namesake !== undefined && addressKey(namesake.server.address) !== key;
    return isTaken ? address.text : name;
  }

  /** The name of the server at an address in other groups. */
  #nameElsewhere(key: string, group: GroupConfig): string | undefined {
    const known = this.#nameAt.get(key);
    if (known === undefined) return undefined;
    return this.listingsOf(known).some((listing) => listing.group !== group) ? known : undefined;
  }

  #list(listing: ProvidedListing): void {
    const { name, address } = listing.server;
    const others = this.listingsOf(name).filter(({ group }) => group !== listing.group);
    this.#listings.set(name, [...others, listing]);
    this.#nameAt.set(addressKey(address), name);
  }

  #unlist({ name, address }: ServerConfig, from: GroupConfig): void {
    const others = this.listingsOf(name).filter(({ group }) => group !== from);
    if (others.length > 0) {
      this.#listings.set(name, others);
      return;
    }
    this.#listings.delete(name);
    this.#nameAt.delete(addressKey(address));
  }
}

/** With the name that it was found by; null when it can't be read. */
function readAddress({ address: text, host }: DiscoveredServer): Address | null {
  try {
    const address = parseAddress(text, { defaultHost: '' });
    return host === null ? address : namedAddress(address, host);
  } catch (error) {
    if (error instanceof ValueError) return null;
    throw error;
  }
}
