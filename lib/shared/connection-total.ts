import { lockWord, unlockWord } from './word-lock.js';

const LOCK = 0;
const TOTAL = 1;
const SHARES = 2;

/**
 * The client connections of a balancer: in all threads, and the share of each, so that those of a thread that has ended
 * can be taken away. A thread may end between any two steps, so the total is changed under a lock, and added up anew when
 * a thread has ended.
 */
export class ConnectionTotal {
  readonly #words: Int32Array;
  readonly #holder: number;
  readonly #share: number;
  /** The places of this thread that it knows of; what its share has beyond these, other threads have given it. */
  #known = 0;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#words = new Int32Array(memory);
    this.#holder = thread + 1;
    this.#share = SHARES + thread;
  }

  static memory(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (SHARES + threads));
  }

  get total(): number {
    return Atomics.load(this.#words, TOTAL);
  }

  /** Counts one more unless there are `most`; false: there are. */
  enter(most: number): boolean {
    const words = this.#words;
    lockWord(words, LOCK, this.#holder);
    const enters = (words[TOTAL] as number) < most;
    if (enters) {
      words[this.#share]!++;
      words[TOTAL]!++;
    }
    unlockWord(words, LOCK, this.#holder);
    if (enters) this.#known++;
    return enters;
  }

  leave(): void {
    this.#known--;
    this.#subtract(1);
  }

  #subtract(count: number): void {
    const words = this.#words;
    lockWord(words, LOCK, this.#holder);
    words[this.#share]! -= count;
    words[TOTAL]! -= count;
    unlockWord(words, LOCK, this.#holder);
  }

  /** Leaves a place of this thread to another one, which may use it for a connection of its own. */
  giveTo(thread: number): void {
    const words = this.#words;
    this.#known--;
    lockWord(words, LOCK, this.#holder);
    words[this.#share]!--;
    words[SHARES + thread]!++;
    unlockWord(words, LOCK, this.#holder);
  }

  get #gifts(): number {
    return Atomics.load(this.#words, this.#share) - this.#known;
  }

  /** Has another thread left a place to this one that it does not use yet? */
  get hasGift(): boolean {
    return this.#gifts > 0;
  }

  /** Uses a place that another thread has left to this one; false: there is none. */
  takeGift(): boolean {
    if (this.#gifts <= 0) return false;
    this.#known++;
    return true;
  }

  /** Frees the places that were left to this thread and are not needed any more. */
  returnGifts(): void {
    const gifts = this.#gifts;
    if (gifts > 0) this.#subtract(gifts);
  }

  reclaim(thread: number): void {
    const words = this.#words;
    unlockWord(words, LOCK, thread + 1);
    lockWord(words, LOCK, this.#holder);
    words[SHARES + thread] = 0;
    let total = 0;
    for (let share = SHARES; share < words.length; share++) total += words[share] as number;
    words[TOTAL] = total;
    unlockWord(words, LOCK, this.#holder);
  }
}
