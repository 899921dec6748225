import { performance } from 'node:perf_hooks';
import { Ring } from '../base/collections.js';
/** A task to run after the reads of this tick of the event loop. */
export interface TickTask {
  onTickEnd(): void;
}

/** Work that is done in small portions, after the reads of a tick and before its tasks. */
export interface DeferredWork {
  /** `isLong`: the tick took long, and much has arrived meanwhile. Returns true if there is more, for the next tick. */
  takeUp(isLong: boolean): boolean;
}

/** The most ticks that a task waits while connections keep coming. */
const MAX_TICKS = 16;
/** With this many tasks the end of a tick is not postponed, even if more clients connect. */
const ENOUGH_TASKS = 64;

let tasks: TickTask[] = [];
/** The list of the previous tick, to be filled again. */
let emptied: TickTask[] = [];
let ticks = 0;
let accepted = false;
/** Was a connection accepted in each of the last ticks? Never for more than MAX_TICKS of them. */
let coming = false;
let comingTicks = 0;
let isLong = false;
/** When the duration and the cost of this tick were first asked for, in ms; -1 until then. */
let askedAt = -1;
let costsAt = -1;
/** The deferred work of each balancer that has some. */
const backlogs: DeferredWork[] = [];
let isScheduled = false;

/**
 * Calls `task.onTickEnd` once all input of this tick has been read. Everything written there is sent together: a sleeping
 * peer is woken once for several messages instead of once for each, and reading code and writing code do not evict each
 * other from the caches. With 64 connections in use this took the cost of a small request from 1.6 to 1.2 times
 * HAProxy's, most of it in the kernel.
 */
export function atTickEnd(task: TickTask): void {
  if (!isScheduled) schedule();
  tasks.push(task);
}

/** Calls `backlog.takeUp` before the tasks of this tick, and in each following tick while there is more. */
export function beforeTickEnd(backlog: DeferredWork): void {
  if (!isScheduled) schedule();
  backlogs.push(backlog);
}

/** Only while it is not scheduled. */
function schedule(): void {
  isScheduled = true;
  setImmediate(endTick);
}

/**
 * A connection was accepted. libuv accepts one per tick, so while more are waiting a tick reads too little to be worth
 * its end: then the end is postponed for as long as it takes to accept a few.
 */
export function noteAccepted(): void {
  accepted = true;
}

/**
 * Do connections keep coming? Then ticks should be short, because each accepts one. Returns false at least once in
 * `MAX_TICKS` ticks, so that streams and requests that hold back while it is true make progress.
 */
export function connectionsComing(): boolean {
  return coming || accepted;
}

/**
 * How long this tick of the event loop has lasted, in ms, since the first call in it. `now` is the time, which callers
 * have at hand.
 */
export function tickLasts(now: number): number {
  if (askedAt === -1) {
    askedAt = now;
    if (!isScheduled) schedule();
  }
  return now - askedAt;
}

/** The same for processor time. */
export function tickCosts(processorNow: number): number {
  if (costsAt === -1) {
    costsAt = processorNow;
    if (!isScheduled) schedule();
  }
  return processorNow - costsAt;
}

/** A stream was read as much as it may be in one tick. */
export function noteBurst(): void {
  isLong = true;
}

function endTick(): void {
  askedAt = -1;
  costsAt = -1;
  const more = backlogs.length > 0 && takeUpBacklogs();
  isLong = false;
  isScheduled = false;
  coming = accepted && ++comingTicks < MAX_TICKS;
  if (!coming) comingTicks = 0;
  if (more && !isScheduled) schedule();
  // If requests are queued, the flush is not postponed for new connections.
  if (accepted && !more && ++ticks < MAX_TICKS && tasks.length < ENOUGH_TASKS) {
    accepted = false;
    if (!isScheduled) schedule();
    return;
  }
  accepted = false;
  ticks = 0;
  const due = tasks;
  tasks = emptied;
  for (let i = 0; i < due.length; i++) (due[i] as TickTask).onTickEnd();
  due.length = 0;
  emptied = due;
}

function takeUpBacklogs(): boolean {
  let kept = 0;
  for (let i = 0; i < backlogs.length; i++) {
    const backlog = backlogs[i] as DeferredWork;
    if (backlog.takeUp(isLong)) backlogs[kept++] = backlog;
  }
  if (kept < backlogs.length) backlogs.length = kept;
  return kept > 0;
}

/**
 * The most requests that begin in one tick of the event loop. A thousand clients that asked at once had a thousand
 * requests in flight, and as many server connections in use, each of whose objects and sockets was evicted from the
 * caches before its answer came. A few at a time are answered by the next ticks: the same load costs 0.7 of the processor
 * time.
 */
const PER_TICK = 32;
/**
 * The same for a tick in which large bodies were read: 2 MiB take as long as forty small requests, and evict everything
 * from the caches anyway. With 32 here too, 200 clients beside two downloads got four fifths of the requests through.
 */
const PER_LONG_TICK = 256;
/**
 * The same while connections keep coming, of which each tick accepts one. Beside 200 busy clients and two downloads the
 * last of 200 new ones was answered after 0.2 s; with 32 here, and downloads that went on meanwhile, after 0.5.
 */
const PER_ACCEPTING_TICK = 8;

/**
 * ms that requests may take of one tick, including local replies: 32 of them with heads of 32 KiB, or with slow patterns,
 * are more than others should have to wait for.
 */
const MAX_TICK_MS = 4;
/** The clock is read after this many requests. */
const ASKS_EVERY = 4;
/** Each this many bytes of a head count as one more request: the time of parsing grows with them. */
const BYTES_PER_REQUEST = 4096;
/**
 * Requests that one connection begins before others get their turn. Only requests that are answered at once follow each
 * other like this: 16 clients that sent such requests without a pause made another wait for 0.7 to 4 s.
 */
const BATCH = 4;

/** Has requests to begin. */
export interface Runnable {
  run(): void;
}

/**
 * Decides which connection begins a request next. Answers of servers are processed as they arrive; new requests beyond a
 * few wait, connection by connection, until that is done. No request waits for the answer to another: each tick begins
 * some. Requests with local replies count too: a tick takes at most a few ms, whatever was read in it.
 */
export class RunQueue implements DeferredWork {
  readonly #now: () => number;
  readonly #waiting = new Ring<Runnable>();
  /** Requests begun in this tick. */
  #begun = 0;
  /** Requests left in the current batch. */
  #left = 0;
  /** The most requests in this tick; only the end of the tick may raise it. */
  #most = PER_TICK;
  /** When the clock was first read in this tick, in ms; -1 until then. */
  #since = -1;
  /** The clock is read again after this many requests. */
  #asksAt = ASKS_EVERY;
  #isListed = false;

  /** `now`: real time, in ms. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** May a request begin now? Then a batch begins with it; else its connection must be passed to `push`. */
  admit(): boolean {
    if (this.#begun === 0) this.#most = perTick();
    if (this.#waiting.length > 0 || !this.#hasRoom()) return false;
    this.#begun++;
    this.#left = BATCH - 1;
    if (!this.#isListed) this.#list();
    return true;
  }

  /** May the connection begin another request, after one with a head of `bytes` that is answered already? */
  admitNext(bytes: number): boolean {
    this.#begun += Math.floor(bytes / BYTES_PER_REQUEST);
    if (this.#left === 0 || !this.#hasRoom()) return false;
    this.#left--;
    this.#begun++;
    return true;
  }

  /** After a refusal: queues `runnable`, whose `run` is called later, never within this call. A batch begins with it. */
  push(runnable: Runnable): void {
    this.#waiting.push(runnable);
    if (!this.#isListed) this.#list();
  }

  #list(): void {
    this.#isListed = true;
    beforeTickEnd(this);
  }

  #hasRoom(): boolean {
    if (this.#begun >= this.#most) return false;
    if (this.#begun < this.#asksAt) return true;
    this.#asksAt = this.#begun + ASKS_EVERY;
    const now = this.#now();
    if (this.#since === -1) this.#since = now;
    if (now - this.#since > MAX_TICK_MS) this.#most = 0;
    return this.#most > 0;
  }

  takeUp(isLong: boolean): boolean {
    this.#most = isLong ? PER_LONG_TICK : perTick();
    if (this.#waiting.length > 0) this.#since = this.#now();
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      this.#begun++;
      this.#left = BATCH - 1;
      (this.#waiting.shift() as Runnable).run();
    }
    this.#begun = 0;
    this.#since = -1;
    this.#asksAt = ASKS_EVERY;
    this.#isListed = this.#waiting.length > 0;
    return this.#isListed;
  }
}

function perTick(): number {
  return connectionsComing() ? PER_ACCEPTING_TICK : PER_TICK;
}
