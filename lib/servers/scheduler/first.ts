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

/** Added to the position of a candidate with room, so that its rank is below 0, however many there are. */
const HAS_ROOM = -(2 ** 31);

/**
 * The first server in the order of the configuration that is not full: few servers are kept busy, and the last ones can
 * be switched off. When all are full, the one with the lowest load. Weights are ignored.
 *
 * Many candidates are kept in a heap: those with room by position, then the full ones by load.
 */
export class First implements Scheduler {
  followsLoad: boolean;
  readonly #scanLimit: number;
  readonly #candidates: readonly Candidate[];
  #isIn: Uint8Array;
  /** Below 0, by position, while the candidate has room; else its load, which is at least 1. */
  #ranks: Float64Array;
  #places: Int32Array;
  readonly #heap: IndexedHeap;

  constructor(candidates: readonly Candidate[], scanLimit = SCAN_LIMIT) {
    const { length } = candidates;
    this.followsLoad = length > scanLimit;
    this.#scanLimit = scanLimit;
    this.#candidates = candidates;
    this.#isIn = new Uint8Array(length);
    this.#ranks = new Float64Array(length);
    this.#places = new Int32Array(length).fill(-1);
    this.#heap = new IndexedHeap(this.#ranks, this.#ranks, this.#places);
  }

  grow(): void {
    const { length } = this.#candidates;
    const room = roomFor(length, this.#isIn.length);
    if (room !== this.#isIn.length) {
      this.#isIn = withRoom(this.#isIn, room);
      this.#ranks = withRoom(this.#ranks, room);
      this.#places = withRoom(this.#places, room, -1);
      this.#heap.moveTo(this.#ranks, this.#ranks, this.#places);
    }
    if (this.followsLoad || length <= this.#scanLimit) return;
    this.followsLoad = true;
    for (let index = 0; index < length; index++) if (this.#isIn[index] === 1) this.include(index);
  }

  forget(): void {}

  include(index: number): void {
    this.#isIn[index] = 1;
    if (!this.followsLoad) return;
    this.#ranks[index] = this.#rankOf(index);
    this.#heap.add(index);
  }

  exclude(index: number): void {
    this.#isIn[index] = 0;
    if (this.followsLoad) this.#heap.remove(index);
  }

  reweigh(index: number): void {
    this.noteLoad(index);
  }

  noteLoad(index: number): void {
    if (!this.followsLoad) return;
    const rank = this.#rankOf(index);
    if (rank === this.#ranks[index]) return;
    this.#ranks[index] = rank;
    this.#heap.update(index);
  }

  #rankOf(index: number): number {
    const { active, capacity } = this.#candidates[index] as Candidate;
    return active < capacity ? index + HAS_ROOM : active / capacity;
  }

  pick(_key: PickKey, tried: readonly number[]): number {
    return this.followsLoad ? this.#takeTop(tried) : this.#scan(tried);
  }

  /** The load of the top is looked at: requests of other threads change it too, and this thread is not told. */
  #takeTop(tried: readonly number[]): number {
    const heap = this.#heap;
    let top = heap.topExcept(tried);
    for (let tries = 1; top !== NO_CANDIDATE && tries < TRIES; tries++) {
      const known = this.#ranks[top] as number;
      this.noteLoad(top);
      if ((this.#ranks[top] as number) <= known) break;
      top = heap.topExcept(tried);
    }
    return top;
  }

  #scan(tried: readonly number[]): number {
    let best = NO_CANDIDATE;
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#isIn.length; index++) {
      if (this.#isIn[index] === 0 || (tried.length > 0 && tried.includes(index))) continue;
      const { active, capacity } = this.#candidates[index] as Candidate;
      if (active < capacity) return index;
      if (active / capacity >= least) continue;
      least = active / capacity;
      best = index;
    }
    return best;
  }
}
