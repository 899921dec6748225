import { Ring } from '../base/collections.js';
import { Bell } from './bell.js';
import { MOST_THREADS, ROW_WORDS, type RowListener, type RowTable, ServerRow, SUMS } from './server-row.js';

/** What another thread attaches to. */
export interface ServerSlotsHandle {
  readonly threads: number;
  /** Pages of rows. */
  readonly rows: SharedArrayBuffer;
  /** The bells of the threads, and the number of rows in use. */
  readonly signals: SharedArrayBuffer;
}

/** A power of 2, so that the page of a slot is found by a shift. */
const PAGE_BITS = 10;
const PAGE_ROWS = 2 ** PAGE_BITS;
/** A page has a row for all threads of each server, then as many for each thread, then a bit for each call. */
const BLOCK_WORDS = PAGE_ROWS * ROW_WORDS;
const CALL_WORDS = PAGE_ROWS / 32;
/**
 * Rows that several threads share. The memory is reserved when they start, and taken when it is used: 21 MB at most
 * with 9 threads. Further servers have a row in each thread, so that their limits apply to each thread.
 */
export const SHARED_ROWS = 2 ** 16;
/** The most released rows that are tried for one that no thread uses any more. */
const TRIED = 16;

/** 64 bytes apart, so that threads do not wait for each other's cache lines. */
const SIGNAL_WORDS = 16;
/** The number of rows in use. The bell of a thread comes after it, at `thread` + 1. */
const ROWS_IN_USE = 0;

const pageWords = (threads: number): number => BLOCK_WORDS * (1 + threads) + CALL_WORDS * threads;

/**
 * What servers are doing, in all threads: a row for each server. The thread of the control plane, number 0, gives rows to
 * servers; a thread has a `ServerRow` for each server, with its slot number.
 */
export class ServerSlots implements RowTable {
  readonly thread: number;
  readonly threads: number;
  readonly #pages: Int32Array[] = [];
  readonly #signals: Int32Array;
  readonly #bells: readonly Bell[];
  /** Shared by all threads; further pages belong to this thread alone. */
  readonly #sharedPages: number;
  /** Rows used so far, with those of this thread alone. */
  #used = 0;
  /** Slots that their servers have given back, the oldest first. */
  /** Numbers that were off at the last audit, and by how much. */
  #doubts: ReadonlyMap<number, number> = new Map();
  readonly #released = new Ring<number>();
  readonly #listeners = new Map<number, RowListener>();

  private constructor({ threads, rows, signals }: ServerSlotsHandle, thread: number) {
    this.thread = thread;
    this.threads = threads;
    const words = pageWords(threads);
    for (let byte = 0; byte < rows.byteLength; byte += words * 4)
      this.#pages.push(new Int32Array(rows, byte, words));
    this.#sharedPages = threads === 1 ? 0 : this.#pages.length;
    const memory = new Int32Array(signals);
    this.#signals = memory;
    this.#bells = Array.from({ length: threads }, (_, one) => new Bell(memory, (one + 1) * SIGNAL_WORDS));
  }

  static create(threads: number): ServerSlotsHandle {
    if (threads > MOST_THREADS) throw new RangeError(`at most ${MOST_THREADS} threads share memory`);
    const pages = threads === 1 ? 1 : SHARED_ROWS / PAGE_ROWS;
    return {
      threads,
      rows: new SharedArrayBuffer(pages * pageWords(threads) * 4),
      signals: new SharedArrayBuffer((1 + threads) * SIGNAL_WORDS * 4),
    };
  }

  static attach(handle: ServerSlotsHandle, thread: number): ServerSlots {
    return new ServerSlots(handle, thread);
  }

  /**
   * The slot of a row for one more server, for the thread of the control plane. With several threads rows that were
   * never used come first: a slow thread may still count requests in the row of a server that it has not dropped yet.
   */
  claim(): number {
    if (this.thread !== 0) throw new Error('only the thread of the control plane gives rows to servers');
    const slot = this.#reusable();
    if (slot !== -1) {
      this.row(slot).clear();
      return slot;
    }
    const fresh = this.#used++;
    if (fresh < SHARED_ROWS) Atomics.store(this.#signals, ROWS_IN_USE, this.#used);
    return fresh;
  }

  #reusable(): number {
    if (this.threads > 1 && this.#used < SHARED_ROWS) return -1;
    for (let tries = Math.min(TRIED, this.#released.length); tries > 0; tries--) {
      const slot = this.#released.shift() as number;
      if (this.row(slot).isUnused) return slot;
      this.#released.push(slot);
    }
    return -1;
  }

  /** The server has left for good: its row is used again when no thread uses it any more. */
  release(slot: number): void {
    this.#released.push(slot);
  }

  /** The row of a slot, as this thread sees it. */
  row(slot: number): ServerRow {
    const page = slot >> PAGE_BITS;
    while (this.#pages.length <= page)
      this.#pages.push(new Int32Array(new SharedArrayBuffer(pageWords(this.threads) * 4)));
    const all = (slot & (PAGE_ROWS - 1)) * ROW_WORDS;
    return new ServerRow(this, slot, this.#pages[page] as Int32Array, all, page < this.#sharedPages);
  }

  sharesOf(all: number, thread: number): number {
    return all + (1 + thread) * BLOCK_WORDS;
  }

  call(thread: number, slot: number): void {
    const memory = this.#pages[slot >> PAGE_BITS] as Int32Array;
    const bit = 1 << (slot & 31);
    // A call that was not answered yet stands for this one too.
    if ((Atomics.or(memory, this.#callsAt(thread, slot), bit) & bit) === 0) this.#bells[thread]?.ring();
  }

  #callsAt(thread: number, slot: number): number {
    return (1 + this.threads) * BLOCK_WORDS + thread * CALL_WORDS + ((slot & (PAGE_ROWS - 1)) >> 5);
  }

  listen(slot: number, listener: RowListener): void {
    this.#bells[this.thread]?.listen(() => this.#answerCalls());
    this.#listeners.set(slot, listener);
  }

  unlisten(slot: number): void {
    this.#listeners.delete(slot);
  }

  #answerCalls(): void {
    const end = Atomics.load(this.#signals, ROWS_IN_USE);
    for (let slot = 0; slot < end; slot += 32) {
      const memory = this.#pages[slot >> PAGE_BITS] as Int32Array;
      const at = this.#callsAt(this.thread, slot);
      if (Atomics.load(memory, at) === 0) continue;
      let calls = Atomics.exchange(memory, at, 0);
      while (calls !== 0) {
        const bit = 31 - Math.clz32(calls & -calls);
        calls &= calls - 1;
        this.#listeners.get(slot + bit)?.onCall();
      }
    }
  }

  /** Gives back what a thread held that has ended, for the thread of the control plane. */
  reclaim(thread: number): void {
    const end = Atomics.load(this.#signals, ROWS_IN_USE);
    for (let slot = 0; slot < end; slot++) {
      const isAwaited = this.row(slot).reclaim(thread);
      if (slot % 32 === 0)
        Atomics.store(this.#pages[slot >> PAGE_BITS] as Int32Array, this.#callsAt(thread, slot), 0);
      if (!isAwaited) continue;
      for (let other = 0; other < this.threads; other++) if (other !== thread) this.call(other, slot);
    }
  }

  /**
   * Corrects numbers that are wrong because a thread ended between the two steps of a change; called now and then after
   * `reclaim`, at least twice. A number that is off by the same amount at two audits is wrong: a change in progress takes
   * less than a microsecond.
   */
  audit(): void {
    const end = Atomics.load(this.#signals, ROWS_IN_USE);
    const doubts = new Map<number, number>();
    for (let slot = 0; slot < end; slot++) {
      const row = this.row(slot);
      for (let what = 0; what < SUMS; what++) {
        const excess = row.excessOf(what);
        if (excess === 0) continue;
        const key = slot * SUMS + what;
        if (this.#doubts.get(key) === excess) row.correct(what, excess);
        else doubts.set(key, excess);
      }
    }
    this.#doubts = doubts;
  }
}
