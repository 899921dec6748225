import { addressKey } from '../base/address.js';
import { suggest } from '../base/nearest.js';
import type { Availability } from '../base/observer.js';
import type { Config, GroupConfig, ServerConfig } from '../config/types.js';
import { type Changes, isWeight, type Move } from './changes.js';
import { FileIndex } from './file-index.js';
import { isSame, readServer } from './server-entry.js';
import type { Entry, ServerList } from './server-list.js';
import { type NewServer, OperationError } from './status/operations.js';

const AVAILABILITIES: readonly Availability[] = ['ready', 'draining', 'maintenance'];

/**
 * Who serves: what the file says, and what was changed since. Changes are kept by the names of servers and routes, so
 * they hold over a reload, until the file says the same, has no place for them any more, or has itself been edited in
 * the same place: then the edit is the newer wish.
 */
export class DesiredServers {
  #file: FileIndex;
  readonly #weights = new Map<string, number>();
  /** Where it is not `ready`. */
  readonly #availability = new Map<string, Availability>();
  /** What the file says of the servers in these two. */
  readonly #fileWeights = new Map<string, readonly number[]>();
  #added: readonly Move[] = [];
  #removed: readonly Move[] = [];
  /** The same by the groups they concern. */
  #addedTo: ReadonlyMap<GroupConfig, readonly ServerConfig[]> = new Map();
  #removedFrom: ReadonlyMap<GroupConfig, readonly ServerConfig[]> = new Map();

  constructor(config: Config) {
    this.#file = new FileIndex(config);
  }

  /** The servers of a group as they are now. */
  serversOf(group: GroupConfig): readonly ServerConfig[] {
    const came = this.#addedTo.get(group) ?? [];
    if (came.length === 0 && !this.#removedFrom.has(group)) return group.servers;
    return [...group.servers.filter((server) => !this.#isRemoved(group, server)), ...came];
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

  /** For every server of that name. Throws an OperationError when there is none, or `to` is none of the three. */
  setAvailability(name: string, to: Availability): void {
    this.#expect(name);
    if (!AVAILABILITIES.includes(to))
      throw new OperationError('bad_value', `expected ready, draining or maintenance, got ${show(to)}`);
    if (to === 'ready') this.#availability.delete(name);
    else this.#availability.set(name, to);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled();
  }

  /** For every server of that name, 0 to 256. Throws an OperationError when there is none, or for another weight. */
  setWeight(name: string, weight: number): void {
    this.#expect(name);
    if (!isWeight(weight))
      throw new OperationError('bad_value', `a weight is a whole number from 0 to 256, got ${show(weight)}`);
    this.#weights.set(name, weight);
    this.#fileWeights.set(name, this.#file.weightsOf(name));
    this.#forgetSettled();
  }

  /**
   * Adds a server to a route and returns it as it was understood. One that the file has there, and that was removed, comes
   * back as the file has it. Throws an OperationError for an unknown route, a clash of names or a setting that is wrong.
   */
  add(route: string, settings: NewServer): ServerConfig {
    const group = this.#file.groupOf(route);
    if (group === null) throw new OperationError('unknown_route', this.#unknownRoute(route));
    const server = this.#named(readServer(settings), settings.name);
    if (this.serversOf(group).some((other) => other.name === server.name))
      throw new OperationError(
        'duplicate_server',
        `${route} has ${server.name} already: change its weight or availability`,
      );
    if (group.servers.some((other) => isSame(other, server)))
      this.#setRemoved(this.#removed.filter((move) => !this.#isMoveIn(move, group, server)));
    else this.#setAdded([...this.#added, { route, server }]);
    if (settings.weight !== undefined) this.setWeight(server.name, settings.weight);
    return server;
  }

  /** Removes a server from every route. Throws an OperationError when there is none, or it is the last of a route. */
  remove(name: string): void {
    this.#expect(name);
    const groups = this.#file.groups.filter((group) => includes(this.serversOf(group), name));
    const emptied = groups.find((group) => this.serversOf(group).length === 1);
    if (emptied !== undefined)
      throw new OperationError(
        'last_server',
        `${name} is the last server of ${this.#file.routeOf(emptied)}: add another one first, or let it drain`,
      );
    const moves = groups.flatMap((group) =>
      group.servers
        .filter((server) => server.name === name && !this.#isRemoved(group, server))
        .map((server) => ({ route: this.#file.routeOf(group), server })),
    );
    this.#setRemoved([...this.#removed, ...moves]);
    this.#setAdded(this.#added.filter(({ server }) => server.name !== name));
    this.#weights.delete(name);
    this.#availability.delete(name);
  }

  /** What was changed, so that another process may `restore` it. */
  get changes(): Changes {
    return {
      weights: this.#weights,
      availability: this.#availability,
      fileWeights: this.#fileWeights,
      added: this.#added,
      removed: this.#removed,
    };
  }

  /** Makes changes of before, as `follow` does. Returns a line for each that is dropped. */
  restore({ weights, availability, fileWeights, added, removed }: Changes): readonly string[] {
    for (const [name, weight] of weights) this.#weights.set(name, weight);
    for (const [name, to] of availability) this.#availability.set(name, to);
    for (const name of [...weights.keys(), ...availability.keys()])
      this.#fileWeights.set(name, fileWeights.get(name) ?? this.#file.weightsOf(name));
    this.#setAdded(added);
    this.#setRemoved(removed);
    return this.#settle();
  }

  /**
   * Takes over another file. Returns a line for each change made while running that is dropped: it has no place in the
   * file, or the file has been edited there since.
   */
  applyConfig(config: Config): readonly string[] {
    this.#file = new FileIndex(config);
    this.#setAdded(this.#added);
    return this.#settle();
  }

  /** To the file and the changes of before, which fitted each other. */
  goBack(config: Config, changes: Changes): void {
    this.#file = new FileIndex(config);
    for (const kept of [this.#weights, this.#availability, this.#fileWeights]) kept.clear();
    this.restore(changes);
  }

  #settle(): readonly string[] {
    const dropped = [...this.#followRemoved(), ...this.#followAdded(), ...this.#followEdits()];
    this.#forgetSettled();
    return dropped;
  }

  #followRemoved(): readonly string[] {
    this.#setRemoved(
      this.#removed.filter(({ route, server }) =>
        this.#file.groupOf(route)?.servers.some((other) => isSame(other, server)),
      ),
    );
    const dropped: string[] = [];
    for (const group of this.#file.groups) {
      if (group.servers.length === 0 || this.serversOf(group).length > 0) continue;
      const back = this.#removed.filter((move) =>
        group.servers.some((server) => this.#isMoveIn(move, group, server)),
      );
      this.#setRemoved(this.#removed.filter((move) => !back.includes(move)));
      for (const { route, server } of back)
        dropped.push(
          `${server.name} had been removed from ${route}, which has no other server now: it is back`,
        );
    }
    return dropped;
  }

  #followAdded(): readonly string[] {
    const dropped: string[] = [];
    const added = this.#added;
    this.#setAdded([]);
    for (const move of added) {
      const { route, server } = move;
      const group = this.#file.groupOf(route);
      const why = group === null ? `${route} forwards to no servers any more` : this.#clash(server);
      if (group === null || why !== '')
        dropped.push(`${server.name} had been added to ${route}, and is gone: ${why}`);
      else if (group.servers.some((other) => isSame(other, server))) this.#handOver(server);
      else this.#setAdded([...this.#added, move]);
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

  /** Forgets what is as the file has it, and what was said of servers that are gone. */
  #forgetSettled(): void {
    const names = new Set(this.#everyServer().map(({ name }) => name));
    for (const name of this.#availability.keys()) if (!names.has(name)) this.#availability.delete(name);
    for (const [name, weight] of this.#weights) {
      const isAdded = this.#added.some(({ server }) => server.name === name);
      const isListed = this.#file.listingsOf(name).every((server) => server.weight === weight);
      if (!names.has(name) || (isListed && !isAdded)) this.#weights.delete(name);
    }
    for (const name of this.#fileWeights.keys())
      if (!this.#weights.has(name) && !this.#availability.has(name)) this.#fileWeights.delete(name);
  }

  /** Everyone as of now. */
  serverList(): ServerList {
    const entries = new Map<string, Entry & { readonly routes: string[] }>();
    for (const { name: route, group } of this.#file.routes) {
      for (const server of this.serversOf(group)) {
        const { name } = server;
        const routes: string[] = entries.get(name)?.routes ?? [];
        routes.push(route);
        entries.set(name, { routes, weight: this.weightOf(server), availability: this.availabilityOf(name) });
      }
    }
    return entries;
  }

  /** What differs from the file, a line each. */
  get drift(): readonly string[] {
    const lines: string[] = [];
    for (const [name, weight] of this.#weights) {
      const listed = new Set(this.#file.listingsOf(name).map((server) => server.weight));
      if (listed.size > 0) lines.push(`weight of ${name}: ${weight} (file: ${[...listed].join(', ')})`);
    }
    for (const [name, availability] of this.#availability)
      lines.push(`availability of ${name}: ${availability} (file: ready)`);
    for (const { route, server } of this.#added) {
      const where =
        server.name === server.address.text ? server.name : `${server.name} ${server.address.text}`;
      lines.push(`servers of ${route}: ${where} with weight ${this.weightOf(server)} (file: not there)`);
    }
    for (const { route, server } of this.#removed)
      lines.push(`servers of ${route}: without ${server.name} (file: there)`);
    return lines;
  }

  #isRemoved(group: GroupConfig, server: ServerConfig): boolean {
    return this.#removedFrom.get(group)?.some((removed) => isSame(removed, server)) === true;
  }

  #isMoveIn(move: Move, group: GroupConfig, server: ServerConfig): boolean {
    return isSame(move.server, server) && this.#file.groupOf(move.route) === group;
  }

  #setAdded(moves: readonly Move[]): void {
    this.#added = moves;
    this.#addedTo = this.#file.byGroup(moves);
  }

  #setRemoved(moves: readonly Move[]): void {
    this.#removed = moves;
    this.#removedFrom = this.#file.byGroup(moves);
  }

  #everyServer(): readonly ServerConfig[] {
    return this.#file.groups.flatMap((group) => this.serversOf(group));
  }

  /** Every server, and those that were removed: the file still has them, and so their names are taken. */
  #knownServers(): readonly ServerConfig[] {
    return [...this.#everyServer(), ...this.#file.groups.flatMap(({ servers }) => servers)];
  }

  #expect(name: string): void {
    const names = this.#everyServer().map((server) => server.name);
    if (names.includes(name)) return;
    throw new OperationError('unknown_server', `there is no server ${show(name)}${knownNames(name, names)}`);
  }

  #unknownRoute(route: string): string {
    const names = this.#file.routes.map(({ name }) => name);
    return `there is no route ${show(route)} that forwards to servers${knownNames(route, names)}`;
  }

  /** One name is one address, and one address has one name, as in the file. */
  #named(server: ServerConfig, wanted: string | undefined): ServerConfig {
    const known = this.#knownServers().find(
      (other) => addressKey(other.address) === addressKey(server.address),
    );
    const named = known === undefined || wanted !== undefined ? server : { ...server, name: known.name };
    const clash = this.#clash(named);
    if (clash !== '') throw new OperationError('duplicate_server', `${clash}: choose another name`);
    return named;
  }

  /** Why a server can't be beside the others; empty when it can. */
  #clash({ name, address }: ServerConfig): string {
    for (const other of this.#knownServers()) {
      const isThere = addressKey(other.address) === addressKey(address);
      if (isThere && other.name !== name) return `${address.text} is called ${other.name}`;
      if (!isThere && other.name === name) return `${name} is the name of ${other.address.text}`;
    }
    return '';
  }
}

function includes(servers: readonly ServerConfig[], name: string): boolean {
  return servers.some((server) => server.name === name);
}

/** What to add to a message about a name that is unknown: the likely one, else all there are. */
function knownNames(word: string, names: readonly string[]): string {
  const verb = names.length === 1 ? 'is' : 'are';
  const hint = suggest(
    word,
    names,
    names.length === 0 ? '' : `There ${verb} ${[...new Set(names)].join(', ')}`,
  );
  return hint === '' ? '' : `. ${hint}`;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
