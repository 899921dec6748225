import type { IpAddress } from '../base/ip-address.js';
import type { ClientGuard, FirewallRefusal } from './guard.js';

/**
 * 429 (RFC 6585, 4): the client may come again as soon as one of its requests is answered. That time is unknown, and
 * one second is the shortest Retry-After.
 */
const TOO_MANY: FirewallRefusal = Object.freeze({ status: 429, fields: 'Retry-After: 1\r\n' });

/**
 * Limits the connections, or requests in flight, of one client. A client that is admitted enters, and leaves once;
 * there is one entry for each client that holds a place.
 */
export class ConnectionLimit implements ClientGuard {
  readonly name = 'max_connections_per_ip';
  readonly refusal = TOO_MANY;
  readonly #limit: number;
  readonly #places: Map<string, number>;

  /** Clients keep the places that they have in `before`, whatever its limit, and may return them to either object. */
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
