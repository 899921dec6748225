import { addressKey } from '../base/address.js';
import { suggest } from '../base/nearest.js';
import type { Availability } from '../base/observer.js';
import type { Config, GroupConfig, ServerConfig } from '../config/types.js';
import { AbsentServers } from './absent-servers.js';
import { ChangedTerms } from './changed-terms.js';
import type { Changes, Move } from './changes.js';
import { driftOf } from './drift.js';
import { FileIndex, type Listing } from './file-index.js';
import { MaintainedHosts } from './maintained-hosts.js';
import type { ProvidedServers } from './provided-servers.js';
import { amongOthers, isWeight } from './server-entry.js';
import { ServerLayers } from './server-layers.js';
import type { Entry, ServerList } from './server-list.js';
import type { SeveralAddresses } from './several-addresses.js';
import { type NewServer, OperationError } from './status/operations.js';

const AVAILABILITIES: readonly Availability[] = ['ready', 'draining', 'maintenance'];

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
 * The servers that are wanted, and each change of them that an operator makes, checked before anything is changed: which
 * servers there are (`layers`), their weight and availability (`terms`), and hosts in maintenance. Changes are kept by the
 * names of servers and routes, so they survive a reload, as long as the file has their route or server. Changes of a server
 * that its source does not report any more, or not yet, are kept for a while, and apply again when it returns.
 */
export class DesiredServers {
  /** Which servers there are. */
  readonly layers: ServerLayers;
  /** The weights and the availability that operators have set. */
  readonly terms: ChangedTerms;
  /** The hosts that operators have put into maintenance. */
  readonly maintenance = new MaintainedHosts();
  readonly #absent = new AbsentServers();

  /** `several`: the host names that have several addresses; none by default. */
  constructor(config: Config | FileIndex, provided?: ProvidedServers, several?: SeveralAddresses) {
    const file = config instanceof FileIndex ? config : FileIndex.of(config);
    this.layers = new ServerLayers(file, provided, several);
    this.terms = new ChangedTerms(this.layers);
  }

  get file(): FileIndex {
    return this.layers.file;
  }

  /** undefined when the server is in no route. */
  entryOf(name: string): Entry | undefined {
    const terms = this.termsOf(name);
    if (terms === undefined) return undefined;
    const [first, ...others] = this.layers.listingsOf(name).map(({ group }) => this.file.routesOf(group));
    return { ...terms, routes: others.length === 0 ? (first ?? []) : [first ?? [], ...others].flat() };
  }

  /** Like `entryOf`, without the routes, of which there may be thousands. */
  termsOf(name: string): Omit<Entry, 'routes'> | undefined {
    const last = this.layers.listingsOf(name).at(-1) ?? this.layers.serversNamed(name).at(-1);
    if (last === undefined) return undefined;
    return { weight: this.terms.weightOf(last.server), availability: this.terms.availabilityOf(name) };
  }

  /** All servers at this moment. */
  serverList(): ServerList {
    const entries = new Map<string, Entry>();
    for (const name of this.layers.names()) entries.set(name, this.entryOf(name) as Entry);
    return entries;
  }

  /** The names of servers that were changed. */
  *changedNames(): Generator<string> {
    yield* this.terms.names();
    yield* this.layers.movedNames();
  }

  /** The differences from the file, a line each. */
  get drift(): readonly string[] {
    return driftOf(this.layers, this.terms, this.maintenance.list);
  }

  // What operators change.

  /** Sets the availability of every server of that name. Throws an OperationError for an unknown name or another word. */
  setAvailability(name: string, to: Availability): void {
    this.#expect(name);
    if (!AVAILABILITIES.includes(to))
      throw new OperationError('bad_value', `expected ready, draining or maintenance, got ${show(to)}`);
    this.terms.setAvailability(name, to);
  }

  /**
   * Sets the weight, 0 to 256, of every server of that name. Throws an OperationError for an unknown name or another
   * weight.
   */
  setWeight(name: string, weight: number): void {
    this.#expect(name);
    checkWeight(weight);
    this.terms.setWeight(name, weight);
  }

  /**
   * Plans to add a server to a route. A server of the file that was removed there returns with the settings of the
   * file. Throws an OperationError for an unknown route, a name or address in use, or a wrong setting. `read` is
   * `readServer`. It is passed in because only the main thread calls this: importing it would add a sixth to the
   * modules of an engine's thread.
   */
  planAddition(route: string, settings: NewServer, read: (settings: NewServer) => ServerConfig): Addition {
    if (this.file.groupOf(route) === null)
      throw new OperationError('unknown_route', this.#unknownRoute(route));
    const server = this.#named(read(settings), settings.name);
    return this.planMove({ route, server }, settings.weight);
  }

  /** The same with settings that are compiled already. `weight`: undefined for that of the server. */
  planMove({ route, server }: Move, weight: number | undefined): Addition {
    const group = this.file.groupOf(route);
    if (group === null) throw new OperationError('unknown_route', this.#unknownRoute(route));
    if (this.layers.groupHas(group, server.name))
      throw new OperationError(
        'duplicate_server',
        `${route} has ${server.name} already: change its weight or availability`,
      );
    if (weight !== undefined) checkWeight(weight);
    const used = this.layers.listedIn(group, server) ?? amongOthers(server, group.servers);
    return { group, server: used, asked: server, route, weight };
  }

  /** A server without a name of its own has the name that its address has already. */
  #named(server: ServerConfig, wanted: string | undefined): ServerConfig {
    const known = this.layers.nameAt(addressKey(server.address));
    const named = known === undefined || wanted !== undefined ? server : { ...server, name: known };
    const clash = this.layers.clashOf(named);
    if (clash !== '') throw new OperationError('duplicate_server', `${clash}: choose another name`);
    return named;
  }

  add({ group, asked, route, weight }: Addition): void {
    this.layers.add({ route, server: asked }, group);
    if (weight !== undefined) this.setWeight(asked.name, weight);
  }

  /**
   * Removes a server from all routes, and returns where it was. Throws an OperationError when there is none, or when it
   * is the last one of a route.
   */
  remove(name: string): readonly Listing[] {
    this.#expect(name);
    const entry = this.layers.isOneOfSeveral(name) ? this.layers.entryOfAddress(name) : null;
    if (entry !== null)
      throw new OperationError(
        'bad_value',
        `${name} is one of the addresses of ${entry}: let it drain, or remove ${entry}`,
      );
    const listings = this.layers.remove(name);
    this.terms.drop(name);
    return listings;
  }

  // Changes of servers that are not there.

  /**
   * Notes which of the servers that were changed are not there. Returns those that have been away for too long, for `forget`,
   * and whether anything is different from before. `now`: ms since the epoch.
   */
  noteAbsent(now: number): { readonly expired: readonly string[]; readonly isChanged: boolean } {
    const names = new Set([...this.terms.names(), ...this.layers.excludedNames]);
    return this.#absent.look(names, (name) => this.layers.isThere(name), now);
  }

  /** Forgets the changes of these servers, which are not there. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      this.terms.forget(name);
      this.layers.forgetExcluded(name);
      this.#absent.forget(name);
    }
  }

  // Another file, or another process.

  /** The changes so far, for `restore` in another process. The returned object is not modified later. */
  get changes(): Changes {
    return {
      ...this.terms.kept,
      added: this.layers.addedMoves,
      removed: [...this.layers.removedMoves, ...this.layers.excludedMoves],
      maintenance: this.maintenance.list,
      absent: this.#absent.since,
    };
  }

  /** Makes the changes of a previous process, like `applyFile`. Returns a line for each change that is dropped. */
  restore(changes: Changes): readonly string[] {
    this.#absent.restore(changes.absent ?? new Map());
    const ended = this.maintenance.restore(changes.maintenance, this.file.config);
    this.terms.restore(changes);
    const { dropped, listed } = this.layers.restore(changes.added, changes.removed);
    return [...ended, ...dropped, ...this.terms.follow(listed)];
  }

  /**
   * Takes over another file. Returns a line for each change made while running that is dropped, because its route or
   * server is not in the file, or the file has been edited there since.
   */
  applyFile(file: FileIndex): readonly string[] {
    const { changes } = this;
    this.layers.applyFile(file);
    return this.restore(changes);
  }

  #expect(name: string): void {
    if (this.layers.has(name)) return;
    throw new OperationError(
      'unknown_server',
      `there is no server ${show(name)}${knownNames(name, [...this.layers.names()])}`,
    );
  }

  #unknownRoute(route: string): string {
    const names = this.file.routes.map(({ name }) => name);
    return `there is no route ${show(route)} that forwards to servers${knownNames(route, names)}`;
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
