import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { Move } from './changes.js';
import type { FileIndex, Listing } from './file-index.js';
import { isSame } from './server-entry.js';

const NO_GROUPS: ReadonlySet<GroupConfig> = new Set();

/**
 * The servers that operators removed and that the file still lists, or a source still reports: groups leave them out. A server
 * is removed from all groups at once, and may return to each by itself.
 */
export class LeftOutServers {
  /** By name, of servers of the file: the groups that list it and have it still, or again. */
  readonly #removed = new Map<string, ReadonlySet<GroupConfig>>();
  /** By name, of servers that a source reports: the groups that leave it out, and the settings it had there. */
  readonly #excluded = new Map<string, ReadonlyMap<GroupConfig, ServerConfig>>();

  /** The number of removed servers of the file. */
  get removedCount(): number {
    return this.#removed.size;
  }

  /** The names of removed servers of the file. */
  get removedNames(): Iterable<string> {
    return this.#removed.keys();
  }

  /** The names of servers that sources may report and that are left out. */
  get excludedNames(): Iterable<string> {
    return this.#excluded.keys();
  }

  has(name: string): boolean {
    return this.#removed.has(name) || this.#excluded.has(name);
  }

  /** Does this group of the file leave out the server of this name that it lists? */
  isRemoved(group: GroupConfig, name: string): boolean {
    return this.#removed.get(name)?.has(group) === false;
  }

  /** The servers that a group lists, without those that were removed. */
  listedIn(group: GroupConfig): readonly ServerConfig[] {
    const { servers } = group;
    if (this.countIn(group) === 0) return servers;
    return servers.filter(({ name }) => !this.isRemoved(group, name));
  }

  /** How many of the servers that a group lists were removed. */
  countIn(group: GroupConfig): number {
    if (this.#removed.size === 0) return 0;
    let count = 0;
    for (const { name } of group.servers) if (this.isRemoved(group, name)) count++;
    return count;
  }

  /** Those of the file's `listings` of this name that have it. */
  keptBy<L extends Listing>(name: string, listings: readonly L[]): readonly L[] {
    const left = this.#removed.get(name);
    return left === undefined ? listings : listings.filter(({ group }) => left.has(group));
  }

  /** Those of `servers`, which sources reported for `group`, that the group does not leave out. */
  includedIn(group: GroupConfig, servers: readonly ServerConfig[]): readonly ServerConfig[] {
    if (this.#excluded.size === 0) return servers;
    return servers.filter(({ name }) => this.#excluded.get(name)?.has(group) !== true);
  }

  /** Those of a source's `listings` of this name that have it. */
  includedBy<L extends Listing>(name: string, listings: readonly L[]): readonly L[] {
    const without = this.#excluded.get(name);
    return without === undefined ? listings : listings.filter(({ group }) => !without.has(group));
  }

  /** All groups of the file leave out the server of this name. */
  remove(name: string): void {
    this.#removed.set(name, NO_GROUPS);
  }

  /** The groups of these listings leave out the server of this name, which a source reports. */
  exclude(name: string, listings: readonly Listing[]): void {
    this.#excluded.set(name, new Map(listings.map(({ group, server }) => [group, server])));
  }

  /** A group of the file has the server of this name again. `listed`: the number of groups that list it. */
  bringBack(name: string, group: GroupConfig, listed: number): void {
    const left = new Set(this.#removed.get(name)).add(group);
    if (left.size < listed) this.#removed.set(name, left);
    else this.#removed.delete(name);
  }

  /** A group has the server of this name again when a source reports it. Returns false if the group did not leave it out. */
  include(name: string, group: GroupConfig): boolean {
    const groups = this.#excluded.get(name);
    if (groups?.has(group) !== true) return false;
    const others = new Map(groups);
    others.delete(group);
    if (others.size > 0) this.#excluded.set(name, others);
    else this.#excluded.delete(name);
    return true;
  }

  /** Forgets that the server of this name was excluded. */
  forgetExcluded(name: string): void {
    this.#excluded.delete(name);
  }

  /** Takes over removals made with another file: those of servers that this one lists in the same group, or a source may report. */
  restore(moves: readonly Move[], file: FileIndex): void {
    const taken = new Map<string, Set<GroupConfig>>();
    const listed = new Map<string, ReadonlyMap<GroupConfig, ServerConfig>>();
    for (const { route, server } of moves) {
      const { name } = server;
      const places = listed.get(name) ?? new Map(file.listingsOf(name).map((one) => [one.group, one.server]));
      listed.set(name, places);
      const group = file.groupOf(route);
      const there = group === null ? undefined : places.get(group);
      if (group !== null && there === undefined && group.providers.length > 0)
        this.#excluded.set(name, new Map(this.#excluded.get(name)).set(group, server));
      if (group === null || there === undefined || !isSame(there, server)) continue;
      const groups = taken.get(name) ?? new Set();
      groups.add(group);
      taken.set(name, groups);
    }
    for (const [name, groups] of taken) {
      const left = file.listingsOf(name).filter(({ group }) => !groups.has(group));
      this.#removed.set(name, new Set(left.map(({ group }) => group)));
    }
  }

  /** Servers of the file with the groups that leave them out. */
  *removedFrom(file: FileIndex): Generator<{ group: GroupConfig; server: ServerConfig }> {
    for (const [name, groups] of this.#removed)
      for (const { group, server } of file.listingsOf(name)) if (!groups.has(group)) yield { group, server };
  }

  /** Servers that sources may report, with the groups that leave them out. */
  *excluded(): Generator<{ group: GroupConfig; server: ServerConfig }> {
    for (const groups of this.#excluded.values())
      for (const [group, server] of groups) yield { group, server };
  }

  clear(): void {
    this.#removed.clear();
    this.#excluded.clear();
  }
}
