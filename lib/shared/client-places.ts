import { HashedSets, type SetsShape } from './hashed-sets.js';
import type { Digest } from './keyed-hash.js';

const SETS = 1 << 13;
const WAYS = 8;
/** Offsets in an entry: the places in all threads, then those of each thread. */
const TOTAL = 2;
const SHARES = 3;

/** 65,536 entries: 1.1 MiB for one thread, 2.1 MiB for 4; 68 or 132 bytes for each of less than 16,384. */
export function placesShape(threads: number): SetsShape {
  return { sets: SETS, ways: WAYS, entryWords: (SHARES + threads + 1) & ~1, perSet: 2, choices: 2 };
}

/**
 * The places that clients hold, as connections or as requests in flight: exact, with the share of each thread, so that
 * those of a thread that has ended can be given back. A client is in one of two sets, in the emptier one when it comes,
 * so that sets fill evenly: none is turned away before two thirds of the table are in use. No entry can give
 * way, since its client would get more places than the limit allows: a client that finds both sets full gets no place.
 */
export class ClientPlaces {
  readonly #sets: HashedSets;
  readonly #threads: number;
  readonly #share: number;
  /** The two sets that are locked. */
  #one = 0;
  #other = 0;

  constructor(threads: number, memory: SharedArrayBuffer | null, thread: number) {
    this.#sets = new HashedSets(placesShape(threads), memory, thread);
    this.#threads = threads;
    this.#share = SHARES + thread;
  }

  /** Takes a place if the client has fewer than `limit`; false if it got none. */
  enter(client: Digest, limit: number): boolean {
    const sets = this.#sets;
    this.#lockBoth(client);
    const { words } = sets;
    let entry = this.#find(client);
    if (entry === -1) entry = this.#claim(client);
    if (entry === -1 && sets.canGrow) {
      this.#leaveBoth();
      sets.divide(this.#one);
      sets.divide(this.#other);
      this.#lockBoth(client);
      entry = this.#find(client);
      if (entry === -1) entry = this.#claim(client);
    }
    const enters = entry !== -1 && (words[entry + TOTAL] as number) < limit;
    if (enters) {
      words[entry + this.#share]!++;
      words[entry + TOTAL]!++;
    }
    this.#leaveBoth();
    return enters;
  }

  /** Returns a place that this thread took; nothing happens if the client has none here. */
  leave(client: Digest): void {
    const sets = this.#sets;
    if (sets.isUntouched) return;
    this.#lockBoth(client);
    const { words } = sets;
    const entry = this.#find(client);
    if (entry !== -1 && (words[entry + this.#share] as number) > 0) {
      words[entry + this.#share]!--;
      words[entry + TOTAL]!--;
      if (words[entry + TOTAL] === 0) sets.clear(entry);
    }
    this.#leaveBoth();
  }

  /** The places of a client, in all threads. */
  countOf(client: Digest): number {
    const sets = this.#sets;
    if (sets.isUntouched) return 0;
    this.#lockBoth(client);
    const entry = this.#find(client);
    const count = entry === -1 ? 0 : (sets.words[entry + TOTAL] as number);
    this.#leaveBoth();
    return count;
  }

  /** Clients that hold a place, each counted for every limit that counts it. Looks at every entry. */
  get size(): number {
    let size = 0;
    for (const set of this.#sets.sets())
      for (let way = 0; way < WAYS; way++) if (this.#sets.isUsed(this.#entryAt(set, way))) size++;
    return size;
  }

  /** Gives back the places of a thread that has ended. */
  reclaim(thread: number): void {
    const sets = this.#sets;
    sets.reclaim(thread);
    for (const set of sets.sets()) {
      // The thread changes nothing any more: where it has no share now, it has none.
      if (!this.#hasShare(set, thread)) continue;
      sets.lock(set);
      for (let way = 0; way < WAYS; way++) this.#takeShare(this.#entryAt(set, way), thread);
      sets.leave(set);
    }
  }

  /** The total is added up anew: the thread may have ended between its share and the total. */
  #takeShare(entry: number, thread: number): void {
    const { words } = this.#sets;
    if (!this.#sets.isUsed(entry)) return;
    words[entry + SHARES + thread] = 0;
    let total = 0;
    for (let i = 0; i < this.#threads; i++) total += words[entry + SHARES + i] as number;
    words[entry + TOTAL] = total;
    if (total === 0) this.#sets.clear(entry);
  }

  #hasShare(set: number, thread: number): boolean {
    for (let way = 0; way < WAYS; way++) {
      const entry = this.#entryAt(set, way);
      // An entry that was made, and got no place before the thread ended, has a total of 0.
      const { words } = this.#sets;
      if (!this.#sets.isUsed(entry)) continue;
      if (words[entry + SHARES + thread] !== 0 || words[entry + TOTAL] === 0) return true;
    }
    return false;
  }

  /** Locks both sets of a client, always the first in memory first. */
  #lockBoth(client: Digest): void {
    const sets = this.#sets;
    sets.growIfDue();
    for (;;) {
      const one = sets.setOf(client[0] as number);
      // The lowest bit of the second word is always 1.
      const other = sets.setOf((client[1] as number) >> 1);
      sets.lock(Math.min(one, other));
      if (one !== other) sets.lock(Math.max(one, other));
      this.#one = one;
      this.#other = other;
      // Entries may have moved to a new set meanwhile.
      if (sets.setOf(client[0] as number) === one && sets.setOf((client[1] as number) >> 1) === other) return;
      this.#leaveBoth();
    }
  }

  #leaveBoth(): void {
    this.#sets.leave(this.#one);
    if (this.#one !== this.#other) this.#sets.leave(this.#other);
  }

  #find(client: Digest): number {
    const entry = this.#sets.find(this.#one, client);
    return entry === -1 && this.#one !== this.#other ? this.#sets.find(this.#other, client) : entry;
  }

  /** A new entry in the emptier set, which nobody counts yet; -1: both are full. */
  #claim(client: Digest): number {
    const set = this.#freeIn(this.#other) > this.#freeIn(this.#one) ? this.#other : this.#one;
    for (let way = 0; way < WAYS; way++) {
      const entry = this.#entryAt(set, way);
      if (this.#sets.isUsed(entry)) continue;
      this.#sets.words.fill(0, entry + TOTAL, entry + SHARES + this.#threads);
      this.#sets.mark(entry, client);
      return entry;
    }
    return -1;
  }

  #freeIn(set: number): number {
    let free = 0;
    for (let way = 0; way < WAYS; way++) if (!this.#sets.isUsed(this.#entryAt(set, way))) free++;
    return free;
  }

  #entryAt(set: number, way: number): number {
    return this.#sets.firstOf(set) + way * this.#sets.shape.entryWords;
  }
}
