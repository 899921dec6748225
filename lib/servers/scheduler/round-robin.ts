import { IndexedHeap } from './indexed-heap.js';
import {
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  roomFor,
  type Scheduler,
  withRoom,
} from './scheduler.js';

/** Candidates of one weight. They all earn the same, so it is counted once. */
class WeightClass {
  readonly weight: number;
  readonly heap: IndexedHeap;
  /** What each of them has earned so far. */
  earned = 0;

  constructor(weight: number, spent: Float64Array, places: Int32Array) {
    this.weight = weight;
    this.heap = new IndexedHeap(spent, spent, places);
  }
}

/** Above this, fractions would be lost to the precision of numbers. */
const MOST_EARNED = 2 ** 40;

/**
 * Each server in turn, as often as its weight says and as evenly as possible: weights 5, 1, 1 give a a b a c a a, not
 * five a in a row (nginx's smooth weighted round robin). At each pick every server earns its weight; the one with the
 * most credit is picked, and pays what all have earned.
 *
 * Among servers of one weight, the one that has spent least has the most credit: each weight has a heap of its servers,
 * and a pick compares the tops, one for each different weight. When a weight changes or a server comes or goes, the
 * credit of all others stays worth the same number of requests, at most one for each server.
 *
 * Each thread has an order of its own, which begins at a different turn. What a server gets from a thread differs from
 * its share by one request at most, so what it gets from all of them differs by as many as there are threads.
 */
export class RoundRobin implements Scheduler {
  readonly followsLoad = false;
  readonly #candidates: readonly Candidate[];
  /** The credit of a candidate is what its class has earned less what the candidate has spent. */
  #spent: Float64Array;
  #places: Int32Array;
  readonly #classOf: (WeightClass | null)[];
  /** For excluded candidates: their credit relative to the mean of all others, when they left. */
  #kept: Float64Array;
  readonly #classes: WeightClass[] = [];
  #count = 0;
  /** The sum of all credits. A pick does not change it. */
  #credits = 0;
  #weight = 0;
  /** The price of a request: the sum of the weights at the first pick. It stays the unit of credit when weights change. */
  #price = 0;
  readonly #aside: number[] = [];
  #asideWeight = 0;
  /** Turns to be left out at the first pick. */
  #leftOut: number;

  constructor(candidates: readonly Candidate[], firstTurn = 0) {
    this.#leftOut = firstTurn;
    this.#candidates = candidates;
    this.#spent = new Float64Array(candidates.length);
    this.#kept = new Float64Array(candidates.length);
    this.#places = new Int32Array(candidates.length).fill(-1);
    this.#classOf = new Array<WeightClass | null>(candidates.length).fill(null);
  }

  include(index: number): void {
    const mean = this.#count === 0 ? 0 : this.#credits / this.#count;
    this.#enter(index, mean + (this.#kept[index] as number));
  }

  exclude(index: number): void {
    const credit = this.#leave(index);
    const owed = this.#count === 0 ? 0 : credit - this.#credits / this.#count;
    this.#kept[index] = Math.max(-this.#price, Math.min(this.#price, owed));
  }

  reweigh(index: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    if ((this.#classOf[index] as WeightClass).weight === effectiveWeight) return;
    this.#enter(index, this.#leave(index));
  }

  noteLoad(): void {}

  grow(): void {
    const { length } = this.#candidates;
    while (this.#classOf.length < length) this.#classOf.push(null);
    const room = roomFor(length, this.#spent.length);
    if (room === this.#spent.length) return;
    this.#spent = withRoom(this.#spent, room);
    this.#kept = withRoom(this.#kept, room);
    this.#places = withRoom(this.#places, room, -1);
    for (const { heap } of this.#classes) heap.moveTo(this.#spent, this.#spent, this.#places);
  }

  forget(index: number): void {
    this.#kept[index] = 0;
  }

  pick(_key: PickKey, tried: readonly number[]): number {
    if (this.#leftOut > 0) this.#leaveOut();
    if (tried.length > 0) this.#setAside(tried);
    const picked = this.#aside.length < this.#count ? this.#pick() : NO_CANDIDATE;
    if (this.#aside.length > 0) this.#putBack();
    return picked;
  }

  #leaveOut(): void {
    if (this.#count > 0) for (; this.#leftOut > 0; this.#leftOut--) this.#pick();
  }

  #pick(): number {
    if (this.#price === 0) this.#price = this.#weight;
    const rate = this.#price / this.#weight;
    let best = NO_CANDIDATE;
    let most = Number.NEGATIVE_INFINITY;
    for (const one of this.#classes) {
      if (one.heap.items.length === 0) continue;
      one.earned += one.weight * rate;
      const top = one.heap.items[0] as number;
      const credit = one.earned - (this.#spent[top] as number);
      if (credit < most || (credit === most && top > best)) continue;
      most = credit;
      best = top;
    }
    // Subtracts what all have earned.
    this.#spent[best]! += this.#price - this.#asideWeight * rate;
    const { heap, earned } = this.#classOf[best] as WeightClass;
    if (heap.items.length > 1) heap.update(best);
    if (earned > MOST_EARNED) this.#rebase();
    return best;
  }

  /** Candidates that were tried neither earn nor pay. */
  #setAside(tried: readonly number[]): void {
    for (const index of tried) {
      const one = this.#classOf[index];
      if (one == null || this.#places[index] === -1) continue;
      one.heap.remove(index);
      this.#spent[index]! -= one.earned;
      this.#asideWeight += one.weight;
      this.#aside.push(index);
    }
  }

  #putBack(): void {
    for (let index = this.#aside.pop(); index !== undefined; index = this.#aside.pop()) {
      const one = this.#classOf[index] as WeightClass;
      this.#spent[index]! += one.earned;
      one.heap.add(index);
    }
    this.#asideWeight = 0;
  }

  #enter(index: number, credit: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    const one = this.#classFor(effectiveWeight);
    this.#classOf[index] = one;
    this.#spent[index] = one.earned - credit;
    one.heap.add(index);
    this.#count++;
    this.#credits += credit;
    this.#weigh();
  }

  #leave(index: number): number {
    const one = this.#classOf[index] as WeightClass;
    const credit = one.earned - (this.#spent[index] as number);
    this.#classOf[index] = null;
    one.heap.remove(index);
    this.#count--;
    this.#credits = this.#count === 0 ? 0 : this.#credits - credit;
    if (one.heap.items.length === 0) this.#classes.splice(this.#classes.indexOf(one), 1);
    this.#weigh();
    return credit;
  }

  #classFor(weight: number): WeightClass {
    for (const one of this.#classes) if (one.weight === weight) return one;
    const one = new WeightClass(weight, this.#spent, this.#places);
    this.#classes.push(one);
    return one;
  }

  #weigh(): void {
    let weight = 0;
    for (const one of this.#classes) weight += one.weight * one.heap.items.length;
    this.#weight = weight;
  }

  #rebase(): void {
    for (const one of this.#classes) {
      for (const index of one.heap.items) this.#spent[index]! -= one.earned;
      one.earned = 0;
    }
  }
}
