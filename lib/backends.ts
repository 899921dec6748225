import { Backend } from './backend/backend.js';
import type { ConnectionSupplies } from './backend/connection.js';
import { Pool } from './backend/pool.js';
import type { GroupConfig, ServerConfig } from './config/types.js';
import { Checker, type HealthServices } from './health/checker.js';

/** First checks are spread over this long at most, so that a dead server is known soon. */
const STAGGER_MS = 1000;

interface Member {
  readonly backend: Backend;
  readonly checker: Checker | null;
  started: boolean;
}

/**
 * The servers of a balancer. What is the same server, with the same name, check and pool, is one object wherever
 * the configuration names it, and stays the same object over a reload: with its sockets, its health and its requests.
 */
export class Backends {
  readonly #supplies: ConnectionSupplies;
  readonly #health: HealthServices;
  readonly #members = new Map<string, Member>();

  constructor(supplies: ConnectionSupplies, health: HealthServices) {
    this.#supplies = supplies;
    this.#health = health;
  }

  /** The servers of a group, in order. */
  of(group: GroupConfig): readonly Backend[] {
    return group.servers.map((server) => this.#member(server, group).backend);
  }

  /** Begins to check those that are not checked yet. */
  start(): void {
    const fresh = [...this.#members.values()].filter((member) => !member.started);
    for (const [index, member] of fresh.entries()) {
      member.started = true;
      member.checker?.start((index * STAGGER_MS) / fresh.length);
    }
  }

  /** Lets go of the servers that no group has any more: requests on them finish, then their sockets close. */
  retain(groups: readonly GroupConfig[]): void {
    const wanted = new Set(groups.flatMap((group) => group.servers.map((server) => keyOf(server, group))));
    for (const [key, { backend, checker }] of this.#members) {
      if (wanted.has(key)) continue;
      this.#members.delete(key);
      checker?.stop();
      backend.pool.retire();
    }
  }

  /** Stops all checks and cuts all sockets. */
  stop(): void {
    for (const { backend, checker } of this.#members.values()) {
      checker?.stop();
      backend.pool.close();
    }
  }

  #member(server: ServerConfig, group: GroupConfig): Member {
    const key = keyOf(server, group);
    let member = this.#members.get(key);
    if (member === undefined) {
      const { healthCheck: check, pool, connectTimeout } = group;
      const { address, name, maxConnections } = server;
      const limits = { ...pool, connectTimeout, maxConnections };
      const backend = new Backend(name, new Pool(address, limits, this.#supplies, name));
      const checker = check === null ? null : new Checker(backend, check, this.#health);
      member = { backend, checker, started: false };
      this.#members.set(key, member);
    }
    return member;
  }
}

/** Two groups may ask different things of one address: what one finds must not decide for the other. */
function keyOf({ address, name, maxConnections }: ServerConfig, group: GroupConfig): string {
  const { healthCheck, pool, connectTimeout } = group;
  return JSON.stringify([address.text, name, healthCheck, { ...pool, maxConnections }, connectTimeout]);
}
