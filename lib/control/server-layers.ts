import { addressKey } from '../base/address.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { DiscoveredServer } from '../discovery/contract.js';
import { AddedServers } from './added-servers.js';
import type { Move } from './changes.js';
import type { FileIndex, Listing } from './file-index.js';
import { LeftOutServers } from './left-out-servers.js';
import { type ProvidedChange, type ProvidedListing, ProvidedServers } from './provided-servers.js';
import { isSame } from './server-entry.js';
import { entryNameOf, SeveralAddresses, splitHostOf } from './several-addresses.js';
import { OperationError } from './status/operations.js';

const NO_CHANGE: ResolvedChange = { groups: [], names: new Set() };

/** What other addresses of a host name have changed. */
export interface ResolvedChange {
  /** The groups whose servers are others now. */
  readonly groups: readonly GroupConfig[];
  /** The names of servers that came or left. */
  readonly names: ReadonlySet<string>;
}

/** What became of the servers that operators had added and removed, with another file. */
export interface RestoredMoves {
  /** A line for each that is dropped. */
  readonly dropped: readonly string[];
  /** Servers that were added, and that the file lists now in the same group. */
  readonly listed: readonly ServerConfig[];
}

/**
 * Which servers each group has, in three layers: those of the file, those that its sources have reported, and on top those
 * that operators added, without those that they removed. No question and no change looks at all servers: there may be 10,000
 * of them.
 *
 * An entry of the file, or one that was added, whose host name has several addresses stands for several servers
 * (`SeveralAddresses`).
 */
export class ServerLayers {
  #file: FileIndex;
  #provided: ProvidedServers;
  readonly #added = new AddedServers();
  readonly #leftOut = new LeftOutServers();
  /** The host names that have several addresses. */
  readonly several: SeveralAddresses;

  constructor(file: FileIndex, provided?: ProvidedServers, several = new SeveralAddresses()) {
    this.#file = file;
    this.#provided = provided ?? new ProvidedServers(file);
    this.several = several;
  }

  get file(): FileIndex {
    return this.#file;
  }

  /** The servers that sources have reported, without the changes of operators. */
  get provided(): ProvidedServers {
    return this.#provided;
  }

  // The servers of a group.

  /** The current servers of a group. */
  serversOf(group: GroupConfig): readonly ServerConfig[] {
    const added = this.#added.of(group);
    const stayed = this.#split(this.#leftOut.listedIn(group));
    const provided = this.#providedTo(group);
    if (added.length === 0 && provided.length === 0) return stayed;
    return [...stayed, ...provided, ...this.#split(added)];
  }

  #split(entries: readonly ServerConfig[]): readonly ServerConfig[] {
    if (this.several.isEmpty) return entries;
    return entries.flatMap((entry) => this.several.of(entry) ?? entry);
  }

  #providedTo(group: GroupConfig): readonly ServerConfig[] {
    return this.#leftOut.includedIn(group, this.#provided.of(group));
  }

  /** The number of servers of a group. */
  countOf(group: GroupConfig): number {
    const listed = group.servers.length - this.#leftOut.countIn(group);
    return listed + this.#providedTo(group).length + this.#added.of(group).length;
  }

  groupHas(group: GroupConfig, name: string): boolean {
    if (this.#added.of(group).some((server) => server.name === name)) return true;
    if (this.#listedBySources(name).some((listing) => listing.group === group)) return true;
    if (this.#leftOut.isRemoved(group, name)) return false;
    return this.#file.listingsOf(name).some((listing) => listing.group === group);
  }

  /** The server as the file lists it in this group; undefined when it is not listed. */
  listedIn(group: GroupConfig, server: ServerConfig): ServerConfig | undefined {
    return this.#file
      .listingsOf(server.name)
      .find((listing) => listing.group === group && isSame(listing.server, server))?.server;
  }

  // The servers of a name.

  /** Does a server of this name serve in any route? */
  has(name: string): boolean {
    if (this.#added.has(name) || this.#listedBySources(name).length > 0) return true;
    if (this.#leftOut.keptBy(name, this.#file.listingsOf(name)).length > 0) return true;
    return this.isOneOfSeveral(name);
  }

  /** The groups that have an entry of this name, and the entry as each group has it. */
  listingsOf(name: string): readonly Listing[] {
    const stayed = this.#leftOut.keptBy(name, this.#file.listingsOf(name));
    const provided = this.#listedBySources(name);
    const added = this.#added.named(name);
    if (added.length === 0 && provided.length === 0) return stayed;
    const came = added.map(({ group, server }) => ({ group, server, of: group.servers.length }));
    return [...stayed, ...provided, ...came];
  }

  #listedBySources(name: string): readonly Listing[] {
    return this.#leftOut.includedBy(name, this.#provided.listingsOf(name));
  }

  /** The servers of this name, in each group that has one. */
  serversNamed(name: string): readonly Listing[] {
    if (this.several.isEmpty) return this.listingsOf(name);
    const own = this.listingsOf(name).filter((listing) => this.#serversAt(listing) === null);
    const entry = this.entryOfAddress(name);
    if (entry === null) return own;
    const ofEntry = this.listingsOf(entry).flatMap((listing) => {
      const server = this.#serversAt(listing)?.find((one) => one.name === name);
      return server === undefined ? [] : [{ ...listing, server }];
    });
    return [...own, ...ofEntry];
  }

  /** The servers that an entry stands for; null: it is one. Sources report addresses; a name among them stays one server. */
  #serversAt(listing: Listing | ProvidedListing): readonly ServerConfig[] | null {
    return 'source' in listing ? null : this.several.of(listing.server);
  }

  /** The names of the servers that an entry stands for; a server of one address has its own name alone. */
  serverNamesOf(name: string): readonly string[] {
    if (this.several.isEmpty) return [name];
    for (const listing of this.listingsOf(name)) {
      const servers = this.#serversAt(listing);
      if (servers !== null) return servers.map((server) => server.name);
    }
    return [name];
  }

  /** The entry that a server is one address of, whether it is at present or may be again; null: it is none. */
  entryOfAddress(name: string): string | null {
    const entry = entryNameOf(name);
    return entry !== null && (this.isListed(entry) || this.#added.has(entry)) ? entry : null;
  }

  /** Is it the server at one address of an entry, at present? */
  isOneOfSeveral(name: string): boolean {
    return !this.several.isEmpty && this.entryOfAddress(name) !== null && this.serversNamed(name).length > 0;
  }

  /** The names of all servers that are in a route, those of the file first. */
  *names(): Generator<string> {
    for (const name of this.#file.names) if (this.has(name)) yield name;
    for (const name of this.#provided.names) if (!this.isListed(name) && this.has(name)) yield name;
    for (const name of this.#added.names)
      if (!this.isListed(name) && this.#provided.listingsOf(name).length === 0) yield name;
  }

  /** The names of all servers: those of entries that stand for several, in their place. */
  *serverNames(): Generator<string> {
    for (const name of this.names()) yield* this.serverNamesOf(name);
  }

  // Where a server comes from.

  /** Does the file list an entry of this name? */
  isListed(name: string): boolean {
    return this.#file.listingsOf(name).length > 0;
  }

  /** Is a server of this name in the file, or at one address of one? */
  isFromFile(name: string): boolean {
    if (this.isListed(name)) return true;
    const entry = entryNameOf(name);
    return entry !== null && this.isListed(entry);
  }

  /** The source that reported a server of this name; undefined when none did, or the file has it. */
  sourceOf(name: string): string | undefined {
    return this.isFromFile(name) ? undefined : this.#provided.listingsOf(name)[0]?.source;
  }

  /** Has an operator added a server of this name? */
  isAdded(name: string): boolean {
    return this.#added.has(name);
  }

  /** A server that operators have removed is there when its source reports it. */
  isThere(name: string): boolean {
    return this.has(name) || this.isListed(name) || this.#provided.listingsOf(name).length > 0;
  }

  /** Is it in no route, and will not return? A source may report it later, and a host name may have its address later. */
  isGone(name: string): boolean {
    const mayReturn = this.#file.sources.size > 0 && !this.#leftOut.has(name);
    return !this.has(name) && !mayReturn && this.entryOfAddress(name) === null;
  }

  // Names and addresses: a name has one address and an address has one name, as in the file.

  /** The name of the server at an address, even a removed one: the file still lists it, so its name is in use. */
  nameAt(address: string): string | undefined {
    return this.#file.nameAt(address) ?? this.#provided.nameAt(address) ?? this.#added.nameAt(address);
  }

  /** Why a server can't be added beside the others; empty when it can. */
  clashOf({ name, address }: ServerConfig): string {
    const key = addressKey(address);
    const called = this.nameAt(key);
    if (called !== undefined && called !== name) return `${address.text} is called ${called}`;
    const namesake =
      this.#file.listingsOf(name)[0]?.server ??
      this.#provided.listingsOf(name)[0]?.server ??
      this.#added.named(name)[0]?.server;
    return namesake === undefined || addressKey(namesake.address) === key
      ? ''
      : `${name} is the name of ${namesake.address.text}`;
  }

  // What sources and names report.

  /** A host name has other addresses. `several`: those that are servers of their own; none while it is one server. */
  resolve(host: string, several: readonly string[]): ResolvedChange {
    const entries = [...this.#entriesAt(host)];
    const before = new Set(entries.flatMap((name) => this.serverNamesOf(name)));
    if (!this.several.set(host, several)) return NO_CHANGE;
    const names = new Set(entries.flatMap((name) => this.serverNamesOf(name)));
    for (const name of before) if (!names.delete(name)) names.add(name);
    if (names.size === 0) return NO_CHANGE;
    const groups = new Set(entries.flatMap((name) => this.listingsOf(name).map(({ group }) => group)));
    return { groups: [...groups], names };
  }

  /** The names of the entries with this host name. */
  *#entriesAt(host: string): Generator<string> {
    yield* this.#file.namesAtHost(host);
    for (const name of this.#added.names) {
      const [first] = this.#added.named(name);
      if (first !== undefined && !this.isListed(name) && splitHostOf(first.server) === host) yield name;
    }
  }

  /**
   * Takes over an answer of a source: all its servers. A server that an operator added, and that the source reports now,
   * is the source's from then on; `dropped` has a line if it had another name.
   */
  provide(
    source: string,
    servers: readonly DiscoveredServer[],
  ): ProvidedChange & { dropped: readonly string[] } {
    const change = this.#provided.set(source, servers);
    const names = new Set(change.names);
    const dropped: string[] = [];
    if (!this.#added.isEmpty)
      for (const name of change.names)
        for (const listing of this.#provided.listingsOf(name)) this.#yieldTo(listing, names, dropped);
    return { ...change, names, dropped };
  }

  /** Forgets that an operator added the server that a source reports. */
  #yieldTo({ group, server, source }: ProvidedListing, names: Set<string>, dropped: string[]): void {
    const { name, address } = server;
    const called = this.#added.nameAt(addressKey(address));
    if (called === name) this.#added.remove(name, group);
    if (called === undefined || called === name) return;
    names.add(called);
    dropped.push(`${called} was added while running, and is dropped: ${source} reports ${address.text}`);
    this.#added.remove(called);
  }

  // What operators add and remove.

  /** Adds a server to a group, which is that of the route. One that was removed there returns instead. */
  add(move: Move, group: GroupConfig): void {
    const { name } = move.server;
    if (this.#leftOut.isRemoved(group, name)) this.#bringBack(name, group);
    else if (!this.#include(name, group)) this.#added.add(move, group);
  }

  /** A server that was left out is used again when its source reports it. Returns false if it was not left out. */
  #include(name: string, group: GroupConfig): boolean {
    if (!this.#leftOut.include(name, group)) return false;
    return this.#provided.listingsOf(name).some((listing) => listing.group === group);
  }

  #bringBack(name: string, group: GroupConfig): void {
    this.#leftOut.bringBack(name, group, this.#file.listingsOf(name).length);
  }

  /** Removes a server from all groups, and returns where it was. Throws an OperationError when it is the last one of a route. */
  remove(name: string): readonly Listing[] {
    const listings = this.listingsOf(name);
    if (listings.some((listing) => this.#isAlone(listing))) this.#refuseEmpty(name, listings);
    if (this.isListed(name)) this.#leftOut.remove(name);
    const provided = this.#provided.listingsOf(name);
    if (provided.length > 0) this.#leftOut.exclude(name, provided);
    this.#added.remove(name);
    return listings;
  }

  /** Is it the last server of its group? The group is counted only if it may be. */
  #isAlone({ group, of }: Listing): boolean {
    return of - this.#leftOut.removedCount <= 1 && this.countOf(group) === 1;
  }

  #refuseEmpty(name: string, listings: readonly Listing[]): never {
    const groups = new Set(listings.map(({ group }) => group));
    const emptied = this.#file.groups.find((group) => groups.has(group) && this.countOf(group) === 1);
    const route = this.#file.routeOf(emptied as GroupConfig);
    throw new OperationError(
      'last_server',
      `${name} is the last server of ${route}: add another one first, or let it drain`,
    );
  }

  /** Servers that operators added, as they were requested. */
  get addedMoves(): readonly Move[] {
    return this.#added.moves;
  }

  /** Servers of the file that operators removed. */
  get removedMoves(): readonly Move[] {
    return this.#movesOf(this.#leftOut.removedFrom(this.#file));
  }

  /** Servers of sources that operators removed. */
  get excludedMoves(): readonly Move[] {
    return this.#movesOf(this.#leftOut.excluded());
  }

  #movesOf(
    listings: Iterable<{ readonly group: GroupConfig; readonly server: ServerConfig }>,
  ): readonly Move[] {
    return [...listings].map(({ group, server }) => ({ route: this.#file.routeOf(group), server }));
  }

  /** The names of servers that operators added or removed. */
  *movedNames(): Generator<string> {
    yield* this.#added.names;
    yield* this.#leftOut.removedNames;
    yield* this.#leftOut.excludedNames;
  }

  /** The names of servers of sources that operators removed. */
  get excludedNames(): Iterable<string> {
    return this.#leftOut.excludedNames;
  }

  /** Forgets that a server of a source was removed. */
  forgetExcluded(name: string): void {
    this.#leftOut.forgetExcluded(name);
  }

  // Another file, or another process.

  /** Takes over another file: its servers, and what its sources have reported. `restore` must follow. */
  applyFile(file: FileIndex): void {
    this.#file = file;
    this.#provided = ProvidedServers.of(file, this.#provided.answers);
  }

  /** Adds and removes again what operators added and removed, as far as the file permits. */
  restore(added: readonly Move[], removed: readonly Move[]): RestoredMoves {
    this.#leftOut.clear();
    this.#added.clear();
    for (const move of added) {
      const group = this.#file.groupOf(move.route);
      if (group !== null) this.#added.add(move, group);
    }
    this.#leftOut.restore(removed, this.#file);
    const restored = this.#restoreEmptied();
    const { dropped, listed } = this.#addAgain(added);
    return { dropped: [...restored, ...dropped], listed };
  }

  /** Restores the servers of groups that would be empty. */
  #restoreEmptied(): readonly string[] {
    const emptied = new Set<GroupConfig>();
    // Sources may not have answered yet, and their groups may be empty.
    for (const name of this.#leftOut.removedNames)
      for (const { group } of this.#file.listingsOf(name))
        if (group.providers.length === 0 && this.countOf(group) === 0) emptied.add(group);
    if (emptied.size === 0) return [];
    const dropped: string[] = [];
    for (const group of this.#file.groups) {
      if (!emptied.has(group)) continue;
      const route = this.#file.routeOf(group);
      for (const { name } of group.servers) {
        this.#bringBack(name, group);
        dropped.push(`${name} was removed from ${route}, which has no other server now: it is restored`);
      }
    }
    return dropped;
  }

  #addAgain(added: readonly Move[]): RestoredMoves {
    const dropped: string[] = [];
    const listed: ServerConfig[] = [];
    this.#added.clear();
    for (const move of added) {
      const { route, server } = move;
      const group = this.#file.groupOf(route);
      const why = group === null ? `${route} forwards to no servers any more` : this.clashOf(server);
      if (group === null || why !== '')
        dropped.push(`${server.name} was added to ${route}, and is dropped: ${why}`);
      else if (this.listedIn(group, server) !== undefined) listed.push(server);
      else this.#added.add(move, group);
    }
    return { dropped, listed };
  }
}
