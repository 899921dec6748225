import { NO_CANDIDATE } from './scheduler.js';

/**
 * A binary heap of indexes, ordered by first key, then second key, then index; the lowest is on top. The keys are arrays
 * that belong to the owner of the heap; after a key of a member has changed, `update` must be called.
 */
export class IndexedHeap {
  #first: Float64Array;
  #second: Float64Array;
  /** The position of each index in `items`; -1: not a member. Heaps without common members may share the array. */
  #places: Int32Array;
  /** The top is the first item; the others are in heap order. Not to be changed from outside. */
  readonly items: number[] = [];
  readonly #aside: number[] = [];

  constructor(first: Float64Array, second: Float64Array, places: Int32Array) {
    this.#first = first;
    this.#second = second;
    this.#places = places;
  }

  /** Replaces the arrays by longer ones with the same numbers. */
  moveTo(first: Float64Array, second: Float64Array, places: Int32Array): void {
    this.#first = first;
    this.#second = second;
    this.#places = places;
  }

  /** The lowest member that is not one of `left`; `NO_CANDIDATE` when there is none. */
  topExcept(left: readonly number[]): number {
    const { items } = this;
    if (left.length === 0) return items.length === 0 ? NO_CANDIDATE : (items[0] as number);
    while (items.length > 0 && left.includes(items[0] as number)) {
      const top = items[0] as number;
      this.#aside.push(top);
      this.remove(top);
    }
    const found = items.length === 0 ? NO_CANDIDATE : (items[0] as number);
    for (let index = this.#aside.pop(); index !== undefined; index = this.#aside.pop()) this.add(index);
    return found;
  }

  add(index: number): void {
    this.items.push(index);
    this.#rise(this.items.length - 1, index);
  }

  remove(index: number): void {
    const place = this.#places[index] as number;
    const last = this.items.pop() as number;
    this.#places[index] = -1;
    if (last !== index) this.#settle(place, last);
  }

  /** A key of this member has changed. */
  update(index: number): void {
    this.#settle(this.#places[index] as number, index);
  }

  #settle(place: number, index: number): void {
    if (place > 0 && this.#isBefore(index, this.items[(place - 1) >> 1] as number)) this.#rise(place, index);
    else this.#sink(place, index);
  }

  #rise(from: number, index: number): void {
    const items = this.items;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = items[above] as number;
      if (!this.#isBefore(index, other)) break;
      this.#put(place, other);
      place = above;
    }
    this.#put(place, index);
  }

  #sink(from: number, index: number): void {
    const items = this.items;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#isBefore(items[below + 1] as number, items[below] as number))
        below++;
      const other = items[below] as number;
      if (!this.#isBefore(other, index)) break;
      this.#put(place, other);
      place = below;
    }
    this.#put(place, index);
  }

  #put(place: number, index: number): void {
    this.items[place] = index;
    this.#places[index] = place;
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#first[one] as number;
    const b = this.#first[other] as number;
    if (a !== b) return a < b;
    const c = this.#second[one] as number;
    const d = this.#second[other] as number;
    return c === d ? one < other : c < d;
  }
}
