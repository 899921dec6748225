import { addressKey } from '../base/address.js';
import { suggest } from '../base/nearest.js';
import type { Availability } from '../base/observer.js';
import type { Config, GroupConfig, ServerConfig } from '../config/types.js';
import { type Changes, isWeight, type Move } from './changes.js';
import { FileIndex, type Listing } from './file-index.js';
import { amongOthers, isSame, readServer } from './server-entry.js';
import type { Entry, ServerList } from './server-list.js';
import { type NewServer, OperationError } from './status/operations.js';

const NO_GROUPS: ReadonlySet<GroupConfig> = new Set();
const AVAILABILITIES: readonly Availability[] = ['ready', 'draining', 'maintenance'];

/** A server that was added as it is used, and as it was asked for. */
interface UsedMove extends Move {
  readonly move: Move;
}

/** What adding a server comes to, before anything is changed. */
export interface Addition {
  readonly group: GroupConfig;
  /** As it is used, and as it was asked for. */
  readonly server: ServerConfig;
  readonly asked: ServerConfig;
  /** The route it was added to. */
  readonly route: string;
  /** Set for it, whatever the file says. */
  readonly weight: number | undefined;
}

/**
 * Who serves: what the file says, and what was changed since. Changes are kept by the names of servers and routes, so
 * they hold over a reload, until the file says the same, has no place for them any more, or has itself been edited in
 * the same place: then the edit is the newer wish. No change goes through all servers: there may be 10,000 of them.
 */
export class DesiredServers {
  #file: FileIndex;
  readonly #weights = new Map<string, number>();
  /** Where it is not `ready`. */
  readonly #availability = new Map<string, Availability>();
  /** What the file says of the servers in these two. */
  readonly #fileWeights = new Map<string, readonly number[]>();
  readonly #added = new Set<Move>();
  /**
   * The same by the groups they concern, by their names, and the names by their addresses. Lists are replaced, never
   * changed.
   */
  readonly #addedTo = new Map<GroupConfig, readonly ServerConfig[]>();
  readonly #addedBy = new Map<string, readonly UsedMove[]>();
  readonly #addedAt = new Map<string, string>();
  /** By the names of servers that were removed, the groups among those that list them in which they are still, or again. */
  readonly #removed = new Map<string, ReadonlySet<GroupConfig>>();

  constructor(config: Config | FileIndex) {
    this.#file = config instanceof FileIndex ? config : FileIndex.of(config);
  }

  get file(): FileIndex {
    return this.#file;
  }

  /** The servers of a group as they are now. */
  serversOf(group: GroupConfig): readonly ServerConfig[] {
    const came = this.#addedTo.get(group);
    const stayed = this.#removedCount(group) === 0 ? group.servers : this.#notRemoved(group);
    return came === undefined ? stayed : [...stayed, ...came];
  }

  #notRemoved(group: GroupConfig): readonly ServerConfig[] {
    return group.servers.filter(({ name }) => !this.#isRemoved(group, name));
  }

  /** How many servers a group has. */
  countOf(group: GroupConfig): number {
    return group.servers.length - this.#removedCount(group) + (this.#addedTo.get(group)?.length ?? 0);
  }

  #removedCount(group: GroupConfig): number {
    if (this.#removed.size === 0) return 0;
    let count = 0;
    for (const { name } of group.servers) if (this.#isRemoved(group, name)) count++;
    return count;
  }

  weightOf(server: ServerConfig): number {
    return this.#weights.get(server.name) ?? server.weight;
  }

  availabilityOf(name: string): Availability {
    return this.#availability.get(name) ?? 'ready';
  }

  /** Does the file have it, in one route at least? */
  isFromFile(name: string): boolean {
    return this.#file.listingsOf(name).length > 0;
  }

  /** Does it serve in one route at least? */
  has(name: string): boolean {
    if (this.#addedBy.has(name)) return true;
    return (this.#removed.get(name)?.size ?? this.#file.listingsOf(name).length) > 0;
  }

  /** The groups that have it, and the server as each of them has it. */
  listingsOf(name: string): readonly Listing[] {
    const listed = this.#file.listingsOf(name);
    const left = this.#removed.get(name);
    const stayed = left === undefined ? listed : listed.filter(({ group }) => left.has(group));
    const came = this.#addedBy.get(name);
    if (came === undefined) return stayed;
    return [
      ...stayed,
      ...came.flatMap(({ route, server }) => {
        const group = this.#file.groupOf(route);
        return group === null ? [] : [{ group, server, of: group.servers.length }];
      }),
    ];
  }

  /** undefined when it serves nowhere. */
  entryOf(name: string): Entry | undefined {
    const terms = this.termsOf(name);
    if (terms === undefined) return undefined;
    const [first, ...others] = this.listingsOf(name).map(({ group }) => this.#file.routesOf(group));
    return { ...terms, routes: others.length === 0 ? (first ?? []) : [first ?? [], ...others].flat() };
  }

  /** The same without its routes, of which there may be thousands. */
  termsOf(name: string): Omit<Entry, 'routes'> | undefined {
    const last = this.listingsOf(name).at(-1);
    if (last === undefined) return undefined;
    return { weight: this.weightOf(last.server), availability: this.availabilityOf(name) };
  }

  /** Every name of a server that serves, those of the file first. */
  *names(): Generator<string> {
    for (const name of this.#file.names) if (this.has(name)) yield name;
    for (const name of this.#addedBy.keys()) if (!this.isFromFile(name)) yield name;
  }

  /** Names of servers of which something was changed. */
  *changedNames(): Generator<string> {
    yield* this.#weights.keys();
    yield* this.#availability.keys();
    yield* this.#addedBy.keys();
    yield* this.#removed.keys();
  }

  /** For every server of that name. Throws an OperationError when there is none, or `to` is none of the three. */
  setAvailability(name: string, to: Availability): void {
    this.#expect(name);
    if (!AVAILABILITIES.includes(to))
      throw new OperationError('bad_value', `expected ready, draining or maintenance, got ${show(to)}`);
    if (to === 'ready') this.#availability.delete(name);
    else this.#availability.set(name, to);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled(name);
  }

  /** For every server of that name, 0 to 256. Throws an OperationError when there is none, or for another weight. */
  setWeight(name: string, weight: number): void {
    this.#expect(name);
    checkWeight(weight);
    this.#weights.set(name, weight);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled(name);
  }

  /**
   * What adding a server to a route comes to. One that the file has there, and that was removed, comes back as the file
   * has it. Throws an OperationError for an unknown route, a clash of names or a setting that is wrong.
   */
  planAddition(route: string, settings: NewServer): Addition {
    const group = this.#file.groupOf(route);
    if (group === null) throw new OperationError('unknown_route', this.#unknownRoute(route));
    const server = this.#named(readServer(settings), settings.name);
    if (this.#groupHas(group, server.name))
      throw new OperationError(
        'duplicate_server',
        `${route} has ${server.name} already: change its weight or availability`,
      );
    const { weight } = settings;
    if (weight !== undefined) checkWeight(weight);
    const used = this.#listed(group, server) ?? amongOthers(server, group.servers);
    return { group, server: used, asked: server, route, weight };
  }

  /** The server as the file has it in this group; undefined when it has not. */
  #listed(group: GroupConfig, server: ServerConfig): ServerConfig | undefined {
    return this.#file
      .listingsOf(server.name)
      .find((listing) => listing.group === group && isSame(listing.server, server))?.server;
  }

  #groupHas(group: GroupConfig, name: string): boolean {
    if (this.#addedTo.get(group)?.some((server) => server.name === name)) return true;
    if (this.#isRemoved(group, name)) return false;
    return this.#file.listingsOf(name).some((listing) => listing.group === group);
  }

  add({ group, server, asked, route, weight }: Addition): void {
    if (this.#isRemoved(group, server.name)) this.#bringBack(server.name, group);
    else this.#addMove({ route, server: asked });
    if (weight !== undefined) this.setWeight(server.name, weight);
  }

  /**
   * Removes a server from every route, and returns where it was. Throws an OperationError when there is none, or
   * it is the last of a route.
   */
  remove(name: string): readonly Listing[] {
    this.#expect(name);
    const listings = this.listingsOf(name);
    if (listings.some((listing) => this.#isAlone(listing))) this.#refuseEmpty(name, listings);
    if (this.isFromFile(name)) this.#removed.set(name, NO_GROUPS);
    this.#forgetMovesOf(name);
    this.#weights.delete(name);
    this.#availability.delete(name);
    this.#forgetSettled(name);
    return listings;
  }

  /** Is it the last of its group? The group itself is looked at only where it may be. */
  #isAlone({ group, of }: Listing): boolean {
    return of - this.#removed.size <= 1 && this.countOf(group) === 1;
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

  /** What was changed, so that another process may `restore` it. It does not change when more is changed. */
  get changes(): Changes {
    const removed: Move[] = [];
    for (const [name, groups] of this.#removed)
      for (const { group, server } of this.#file.listingsOf(name))
        if (!groups.has(group)) removed.push({ route: this.#file.routeOf(group), server });
    return {
      weights: new Map(this.#weights),
      availability: new Map(this.#availability),
      fileWeights: new Map(this.#fileWeights),
      added: [...this.#added],
      removed,
    };
  }

  /** Makes changes of before, as `applyFile` does. Returns a line for each that is dropped. */
  restore({ weights, availability, fileWeights, added, removed }: Changes): readonly string[] {
    this.#forgetAll();
    for (const [name, weight] of weights) this.#weights.set(name, weight);
    for (const [name, to] of availability) this.#availability.set(name, to);
    for (const name of [...weights.keys(), ...availability.keys()])
      this.#fileWeights.set(name, fileWeights.get(name) ?? this.#file.weightsOf(name));
    for (const move of added) this.#addMove(move);
    this.#takeRemovals(removed);
    const dropped = [...this.#followRemoved(), ...this.#followAdded(added), ...this.#followEdits()];
    for (const name of [...this.#fileWeights.keys()]) this.#forgetSettled(name);
    return dropped;
  }

  /**
   * Takes over another file. Returns a line for each change made while running that is dropped: it has no place in the
   * file, or the file has been edited there since.
   */
  applyFile(file: FileIndex): readonly string[] {
    const { changes } = this;
    this.#file = file;
    return this.restore(changes);
  }

  #forgetAll(): void {
    for (const kept of [this.#weights, this.#availability, this.#fileWeights, this.#removed]) kept.clear();
    this.#forgetAdded();
  }

  #forgetAdded(): void {
    for (const kept of [this.#added, this.#addedTo, this.#addedBy, this.#addedAt]) kept.clear();
  }

  /** Those that the file still has in the same place. */
  #takeRemovals(moves: readonly Move[]): void {
    const taken = new Map<string, Set<GroupConfig>>();
    const listed = new Map<string, ReadonlyMap<GroupConfig, ServerConfig>>();
    for (const { route, server } of moves) {
      const { name } = server;
      const places =
        listed.get(name) ?? new Map(this.#file.listingsOf(name).map((one) => [one.group, one.server]));
      listed.set(name, places);
      const group = this.#file.groupOf(route);
      const there = group === null ? undefined : places.get(group);
      if (group === null || there === undefined || !isSame(there, server)) continue;
      const groups = taken.get(name) ?? new Set();
      groups.add(group);
      taken.set(name, groups);
    }
    for (const [name, groups] of taken) {
      const left = this.#file.listingsOf(name).filter(({ group }) => !groups.has(group));
      this.#removed.set(name, new Set(left.map(({ group }) => group)));
    }
  }

  /** A group that would be empty gets back what was removed from it. */
  #followRemoved(): readonly string[] {
    const emptied = new Set<GroupConfig>();
    for (const name of this.#removed.keys())
      for (const { group } of this.#file.listingsOf(name)) if (this.countOf(group) === 0) emptied.add(group);
    if (emptied.size === 0) return [];
    const dropped: string[] = [];
    for (const group of this.#file.groups) {
      if (!emptied.has(group)) continue;
      const route = this.#file.routeOf(group);
      for (const { name } of group.servers) {
        this.#bringBack(name, group);
        dropped.push(`${name} had been removed from ${route}, which has no other server now: it is back`);
      }
    }
    return dropped;
  }

  #bringBack(name: string, group: GroupConfig): void {
    const left = new Set(this.#removed.get(name)).add(group);
    if (left.size < this.#file.listingsOf(name).length) this.#removed.set(name, left);
    else this.#removed.delete(name);
  }

  #followAdded(added: readonly Move[]): readonly string[] {
    const dropped: string[] = [];
    this.#forgetAdded();
    for (const move of added) {
      const { route, server } = move;
      const group = this.#file.groupOf(route);
      const why = group === null ? `${route} forwards to no servers any more` : this.#clash(server);
      if (group === null || why !== '')
        dropped.push(`${server.name} had been added to ${route}, and is gone: ${why}`);
      else if (this.#listed(group, server) !== undefined) this.#handOver(server);
      else this.#addMove(move);
    }
    return dropped;
  }

  /** A server that was added while running is in the file now, perhaps with another weight. */
  #handOver(server: ServerConfig): void {
    const { name } = server;
    this.#weights.set(name, this.weightOf(server));
    if (!this.#fileWeights.has(name)) this.#fileWeights.set(name, []);
  }

  /**
   * Of weight and availability the newer wish wins. An edit from weight 0, which takes no requests, to another weight
   * is a wish for availability too.
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

  /** Forgets what is as the file has it, and what was said of a server that is gone. */
  #forgetSettled(name: string): void {
    const isGone = !this.has(name);
    if (isGone) this.#availability.delete(name);
    const weight = this.#weights.get(name);
    if (weight !== undefined) {
      const isListed = this.#file.weightsOf(name).every((listed) => listed === weight);
      if (isGone || (isListed && !this.#addedBy.has(name))) this.#weights.delete(name);
    }
    if (!this.#weights.has(name) && !this.#availability.has(name)) this.#fileWeights.delete(name);
  }

  /** Everyone as of now. */
  serverList(): ServerList {
    const entries = new Map<string, Entry>();
    for (const name of this.names()) entries.set(name, this.entryOf(name) as Entry);
    return entries;
  }

  /** What differs from the file, a line each. */
  get drift(): readonly string[] {
    const lines: string[] = [];
    for (const [name, weight] of this.#weights) {
      const listed = this.#file.weightsOf(name);
      if (listed.length > 0) lines.push(`weight of ${name}: ${weight} (file: ${listed.join(', ')})`);
    }
    for (const [name, availability] of this.#availability)
      lines.push(`availability of ${name}: ${availability} (file: ready)`);
    for (const { route, server } of this.#added) {
      const where =
        server.name === server.address.text ? server.name : `${server.name} ${server.address.text}`;
      lines.push(`servers of ${route}: ${where} with weight ${this.weightOf(server)} (file: not there)`);
    }
    for (const [name, left] of this.#removed)
      for (const { group } of this.#file.listingsOf(name))
        if (!left.has(group))
          lines.push(`servers of ${this.#file.routeOf(group)}: without ${name} (file: there)`);
    return lines;
  }

  #isRemoved(group: GroupConfig, name: string): boolean {
    return this.#removed.get(name)?.has(group) === false;
  }

  #addMove(move: Move): void {
    const { route, server } = move;
    const group = this.#file.groupOf(route);
    if (group === null) return;
    const used = amongOthers(server, group.servers);
    this.#added.add(move);
    this.#addedTo.set(group, [...(this.#addedTo.get(group) ?? []), used]);
    const added = { route, server: used, move };
    this.#addedBy.set(server.name, [...(this.#addedBy.get(server.name) ?? []), added]);
    this.#addedAt.set(addressKey(server.address), server.name);
  }

  #forgetMovesOf(name: string): void {
    for (const { route, server: used, move } of this.#addedBy.get(name) ?? []) {
      this.#added.delete(move);
      this.#addedAt.delete(addressKey(used.address));
      const group = this.#file.groupOf(route);
      if (group === null) continue;
      const others = (this.#addedTo.get(group) ?? []).filter((server) => server !== used);
      if (others.length > 0) this.#addedTo.set(group, others);
      else this.#addedTo.delete(group);
    }
    this.#addedBy.delete(name);
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

  /** One name is one address, and one address has one name, as in the file. */
  #named(server: ServerConfig, wanted: string | undefined): ServerConfig {
    const known = this.#nameAt(addressKey(server.address));
    const named = known === undefined || wanted !== undefined ? server : { ...server, name: known };
    const clash = this.#clash(named);
    if (clash !== '') throw new OperationError('duplicate_server', `${clash}: choose another name`);
    return named;
  }

  /** The name of the server at an address, be it removed: the file still has it, and so its name is taken. */
  #nameAt(address: string): string | undefined {
    return this.#file.nameAt(address) ?? this.#addedAt.get(address);
  }

  /** Why a server can't be beside the others; empty when it can. */
  #clash({ name, address }: ServerConfig): string {
    const key = addressKey(address);
    const called = this.#nameAt(key);
    if (called !== undefined && called !== name) return `${address.text} is called ${called}`;
    const namesake = this.#file.listingsOf(name)[0]?.server ?? this.#addedBy.get(name)?.[0]?.server;
    return namesake === undefined || addressKey(namesake.address) === key
      ? ''
      : `${name} is the name of ${namesake.address.text}`;
  }
}

function checkWeight(weight: number): void {
  if (!isWeight(weight))
    throw new OperationError('bad_value', `a weight is a whole number from 0 to 256, got ${show(weight)}`);
}

/** Names that are listed to somebody who wrote another one. */
const MOST_LISTED = 20;
/** A search for what was meant takes 1 µs for each name. */
const MOST_COMPARED = 1000;

/** What to add to a message about a name that is unknown: the likely one, else all there are, as far as they are few. */
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
