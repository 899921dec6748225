import { addressKey } from '../base/address.js';
import { append } from '../base/collections.js';
import { identityOf } from '../base/identity.js';
import type { Steps } from '../base/slices.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { DesiredServers } from './desired-servers.js';
import type { ManagedServer } from './managed-server.js';

/**
 * The key of a server: entries of the configuration with the same key are one server. It contains everything in which
 * servers can differ: two groups may check one address differently, and the result of one check must not affect the other
 * group.
 */
export function serverKey(server: ServerConfig, group: GroupConfig): string {
  const { address, weight, backup, maxConnections, sendProxy } = server;
  const { slowStart, healthCheck, passiveHealth, pool, connectTimeout } = group;
  const terms = [weight, backup, maxConnections, sendProxy, slowStart, connectTimeout].join(' ');
  const host = address.kind === 'tcp' ? (address.name ?? '') : '';
  const settings = `${identityOf(passiveHealth)} ${identityOf(pool)} ${server.tls?.digest ?? ''} ${host}`;
  return `${checkKey(server, healthCheck)}${terms} ${settings}`;
}

/** The beginning of the keys of all entries with this address, name and check. */
function checkKey(server: ServerConfig, check: GroupConfig['healthCheck']): string {
  return `${addressAndName(server)} ${identityOf(check)} `;
}

/** The beginning of the keys of all entries with this address and name, whatever else differs. */
function addressAndName({ address, name }: Pick<ServerConfig, 'address' | 'name'>): string {
  return JSON.stringify([addressKey(address), name]);
}

/** A server that continues, and whether its terms are the same. */
export interface Reused {
  readonly member: ManagedServer;
  readonly hasSameTerms: boolean;
}

/**
 * Finds, for each server of a new configuration, the existing one whose sockets, health and requests it takes over. A
 * server without changes continues as it is. A server with changed terms (weight, check, limits) continues under the new
 * terms, unless another entry of the new configuration still has the old ones.
 */
export class ServerReuse {
  readonly #before: Map<string, ManagedServer>;
  readonly #wanted = new Set<string>();
  /** The keys of existing servers, by address and name. */
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
      for (const server of desired.layers.serversOf(group)) {
        reuse.#wanted.add(serverKey(server, group));
        yield;
      }
    }
    return reuse;
  }

  /** Takes the existing server that continues as `server`, whose key is `key`; null when `server` is new. */
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

/** Finds the existing server that has the number of the new one: another thread has decided. */
export class NumberedReuse {
  readonly #before = new Map<number, readonly [key: string, member: ManagedServer]>();
  readonly #numberOf: (key: string) => number;

  constructor(before: ReadonlyMap<string, ManagedServer>, numberOf: (key: string) => number) {
    for (const [key, member] of before) this.#before.set(member.number, [key, member]);
    this.#numberOf = numberOf;
  }

  /** Takes the existing server that continues under `key`; null when it is new. */
  take(_server: ServerConfig, _group: GroupConfig, key: string): Reused | null {
    const number = this.#numberOf(key);
    const found = this.#before.get(number);
    if (found === undefined) return null;
    this.#before.delete(number);
    const [known, member] = found;
    return { member, hasSameTerms: known === key };
  }
}
