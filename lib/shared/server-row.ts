/** The numbers in a row, as words of 32 bits: for all threads, and again for each thread. */
export const ROW_WORDS = 8;

/** Requests in flight. */
export const ACTIVE = 0;
/** Connections, including those being opened and those not closed yet. */
const OPEN = 1;
/** Requests in line for a connection. */
const IN_LINE = 2;
/** Connections that close to make room for requests in line, or because there are too many. */
const CLOSING = 3;
/** Objects that use the row: one in each thread. */
const USERS = 4;
/** Up to here the number for all threads is the sum of those of the threads. */
export const SUMS = 5;

// The rest of the numbers for all threads.
/** Who has the trial request of a half-open server; 0: nobody. */
const TRIAL = 5;
/** Trial requests so far. */
const TRIALS = 6;
const FLAGS = 7;

// The rest of the numbers of a thread.
/** When its first request in line came, see `stampOf`; 0: none is in line. */
const FIRST = 5;
/** Unused connections that any client may use. */
export const IDLE = 6;
/** Unused connections that are kept for one client each. */
export const KEPT = 7;

/** What the control plane has decided about a server; 0 for a server in use. */
export const DOWN = 1;
export const EJECTED = 2;
export const HALF_OPEN = 4;

const NONE = new Int32Array(0);

/** A token of a trial request names its thread in this many bits. */
const THREAD_BITS = 8;
export const MOST_THREADS = 2 ** THREAD_BITS - 2;

/** Called in a thread after another one has called it because of a row. */
export interface RowListener {
  onCall(): void;
}

/** What a row needs of the table that it is in: `ServerSlots`. */
export interface RowTable {
  /** The number of this thread, and how many there are. */
  readonly thread: number;
  readonly threads: number;
  /** The index of a thread's numbers in a page, given that of the numbers for all threads. */
  sharesOf(all: number, thread: number): number;
  /** Has the listener of a slot called in another thread. */
  call(thread: number, slot: number): void;
  listen(slot: number, listener: RowListener): void;
  unlisten(slot: number): void;
  release(slot: number): void;
}

/**
 * What one server is doing, in all threads, as seen by one of them. The number for all threads and the share of a thread
 * are changed next to each other with no call between: when a thread is terminated, its share can be subtracted. If it
 * ended just between the two, `ServerSlots.audit` finds what is left.
 */
export class ServerRow {
  readonly slot: number;
  /** Where the numbers are, here for code in which calls are too costly. */
  readonly memory: Int32Array;
  /** The index of the numbers for all threads, and of those of this thread. */
  readonly all: number;
  readonly own: number;
  readonly #table: RowTable;
  /** Do other threads use the row? */
  readonly isShared: boolean;
  /** Of threads that did not take the place that was left to them: when their first request in line came. */
  readonly #ignored: Int32Array;

  constructor(table: RowTable, slot: number, memory: Int32Array, all: number, isShared: boolean) {
    this.#table = table;
    this.slot = slot;
    this.memory = memory;
    this.all = all;
    this.own = table.sharesOf(all, table.thread);
    this.isShared = isShared;
    this.#ignored = isShared ? new Int32Array(table.threads) : NONE;
  }

  #add(what: number, change: number): void {
    Atomics.add(this.memory, this.all + what, change);
    this.memory[this.own + what]! += change;
  }

  // Requests in flight.

  /** Requests in flight in all threads. */
  get active(): number {
    return this.memory[this.all + ACTIVE] as number;
  }

  get ownActive(): number {
    return this.memory[this.own + ACTIVE] as number;
  }

  // Connections.

  /** Connections in all threads, including those being opened and those not closed yet. */
  get open(): number {
    return Atomics.load(this.memory, this.all + OPEN);
  }

  /** Takes a place for one more connection. */
  addPlace(): void {
    this.#add(OPEN, 1);
  }

  /** The same if fewer than `most` are taken in all threads; else false. */
  takePlace(most: number): boolean {
    return this.#takeOne(OPEN, most);
  }

  /** The connection is closed. */
  givePlace(): void {
    this.#add(OPEN, -1);
  }

  #takeOne(what: number, most: number): boolean {
    const { memory } = this;
    const at = this.all + what;
    for (let count = Atomics.load(memory, at); count < most; ) {
      const found = Atomics.compareExchange(memory, at, count, count + 1);
      if (found === count) {
        memory[this.own + what]!++;
        return true;
      }
      count = found;
    }
    return false;
  }

  /** Connections in all threads that are closing to make room. */
  get closing(): number {
    return Atomics.load(this.memory, this.all + CLOSING);
  }

  /** A connection begins to close to make room (1), or has closed (-1). */
  addClosing(change: 1 | -1): void {
    this.#add(CLOSING, change);
  }

  /** Unused connections in all threads that any client may use. */
  get idle(): number {
    let sum = 0;
    for (let thread = 0; thread < this.#table.threads; thread++)
      sum += this.memory[this.#table.sharesOf(this.all, thread) + IDLE] as number;
    return sum;
  }

  /** Tells the other threads how many unused connections this one has. */
  setUnused(idle: number, kept: number): void {
    Atomics.store(this.memory, this.own + IDLE, idle);
    Atomics.store(this.memory, this.own + KEPT, kept);
  }

  // The line.

  /** Requests in line in all threads. */
  get inLine(): number {
    return Atomics.load(this.memory, this.all + IN_LINE);
  }

  /** Requests in line in the other threads. */
  get othersInLine(): number {
    return Atomics.load(this.memory, this.all + IN_LINE) - (this.memory[this.own + IN_LINE] as number);
  }

  /**
   * Adds a request of this thread, which came at `since` (ms of the clock), to the line, if there are fewer than `most` in
   * all threads; else false.
   */
  joinLine(most: number, since: number): boolean {
    const at = this.own + FIRST;
    const isFirst = this.memory[at] === 0;
    // Before it is counted: a thread that sees a request in line must see whose it is, to call that thread.
    if (isFirst) Atomics.store(this.memory, at, stampOf(since));
    if (this.#takeOne(IN_LINE, most)) return true;
    if (isFirst) Atomics.store(this.memory, at, 0);
    return false;
  }

  /** Sets how many requests of this thread are in line, and when the first of them came, in ms of the clock. */
  setLine(count: number, since: number): void {
    Atomics.store(this.memory, this.own + FIRST, count === 0 ? 0 : stampOf(since));
    const change = count - (this.memory[this.own + IN_LINE] as number);
    if (change !== 0) this.#add(IN_LINE, change);
  }

  /**
   * Does a request wait in another thread that came more than `tolerance` ms before `since`, in ms of the clock? Infinite:
   * does any?
   */
  othersCameBefore(since: number, tolerance: number): boolean {
    if (this.othersInLine <= 0) return false;
    const thread = this.#firstInLine();
    if (thread === -1) return false;
    if (since === Number.POSITIVE_INFINITY) return true;
    return ((stampOf(since) - this.#firstOf(thread)) | 0) > tolerance;
  }

  /** The other thread whose first request in line has waited longest; -1: none. */
  #firstInLine(): number {
    let first = -1;
    for (let thread = 0; thread < this.#table.threads; thread++) {
      const came = this.#firstOf(thread);
      if (came === 0 || thread === this.#table.thread || came === this.#ignored[thread]) continue;
      if (first === -1 || ((came - this.#firstOf(first)) | 0) < 0) first = thread;
    }
    return first;
  }

  /** The thread whose request came first does not answer: the request does not count until that thread goes on. */
  ignoreFirst(): void {
    const thread = this.#firstInLine();
    if (thread !== -1) this.#ignored[thread] = this.#firstOf(thread);
  }

  #firstOf(thread: number): number {
    return Atomics.load(this.memory, this.#table.sharesOf(this.all, thread) + FIRST);
  }

  /** Calls the other thread whose first request in line has waited longest, if there is one. */
  callFirst(): void {
    const thread = this.#firstInLine();
    if (thread !== -1) this.#table.call(thread, this.slot);
  }

  /** Calls another thread that has an unused connection, if there is one: it closes that connection. */
  callUnused(): void {
    const { threads, thread: own } = this.#table;
    // Each thread begins at the next one, so that not all of them call the same.
    for (let step = 1; step < threads; step++) {
      const thread = (own + step) % threads;
      const at = this.#table.sharesOf(this.all, thread);
      if (Atomics.load(this.memory, at + IDLE) + Atomics.load(this.memory, at + KEPT) === 0) continue;
      this.#table.call(thread, this.slot);
      return;
    }
  }

  /** Has `listener` called in this thread after another one has called it. */
  listen(listener: RowListener): void {
    if (this.isShared) this.#table.listen(this.slot, listener);
  }

  // The trial of a half-open server.

  get isTrialFree(): boolean {
    return Atomics.load(this.memory, this.all + TRIAL) === 0;
  }

  /** Takes the trial for a request; returns its token, or 0 when another request has it, in whatever thread. */
  takeTrial(): number {
    const number = Atomics.add(this.memory, this.all + TRIALS, 1);
    const token = (number << THREAD_BITS) | (this.#table.thread + 1);
    return Atomics.compareExchange(this.memory, this.all + TRIAL, 0, token) === 0 ? token : 0;
  }

  /** The request with this token has ended. */
  endTrial(token: number): void {
    Atomics.compareExchange(this.memory, this.all + TRIAL, token, 0);
  }

  // What the control plane has decided.

  /** `DOWN`, `EJECTED` and `HALF_OPEN`, added up. A thread that starts later begins with these. */
  get flags(): number {
    return Atomics.load(this.memory, this.all + FLAGS);
  }

  /** Only the control plane's thread decides; in the other ones nothing happens. */
  setFlag(flag: number, on: boolean): void {
    if (this.#table.thread !== 0) return;
    if (on) Atomics.or(this.memory, this.all + FLAGS, flag);
    else Atomics.and(this.memory, this.all + FLAGS, ~flag);
    // Requests of an earlier trial do not count.
    if (on && flag === HALF_OPEN) Atomics.store(this.memory, this.all + TRIAL, 0);
  }

  // The row itself.

  /** This thread uses the row, and sends requests to the server. */
  join(): void {
    this.#add(USERS, 1);
  }

  /** This thread sends no new requests to the server; those in flight still count. */
  leave(): void {
    this.#add(USERS, -1);
    this.#table.unlisten(this.slot);
    if (this.#table.thread === 0) this.#table.release(this.slot);
  }

  /** Does no thread use it any more? */
  get isUnused(): boolean {
    for (let what = 0; what < SUMS; what++)
      if (Atomics.load(this.memory, this.all + what) !== 0) return false;
    return true;
  }

  clear(): void {
    this.memory.fill(0, this.all, this.all + ROW_WORDS);
  }

  /**
   * By how much a number (one of the first `SUMS`) for all threads exceeds the sum of the shares: by 0, unless a thread is
   * changing it at this moment, or has ended while it did.
   */
  excessOf(what: number): number {
    let excess = Atomics.load(this.memory, this.all + what);
    for (let thread = 0; thread < this.#table.threads; thread++)
      excess -= Atomics.load(this.memory, this.#table.sharesOf(this.all, thread) + what);
    return excess;
  }

  /** Takes an excess off a number for all threads. */
  correct(what: number, excess: number): void {
    Atomics.sub(this.memory, this.all + what, excess);
  }

  /** Gives back what a thread held that has ended. Returns true if requests of other threads are in line. */
  reclaim(thread: number): boolean {
    const { memory } = this;
    const shares = this.#table.sharesOf(this.all, thread);
    for (let what = 0; what < SUMS; what++)
      Atomics.sub(memory, this.all + what, memory[shares + what] as number);
    memory.fill(0, shares, shares + ROW_WORDS);
    const token = Atomics.load(memory, this.all + TRIAL);
    if ((token & (2 ** THREAD_BITS - 1)) === thread + 1) this.endTrial(token);
    return this.inLine > 0;
  }
}

/** A time as a number of 32 bits that is not 0, in ms; times that are less than 24 days apart can be compared. */
function stampOf(ms: number): number {
  return Math.floor(ms % 2 ** 32) | 0 || 1;
}
