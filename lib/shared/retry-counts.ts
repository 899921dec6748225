import type { KeyedHash } from './keyed-hash.js';
import { lockWord, unlockWord } from './word-lock.js';

/** Seconds that are counted. */
export const WINDOW_SECONDS = 10;
/** Of each second: which one it is, and the count. */
const WINDOW_WORDS = 2 * WINDOW_SECONDS;
/** Budgets that are counted at once: with more, those that were used longest ago begin anew. */
const SLOTS = 1 << 14;
/** How many slots from the one that its hash selects a budget may be. */
const REACH = 64;
/** Of the whole table: the lock for looking for a slot, and for retrying. */
const LOCK = 0;
const HEAD_WORDS = 1;
/** Of a slot. */
export const BUDGET_MARK = 0;
const LOW = 1;
export const BUDGET_USED = 2;
/** The retries of all threads, then the requests of each. */
const RETRIES = 3;
const REQUESTS = RETRIES + WINDOW_WORDS;

/**
 * Requests and retries of the last 10 seconds, for each retry budget, in all threads. Each thread counts its own
 * requests (`RetryBudget`), so that no request waits for another thread; a retry, which is rare, adds them up. The
 * counts of a thread that has ended leave the window with their seconds.
 */
export class RetryCounts {
  #words: Int32Array = new Int32Array(0);
  readonly #hash: KeyedHash;
  readonly #threads: number;
  readonly #thread: number;
  readonly #stride: number;

  constructor(hash: KeyedHash, threads: number, memory: SharedArrayBuffer | null, thread: number) {
    this.#hash = hash;
    this.#threads = threads;
    this.#thread = thread;
    this.#stride = slotWords(threads);
    if (memory !== null) this.#words = new Int32Array(memory);
  }

  /** 3 MiB for one thread, 8 MiB for five, of which the system commits what is used: 200 to 500 bytes for each budget. */
  static memory(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (HEAD_WORDS + SLOTS * slotWords(threads)));
  }

  /** Made when it is first needed, by a thread that is alone. */
  get words(): Int32Array {
    if (this.#words.length === 0) this.#words = new Int32Array(RetryCounts.memory(this.#threads));
    return this.#words;
  }

  /** The slot of a budget, which is found or made. It may be lost to another budget later. */
  slotOf(budget: string, second: number): number {
    const { words } = this;
    const holder = this.#thread + 1;
    const [low, high] = this.#hash.ofText(Buffer.from(budget).toString('latin1')) as unknown as readonly [
      number,
      number,
    ];
    lockWord(words, LOCK, holder);
    let slot = -1;
    let oldest = -1;
    for (let i = 0; i < REACH && slot === -1; i++) {
      const at = HEAD_WORDS + ((low + i) & (SLOTS - 1)) * this.#stride;
      if (words[at + BUDGET_MARK] === high && words[at + LOW] === low) slot = at;
      else if (oldest === -1 || this.#lastUse(at) < this.#lastUse(oldest)) oldest = at;
    }
    if (slot === -1) {
      slot = oldest;
      words[slot + BUDGET_MARK] = 0;
      words.fill(0, slot + RETRIES, slot + this.#stride);
      words[slot + LOW] = low;
      words[slot + BUDGET_USED] = second;
      words[slot + BUDGET_MARK] = high;
    }
    unlockWord(words, LOCK, holder);
    return slot;
  }

  /** What the slot of a budget holds while it is its own. */
  markOf(budget: string): number {
    return this.#hash.ofText(Buffer.from(budget).toString('latin1'))[1] as number;
  }

  /** Where this thread counts the requests of a slot: for each second of the window which one it is, and the count. */
  requestsOf(slot: number): number {
    return slot + REQUESTS + this.#thread * WINDOW_WORDS;
  }

  /** Counts a retry unless there would be more than `free` and `share` of the requests; false: there would. */
  take(slot: number, second: number, share: number, free: number): boolean {
    const { words } = this;
    const holder = this.#thread + 1;
    lockWord(words, LOCK, holder);
    let requests = 0;
    for (let thread = 0; thread < this.#threads; thread++)
      requests += sumOf(words, slot + REQUESTS + thread * WINDOW_WORDS, second);
    const takes = sumOf(words, slot + RETRIES, second) + 1 <= requests * share + free;
    if (takes) {
      const cell = slot + RETRIES + 2 * (second % WINDOW_SECONDS);
      if (words[cell] !== second) {
        words[cell + 1] = 0;
        words[cell] = second;
      }
      words[cell + 1]!++;
    }
    unlockWord(words, LOCK, holder);
    return takes;
  }

  reclaim(thread: number): void {
    if (this.#words.length > 0) unlockWord(this.#words, LOCK, thread + 1);
  }

  #lastUse(slot: number): number {
    return this.#words[slot + BUDGET_MARK] === 0 ? -1 : (this.#words[slot + BUDGET_USED] as number);
  }
}

function slotWords(threads: number): number {
  return REQUESTS + threads * WINDOW_WORDS;
}

/** The counts of a window's seconds that are still in it. */
function sumOf(words: Int32Array, window: number, second: number): number {
  let sum = 0;
  for (let cell = window; cell < window + WINDOW_WORDS; cell += 2) {
    // Another thread may already be in the next second.
    if (Math.abs(second - (words[cell] as number)) < WINDOW_SECONDS) sum += words[cell + 1] as number;
  }
  return sum;
}
