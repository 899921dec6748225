/** First in, first out, in a circle that doubles when it is full. Push and shift cost the same at any length. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item;
    this.#length++;
  }

  /** The oldest item, taken out; undefined when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  /** Takes one item out of the middle, keeping the order of the rest: O(n). False if it is not there. */
  remove(item: T): boolean {
    const rest: T[] = [];
    let found = false;
    for (let count = this.#length; count > 0; count--) {
      const next = this.shift() as T;
      if (!found && next === item) found = true;
      else rest.push(next);
    }
    for (const kept of rest) this.push(kept);
    return found;
  }

  #grow(): void {
    const items = new Array<T | undefined>(this.#items.length * 2).fill(undefined);
    for (let i = 0; i < this.#length; i++)
      items[i] = this.#items[(this.#head + i) & (this.#items.length - 1)];
    this.#items = items;
    this.#head = 0;
  }
}
