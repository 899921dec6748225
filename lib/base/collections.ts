/** A first-in, first-out queue in a circular array that doubles when it is full. Push and shift take constant time. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #head = 0;
  /** Only read by others: asked several times per request. */
  length = 0;

  push(item: T): void {
    if (this.length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.length) & (this.#items.length - 1)] = item;
    this.length++;
  }

  /** Removes and returns the oldest item; undefined when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.length--;
    return item;
  }

  /** Removes an item and keeps the order of the rest: O(n). False if it is not there. */
  remove(item: T): boolean {
    const rest: T[] = [];
    let found = false;
    for (let count = this.length; count > 0; count--) {
      const next = this.shift() as T;
      if (!found && next === item) found = true;
      else rest.push(next);
    }
    for (const kept of rest) this.push(kept);
    return found;
  }

  #grow(): void {
    const items = new Array<T | undefined>(this.#items.length * 2).fill(undefined);
    for (let i = 0; i < this.length; i++) items[i] = this.#items[(this.#head + i) & (this.#items.length - 1)];
    this.#items = items;
    this.#head = 0;
  }
}

/** The latest `capacity` items: a new one replaces the oldest. */
export class Recent<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  /** The index of the oldest, once it is full. */
  #oldest = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The newest; undefined when there is none. */
  get last(): T | undefined {
    return this.#items.at(this.#oldest - 1);
  }

  push(item: T): void {
    if (this.#items.length < this.#capacity) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.#capacity;
  }

  /** Replaces the newest by `item`. */
  replaceLast(item: T): void {
    if (this.#items.length > 0)
      this.#items[(this.#oldest + this.#items.length - 1) % this.#items.length] = item;
  }

  /** A copy, oldest first. */
  toArray(): T[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }
}

/** Adds `value` to the list of `key` in `lists`. */
export function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

let taken = 0;

/** Objects that are taken from the pools of this thread and not put back: what requests in flight hold. */
export function objectsTaken(): number {
  return taken;
}

/**
 * A free list of objects that are costly to make and needed only during a request: taken for the request and put back
 * after it, so that idle connections hold none.
 */
export class ObjectPool<T> {
  readonly #make: () => T;
  readonly #discard: (item: T) => void;
  readonly #capacity: number;
  readonly #items: T[] = [];

  /** Keeps up to `capacity` objects; `discard` is called for objects put back beyond that. */
  constructor(capacity: number, make: () => T, discard: (item: T) => void = () => {}) {
    this.#capacity = capacity;
    this.#make = make;
    this.#discard = discard;
  }

  take(): T {
    taken++;
    return this.#items.pop() ?? this.#make();
  }

  /** The caller must have cleared the item, and must not use it again. */
  put(item: T): void {
    taken--;
    if (this.#items.length < this.#capacity) this.#items.push(item);
    else this.#discard(item);
  }
}

/** Upper bounds in ms, as dashboards expect them; one more bucket takes everything above. */
export const BOUNDS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Durations counted in fixed buckets, since the start. An observation is a few comparisons and two additions. */
export class Histogram {
  /** The count of each bucket alone, not cumulative. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** ms */
  sum = 0;

  observe(ms: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && ms > (BOUNDS[bucket] as number)) bucket++;
    this.counts[bucket]!++;
    this.sum += ms;
  }
}
