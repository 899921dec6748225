import { HashedSets, type SetsShape } from './hashed-sets.js';
import type { Digest } from './keyed-hash.js';
import { RateLeases } from './rate-leases.js';

/** 393,216 buckets, 9.5 MiB; 152 bytes for each as long as there are less than 65,536. */
export const RATE_BUCKETS: SetsShape = { sets: 1 << 16, ways: 6, entryWords: 6, perSet: 1 };
/** Offsets in an entry. */
const LAST_USE = 2;
/** 0: none. Else the lease that other nodes know of, plus 1; -1: one was asked for. */
const LEASE = 3;
const FULL_AT = 4;

/** Rounding must not cost a client its last token: it may be short by a billionth. */
const ROUNDING = 1e-9;
/** Four units in the last place of the time. */
const CLOCK_ROUNDING = 2 ** -50;

/** How a bucket fills. */
export interface BucketTerms {
  /** ms until the next token flows in. */
  readonly interval: number;
  /** ms until an empty bucket is full. */
  readonly depth: number;
}

/**
 * Token buckets of clients, each as the time at which it will be full (the generic cell rate algorithm): a token that is
 * taken moves that time on by one interval, and there is none left if it would be more than the depth of the bucket ahead
 * of now. A full bucket need not be kept. In a full set, a full bucket gives way, else the one that was not
 * asked for longest: its client gets a full bucket when it comes again.
 */
export class RateBuckets {
  readonly #sets: HashedSets;
  readonly #leases: RateLeases;
  /** The one that is locked. */
  #set = 0;

  /** `leases`: what other nodes have to do with it; by default nothing. */
  constructor(memory: SharedArrayBuffer | null, thread: number, leases = new RateLeases(null)) {
    this.#sets = new HashedSets(RATE_BUCKETS, memory, thread);
    this.#leases = leases;
  }

  /** Takes a token: 0. If there is none: the ms until there is one. `now`: monotonic ms, the same in all threads. */
  take(client: Digest, terms: BucketTerms, now: number): number {
    const sets = this.#sets;
    const { interval, depth } = terms;
    const entry = this.#enter(client, now);
    if (!this.#leases.isAlone) return this.#takeShare(entry, client, terms, now);
    const fullAt = (entry + FULL_AT) >> 1;
    const { floats } = sets;
    const next = Math.max(floats[fullAt] as number, now) + interval;
    const wait = next - depth - now;
    const passes = wait <= interval * ROUNDING + now * CLOCK_ROUNDING;
    if (passes) floats[fullAt] = next;
    sets.leave(this.#set);
    return passes ? 0 : wait;
  }

  /**
   * Like `take` where other nodes have a part in the limit. Without a lease the bucket fills with the share of this
   * node. In mode `apart` it is only as deep as the share; in mode `shared` it has the whole burst, and a client that
   * has used more than this node's share asks for a lease. Leaves the set.
   */
  #takeShare(entry: number, client: Digest, { interval, depth }: BucketTerms, now: number): number {
    const sets = this.#sets;
    const { words, floats } = sets;
    const leases = this.#leases;
    const { isShared, nodes } = leases;
    const lease = words[entry + LEASE] as number;
    let wait = 0;
    if (isShared && lease > 0) {
      if (!leases.spend(lease - 1)) wait = interval;
    } else {
      const fullAt = (entry + FULL_AT) >> 1;
      const step = interval * nodes;
      // A share below one token would be none at all.
      const share = Math.max(depth, step);
      const next = Math.max(floats[fullAt] as number, now) + step;
      const rounding = step * ROUNDING + now * CLOCK_ROUNDING;
      wait = next - (isShared ? Math.max(depth * nodes, share) : share) - now;
      if (wait <= rounding) {
        wait = 0;
        floats[fullAt] = next;
      }
      if (isShared && lease === 0 && next - now > share + rounding && leases.request(client, interval, depth))
        words[entry + LEASE] = -1;
    }
    sets.leave(this.#set);
    return wait;
  }

  /**
   * From now on the bucket of a client is a lease, which other nodes know of. Returns how far from full it was, in ms with the
   * share of this node. For the control plane, as `unlease`.
   */
  lease(client: Digest, lease: number, now: number): number {
    const sets = this.#sets;
    const entry = this.#enter(client, now);
    const fullAt = (entry + FULL_AT) >> 1;
    const missing = Math.max(0, (sets.floats[fullAt] as number) - now);
    const isKnown = sets.words[entry + LEASE] === lease + 1;
    sets.words[entry + LEASE] = lease + 1;
    if (!isKnown) sets.floats[fullAt] = now;
    sets.leave(this.#set);
    return isKnown ? 0 : missing;
  }

  /** The bucket is one of this node alone again, and will be full at `fullAt`, ms of the clock: by default it is. */
  unlease(client: Digest, lease: number, fullAt = 0): void {
    const sets = this.#sets;
    const { words, floats } = sets;
    const set = sets.enter(client);
    const entry = sets.find(set, client);
    if (entry !== -1 && words[entry + LEASE] === lease + 1) {
      words[entry + LEASE] = 0;
      const at = (entry + FULL_AT) >> 1;
      floats[at] = Math.max(floats[at] as number, fullAt);
    }
    sets.leave(set);
  }

  /** Takes a token if there is one. */
  spend(client: Digest, terms: BucketTerms, now: number): void {
    if (!this.#leases.isAlone) {
      this.take(client, terms, now);
      return;
    }
    const sets = this.#sets;
    const { interval, depth } = terms;
    const fullAt = (this.#enter(client, now) + FULL_AT) >> 1;
    sets.floats[fullAt] = Math.min(
      Math.max(sets.floats[fullAt] as number, now + depth),
      Math.max(sets.floats[fullAt] as number, now) + interval,
    );
    sets.leave(this.#set);
  }

  /** Buckets that are not full. Looks at all of them. */
  countAt(now: number): number {
    const { words, floats, shape } = this.#sets;
    let count = 0;
    for (const set of this.#sets.sets()) {
      const first = this.#sets.firstOf(set);
      for (let way = 0; way < shape.ways; way++) {
        const entry = first + way * shape.entryWords;
        if (words[entry] !== 0 && (floats[(entry + FULL_AT) >> 1] as number) > now) count++;
      }
    }
    return count;
  }

  reclaim(thread: number): void {
    this.#sets.reclaim(thread);
  }

  /** Locks the set of a client, and returns its entry there, which is made if there is none. */
  #enter(client: Digest, now: number): number {
    const sets = this.#sets;
    let set = sets.enter(client);
    let entry = sets.find(set, client);
    if (entry === -1 && sets.canGrow && this.#isNeeded(this.#leastNeeded(set, now), now)) {
      set = sets.makeRoom(set, client);
      entry = sets.find(set, client);
    }
    this.#set = set;
    const use = sets.countUse(set);
    if (entry === -1) {
      entry = this.#leastNeeded(set, now);
      sets.clear(entry);
      sets.floats[(entry + FULL_AT) >> 1] = now;
      sets.words[entry + LEASE] = 0;
      sets.mark(entry, client);
    }
    sets.words[entry + LAST_USE] = use;
    return entry;
  }

  #isNeeded(entry: number, now: number): boolean {
    if (!this.#sets.isUsed(entry)) return false;
    const { words, floats } = this.#sets;
    return (words[entry + LEASE] as number) > 0 || (floats[(entry + FULL_AT) >> 1] as number) > now;
  }

  #leastNeeded(set: number, now: number): number {
    const { words } = this.#sets;
    const { ways, entryWords } = RATE_BUCKETS;
    const first = this.#sets.firstOf(set);
    const end = first + ways * entryWords;
    let oldest = first;
    let age = -1;
    for (let entry = first; entry < end; entry += entryWords) {
      if (!this.#isNeeded(entry, now)) return entry;
      // Counts of uses begin anew at 2^32.
      const unused = (this.#sets.usesOf(set) - (words[entry + LAST_USE] as number)) >>> 0;
      if (unused > age) {
        age = unused;
        oldest = entry;
      }
    }
    return oldest;
  }
}
