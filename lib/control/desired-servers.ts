import { addressKey } from '../base/address.js';
import { suggest } from '../base/nearest.js';
import type { Availability } from '../base/observer.js';
import type { Config, GroupConfig, ServerConfig } from '../config/types.js';
import type { DiscoveredServer } from '../discovery/contract.js';
import { AbsentServers } from './absent-servers.js';
import { AddedServers } from './added-servers.js';
import { type Changes, isWeight, type Move } from './changes.js';
import { FileIndex, type Listing } from './file-index.js';
import { LeftOutServers } from './left-out-servers.js';
import { MaintainedHosts } from './maintained-hosts.js';
import { type ProvidedChange, type ProvidedListing, ProvidedServers } from './provided-servers.js';
import { amongOthers, isSame, readServer } from './server-entry.js';
import type { Entry, ServerList } from './server-list.js';
import { entryNameOf, SeveralAddresses, splitHostOf } from './several-addresses.js';
import { type NewServer, OperationError } from './status/operations.js';

/** In place of the source of a server that no source reports at present. */
const ABSENT = 'not there now';
const NO_CHANGE: ResolvedChange = { groups: [], names: new Set() };
const AVAILABILITIES: readonly Availability[] = ['ready', 'draining', 'maintenance'];

/** What other addresses of a host name have changed. */
export interface ResolvedChange {
  /** The groups whose servers are others now. */
  readonly groups: readonly GroupConfig[];
  /** The names of servers that came or left. */
  readonly names: ReadonlySet<string>;
}

/** A planned addition of a server, before anything is changed. */
export interface Addition {
  readonly group: GroupConfig;
  /** With the settings in use, and as requested. */
  readonly server: ServerConfig;
  readonly asked: ServerConfig;
  /** The route that the server is added to. */
  readonly route: string;
  /** The weight to set, whatever the file says. */
  readonly weight: number | undefined;
}

/**
 * The servers that are wanted, in three layers: those of the file, those that its sources have reported, and the changes of
 * operators on top. Changes are kept by the names of servers and routes, so they survive a reload, until the file says the
 * same, lacks their route or server, or has been edited at the same place: the edit is newer and wins. Changes of a server
 * that its source does not report any more, or not yet, are kept, and apply again when it returns. No change looks at all
 * servers: there may be 10,000 of them.
 *
 * An entry of the file, or one that was added, whose host name has several addresses stands for several servers
 * (`SeveralAddresses`). What is changed for the entry holds for all of them, and each can be changed by its own name.
 */
export class DesiredServers {
  #file: FileIndex;
  readonly #weights = new Map<string, number>();
  /** Only servers that are not `ready`. */
  readonly #availability = new Map<string, Availability>();
  /** The weights in the file of the servers in these two. */
  readonly #fileWeights = new Map<string, readonly number[]>();
  readonly #added = new AddedServers();
  readonly #leftOut = new LeftOutServers();
  /** The hosts that operators have put into maintenance. */
  readonly maintenance = new MaintainedHosts();
  #provided: ProvidedServers;
  readonly #several: SeveralAddresses;
  readonly #absent = new AbsentServers();

  /** `several`: the host names that have several addresses; none by default. */
  constructor(config: Config | FileIndex, provided?: ProvidedServers, several = new SeveralAddresses()) {
    this.#file = config instanceof FileIndex ? config : FileIndex.of(config);
    this.#provided = provided ?? new ProvidedServers(this.#file);
    this.#several = several;
  }

  /** The host names that have several addresses. */
  get several(): SeveralAddresses {
    return this.#several;
  }

  /** A host name has other addresses. `several`: those that are servers of their own; none while it is one server. */
  resolve(host: string, several: readonly string[]): ResolvedChange {
    const entries = [...this.#entriesAt(host)];
    const before = new Set(entries.flatMap((name) => this.serverNamesOf(name)));
    if (!this.#several.set(host, several)) return NO_CHANGE;
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

  /** The names of the servers that an entry stands for; a server of one address has its own name alone. */
  serverNamesOf(name: string): readonly string[] {
    if (this.#several.isEmpty) return [name];
    for (const listing of this.listingsOf(name)) {
      const servers = this.#serversAt(listing);
      if (servers !== null) return servers.map((server) => server.name);
    }
    return [name];
  }

  /** The servers that an entry stands for; null: it is one. Sources report addresses; a name among them stays one server. */
  #serversAt(listing: Listing | ProvidedListing): readonly ServerConfig[] | null {
    return 'source' in listing ? null : this.#several.of(listing.server);
  }

  /** The entry that a server is one address of, whether it is at present or may be again; null: it is none. */
  #entryOf(name: string): string | null {
    const entry = entryNameOf(name);
    return entry !== null && (this.isListed(entry) || this.#added.has(entry)) ? entry : null;
  }

  /** The servers that sources have reported, without the changes of operators. */
  get provided(): ProvidedServers {
    return this.#provided;
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

  get file(): FileIndex {
    return this.#file;
  }

  /** The current servers of a group. */
  serversOf(group: GroupConfig): readonly ServerConfig[] {
    const added = this.#added.of(group);
    const stayed = this.#split(this.#leftOut.listedIn(group));
    const provided = this.#providedTo(group);
    if (added.length === 0 && provided.length === 0) return stayed;
    return [...stayed, ...provided, ...this.#split(added)];
  }

  #split(entries: readonly ServerConfig[]): readonly ServerConfig[] {
    if (this.#several.isEmpty) return entries;
    return entries.flatMap((entry) => this.#several.of(entry) ?? entry);
  }

  /** The servers of this name, in each group that has one. */
  serversNamed(name: string): readonly Listing[] {
    if (this.#several.isEmpty) return this.listingsOf(name);
    const own = this.listingsOf(name).filter((listing) => this.#serversAt(listing) === null);
    const entry = this.#entryOf(name);
    if (entry === null) return own;
    const ofEntry = this.listingsOf(entry).flatMap((listing) => {
      const server = this.#serversAt(listing)?.find((one) => one.name === name);
      return server === undefined ? [] : [{ ...listing, server }];
    });
    return [...own, ...ofEntry];
  }

  #providedTo(group: GroupConfig): readonly ServerConfig[] {
    return this.#leftOut.includedIn(group, this.#provided.of(group));
  }

  /** The number of servers of a group. */
  countOf(group: GroupConfig): number {
    const listed = group.servers.length - this.#leftOut.countIn(group);
    return listed + this.#providedTo(group).length + this.#added.of(group).length;
  }

  weightOf(server: ServerConfig): number {
    const entry = this.#weights.size === 0 ? null : this.#entryOf(server.name);
    const ofEntry = entry === null ? undefined : this.#weights.get(entry);
    return this.#weights.get(server.name) ?? ofEntry ?? server.weight;
  }

  /** Of a server at one address of an entry: the stricter of its own and that of the entry. */
  availabilityOf(name: string): Availability {
    if (this.#availability.size === 0) return 'ready';
    const own = this.#availability.get(name) ?? 'ready';
    const entry = own === 'maintenance' ? null : this.#entryOf(name);
    const ofEntry = entry === null ? 'ready' : (this.#availability.get(entry) ?? 'ready');
    return ofEntry === 'ready' ? own : ofEntry;
  }

  /** Is a server of this name in the file, or at one address of one? */
  isFromFile(name: string): boolean {
    if (this.isListed(name)) return true;
    const entry = entryNameOf(name);
    return entry !== null && this.isListed(entry);
  }

  /** Does the file list an entry of this name? */
  isListed(name: string): boolean {
    return this.#file.listingsOf(name).length > 0;
  }

  /** The source that reported a server of this name; undefined when none did, or the file has it. */
  sourceOf(name: string): string | undefined {
    return this.isFromFile(name) ? undefined : this.#provided.listingsOf(name)[0]?.source;
  }

  /** Does a server of this name serve in any route? */
  has(name: string): boolean {
    if (this.#added.has(name) || this.#listedBySources(name).length > 0) return true;
    if (this.#leftOut.keptBy(name, this.#file.listingsOf(name)).length > 0) return true;
    return this.#isOneOfSeveral(name);
  }

  /** Is it the server at one address of an entry, at present? */
  #isOneOfSeveral(name: string): boolean {
    return !this.#several.isEmpty && this.#entryOf(name) !== null && this.serversNamed(name).length > 0;
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

  /** undefined when the server is in no route. */
  entryOf(name: string): Entry | undefined {
    const terms = this.termsOf(name);
    if (terms === undefined) return undefined;
    const [first, ...others] = this.listingsOf(name).map(({ group }) => this.#file.routesOf(group));
    return { ...terms, routes: others.length === 0 ? (first ?? []) : [first ?? [], ...others].flat() };
  }

  /** Like `entryOf`, without the routes, of which there may be thousands. */
  termsOf(name: string): Omit<Entry, 'routes'> | undefined {
    const last = this.listingsOf(name).at(-1) ?? this.serversNamed(name).at(-1);
    if (last === undefined) return undefined;
    return { weight: this.weightOf(last.server), availability: this.availabilityOf(name) };
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

  /** The names of servers that were changed. */
  *changedNames(): Generator<string> {
    yield* this.#weights.keys();
    yield* this.#availability.keys();
    yield* this.#added.names;
    yield* this.#leftOut.removedNames;
    yield* this.#leftOut.excludedNames;
  }

  /** Sets the availability of every server of that name. Throws an OperationError for an unknown name or another word. */
  setAvailability(name: string, to: Availability): void {
    this.#expect(name);
    if (!AVAILABILITIES.includes(to))
      throw new OperationError('bad_value', `expected ready, draining or maintenance, got ${show(to)}`);
    this.#expectNotHeld(name, to);
    for (const server of this.#ofEntry(name, this.#availability)) this.#forgetOwn(server, this.#availability);
    if (to === 'ready') this.#availability.delete(name);
    else this.#availability.set(name, to);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled(name);
  }

  /**
   * Sets the weight, 0 to 256, of every server of that name. Throws an OperationError for an unknown name or another
   * weight.
   */
  setWeight(name: string, weight: number): void {
    this.#expect(name);
    checkWeight(weight);
    for (const server of this.#ofEntry(name, this.#weights)) this.#forgetOwn(server, this.#weights);
    this.#weights.set(name, weight);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled(name);
  }

  /** The servers at single addresses of an entry among those that were changed. */
  #ofEntry(name: string, changed: ReadonlyMap<string, unknown>): readonly string[] {
    return [...changed.keys()].filter((server) => entryNameOf(server) === name);
  }

  #forgetOwn(server: string, changed: Map<string, unknown>): void {
    changed.delete(server);
    this.#forgetSettled(server);
  }

  /** Throws when a server is to be ready whose entry is not. */
  #expectNotHeld(name: string, to: Availability): void {
    const entry = to === 'ready' ? this.#entryOf(name) : null;
    const held = entry === null ? undefined : this.#availability.get(entry);
    if (held !== undefined)
      throw new OperationError(
        'bad_value',
        `${name} is one of the addresses of ${entry}, which is ${held}: make ${entry} ready`,
      );
  }

  /**
   * Plans to add a server to a route. A server of the file that was removed there returns with the settings of the file.
   * Throws an OperationError for an unknown route, a name or address in use, or a wrong setting.
   */
  planAddition(route: string, settings: NewServer): Addition {
    if (this.#file.groupOf(route) === null)
      throw new OperationError('unknown_route', this.#unknownRoute(route));
    const server = this.#named(readServer(settings), settings.name);
    return this.planMove({ route, server }, settings.weight);
  }

  /** The same with settings that are compiled already. `weight`: undefined for that of the server. */
  planMove({ route, server }: Move, weight: number | undefined): Addition {
    const group = this.#file.groupOf(route);
    if (group === null) throw new OperationError('unknown_route', this.#unknownRoute(route));
    if (this.#groupHas(group, server.name))
      throw new OperationError(
        'duplicate_server',
        `${route} has ${server.name} already: change its weight or availability`,
      );
    if (weight !== undefined) checkWeight(weight);
    const used = this.#listed(group, server) ?? amongOthers(server, group.servers);
    return { group, server: used, asked: server, route, weight };
  }

  /** The server as the file lists it in this group; undefined when it is not listed. */
  #listed(group: GroupConfig, server: ServerConfig): ServerConfig | undefined {
    return this.#file
      .listingsOf(server.name)
      .find((listing) => listing.group === group && isSame(listing.server, server))?.server;
  }

  #groupHas(group: GroupConfig, name: string): boolean {
    if (this.#added.of(group).some((server) => server.name === name)) return true;
    if (this.#listedBySources(name).some((listing) => listing.group === group)) return true;
    if (this.#leftOut.isRemoved(group, name)) return false;
    return this.#file.listingsOf(name).some((listing) => listing.group === group);
  }

  add({ group, server, asked, route, weight }: Addition): void {
    if (this.#leftOut.isRemoved(group, server.name)) this.#bringBack(server.name, group);
    else if (!this.#include(server.name, group)) this.#added.add({ route, server: asked }, group);
    if (weight !== undefined) this.setWeight(server.name, weight);
  }

  /**
   * Removes a server from all routes, and returns where it was. Throws an OperationError when there is none, or when it
   * is the last one of a route.
   */
  remove(name: string): readonly Listing[] {
    this.#expect(name);
    const entry = this.#isOneOfSeveral(name) ? this.#entryOf(name) : null;
    if (entry !== null)
      throw new OperationError(
        'bad_value',
        `${name} is one of the addresses of ${entry}: let it drain, or remove ${entry}`,
      );
    const listings = this.listingsOf(name);
    if (listings.some((listing) => this.#isAlone(listing))) this.#refuseEmpty(name, listings);
    if (this.isListed(name)) this.#leftOut.remove(name);
    const provided = this.#provided.listingsOf(name);
    if (provided.length > 0) this.#leftOut.exclude(name, provided);
    this.#added.remove(name);
    for (const changed of [this.#weights, this.#availability]) {
      for (const server of this.#ofEntry(name, changed)) this.#forgetOwn(server, changed);
      changed.delete(name);
    }
    this.#forgetSettled(name);
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

  /**
   * Notes which of the servers that were changed are not there. Returns those that have been away for too long, for `forget`,
   * and whether anything is different from before. `now`: ms since the epoch.
   */
  noteAbsent(now: number): { readonly expired: readonly string[]; readonly isChanged: boolean } {
    const names = new Set([
      ...this.#weights.keys(),
      ...this.#availability.keys(),
      ...this.#leftOut.excludedNames,
    ]);
    return this.#absent.look(names, (name) => this.#isThere(name), now);
  }

  /** A server that operators have removed is there when its source reports it. */
  #isThere(name: string): boolean {
    return this.has(name) || this.isListed(name) || this.#provided.listingsOf(name).length > 0;
  }

  /** Forgets the changes of these servers, which are not there. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      for (const kept of [this.#weights, this.#availability, this.#fileWeights]) kept.delete(name);
      this.#leftOut.forgetExcluded(name);
      this.#absent.forget(name);
    }
  }

  /** The changes so far, for `restore` in another process. The returned object is not modified later. */
  get changes(): Changes {
    const removed = [...this.#leftOut.removedFrom(this.#file), ...this.#leftOut.excluded()].map(
      ({ group, server }): Move => ({ route: this.#file.routeOf(group), server }),
    );
    return {
      weights: new Map(this.#weights),
      availability: new Map(this.#availability),
      fileWeights: new Map(this.#fileWeights),
      added: this.#added.moves,
      removed,
      maintenance: this.maintenance.list,
      absent: this.#absent.since,
    };
  }

  /** Makes the changes of a previous process, like `applyFile`. Returns a line for each change that is dropped. */
  restore(changes: Changes): readonly string[] {
    const { weights, availability, fileWeights, added, removed, maintenance, absent } = changes;
    this.#forgetAll();
    this.#absent.restore(absent ?? new Map());
    const ended = this.maintenance.restore(maintenance, this.#file.config);
    for (const [name, weight] of weights) this.#weights.set(name, weight);
    for (const [name, to] of availability) this.#availability.set(name, to);
    for (const name of [...weights.keys(), ...availability.keys()])
      this.#fileWeights.set(name, fileWeights.get(name) ?? this.#file.weightsOf(name));
    for (const move of added) this.#addMove(move);
    this.#leftOut.restore(removed, this.#file);
    const dropped = [...ended, ...this.#followRemoved(), ...this.#followAdded(added), ...this.#followEdits()];
    for (const name of [...this.#fileWeights.keys()]) this.#forgetSettled(name);
    return dropped;
  }

  /**
   * Takes over another file. Returns a line for each change made while running that is dropped, because its route or
   * server is not in the file, or the file has been edited there since.
   */
  applyFile(file: FileIndex): readonly string[] {
    const { changes } = this;
    this.#file = file;
    this.#provided = ProvidedServers.of(file, this.#provided.answers);
    return this.restore(changes);
  }

  #forgetAll(): void {
    for (const kept of [this.#weights, this.#availability, this.#fileWeights]) kept.clear();
    this.#leftOut.clear();
    this.#added.clear();
  }

  /** Restores the servers of groups that would be empty. */
  #followRemoved(): readonly string[] {
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

  /** A server that was left out is used again when its source reports it. Returns false if it was not left out. */
  #include(name: string, group: GroupConfig): boolean {
    if (!this.#leftOut.include(name, group)) return false;
    return this.#provided.listingsOf(name).some((listing) => listing.group === group);
  }

  #bringBack(name: string, group: GroupConfig): void {
    this.#leftOut.bringBack(name, group, this.#file.listingsOf(name).length);
  }

  #followAdded(added: readonly Move[]): readonly string[] {
    const dropped: string[] = [];
    this.#added.clear();
    for (const move of added) {
      const { route, server } = move;
      const group = this.#file.groupOf(route);
      const why = group === null ? `${route} forwards to no servers any more` : this.#clash(server);
      if (group === null || why !== '')
        dropped.push(`${server.name} was added to ${route}, and is dropped: ${why}`);
      else if (this.#listed(group, server) !== undefined) this.#handOver(server);
      else this.#added.add(move, group);
    }
    return dropped;
  }

  /** A server that was added while running is now in the file, perhaps with another weight. */
  #handOver(server: ServerConfig): void {
    const { name } = server;
    this.#weights.set(name, this.weightOf(server));
    if (!this.#fileWeights.has(name)) this.#fileWeights.set(name, []);
  }

  /**
   * For weight and availability the newer change wins. An edit of the weight from 0, which takes no requests, to another
   * value also makes the server available.
   */
  #followEdits(): readonly string[] {
    const dropped: string[] = [];
    for (const [name, before] of this.#fileWeights) {
      const now = this.#file.weightsOf(name);
      if (now.length === 0 || now.join() === before.join()) continue;
      this.#fileWeights.set(name, now);
      const weight = this.#weights.get(name);
      if (weight !== undefined) {
        this.#weights.delete(name);
        if (now.join() !== String(weight))
          dropped.push(
            `the weight of ${name} is ${now.join(', ')}: the file has been edited since it was set to ${weight}`,
          );
      }
      const availability = this.#availability.get(name);
      const wasOut = before.length > 0 && before.every((one) => one === 0);
      if (availability === undefined || !wasOut || now.every((one) => one === 0)) continue;
      this.#availability.delete(name);
      dropped.push(
        `${name} is ready: the file has been edited to give it weight ${now.join(', ')} since it was set to ${availability}`,
      );
    }
    return dropped;
  }

  /** Forgets changes that the file now contains, and those of a server that is gone. */
  #forgetSettled(name: string): void {
    // A source may report it later, and a host name may have its address later.
    const mayReturn = this.#file.sources.size > 0 && !this.#leftOut.has(name);
    const isGone = !this.has(name) && !mayReturn && this.#entryOf(name) === null;
    if (isGone) this.#availability.delete(name);
    const weight = this.#weights.get(name);
    if (weight !== undefined) {
      const listed = [...this.#listedWeights(name), ...this.#providedWeights(name)];
      const isListed = listed.length > 0 && listed.every((one) => one === weight);
      if (isGone || (isListed && !this.#added.has(name))) this.#weights.delete(name);
    }
    if (!this.#weights.has(name) && !this.#availability.has(name)) this.#fileWeights.delete(name);
  }

  /** The weights that the file gives a server; at one address of an entry: those of the entry. */
  #listedWeights(name: string): readonly number[] {
    const entry = this.isListed(name) ? null : this.#entryOf(name);
    if (entry === null) return this.#file.weightsOf(name);
    const changed = this.#weights.get(entry);
    return changed === undefined ? this.#file.weightsOf(entry) : [changed];
  }

  #providedWeights(name: string): readonly number[] {
    return this.#provided.listingsOf(name).map(({ server }) => server.weight);
  }

  /** All servers at this moment. */
  serverList(): ServerList {
    const entries = new Map<string, Entry>();
    for (const name of this.names()) entries.set(name, this.entryOf(name) as Entry);
    return entries;
  }

  /** The differences from the file, a line each. */
  get drift(): readonly string[] {
    const lines: string[] = [];
    for (const [name, weight] of this.#weights) {
      const listed = this.#listedWeights(name);
      const origin = this.#originOf(name);
      if (listed.length > 0) lines.push(`weight of ${name}: ${weight} (file: ${listed.join(', ')})`);
      else if (origin !== 'file') {
        const told = [...new Set(this.#providedWeights(name))];
        lines.push(`weight of ${name}: ${weight} (${[origin, told.join(', ')].filter(Boolean).join(': ')})`);
      }
    }
    for (const [name, availability] of this.#availability) {
      const origin = this.#originOf(name);
      lines.push(
        `availability of ${name}: ${availability} (${origin === ABSENT ? origin : `${origin}: ready`})`,
      );
    }
    for (const { route, server } of this.#added.moves) {
      const where =
        server.name === server.address.text ? server.name : `${server.name} ${server.address.text}`;
      lines.push(`servers of ${route}: ${where} with weight ${this.weightOf(server)} (file: not there)`);
    }
    for (const { group, server } of this.#leftOut.removedFrom(this.#file))
      lines.push(`servers of ${this.#file.routeOf(group)}: without ${server.name} (file: there)`);
    for (const { group, server } of this.#leftOut.excluded()) {
      const origin = this.#originOf(server.name);
      const there = origin === ABSENT ? origin : `${origin}: there`;
      lines.push(`servers of ${this.#file.routeOf(group)}: without ${server.name} (${there})`);
    }
    for (const { host } of this.maintenance.list) lines.push(`maintenance of ${host} (file: none)`);
    return lines;
  }

  /** Where a server comes from that was changed, as `drift` says it. */
  #originOf(name: string): string {
    if (this.isFromFile(name)) return 'file';
    const source = this.#provided.listingsOf(name)[0]?.source;
    return source ?? (this.#added.has(name) || this.#file.sources.size === 0 ? 'file' : ABSENT);
  }

  #addMove(move: Move): void {
    const group = this.#file.groupOf(move.route);
    if (group !== null) this.#added.add(move, group);
  }

  #expect(name: string): void {
    if (this.has(name)) return;
    throw new OperationError(
      'unknown_server',
      `there is no server ${show(name)}${knownNames(name, [...this.names()])}`,
    );
  }

  #unknownRoute(route: string): string {
    const names = this.#file.routes.map(({ name }) => name);
    return `there is no route ${show(route)} that forwards to servers${knownNames(route, names)}`;
  }

  /** A name has one address and an address has one name, as in the file. */
  #named(server: ServerConfig, wanted: string | undefined): ServerConfig {
    const known = this.#nameAt(addressKey(server.address));
    const named = known === undefined || wanted !== undefined ? server : { ...server, name: known };
    const clash = this.#clash(named);
    if (clash !== '') throw new OperationError('duplicate_server', `${clash}: choose another name`);
    return named;
  }

  /** The name of the server at an address, even a removed one: the file still lists it, so its name is in use. */
  #nameAt(address: string): string | undefined {
    return this.#file.nameAt(address) ?? this.#provided.nameAt(address) ?? this.#added.nameAt(address);
  }

  /** Why a server can't be added beside the others; empty when it can. */
  #clash({ name, address }: ServerConfig): string {
    const key = addressKey(address);
    const called = this.#nameAt(key);
    if (called !== undefined && called !== name) return `${address.text} is called ${called}`;
    const namesake =
      this.#file.listingsOf(name)[0]?.server ??
      this.#provided.listingsOf(name)[0]?.server ??
      this.#added.named(name)[0]?.server;
    return namesake === undefined || addressKey(namesake.address) === key
      ? ''
      : `${name} is the name of ${namesake.address.text}`;
  }
}

function checkWeight(weight: number): void {
  if (!isWeight(weight))
    throw new OperationError('bad_value', `a weight is a whole number from 0 to 256, got ${show(weight)}`);
}

/** Names listed in a message about an unknown name. */
const MOST_LISTED = 20;
/** Finding the nearest name takes 1 µs for each name. */
const MOST_COMPARED = 1000;

/** The end of a message about an unknown name: the likely one, else all of them if there are few. */
function knownNames(word: string, names: readonly string[]): string {
  const listed = [...new Set(names)].slice(0, MOST_LISTED);
  const more = names.length > listed.length ? ` and ${names.length - listed.length} more` : '';
  const verb = names.length === 1 ? 'is' : 'are';
  const all = names.length === 0 ? '' : `There ${verb} ${listed.join(', ')}${more}`;
  const hint = suggest(word, names.slice(0, MOST_COMPARED), all);
  return hint === '' ? '' : `. ${hint}`;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
