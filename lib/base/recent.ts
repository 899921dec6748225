/** The latest `capacity` items: each new one beyond that takes the place of the oldest. */
export class Recent<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  /** Where the oldest lies, once it is full. */
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

  /** Puts `item` in the place of the newest. */
  replaceLast(item: T): void {
    if (this.#items.length > 0)
      this.#items[(this.#oldest + this.#items.length - 1) % this.#items.length] = item;
  }

  /** A copy, oldest first. */
  toArray(): T[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }
}
