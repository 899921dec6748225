import { addressKey } from '../base/address.js';
import { append } from '../base/collections.js';
import { identityOf } from '../base/identity.js';
import type { Steps } from '../base/slices.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { DesiredServers } from './desired-servers.js';
import type { ManagedServer } from './managed-server.js';

/**
 * The key of a server: two entries of the configuration with the same key are one server, wherever they stand. It holds
 * all that servers can differ in: two groups may check one address in different ways, and what the check of one finds must
 * not decide for the other.
 */
export function serverKey(server: ServerConfig, group: GroupConfig): string {
  const { weight, backup, maxConnections, sendProxy } = server;
  const { slowStart, healthCheck, passiveHealth, pool, connectTimeout } = group;
  const terms = [weight, backup, maxConnections, sendProxy, slowStart, connectTimeout].join(' ');
  const settings = `${identityOf(passiveHealth)} ${identityOf(pool)} ${server.tls?.digest ?? ''}`;
  return `${checkKey(server, healthCheck)}${terms} ${settings}`;
}

/** How the keys begin of all entries that have this address and name, and are checked in this way. */
function checkKey(server: ServerConfig, check: GroupConfig['healthCheck']): string {
  return `${addressAndName(server)} ${identityOf(check)} `;
}

/** How the keys begin of all entries with this address and name, whatever else differs. */
function addressAndName({ address, name }: Pick<ServerConfig, 'address' | 'name'>): string {
  return JSON.stringify([addressKey(address), name]);
}

/** A server that goes on, and whether it goes on under the terms it had. */
export interface Reused {
  readonly member: ManagedServer;
  readonly hasSameTerms: boolean;
}

/**
 * Finds, for each server of a new configuration, the one of the old whose sockets, health and requests it takes over. A
 * server of which nothing changed goes on as it is. One whose terms changed (weight, check, limits) goes on under the new
 * terms, unless another place of the new configuration still has the old ones.
 */
export class ServerReuse {
  readonly #before: Map<string, ManagedServer>;
  readonly #wanted = new Set<string>();
  /** The keys of those before, by their addresses and names. */
  readonly #keys = new Map<string, string[]>();

  private constructor(before: ReadonlyMap<string, ManagedServer>) {
    this.#before = new Map(before);
  }

  static *build(before: ReadonlyMap<string, ManagedServer>, desired: DesiredServers): Steps<ServerReuse> {
    const reuse = new ServerReuse(before);
    for (const [key, { server }] of before) {
      append(reuse.#keys, addressAndName(server), key);
      yield;
    }
    for (const group of desired.file.groups) {
      for (const server of desired.serversOf(group)) {
        reuse.#wanted.add(serverKey(server, group));
        yield;
      }
    }
    return reuse;
  }

  /** Takes out the server that is to go on as `server`, whose key is `key`; null when it is new. */
  take(server: ServerConfig, group: GroupConfig, key: string): Reused | null {
    const found = this.#before.has(key)
      ? key
      : (this.#predecessor(server, checkKey(server, group.healthCheck)) ?? this.#predecessor(server, ''));
    if (found === undefined) return null;
    const member = this.#before.get(found) as ManagedServer;
    this.#before.delete(found);
    return { member, hasSameTerms: found === key };
  }

  #predecessor(server: ServerConfig, prefix: string): string | undefined {
    const namesakes = this.#keys.get(addressAndName(server)) ?? [];
    return namesakes.find((key) => this.#before.has(key) && key.startsWith(prefix) && !this.#wanted.has(key));
  }
}
