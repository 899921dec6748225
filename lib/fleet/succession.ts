import { addressKey } from '../base/address.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import { writeTerms } from '../health/server-health.js';
import type { Member } from './member.js';

/**
 * Tells servers apart: what is the same text is one server, wherever it is named. Two groups may ask different things
 * of one address, and what one finds must not decide for the other.
 */
export function sameServer(server: ServerConfig, group: GroupConfig): string {
  const { weight, backup, maxConnections } = server;
  const { slowStart, healthCheck, passiveHealth, pool, connectTimeout } = group;
  const terms = { weight, backup, maxConnections, slowStart, passiveHealth, pool, connectTimeout };
  return `${sameQuestion(server, healthCheck)}${writeTerms(terms)}`;
}

/** What those begin with that are the same server and are checked in the same way. */
function sameQuestion(server: ServerConfig, check: GroupConfig['healthCheck']): string {
  return `${nameplate(server)} ${writeTerms(check)} `;
}

/** What stays the same over a reload, whatever else is asked of it. */
function nameplate({ address, name }: ServerConfig): string {
  return JSON.stringify([addressKey(address), name]);
}

/**
 * Who of the servers that there are goes on as which server of another configuration: with its sockets, its health and
 * its requests. One of which nothing changed goes on as itself; one of which only the terms did (its weight, check,
 * limits) goes on under the new ones, if no other place still has the old.
 */
export class Succession {
  readonly #before: Map<string, Member>;
  readonly #wanted: ReadonlySet<string>;

  constructor(
    before: ReadonlyMap<string, Member>,
    lists: readonly (readonly [group: GroupConfig, servers: readonly ServerConfig[]])[],
  ) {
    this.#before = new Map(before);
    this.#wanted = new Set(
      lists.flatMap(([group, servers]) => servers.map((server) => sameServer(server, group))),
    );
  }

  /** Takes out who is to go on as `server`; undefined when it is new. */
  take(server: ServerConfig, group: GroupConfig): Member | undefined {
    const key = sameServer(server, group);
    const found = this.#before.has(key)
      ? key
      : (this.#predecessor(sameQuestion(server, group.healthCheck)) ??
        this.#predecessor(`${nameplate(server)} `));
    if (found === undefined) return undefined;
    const member = this.#before.get(found);
    this.#before.delete(found);
    return member;
  }

  #predecessor(prefix: string): string | undefined {
    for (const key of this.#before.keys()) if (key.startsWith(prefix) && !this.#wanted.has(key)) return key;
    return undefined;
  }

  /** Those that nobody has taken. */
  get left(): Iterable<Member> {
    return this.#before.values();
  }
}
