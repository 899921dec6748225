import { IndexedHeap } from './indexed-heap.js';
import {
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  roomFor,
  SCAN_LIMIT,
  type Scheduler,
  TRIES,
  withRoom,
} from './scheduler.js';

/**
 * The server with the fewest requests in flight for its weight. Servers with equally few take turns by weight, so that
 * under little load not every request goes to the first: each has a due time, which is its last due time plus the inverse
 * of its weight, and among equals the earliest is picked.
 *
 * Many candidates are kept in a heap by load and due time, and a pick takes the top.
 */
export class LeastConnections implements Scheduler {
  followsLoad: boolean;
  readonly #scanLimit: number;
  readonly #candidates: readonly Candidate[];
  /** 0: the candidate may not be picked. */
  #weights: Float64Array;
  #loads: Float64Array;
  #due: Float64Array;
  #places: Int32Array;
  readonly #heap: IndexedHeap;
  #weight = 0;
  /** The due time of the last pick. */
  #now = 0;

  constructor(candidates: readonly Candidate[], scanLimit = SCAN_LIMIT) {
    const { length } = candidates;
    this.followsLoad = length > scanLimit;
    this.#scanLimit = scanLimit;
    this.#candidates = candidates;
    this.#weights = new Float64Array(length);
    this.#loads = new Float64Array(length);
    this.#due = new Float64Array(length);
    this.#places = new Int32Array(length).fill(-1);
    this.#heap = new IndexedHeap(this.#loads, this.#due, this.#places);
  }

  grow(): void {
    const { length } = this.#candidates;
    const room = roomFor(length, this.#weights.length);
    if (room !== this.#weights.length) {
      this.#weights = withRoom(this.#weights, room);
      this.#loads = withRoom(this.#loads, room);
      this.#due = withRoom(this.#due, room);
      this.#places = withRoom(this.#places, room, -1);
      this.#heap.moveTo(this.#loads, this.#due, this.#places);
    }
    if (this.followsLoad || length <= this.#scanLimit) return;
    this.followsLoad = true;
    for (let index = 0; index < length; index++) {
      if (this.#weights[index] === 0) continue;
      this.#weighLoad(index);
      this.#heap.add(index);
    }
  }

  forget(index: number): void {
    this.#due[index] = 0;
  }

  include(index: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    this.#weights[index] = effectiveWeight;
    this.#weight += effectiveWeight;
    // A candidate that was excluded does not catch up on missed turns.
    this.#due[index] = Math.max(this.#due[index] as number, this.#now);
    this.#weighLoad(index);
    if (this.followsLoad) this.#heap.add(index);
  }

  exclude(index: number): void {
    if (this.followsLoad) this.#heap.remove(index);
    this.#weight -= this.#weights[index] as number;
    this.#weights[index] = 0;
  }

  /** Keeps the elapsed share of its interval. */
  reweigh(index: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    const weight = this.#weights[index] as number;
    const left = (this.#due[index] as number) - this.#now;
    if (left > 0) this.#due[index] = this.#now + (left * weight) / effectiveWeight;
    this.#weight += effectiveWeight - weight;
    this.#weights[index] = effectiveWeight;
    this.noteLoad(index);
  }

  noteLoad(index: number): void {
    this.#weighLoad(index);
    if (this.followsLoad) this.#heap.update(index);
  }

  /** Equal ratios are equal numbers (IEEE 754 rounds correctly): 1 of 3 and 2 of 6 tie. */
  #weighLoad(index: number): void {
    this.#loads[index] = (this.#candidates[index] as Candidate).active / (this.#weights[index] as number);
  }

  pick(_key: PickKey, tried: readonly number[]): number {
    const picked = this.followsLoad ? this.#takeTop(tried) : this.#scan(tried);
    if (picked === NO_CANDIDATE) return NO_CANDIDATE;
    this.#now = Math.max(this.#now, this.#due[picked] as number);
    this.#due[picked] = this.#now + 1 / (this.#weights[picked] as number);
    if (this.followsLoad) this.#heap.update(picked);
    if (tried.length > 0) this.#putOff(tried);
    return picked;
  }

  /** Candidates that were tried do not lose a turn when another one is picked instead. */
  #putOff(tried: readonly number[]): void {
    let others = this.#weight;
    for (let i = 0; i < tried.length; i++) others -= this.#weights[tried[i] as number] as number;
    for (let i = 0; i < tried.length; i++) {
      const index = tried[i] as number;
      if (this.#weights[index] === 0) continue;
      this.#due[index]! += 1 / others;
      if (this.followsLoad) this.#heap.update(index);
    }
  }

  /**
   * Requests of other threads change loads too, and this thread is not told. So the load of the top is looked at, and if
   * it is more than what was known, the next top is tried.
   */
  #takeTop(tried: readonly number[]): number {
    const heap = this.#heap;
    let top = heap.topExcept(tried);
    for (let tries = 1; top !== NO_CANDIDATE && tries < TRIES; tries++) {
      const known = this.#loads[top] as number;
      this.#weighLoad(top);
      if (this.#loads[top] === known) break;
      heap.update(top);
      if ((this.#loads[top] as number) < known) break;
      top = heap.topExcept(tried);
    }
    return top;
  }

  #scan(tried: readonly number[]): number {
    let best = NO_CANDIDATE;
    let least = Number.POSITIVE_INFINITY;
    let first = 0;
    for (let index = 0; index < this.#weights.length; index++) {
      const weight = this.#weights[index] as number;
      if (weight === 0) continue;
      const load = (this.#candidates[index] as Candidate).active / weight;
      const due = this.#due[index] as number;
      if (load > least || (load === least && due >= first)) continue;
      if (tried.length > 0 && tried.includes(index)) continue;
      least = load;
      first = due;
      best = index;
    }
    return best;
  }
}
