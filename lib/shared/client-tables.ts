import { BindingNews } from './binding-news.js';
import { CLIENT_BANS, ClientBans } from './client-bans.js';
import { ClientOffences, offenceShapes } from './client-offences.js';
import { ClientPlaces, placesShape } from './client-places.js';
import { ConnectionTotal } from './connection-total.js';
import { HashedSets } from './hashed-sets.js';
import { KeyedHash } from './keyed-hash.js';
import { RATE_BUCKETS, RateBuckets } from './rate-buckets.js';
import { RateLeases } from './rate-leases.js';
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
  readonly leases: SharedArrayBuffer | null;
  readonly places: SharedArrayBuffer | null;
  readonly connections: SharedArrayBuffer;
  readonly rooms: SharedArrayBuffer;
  readonly bans: SharedArrayBuffer | null;
  readonly offences: readonly SharedArrayBuffer[] | null;
  readonly bindings: SharedArrayBuffer | null;
  readonly news: SharedArrayBuffer | null;
  readonly retries: SharedArrayBuffer | null;
}

/** What clients have used up, in all threads. */
export class ClientTables {
  readonly thread: number;
  readonly scopes: ScopeKeys;
  readonly rates: RateBuckets;
  /** What other nodes have to do with `rates`. */
  readonly leases: RateLeases;
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
  /** What becomes of `bindings`, for other nodes. */
  readonly news: BindingNews;
  readonly retries: RetryCounts;

  private constructor(handle: ClientTablesHandle, thread: number) {
    const {
      threads,
      seed,
      scopes,
      rates,
      leases,
      places,
      connections,
      rooms,
      bans,
      offences,
      bindings,
      news,
      retries,
    } = handle;
    this.thread = thread;
    const hash = new KeyedHash(...seed);
    this.scopes = new ScopeKeys(hash, scopes, thread);
    this.leases = new RateLeases(leases);
    this.rates = new RateBuckets(rates, thread, this.leases);
    this.places = new ClientPlaces(threads, places, thread);
    this.connections = new ConnectionTotal(connections, thread);
    this.rooms = new RoomRequests(rooms, thread);
    this.bans = new ClientBans(bans, thread);
    this.offences = new ClientOffences(offences, thread);
    this.news = new BindingNews(news);
    this.bindings = new StickyBindings(bindings, thread, this.news);
    this.retries = new RetryCounts(hash.derive('retry budgets'), threads, retries, thread);
  }

  /**
   * With several threads all memory is reserved at once, because a thread cannot make memory that the others know of.
   * `seed`: random by default; nodes that share have the same.
   */
  static create(threads: number, seed = KeyedHash.seed()): ClientTablesHandle {
    const isAlone = threads === 1;
    return {
      threads,
      seed,
      scopes: isAlone ? null : HashedSets.memory(SCOPE_KEYS),
      rates: isAlone ? null : HashedSets.memory(RATE_BUCKETS),
      leases: isAlone ? null : RateLeases.memory(),
      places: isAlone ? null : HashedSets.memory(placesShape(threads)),
      connections: ConnectionTotal.memory(threads),
      rooms: RoomRequests.memory(threads),
      bans: isAlone ? null : HashedSets.memory(CLIENT_BANS),
      offences: isAlone ? null : offenceShapes().map((shape) => HashedSets.memory(shape)),
      bindings: isAlone ? null : HashedSets.memory(STICKY_BINDINGS),
      news: isAlone ? null : BindingNews.memory(),
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
