import { performance } from 'node:perf_hooks';
import { Ring } from '../base/collections.js';
/** Something to be done after the reads of this tick of the event loop. */
export interface TickTask {
  onTickEnd(): void;
}

/** Work that is taken up a little at a time, after the reads of a tick and before its tasks. */
export interface DeferredWork {
  /** `isLong`: the turn took its time, and many came meanwhile. True when there is more, for the next turn. */
  takeUp(isLong: boolean): boolean;
}

/** Turns that a task waits at most while connections keep coming. */
const MAX_TICKS = 16;
/** So many tasks are worth the end of a tick, even if more clients connect. */
const ENOUGH_TASKS = 64;

let tasks: TickTask[] = [];
/** The list of the turn before, to be filled again. */
let emptied: TickTask[] = [];
let ticks = 0;
let accepted = false;
/** Was somebody accepted in each of the last turns? Never for more than MAX_TICKS of them. */
let coming = false;
let comingTicks = 0;
let isLong = false;
/** When somebody first asked how long this turn has lasted, and what it has cost, in ms; -1 until then. */
let askedAt = -1;
let costsAt = -1;
/** Of each balancer that has one. */
const backlogs: DeferredWork[] = [];
let isScheduled = false;

/**
 * Calls `task.onTickEnd` once all input of this turn has been read. What is written there goes out in one go: a peer
 * that sleeps is woken once for several messages instead of once for each, and reading code and writing code do not
 * evict each other from the caches. With 64 connections in use this took the cost of a small request from 1.6 to 1.2
 * times HAProxy's, most of it in the kernel.
 */
export function atTickEnd(task: TickTask): void {
  if (!isScheduled) schedule();
  tasks.push(task);
}

/** Calls `backlog.takeUp` before the tasks of this turn, and again in each turn after it while there is more. */
export function beforeTickEnd(backlog: DeferredWork): void {
  if (!isScheduled) schedule();
  backlogs.push(backlog);
}

/** Only while it is not. */
function schedule(): void {
  isScheduled = true;
  setImmediate(endTick);
}

/**
 * A connection was accepted. libuv accepts one per turn, so while more are waiting a turn brings too little to be
 * worth its end: then the end is put off, for as long as it takes to accept a few.
 */
export function noteAccepted(): void {
  accepted = true;
}

/**
 * Do connections keep coming? Then turns should be short, since each accepts one. It says no every `MAX_TICKS` turns at
 * the latest, so that who holds back as long as it says yes goes on.
 */
export function connectionsComing(): boolean {
  return coming || accepted;
}

/**
 * How long this turn of the event loop has lasted, in ms, since this was first asked. `now` is the time, which the caller
 * asks has at hand.
 */
export function tickLasts(now: number): number {
  if (askedAt === -1) {
    askedAt = now;
    if (!isScheduled) schedule();
  }
  return now - askedAt;
}

/** The same of processor time. */
export function tickCosts(processorNow: number): number {
  if (costsAt === -1) {
    costsAt = processorNow;
    if (!isScheduled) schedule();
  }
  return processorNow - costsAt;
}

/** A stream was read as much as it may be in one turn. */
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
  // Who waits for a turn to begin does not wait for those who connect besides.
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
 * Requests that begin in one turn of the event loop. A thousand clients that ask at once had a thousand requests under
 * way, and as many connections to servers in use, each of whose objects and sockets was evicted from the caches before
 * its answer came. Few at a time, they are answered by the next turns: the same load costs 0.7 of the processor time.
 */
const PER_TICK = 32;
/**
 * The same of a turn in which large bodies were read: 2 MiB take as long as forty small requests, and leave nothing in
 * the caches to spare. With 32 here too, 200 clients beside two downloads got four fifths of the requests through.
 */
const PER_LONG_TICK = 256;
/**
 * The same while connections keep coming, of which each turn accepts one. Beside 200 busy clients and two downloads the
 * last of 200 new ones was answered after 0.2 s; with 32 here, and downloads that went on meanwhile, after 0.5.
 */
const PER_ACCEPTING_TICK = 8;

/**
 * ms that requests may take of one turn, their own answers included: 32 of them with heads of 32 KiB, or with patterns that
 * are slow, are more than others should have to wait for.
 */
const MAX_TICK_MS = 4;
/** Requests after which the clock is asked how long they have taken. */
const ASKS_EVERY = 4;
/** A head of so many bytes counts as one request more: the time of parsing grows with it. */
const BYTES_PER_REQUEST = 4096;
/**
 * Requests that one connection begins before the others have had their turn. Only those that are answered at once follow
 * each other like this: 16 clients that sent such requests without a pause made another wait for 0.7 to 4 s.
 */
const BATCH = 4;

/** Has requests to begin. */
export interface Runnable {
  run(): void;
}

/**
 * Whose request begins next. What servers answer is dealt with as it comes; new requests beyond a few wait, connection by
 * connection, until that is done. No request waits for an answer to another: each turn begins some. Requests that we
 * answer ourselves are requests: a turn stays at a few ms whatever was read in it.
 */
export class RunQueue implements DeferredWork {
  readonly #now: () => number;
  readonly #waiting = new Ring<Runnable>();
  /** In this turn of the event loop. */
  #begun = 0;
  /** Of the batch that is going on. */
  #left = 0;
  /** How many may, which only the end of the turn may raise. */
  #most = PER_TICK;
  /** When the clock was first asked in this turn, in ms; -1 until then. */
  #since = -1;
  /** It is asked again when so many have begun. */
  #asksAt = ASKS_EVERY;
  #isListed = false;

  /** `now`: real time, in ms. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** May a request begin now? Then a batch begins with it; else its connection is to be given to `push`. */
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

  /** Behind a no: `runnable.run` is called when its turn has come, never within this call. A batch begins with it. */
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
