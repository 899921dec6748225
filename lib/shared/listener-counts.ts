import { hashText } from '../base/hash.js';
import type { OpenCount } from '../base/listener-state.js';

/** What another thread attaches to. */
export interface ListenerCountsHandle {
  readonly threads: number;
  readonly words: SharedArrayBuffer;
}

/** Further addresses are counted by each thread for itself. */
const ROWS = 1024;

/**
 * The open connections of listeners, in all threads: a row for each address that was ever listened on, with a key, and
 * the share of each thread, which that thread alone writes.
 */
export class ListenerCounts {
  readonly #words: Int32Array;
  readonly #threads: number;
  readonly #thread: number;

  private constructor({ threads, words }: ListenerCountsHandle, thread: number) {
    this.#words = new Int32Array(words);
    this.#threads = threads;
    this.#thread = thread;
  }

  /** One thread alone counts in its listeners. */
  static create(threads: number): ListenerCountsHandle {
    return { threads, words: new SharedArrayBuffer(threads === 1 ? 0 : ROWS * (1 + threads) * 4) };
  }

  static attach(handle: ListenerCountsHandle, thread: number): ListenerCounts {
    return new ListenerCounts(handle, thread);
  }

  /** The count of an address; null: there is one thread, or no row is left. */
  of(address: string): OpenCount | null {
    if (this.#threads === 1) return null;
    const key = hashText(address) | 0 || 1;
    for (let probe = 0; probe < ROWS; probe++) {
      const at = ((((key >>> 0) + probe) % ROWS) * (1 + this.#threads)) | 0;
      const before = Atomics.compareExchange(this.#words, at, 0, key);
      if (before === 0 || before === key)
        return new SharedCount(this.#words.subarray(at + 1, at + 1 + this.#threads), this.#thread);
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
