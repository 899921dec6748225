import { addressKey } from '../base/address.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { Move } from './changes.js';
import { amongOthers } from './server-entry.js';

/** A server that was added to a group: with the settings in use, and as requested in `move`. */
export interface AddedServer {
  readonly group: GroupConfig;
  readonly server: ServerConfig;
  readonly move: Move;
}

const NONE: readonly AddedServer[] = [];
const NO_SERVERS: readonly ServerConfig[] = [];

/**
 * The servers that operators added to groups of the file, found by group, by name and by address: a change of one does not go
 * through the others. A name has one address in all groups.
 */
export class AddedServers {
  readonly #moves = new Set<Move>();
  /** Lists are replaced, never modified. */
  readonly #byGroup = new Map<GroupConfig, readonly ServerConfig[]>();
  readonly #byName = new Map<string, readonly AddedServer[]>();
  /** Names by address. */
  readonly #names = new Map<string, string>();

  get isEmpty(): boolean {
    return this.#moves.size === 0;
  }

  /** As they were requested, in the order of the requests. */
  get moves(): readonly Move[] {
    return [...this.#moves];
  }

  get names(): Iterable<string> {
    return this.#byName.keys();
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Those of a group. */
  of(group: GroupConfig): readonly ServerConfig[] {
    return this.#byGroup.get(group) ?? NO_SERVERS;
  }

  /** Those of a name, one for each group that it was added to. */
  named(name: string): readonly AddedServer[] {
    return this.#byName.get(name) ?? NONE;
  }

  /** The name of the server at this address (`addressKey`); undefined: none was added there. */
  nameAt(address: string): string | undefined {
    return this.#names.get(address);
  }

  /** Adds the server of `move` to `group`, which is that of its route. */
  add(move: Move, group: GroupConfig): void {
    const { name, address } = move.server;
    const server = amongOthers(move.server, group.servers);
    this.#moves.add(move);
    this.#byGroup.set(group, [...this.of(group), server]);
    this.#byName.set(name, [...this.named(name), { group, server, move }]);
    this.#names.set(addressKey(address), name);
  }

  /** Removes the server of this name from all groups, or from one. */
  remove(name: string, only: GroupConfig | null = null): void {
    const kept: AddedServer[] = [];
    for (const added of this.named(name)) {
      const { group, server, move } = added;
      if (only !== null && group !== only) {
        kept.push(added);
        continue;
      }
      this.#moves.delete(move);
      this.#names.delete(addressKey(server.address));
      const others = this.of(group).filter((other) => other !== server);
      if (others.length > 0) this.#byGroup.set(group, others);
      else this.#byGroup.delete(group);
    }
    for (const { server } of kept) this.#names.set(addressKey(server.address), name);
    if (kept.length > 0) this.#byName.set(name, kept);
    else this.#byName.delete(name);
  }

  clear(): void {
    for (const kept of [this.#moves, this.#byGroup, this.#byName, this.#names]) kept.clear();
  }
}
