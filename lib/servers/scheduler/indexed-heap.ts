/**
 * A binary heap of indexes: on top is the one with the lowest first key, of those with equal first keys the one with the
 * lowest second key, of those the lowest index. The keys are arrays that belong to the owner of the heap; after a key of a
 * member was changed, `update` puts the member in its place.
 */
export class IndexedHeap {
  #first: Float64Array;
  #second: Float64Array;
  /** Where each index is in `items`; -1: it is no member. Heaps that have no member in common may share it. */
  #places: Int32Array;
  /** The top is the first; the others are in no order that means anything. Not to be changed from outside. */
  readonly items: number[] = [];

  constructor(first: Float64Array, second: Float64Array, places: Int32Array) {
    this.#first = first;
    this.#second = second;
    this.#places = places;
  }

  /** Longer arrays, with the same numbers, take the place of those it was made with. */
  moveTo(first: Float64Array, second: Float64Array, places: Int32Array): void {
    this.#first = first;
    this.#second = second;
    this.#places = places;
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

  /** One of its keys has changed. */
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
