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
    return enters;
  }

  leave(): void {
    const words = this.#words;
    lockWord(words, LOCK, this.#holder);
    words[this.#share]!--;
    words[TOTAL]!--;
    unlockWord(words, LOCK, this.#holder);
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
