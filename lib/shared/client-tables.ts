import { CLIENT_BANS, ClientBans } from './client-bans.js';
import { ClientOffences, offenceShapes } from './client-offences.js';
import { ClientPlaces, placesShape } from './client-places.js';
import { ConnectionTotal } from './connection-total.js';
import { HashedSets } from './hashed-sets.js';
import { KeyedHash } from './keyed-hash.js';
import { RATE_BUCKETS, RateBuckets } from './rate-buckets.js';
import { RetryCounts } from './retry-counts.js';
import { RoomRequests } from './room-requests.js';
import { SCOPE_KEYS, ScopeKeys } from './scope-keys.js';
import { STICKY_BINDINGS, StickyBindings } from './sticky-bindings.js';

/** What another thread attaches to. A table without memory is made when it is first needed, by a thread that is alone. */
export interface ClientTablesHandle {
  readonly threads: number;
  /** The key of all hashes. */
  readonly seed: readonly [number, number];
  readonly scopes: SharedArrayBuffer | null;
  readonly rates: SharedArrayBuffer | null;
  readonly places: SharedArrayBuffer | null;
  readonly connections: SharedArrayBuffer;
  readonly rooms: SharedArrayBuffer;
  readonly bans: SharedArrayBuffer | null;
  readonly offences: readonly SharedArrayBuffer[] | null;
  readonly bindings: SharedArrayBuffer | null;
  readonly retries: SharedArrayBuffer | null;
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
  /** How threads ask each other for one of these. */
  readonly rooms: RoomRequests;
  readonly bans: ClientBans;
  readonly offences: ClientOffences;
  /** Which server served which sticky value. */
  readonly bindings: StickyBindings;
  readonly retries: RetryCounts;

  private constructor(handle: ClientTablesHandle, thread: number) {
    const { threads, seed, scopes, rates, places, connections, rooms, bans, offences, bindings, retries } =
      handle;
    this.thread = thread;
    const hash = new KeyedHash(...seed);
    this.scopes = new ScopeKeys(hash, scopes, thread);
    this.rates = new RateBuckets(rates, thread);
    this.places = new ClientPlaces(threads, places, thread);
    this.connections = new ConnectionTotal(connections, thread);
    this.rooms = new RoomRequests(rooms, thread);
    this.bans = new ClientBans(bans, thread);
    this.offences = new ClientOffences(offences, thread);
    this.bindings = new StickyBindings(bindings, thread);
    this.retries = new RetryCounts(hash.derive('retry budgets'), threads, retries, thread);
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
      rooms: RoomRequests.memory(threads),
      bans: isAlone ? null : HashedSets.memory(CLIENT_BANS),
      offences: isAlone ? null : offenceShapes().map((shape) => HashedSets.memory(shape)),
      bindings: isAlone ? null : HashedSets.memory(STICKY_BINDINGS),
      retries: isAlone ? null : RetryCounts.memory(threads),
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
    this.rooms.reclaim(thread);
    this.bans.reclaim(thread);
    this.offences.reclaim(thread);
    this.bindings.reclaim(thread);
    this.retries.reclaim(thread);
  }
}
