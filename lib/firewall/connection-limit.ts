import type { IpAddress } from '../base/ip-address.js';
import type { ClientPlaces } from '../shared/client-places.js';
import type { ClientTables } from '../shared/client-tables.js';
import type { KeyedHash } from '../shared/keyed-hash.js';
import type { ClientGuard, FirewallRefusal } from './guard.js';

/**
 * 429 (RFC 6585, 4): the client may come again as soon as one of its requests is answered. That time is unknown, and
 * one second is the shortest Retry-After.
 */
const TOO_MANY: FirewallRefusal = Object.freeze({ status: 429, fields: 'Retry-After: 1\r\n' });
/** More places than anybody has. */
const NO_LIMIT = 0x7fffffff;

/**
 * Limits the connections, or requests in flight, of one client, in all threads together. A client that is admitted
 * enters, and leaves once. When the table of places is full (`ClientPlaces`), a client that holds none gets none.
 */
export class ConnectionLimit implements ClientGuard {
  readonly name = 'max_connections_per_ip';
  readonly refusal = TOO_MANY;
  readonly #limit: number;
  readonly #places: ClientPlaces;
  readonly #hash: KeyedHash;

  /** `names`: those of the limit's scope. Clients keep their places when the limit changes. */
  constructor(limit: number, { places, scopes }: ClientTables, names: readonly string[]) {
    this.#limit = limit;
    this.#places = places;
    this.#hash = scopes.hashFor('max_connections_per_ip', names);
  }

  admits(client: IpAddress): boolean {
    return this.placesOf(client) < this.#limit;
  }

  placesOf(client: IpAddress): number {
    return this.#places.countOf(this.#hash.ofClient(client));
  }

  /** Takes a place; false: the client has as many as it may. */
  enter(client: IpAddress): boolean {
    return this.#places.enter(this.#hash.ofClient(client), this.#limit);
  }

  /** Takes a place, whatever the limit. */
  enterAnyway(client: IpAddress): void {
    this.#places.enter(this.#hash.ofClient(client), NO_LIMIT);
  }

  leave(client: IpAddress): void {
    this.#places.leave(this.#hash.ofClient(client));
  }
}
