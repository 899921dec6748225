/**
 * Objects that are costly to make and needed only while something is going on: taken for a request, put back after
 * it, so that idle connections hold none.
 */
export class ObjectPool<T> {
  readonly #make: () => T;
  readonly #discard: (item: T) => void;
  readonly #capacity: number;
  readonly #items: T[] = [];

  /** Keeps up to `capacity`; `discard` is told of those put back beyond it. */
  constructor(capacity: number, make: () => T, discard: (item: T) => void = () => {}) {
    this.#capacity = capacity;
    this.#make = make;
    this.#discard = discard;
  }

  take(): T {
    return this.#items.pop() ?? this.#make();
  }

  /** Whoever puts an item back must have cleared it, and must not use it again. */
  put(item: T): void {
    if (this.#items.length < this.#capacity) this.#items.push(item);
    else this.#discard(item);
  }
}
