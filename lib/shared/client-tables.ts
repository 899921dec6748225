import { ClientPlaces, placesShape } from './client-places.js';
import { ConnectionTotal } from './connection-total.js';
import { HashedSets } from './hashed-sets.js';
import { KeyedHash } from './keyed-hash.js';
import { RATE_BUCKETS, RateBuckets } from './rate-buckets.js';
import { SCOPE_KEYS, ScopeKeys } from './scope-keys.js';

/** What another thread attaches to. A table without memory is made when it is first needed, by a thread that is alone. */
export interface ClientTablesHandle {
  readonly threads: number;
  /** The key of all hashes. */
  readonly seed: readonly [number, number];
  readonly scopes: SharedArrayBuffer | null;
  readonly rates: SharedArrayBuffer | null;
  readonly places: SharedArrayBuffer | null;
  readonly connections: SharedArrayBuffer;
}

/** What clients have used up, in all threads. */
export class ClientTables {
  readonly thread: number;
  readonly scopes: ScopeKeys;
  readonly rates: RateBuckets;
  /** Connections and requests in flight, by client. */
  readonly places: ClientPlaces;
  /** Connections of all clients. */
  readonly connections: ConnectionTotal;

  private constructor(handle: ClientTablesHandle, thread: number) {
    const { threads, seed, scopes, rates, places, connections } = handle;
    this.thread = thread;
    this.scopes = new ScopeKeys(new KeyedHash(...seed), scopes, thread);
    this.rates = new RateBuckets(rates, thread);
    this.places = new ClientPlaces(threads, places, thread);
    this.connections = new ConnectionTotal(connections, thread);
  }

  /** With several threads all memory is reserved at once: a thread cannot make any that others know of. */
  static create(threads: number): ClientTablesHandle {
    const seed = KeyedHash.seed();
    const isAlone = threads === 1;
    return {
      threads,
      seed,
      scopes: isAlone ? null : HashedSets.memory(SCOPE_KEYS),
      rates: isAlone ? null : HashedSets.memory(RATE_BUCKETS),
      places: isAlone ? null : HashedSets.memory(placesShape(threads)),
      connections: ConnectionTotal.memory(threads),
    };
  }

  static attach(handle: ClientTablesHandle, thread: number): ClientTables {
    return new ClientTables(handle, thread);
  }

  /** Gives back what a thread held that has ended. */
  reclaim(thread: number): void {
    this.scopes.reclaim(thread);
    this.rates.reclaim(thread);
    this.places.reclaim(thread);
    this.connections.reclaim(thread);
  }
}
