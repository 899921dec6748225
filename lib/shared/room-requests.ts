import { Bell } from './bell.js';

/** The words of a thread, 64 bytes apart from those of others: its bell, whom it asks, and for how many connections. */
const THREAD_WORDS = 16;
const BELL = 0;
const ASKED = 1;
const COUNT = 2;
/** The thread of the control plane has no clients. */
const NOBODY = 0;
const FIRST_ENGINE = 1;

/**
 * How a thread asks another one to close idle connections of clients, when there are as many as `limits.connections`
 * allows: it asks one thread after the other, each for as many as it needs, and is called when that thread has answered.
 * What a thread gets is in its share of the `ConnectionTotal`.
 */
export class RoomRequests {
  readonly #words: Int32Array;
  readonly #thread: number;
  readonly #threads: number;
  readonly #bells: readonly Bell[];

  constructor(memory: SharedArrayBuffer, thread: number) {
    const words = new Int32Array(memory);
    this.#words = words;
    this.#thread = thread;
    this.#threads = words.length / THREAD_WORDS;
    this.#bells = Array.from(
      { length: this.#threads },
      (_, one) => new Bell(words, one * THREAD_WORDS + BELL),
    );
  }

  static memory(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * THREAD_WORDS * 4);
  }

  /** Are there other threads with clients? */
  get hasOthers(): boolean {
    return this.#threads > FIRST_ENGINE + 1;
  }

  /** How many other threads can be asked. */
  get others(): number {
    return this.#threads - FIRST_ENGINE - 1;
  }

  /** Calls `onCall` when another thread asks this one, or has answered it. */
  listen(onCall: () => void): void {
    this.#bells[this.#thread]?.listen(onCall);
  }

  /** Has this thread asked one that has not answered yet? */
  get isAsking(): boolean {
    return Atomics.load(this.#words, this.#at(this.#thread, ASKED)) !== NOBODY;
  }

  /** Asks the `step`-th other thread, from 0, to close this many idle connections. */
  ask(step: number, count: number): void {
    const engines = this.#threads - FIRST_ENGINE;
    const thread = FIRST_ENGINE + ((this.#thread - FIRST_ENGINE + 1 + step) % engines);
    Atomics.store(this.#words, this.#at(this.#thread, COUNT), count);
    Atomics.store(this.#words, this.#at(this.#thread, ASKED), thread);
    this.#bells[thread]?.ring();
  }

  /** Does not wait for an answer any longer. A place that the other thread frees later is not lost: it rings all the same. */
  withdraw(): void {
    Atomics.store(this.#words, this.#at(this.#thread, ASKED), NOBODY);
  }

  /** How many connections another thread asks this one for; 0: it asks for none. */
  askedBy(thread: number): number {
    if (Atomics.load(this.#words, this.#at(thread, ASKED)) !== this.#thread) return 0;
    return Atomics.load(this.#words, this.#at(thread, COUNT));
  }

  /** The threads that may ask this one. */
  *threads(): Iterable<number> {
    for (let thread = FIRST_ENGINE; thread < this.#threads; thread++)
      if (thread !== this.#thread) yield thread;
  }

  /** This thread has done what it could for another one that asked. */
  answer(thread: number): void {
    Atomics.compareExchange(this.#words, this.#at(thread, ASKED), this.#thread, NOBODY);
    this.#bells[thread]?.ring();
  }

  /** A thread has ended: it no longer asks, and no longer answers. */
  reclaim(ended: number): void {
    Atomics.store(this.#words, this.#at(ended, ASKED), NOBODY);
    for (let thread = FIRST_ENGINE; thread < this.#threads; thread++) {
      if (Atomics.compareExchange(this.#words, this.#at(thread, ASKED), ended, NOBODY) === ended)
        this.#bells[thread]?.ring();
    }
  }

  #at(thread: number, what: number): number {
    return thread * THREAD_WORDS + what;
  }
}
