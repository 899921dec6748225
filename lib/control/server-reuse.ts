import { addressKey } from '../base/address.js';
import { append } from '../base/collections.js';
import { identityOf } from '../base/identity.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { ManagedServer } from './managed-server.js';

/**
 * The key of a server: two entries of the configuration with the same key are one server, wherever they stand. It holds
 * all that servers can differ in: two groups may check one address in different ways, and what the check of one finds must
 * not decide for the other.
 */
export function serverKey(server: ServerConfig, group: GroupConfig): string {
  const { weight, backup, maxConnections } = server;
  const { slowStart, healthCheck, passiveHealth, pool, connectTimeout } = group;
  const terms = [weight, backup, maxConnections, slowStart, connectTimeout].join(' ');
  return `${checkKey(server, healthCheck)}${terms} ${identityOf(passiveHealth)} ${identityOf(pool)}`;
}

/** How the keys begin of all entries that have this address and name, and are checked in this way. */
function checkKey(server: ServerConfig, check: GroupConfig['healthCheck']): string {
  return `${addressAndName(server)} ${identityOf(check)} `;
}

/** How the keys begin of all entries with this address and name, whatever else differs. */
function addressAndName({ address, name }: Pick<ServerConfig, 'address' | 'name'>): string {
  return JSON.stringify([addressKey(address), name]);
}

/**
 * Finds, for each server of a new configuration, the one of the old whose sockets, health and requests it takes over. A
 * server of which nothing changed goes on as it is. One whose terms changed (weight, check, limits) goes on under the new
 * terms, unless another place of the new configuration still has the old ones.
 */
export class ServerReuse {
  readonly #before: Map<string, ManagedServer>;
  readonly #wanted: ReadonlySet<string>;
  /** The keys of those before, by their nameplates. */
  readonly #keys = new Map<string, string[]>();

  constructor(
    before: ReadonlyMap<string, ManagedServer>,
    lists: readonly (readonly [group: GroupConfig, servers: readonly ServerConfig[]])[],
  ) {
    this.#before = new Map(before);
    for (const [key, { server }] of before) append(this.#keys, addressAndName(server), key);
    this.#wanted = new Set(
      lists.flatMap(([group, servers]) => servers.map((server) => serverKey(server, group))),
    );
  }

  /** Takes out who is to go on as `server`; undefined when it is new. */
  take(server: ServerConfig, group: GroupConfig): ManagedServer | undefined {
    const key = serverKey(server, group);
    const found = this.#before.has(key)
      ? key
      : (this.#predecessor(server, checkKey(server, group.healthCheck)) ?? this.#predecessor(server, ''));
    if (found === undefined) return undefined;
    const member = this.#before.get(found);
    this.#before.delete(found);
    return member;
  }

  #predecessor(server: ServerConfig, prefix: string): string | undefined {
    const namesakes = this.#keys.get(addressAndName(server)) ?? [];
    return namesakes.find((key) => this.#before.has(key) && key.startsWith(prefix) && !this.#wanted.has(key));
  }

  /** The servers of the old configuration that nothing goes on as. */
  get left(): Iterable<ManagedServer> {
    return this.#before.values();
  }
}
