import { hashText } from '../base/hash.js';
import type { OpenCount } from '../base/listener-state.js';

/** What another thread attaches to. */
export interface NamedCountsHandle {
  readonly threads: number;
  readonly words: SharedArrayBuffer;
}

/**
 * Numbers with names, such as the open connections of each listener, in all threads: a row for each name that was ever
 * asked for, with a key, and the share of each thread, which that thread alone writes.
 */
export class NamedCounts {
  readonly #words: Int32Array;
  readonly #threads: number;
  readonly #thread: number;

  private constructor({ threads, words }: NamedCountsHandle, thread: number) {
    this.#words = new Int32Array(words);
    this.#threads = threads;
    this.#thread = thread;
  }

  /** One thread alone counts for itself. `rows`: each thread counts for itself what further names have. */
  static create(threads: number, rows: number): NamedCountsHandle {
    return { threads, words: new SharedArrayBuffer(threads === 1 ? 0 : rows * (1 + threads) * 4) };
  }

  static attach(handle: NamedCountsHandle, thread: number): NamedCounts {
    return new NamedCounts(handle, thread);
  }

  /** The count of a name; null: there is one thread, or no row is left. */
  of(name: string): OpenCount | null {
    if (this.#threads === 1) return null;
    const rowWords = 1 + this.#threads;
    const rows = this.#words.length / rowWords;
    const key = hashText(name) | 0 || 1;
    for (let probe = 0; probe < rows; probe++) {
      const at = (((key >>> 0) + probe) % rows) * rowWords;
      const before = Atomics.compareExchange(this.#words, at, 0, key);
      if (before === 0 || before === key)
        return new SharedCount(this.#words.subarray(at + 1, at + rowWords), this.#thread);
    }
    return null;
  }

  /** Gives back what a thread held that has ended. */
  reclaim(thread: number): void {
    for (let at = 1 + thread; at < this.#words.length; at += 1 + this.#threads)
      Atomics.store(this.#words, at, 0);
  }
}

class SharedCount implements OpenCount {
  readonly #shares: Int32Array;
  readonly #own: number;

  constructor(shares: Int32Array, own: number) {
    this.#shares = shares;
    this.#own = own;
  }

  add(count: number): void {
    Atomics.add(this.#shares, this.#own, count);
  }

  get total(): number {
    let total = 0;
    for (let thread = 0; thread < this.#shares.length; thread++) total += Atomics.load(this.#shares, thread);
    return total;
  }
}
