import type { IpAddress } from '../base/ip-address.js';
import type { ClientGuard, FirewallRefusal } from './guard.js';

/**
 * The client did nothing that is forbidden, and may come again as soon as one of its requests is answered (RFC 6585, 4):
 * nobody knows when that is, and a second is the least that Retry-After can say.
 */
const TOO_MANY: FirewallRefusal = Object.freeze({ status: 429, fields: 'Retry-After: 1\r\n' });

/**
 * How many connections, or requests in flight, one client may have. Whoever is let in enters, and leaves once; there
 * are never more entries than places taken.
 */
export class ConnectionLimit implements ClientGuard {
  readonly name = 'max_connections_per_ip';
  readonly refusal = TOO_MANY;
  readonly #limit: number;
  readonly #places: Map<string, number>;

  /** Clients keep the places that they have in `before`, whatever its limit is, and give them back to either. */
  constructor(limit: number, before: ConnectionLimit | null = null) {
    this.#limit = limit;
    this.#places = before === null ? new Map() : before.#places;
  }

  /** Clients that hold a place. */
  get size(): number {
    return this.#places.size;
  }

  admits(client: IpAddress): boolean {
    return this.placesOf(client) < this.#limit;
  }

  placesOf(client: IpAddress): number {
    return this.#places.get(client.key) ?? 0;
  }

  enter(client: IpAddress): void {
    this.#places.set(client.key, this.placesOf(client) + 1);
  }

  leave(client: IpAddress): void {
    const left = this.placesOf(client) - 1;
    if (left > 0) this.#places.set(client.key, left);
    else this.#places.delete(client.key);
  }
}
