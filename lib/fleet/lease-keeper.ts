import type { Digest } from '../shared/keyed-hash.js';
import type { RateBuckets } from '../shared/rate-buckets.js';
import { LEASES, type RateLeases } from '../shared/rate-leases.js';
import { digestOf, keyOf } from './digest-text.js';
import { COOL_MS, type HotKey, type LeaseAnswer, type LeaseAsk, type LeaseBank } from './lease-bank.js';

/** Tokens are held for this many ms of use: two rounds. */
const HORIZON_MS = 100;
/**
 * Where the limit is far, tokens are held for this many ms of use, and only every fourth round asks. It is far when
 * `FAR` times what the node would hold is left for everybody.
 */
const FAR_HORIZON_MS = 400;
const FAR = 40;
/** Without anything to ask, hot keys are asked for this often. */
const LOOK_MS = 200;
/** A key without a request for this many ms gives back what it holds. */
const IDLE_MS = 1000;
/** The buckets of Redis hold at least what flows in during this many ms: a node asks at most once in a round. */
const LEAST_DEPTH_MS = 2 * 50;
/** Of a new rate and the one before it, how much the new one weighs in a round. */
const WEIGHT = 0.3;
/** A key that is used less than once in two rounds holds no tokens: it spends on credit, and is settled this often, in ms. */
const SELDOM_MS = 250;
/** Its credit, at least, as long as this many tokens are left for everybody. */
const SELDOM_CREDIT = 4;
/** Leases that are reserved for keys that this node itself uses beyond its share. */
const RESERVED = LEASES / 2;

/** Of a bucket that has asked for a lease and has none yet. */
const NO_LEASE = -2;

/** A key whose limit is shared. */
interface Lease {
  readonly number: number;
  readonly key: string;
  readonly digest: Digest;
  readonly interval: number;
  readonly depth: number;
  /** Requests in a ms, refused ones included. */
  rate: number;
  /** When it was last asked for. */
  usedAt: number;
  /** When the bank was last asked; has somebody asked for it since? */
  askedAt: number;
  isWanted: boolean;
  /** Tokens that may be spent and charged later. */
  credit: number;
  /** Tokens that were left for everybody when the bank last answered. */
  left: number;
  /** Until then it is shared, in ms of the clock. */
  hotUntil: number;
}

/** What was asked in one round. */
interface Asked {
  readonly lease: Lease;
  readonly ask: LeaseAsk;
}

/**
 * Leases tokens for the keys that are used beyond the share of this node, a round every 50 ms. A key whose use stays within
 * the share on every node costs nothing: the bucket of this node, which fills with the node's share of the rate, decides
 * alone. As soon as one node needs more, all nodes that have the key lease: what they spend is taken from one bucket.
 *
 * A node holds the tokens for its own use in two rounds, or in eight as long as the limit is far. It may spend a few on
 * credit, its share of the burst, as long as there were some left for everybody; they are charged in the next round. So what
 * all nodes let through is what the one bucket lets through, plus what they hold.
 */
export class LeaseKeeper {
  readonly #buckets: RateBuckets;
  readonly #leases: RateLeases;
  readonly #bank: LeaseBank;
  readonly #byKey = new Map<string, Lease>();
  readonly #free: number[] = [];
  #next = 0;
  #lastRound = 0;
  #lastAsk = 0;
  #isAsking = false;
  /** Counts changes between shared and not: an answer from before is of no use. */
  #epoch = 0;
  /** Tokens since the start. */
  leased = 0;
  returned = 0;

  constructor(buckets: RateBuckets, leases: RateLeases, bank: LeaseBank) {
    this.#buckets = buckets;
    this.#leases = leases;
    this.#bank = bank;
  }

  /** Keys whose limit is shared now. */
  get count(): number {
    return this.#byKey.size;
  }

  /** Rejects when the bank cannot be reached. `now`: of the clock that requests use, in ms. */
  async round(now: number): Promise<void> {
    const elapsed = Math.max(1, now - this.#lastRound);
    this.#lastRound = now;
    for (const { low, high, interval, depth } of this.#leases.takeRequests())
      this.#open(Int32Array.of(low, high), interval, depth, now, true);
    const isDue = this.#measure(now, elapsed);
    if (this.#isAsking || (!isDue && now - this.#lastAsk < LOOK_MS)) return;
    const asked = this.#asks(now, elapsed);
    const epoch = this.#epoch;
    this.#isAsking = true;
    this.#lastAsk = now;
    try {
      const { answers, hot } = await this.#bank.exchange(asked.map(({ ask }) => ask));
      if (epoch !== this.#epoch) return;
      for (const [index, one] of asked.entries()) this.#settle(one, answers[index] as LeaseAnswer);
      for (const key of hot) this.#noteHot(key, now);
    } finally {
      this.#isAsking = false;
    }
  }

  /** Nothing is shared any more: each node has its share. `now`: of the clock, in ms. */
  end(now: number): void {
    this.#epoch++;
    for (const lease of this.#byKey.values())
      this.#buckets.unlease(lease.digest, lease.number, now + this.#missing(lease));
    for (const { low, high } of this.#leases.takeRequests()) this.#refuse(Int32Array.of(low, high));
    this.#byKey.clear();
    this.#free.length = 0;
    this.#next = 0;
  }

  #open(digest: Digest, interval: number, depth: number, now: number, isOwn: boolean): void {
    const key = keyOf(digest);
    const known = this.#byKey.get(key);
    const step = interval * this.#leases.nodes;
    if (known !== undefined) {
      known.hotUntil = now + COOL_MS;
      if (isOwn) this.#leases.add(known.number, -this.#take(known, now, step));
      return;
    }
    const number = this.#free.pop() ?? (this.#next < LEASES ? this.#next++ : -1);
    if (number === -1) {
      this.#refuse(digest);
      return;
    }
    const lease: Lease = {
      number,
      key,
      digest,
      interval,
      depth,
      rate: 0,
      usedAt: now,
      askedAt: Number.NEGATIVE_INFINITY,
      isWanted: isOwn,
      credit: 0,
      left: 0,
      hotUntil: now + COOL_MS,
    };
    lease.credit = this.#share(lease);
    this.#leases.begin(number, 0, lease.credit);
    this.#byKey.set(key, lease);
    this.#leases.add(number, -this.#take(lease, now, step));
  }

  /** There is no lease for it now: its bucket may ask again. */
  #refuse(digest: Digest): void {
    this.#buckets.unlease(digest, NO_LEASE);
  }

  /** The bucket refers to the lease from now on. Returns the tokens that it had let through beyond the node's share. */
  #take({ digest, number }: Lease, now: number, step: number): number {
    return Math.ceil(this.#buckets.lease(digest, number, now) / step - 1e-6);
  }

  /** Tokens of the burst that are this node's, at least one. */
  #share({ interval, depth }: Lease): number {
    return Math.max(1, Math.floor(depth / interval / this.#leases.nodes));
  }

  /**
   * ms until the bucket of this node is full, with its share of the limit: what was spent on credit is still owed, and of a
   * burst that was used up by everybody this node has no part. Tokens that are held were paid for.
   */
  #missing(lease: Lease): number {
    const tokens = this.#share(lease) - lease.credit - this.#leases.held(lease.number);
    return Math.max(0, tokens) * lease.interval * this.#leases.nodes;
  }

  /** Takes note of how often keys are asked for. Is there one that needs tokens? */
  #measure(now: number, elapsed: number): boolean {
    let isDue = false;
    for (const lease of this.#byKey.values()) {
      const demand = this.#leases.takeDemand(lease.number);
      const rate = demand / elapsed;
      // A use that grows is followed faster than one that shrinks.
      lease.rate += (rate - lease.rate) * (rate > lease.rate ? 0.5 : WEIGHT);
      if (demand > 0) {
        lease.usedAt = now;
        lease.isWanted = true;
      }
      if (now - lease.usedAt >= IDLE_MS) this.#rest(lease, now);
      if (this.#isBeyondShare(lease)) lease.hotUntil = now + COOL_MS;
      isDue ||= this.#wanted(lease, now, elapsed) > 0 || this.#isOwing(lease, now);
    }
    return isDue;
  }

  /** Nobody asks for it. */
  #rest(lease: Lease, now: number): void {
    const held = this.#leases.held(lease.number);
    lease.credit = this.#share(lease);
    this.#leases.setCredit(lease.number, lease.credit);
    if (now < lease.hotUntil || held !== 0 || this.#isAsking) return;
    this.#buckets.unlease(lease.digest, lease.number);
    this.#byKey.delete(lease.key);
    this.#free.push(lease.number);
  }

  #isBeyondShare({ rate, interval }: Lease): boolean {
    return rate * interval * this.#leases.nodes > 1;
  }

  /** Tokens to hold; below 1 it is used so seldom that it holds none. */
  #target({ rate, usedAt, left }: Lease, now: number, elapsed: number): number {
    if (now - usedAt >= IDLE_MS) return 0;
    const target = rate * Math.max(HORIZON_MS, 2 * elapsed);
    if (target < 1) return 0;
    const farTarget = rate * FAR_HORIZON_MS;
    return Math.ceil(left >= FAR * farTarget ? Math.max(target, farTarget) : target);
  }

  /** Tokens to ask for now; below 0: to give back. */
  #wanted(lease: Lease, now: number, elapsed: number): number {
    const held = this.#leases.held(lease.number);
    const target = this.#target(lease, now, elapsed);
    if (target > 0) {
      if (held < target / 2) return target - Math.max(0, held);
      return held > 2 * target ? target - held : 0;
    }
    if (held > 0) return now - lease.usedAt >= IDLE_MS ? -held : 0;
    // Nothing is left for everybody, so that it has no credit: it stands in line like the others.
    return lease.isWanted && lease.credit === 0 && now - lease.askedAt >= SELDOM_MS ? 1 : 0;
  }

  /** Is it time to settle what was spent on credit? */
  #isOwing(lease: Lease, now: number): boolean {
    const held = this.#leases.held(lease.number);
    return held < 0 && (held <= -lease.credit || now - lease.askedAt >= SELDOM_MS);
  }

  #asks(now: number, elapsed: number): Asked[] {
    const asked: Asked[] = [];
    for (const lease of this.#byKey.values()) {
      const { number, key, interval, depth } = lease;
      const held = this.#leases.held(number);
      const wanted = this.#wanted(lease, now, elapsed);
      if (wanted === 0 && !this.#isOwing(lease, now)) continue;
      lease.askedAt = now;
      lease.isWanted = false;
      if (wanted < 0) {
        // They must not be spent meanwhile.
        this.#leases.add(number, wanted);
        this.returned -= wanted;
      }
      const owed = Math.max(0, -held);
      const isHot = this.#isBeyondShare(lease) || owed > this.#share(lease);
      const deep = Math.max(depth, LEAST_DEPTH_MS);
      asked.push({ lease, ask: { key, interval, depth: deep, owed, wanted, isHot } });
    }
    return asked;
  }

  #settle({ lease, ask }: Asked, { granted, left }: LeaseAnswer): void {
    this.#leases.add(lease.number, ask.owed + granted);
    lease.left = left;
    lease.credit = Math.min(left, Math.max(SELDOM_CREDIT, this.#share(lease)));
    this.#leases.setCredit(lease.number, lease.credit);
    this.leased += ask.owed + granted;
  }

  /** Another node uses it beyond its share: what is spent here is taken from the same bucket. */
  #noteHot({ key, interval, depth }: HotKey, now: number): void {
    if (!this.#byKey.has(key) && this.#byKey.size >= RESERVED) return;
    this.#open(digestOf(key), interval, depth, now, false);
  }
}
