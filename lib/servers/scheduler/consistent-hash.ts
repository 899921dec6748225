import { mixHashes } from '../../base/hash.js';
import {
  type Candidate,
  NO_CANDIDATE,
  NO_KEY,
  type PickKey,
  roomFor,
  SCAN_LIMIT,
  type Scheduler,
  withRoom,
} from './scheduler.js';

const TWO_31 = 2 ** 31;
/**
 * Up to this many candidates, each pick computes the scores of all, 2 ns each; above, the result for a key is remembered.
 */
const DRAW_LIMIT = 128;
/** The number of keys remembered, in sets of 4; in a full set a new key replaces another one. */
const SLOTS = 2 ** 16;
const WAYS = 4;
/**
 * This many of the best candidates of each key are remembered: the later ones are used when the first was tried or has too many
 * requests.
 */
const RANKS = 4;
/** This many changes of candidates can be applied to a remembered key; after more, its ranks are computed again. */
const CHANGES = 64;

/** Candidates of one weight: among them the higher number has the higher score, so no logarithm is needed. */
class DrawClass {
  readonly weight: number;
  readonly hashes: number[] = [];
  readonly indexes: number[] = [];

  constructor(weight: number) {
    this.weight = weight;
  }
}

/**
 * The same server for the same key, in every process and in whatever order servers are listed: each server has a number
 * computed from its name and the key, and the highest wins (weighted rendezvous hashing). When a server leaves, only its
 * keys move, spread over all others; when it returns, they return. The second choice for a key is as stable as the first.
 *
 * With many servers the winners of the last 65,536 keys are remembered. A change of servers clears nothing: at the next
 * use of a key, only the servers that have changed since are ranked again.
 */
export class ConsistentHash implements Scheduler {
  followsLoad: boolean;
  readonly #candidates: readonly Candidate[];
  readonly #otherwise: Scheduler;
  readonly #balanceFactor: number;
  readonly #drawLimit: number;
  #remembers: boolean;
  readonly #classes: DrawClass[] = [];
  readonly #classOf: (DrawClass | null)[];
  /** The position of each candidate in its class. */
  #places: Int32Array;
  #weight = 0;
  /** Requests in flight on each candidate and on all, according to `noteLoad`. */
  #active: Float64Array;
  #inFlight = 0;
  /**
   * Requests in flight that a server may have per unit of its weight, including the one being picked. An array, as a
   * function that returned a number would allocate an object.
   */
  readonly #bound = new Float64Array(1);

  /** The last changes, each at its number modulo the array's length. */
  readonly #changes = new Int32Array(CHANGES);
  #version = 0;
  /** Remembered keys: the key of each slot, the version of its ranks, and the candidates in order; empty until used. */
  #keys = new Int32Array(0);
  #versions = new Int32Array(0);
  #ranked = new Int32Array(0);
  #evicted = 0;

  /**
   * `otherwise` picks for requests without a key. `balanceFactor`: no server gets more than this many times its share of
   * all requests in flight (1.25 is a quarter more); surplus requests go to the next server of their key. 0 is no bound.
   */
  constructor(
    candidates: readonly Candidate[],
    otherwise: Scheduler,
    balanceFactor = 0,
    drawLimit = DRAW_LIMIT,
  ) {
    const { length } = candidates;
    this.#candidates = candidates;
    this.#otherwise = otherwise;
    this.#balanceFactor = balanceFactor;
    this.#drawLimit = drawLimit;
    this.#remembers = length > drawLimit;
    this.followsLoad = otherwise.followsLoad || (balanceFactor > 0 && length > SCAN_LIMIT);
    this.#classOf = new Array<DrawClass | null>(length).fill(null);
    this.#places = new Int32Array(length);
    this.#active = new Float64Array(length);
  }

  include(index: number): void {
    this.#otherwise.include(index);
    this.#enter(index);
    this.#noteChange(index);
    this.#countActive(index);
  }

  exclude(index: number): void {
    this.#otherwise.exclude(index);
    this.#leave(index);
    this.#noteChange(index);
    this.#inFlight -= this.#active[index] as number;
    this.#active[index] = 0;
  }

  reweigh(index: number): void {
    this.#otherwise.reweigh(index);
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    if (this.#classOf[index]?.weight === effectiveWeight) return;
    this.#leave(index);
    this.#enter(index);
    this.#noteChange(index);
  }

  noteLoad(index: number): void {
    if (this.#otherwise.followsLoad) this.#otherwise.noteLoad(index);
    this.#countActive(index);
  }

  grow(): void {
    this.#otherwise.grow();
    const { length } = this.#candidates;
    while (this.#classOf.length < length) this.#classOf.push(null);
    const room = roomFor(length, this.#active.length);
    if (room !== this.#active.length) {
      this.#places = withRoom(this.#places, room);
      this.#active = withRoom(this.#active, room);
    }
    this.#remembers = length > this.#drawLimit;
    const followed = this.followsLoad;
    this.followsLoad = this.#otherwise.followsLoad || (this.#balanceFactor > 0 && length > SCAN_LIMIT);
    if (this.followsLoad && !followed)
      for (const { indexes } of this.#classes) for (const index of indexes) this.#countActive(index);
  }

  forget(index: number): void {
    this.#otherwise.forget(index);
  }

  #countActive(index: number): void {
    const { active } = this.#candidates[index] as Candidate;
    this.#inFlight += active - (this.#active[index] as number);
    this.#active[index] = active;
  }

  pick(key: PickKey, tried: readonly number[]): number {
    if (key === NO_KEY) return this.#otherwise.pick(key, tried);
    if (this.#balanceFactor > 0) this.#setBound();
    if (!this.#remembers) return this.#draw(key, tried);
    const slot = this.#recall(key);
    for (let rank = slot * RANKS; rank < (slot + 1) * RANKS; rank++) {
      const index = this.#ranked[rank] as number;
      if (index === NO_CANDIDATE) break;
      if (this.#mayTake(index, tried)) return index;
    }
    return this.#draw(key, tried);
  }

  #setBound(): void {
    if (!this.followsLoad) {
      for (const { indexes } of this.#classes) for (const index of indexes) this.#countActive(index);
    }
    this.#bound[0] = (this.#balanceFactor * (this.#inFlight + 1)) / this.#weight;
  }

  #mayTake(index: number, tried: readonly number[]): boolean {
    if (tried.length > 0 && tried.includes(index)) return false;
    if (this.#balanceFactor === 0) return true;
    const { active } = this.#candidates[index] as Candidate;
    // There is always a candidate below its bound: the bounds add up to more than all requests in flight.
    return active < Math.ceil((this.#bound[0] as number) * (this.#classOf[index] as DrawClass).weight);
  }

  /** The best candidate of all that may take the request. */
  #draw(key: PickKey, tried: readonly number[]): number {
    let best = NO_CANDIDATE;
    let bestDrawn = 0;
    let bestWeight = 0;
    for (const { weight, hashes, indexes } of this.#classes) {
      let found = NO_CANDIDATE;
      let highest = -1;
      for (let i = 0; i < hashes.length; i++) {
        const drawn = mixHashes(hashes[i] as number, key);
        if (drawn <= highest || !this.#mayTake(indexes[i] as number, tried)) continue;
        highest = drawn;
        found = indexes[i] as number;
      }
      if (
        found === NO_CANDIDATE ||
        (best !== NO_CANDIDATE && !outscores(highest, weight, bestDrawn, bestWeight))
      )
        continue;
      best = found;
      bestDrawn = highest;
      bestWeight = weight;
    }
    return best;
  }

  /** The slot of `key`, with its best candidates in order. */
  #recall(key: PickKey): number {
    if (this.#keys.length === 0) this.#allocate();
    const set = (key & (SLOTS / WAYS - 1)) * WAYS;
    let slot = set;
    while (slot < set + WAYS && this.#keys[slot] !== key) slot++;
    const isKnown = slot < set + WAYS;
    if (!isKnown) slot = set + (this.#evicted++ & (WAYS - 1));
    const missed = this.#version - (this.#versions[slot] as number);
    if (!isKnown || missed > CHANGES) this.#drawRanks(key, slot);
    else if (missed > 0) this.#catchUp(key, slot, missed);
    this.#keys[slot] = key;
    this.#versions[slot] = this.#version;
    return slot;
  }

  #allocate(): void {
    this.#keys = new Int32Array(SLOTS).fill(NO_KEY);
    this.#versions = new Int32Array(SLOTS);
    this.#ranked = new Int32Array(SLOTS * RANKS).fill(NO_CANDIDATE);
  }

  #drawRanks(key: PickKey, slot: number): void {
    this.#ranked.fill(NO_CANDIDATE, slot * RANKS, (slot + 1) * RANKS);
    const last = (slot + 1) * RANKS - 1;
    for (const { weight, hashes, indexes } of this.#classes) {
      // Lower numbers are not among the best: this one comparison excludes nearly all.
      let least = -1;
      for (let i = 0; i < hashes.length; i++) {
        const drawn = mixHashes(hashes[i] as number, key);
        if (drawn <= least) continue;
        this.#insert(key, slot, indexes[i] as number);
        const worst = this.#ranked[last] as number;
        if (worst !== NO_CANDIDATE && this.#classOf[worst]?.weight === weight)
          least = mixHashes((this.#candidates[worst] as Candidate).hash, key);
      }
    }
  }

  /** Ranks the candidates that have changed since, if they are among the best. */
  #catchUp(key: PickKey, slot: number, missed: number): void {
    const since = this.#version - missed;
    // All of them are removed first: a candidate with an outdated weight is no measure for the others.
    for (let change = since; change < this.#version; change++)
      this.#strike(slot, this.#changes[change % CHANGES] as number);
    if (this.#ranked[slot * RANKS] === NO_CANDIDATE) {
      this.#drawRanks(key, slot);
      return;
    }
    for (let change = since; change < this.#version; change++) {
      const index = this.#changes[change % CHANGES] as number;
      if (this.#classOf[index] === null) continue;
      // A candidate may have changed more than once.
      this.#strike(slot, index);
      // Below the last remaining rank there may be other candidates, which are not remembered.
      if (this.#outranksLast(key, slot, index)) this.#insert(key, slot, index);
    }
  }

  #strike(slot: number, index: number): void {
    const end = (slot + 1) * RANKS;
    let to = slot * RANKS;
    for (let from = to; from < end; from++) {
      const other = this.#ranked[from] as number;
      if (other !== index) this.#ranked[to++] = other;
    }
    for (; to < end; to++) this.#ranked[to] = NO_CANDIDATE;
  }

  #outranksLast(key: PickKey, slot: number, index: number): boolean {
    let last = (slot + 1) * RANKS - 1;
    while (this.#ranked[last] === NO_CANDIDATE) last--;
    return this.#outranks(key, index, this.#ranked[last] as number);
  }

  /** Inserts a candidate if it is among the best; the last one may drop out. */
  #insert(key: PickKey, slot: number, index: number): void {
    const start = slot * RANKS;
    let place = start + RANKS - 1;
    const last = this.#ranked[place] as number;
    if (last !== NO_CANDIDATE && !this.#outranks(key, index, last)) return;
    for (; place > start; place--) {
      const above = this.#ranked[place - 1] as number;
      if (above !== NO_CANDIDATE && !this.#outranks(key, index, above)) break;
      this.#ranked[place] = above;
    }
    this.#ranked[place] = index;
  }

  #outranks(key: PickKey, one: number, other: number): boolean {
    return outscores(
      mixHashes((this.#candidates[one] as Candidate).hash, key),
      (this.#classOf[one] as DrawClass).weight,
      mixHashes((this.#candidates[other] as Candidate).hash, key),
      (this.#classOf[other] as DrawClass).weight,
    );
  }

  #noteChange(index: number): void {
    this.#changes[this.#version % CHANGES] = index;
    this.#version++;
  }

  #enter(index: number): void {
    const { effectiveWeight, hash } = this.#candidates[index] as Candidate;
    let one = this.#classes.find(({ weight }) => weight === effectiveWeight);
    if (one === undefined) {
      one = new DrawClass(effectiveWeight);
      this.#classes.push(one);
    }
    this.#classOf[index] = one;
    this.#places[index] = one.hashes.push(hash) - 1;
    one.indexes.push(index);
    this.#weigh();
  }

  #leave(index: number): void {
    const one = this.#classOf[index] as DrawClass;
    const place = this.#places[index] as number;
    this.#classOf[index] = null;
    const hash = one.hashes.pop() as number;
    const last = one.indexes.pop() as number;
    if (last !== index) {
      one.hashes[place] = hash;
      one.indexes[place] = last;
      this.#places[last] = place;
    }
    if (one.hashes.length === 0) this.#classes.splice(this.#classes.indexOf(one), 1);
    this.#weigh();
  }

  #weigh(): void {
    this.#weight = 0;
    for (const { weight, hashes } of this.#classes) this.#weight += weight * hashes.length;
  }
}

/**
 * Does the first candidate have the higher score, with its number and weight? Each has the highest score as often as its
 * weight says: -ln of a uniform random number has an exponential distribution.
 */
function outscores(drawn: number, weight: number, otherDrawn: number, otherWeight: number): boolean {
  if (weight === otherWeight) return drawn > otherDrawn;
  return weight / -Math.log((drawn + 0.5) / TWO_31) > otherWeight / -Math.log((otherDrawn + 0.5) / TWO_31);
}
