import type { OpenCount } from '../base/listener-state.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HoldConfig } from '../config/types.js';
import { HoldCounts } from './hold-counts.js';

/** ms between two looks at the line: has a server come back, whose time is up? */
const LOOK_EVERY = 100;
/** How many requests leave the line in one event-loop tick. */
const MOST_AT_ONCE = 32;
/** How many follow each request that has reached a server, so that one that has just started is not overrun. */
const FOLLOWERS = 2;

/** A request that waits for a server to come back. */
export interface HeldRequest {
  /** Neighbours in the line; used by the line. */
  before: HeldRequest | null;
  after: HeldRequest | null;
  /** In ms of the clock, when it is given up; 0: it was never in the line. */
  heldUntil: number;
  /** It has left the line and is tried again. It calls `reached`, `lost` or `drop` of the line afterwards. */
  resume(): void;
  /** It has left the line because its time is up. */
  giveUp(): void;
}

/**
 * Requests of a route that found no usable server, in their order. The first is tried again until it reaches a server; then
 * the others follow, more with each that reaches one. A request that fails again returns to its place. Each thread has a
 * line for its own requests; how many may wait holds for all threads together.
 */
export class HoldLine implements DeadlineOwner {
  readonly terms: HoldConfig;
  readonly counts: HoldCounts;
  /** Made when the first request comes: most routes never have one that waits. */
  #deadline: Deadline | null = null;
  #first: HeldRequest | null = null;
  #last: HeldRequest | null = null;
  /** Requests in the line. */
  size = 0;
  /**
   * How many of the route wait, or were resumed and have reached no server yet, in all threads; null: this thread counts for
   * itself. Asked for when the first one waits.
   */
  #inAll: OpenCount | null | undefined;
  readonly #countInAll: () => OpenCount | null;
  /** Requests that were resumed and have not reached a server yet. */
  #out = 0;
  /** How many may be resumed in the coming ticks. */
  #credit = 0;
  #isScheduled = false;

  /** `counts`: those of the line before, which are continued. */
  constructor(
    terms: HoldConfig,
    countInAll: () => OpenCount | null = () => null,
    counts: HoldCounts = new HoldCounts(''),
  ) {
    this.terms = terms;
    this.counts = counts;
    this.#countInAll = countInAll;
  }

  /**
   * Takes a request in: a new one at the end, one that was in the line before in its place. False when there is no place for
   * a new one, or the time of the request is up. `hasPlace`: it was resumed and has reached no server, and keeps its place.
   */
  enter(request: HeldRequest, wheel: TimerWheel, hasPlace: boolean): boolean {
    const now = wheel.clock.now();
    if (request.heldUntil === 0) {
      if (!this.#takePlace()) return false;
      request.heldUntil = now + this.terms.for;
      this.counts.note('held');
    } else if (request.heldUntil <= now) {
      if (hasPlace) this.#freePlace();
      this.counts.note('timedOut');
      return false;
    } else if (!hasPlace) {
      this.#addPlaces(1);
    }
    this.#insert(request);
    this.#deadline ??= new Deadline(wheel, this);
    if (!this.#deadline.armed) this.#deadline.arm(LOOK_EVERY);
    return true;
  }

  /** Two threads that take the last place at the same moment may both find none. */
  #takePlace(): boolean {
    if (this.#inAll === undefined) this.#inAll = this.#countInAll();
    this.#addPlaces(1);
    if ((this.#inAll?.total ?? this.counts.places) <= this.terms.maxRequests) return true;
    this.#addPlaces(-1);
    return false;
  }

  #addPlaces(difference: 1 | -1): void {
    this.counts.places += difference;
    this.#inAll?.add(difference);
  }

  /**
   * How many of the route wait now, or were resumed and have reached no server yet, in all threads, including those
   * that still wait by the settings before a reload.
   */
  get waiting(): number {
    // With several threads no request waits in the main thread, so the first reader asks for the count of all.
    if (this.#inAll === undefined && this.counts.figures.held > 0) this.#inAll = this.#countInAll();
    return this.#inAll?.total ?? this.counts.places;
  }

  #freePlace(): void {
    this.#addPlaces(-1);
  }

  /** A request in the line is over: its client has left. */
  leave(request: HeldRequest): void {
    this.#remove(request);
    this.#freePlace();
  }

  #remove(request: HeldRequest): void {
    const { before, after } = request;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    request.before = null;
    request.after = null;
    this.size--;
    if (this.size === 0) this.#deadline?.disarm();
  }

  /** A request that was resumed has a connection to a server: others follow. */
  reached(): void {
    this.#out--;
    this.#freePlace();
    this.#credit = Math.min(this.#credit + FOLLOWERS, this.size);
    this.#schedule();
  }

  /** A request that was resumed has reached no server, and returns: `enter` follows. It has kept its place. */
  lost(): void {
    this.#out--;
    // The server is gone again: the others stay where they are.
    this.#credit = 0;
  }

  /** A request that was resumed is over. */
  drop(): void {
    this.lost();
    this.#freePlace();
  }

  onDeadline({ wheel }: Deadline): void {
    const now = wheel.clock.now();
    while (this.#first !== null && this.#first.heldUntil <= now) {
      this.#freePlace();
      this.counts.note('timedOut');
      this.#take().giveUp();
    }
    if (this.size === 0) return;
    this.#deadline?.arm(LOOK_EVERY);
    if (this.#out === 0 && this.#credit === 0) this.#resume();
  }

  /** From the end: a request that returns is nearly always younger than those that wait, or as old as the last. */
  #insert(request: HeldRequest): void {
    let before = this.#last;
    while (before !== null && before.heldUntil > request.heldUntil) before = before.before;
    const after = before === null ? this.#first : before.after;
    request.before = before;
    request.after = after;
    if (before === null) this.#first = request;
    else before.after = request;
    if (after === null) this.#last = request;
    else after.before = request;
    this.size++;
  }

  #take(): HeldRequest {
    const first = this.#first as HeldRequest;
    this.#remove(first);
    return first;
  }

  #resume(): void {
    const first = this.#take();
    this.#out++;
    first.resume();
  }

  /** Later, because a request may reach a server within `resume`: a long line would nest as many calls. */
  #schedule(): void {
    if (this.#isScheduled || this.#credit === 0) return;
    this.#isScheduled = true;
    setImmediate(this.#go);
  }

  readonly #go = (): void => {
    this.#isScheduled = false;
    for (let i = 0; i < MOST_AT_ONCE && this.#credit > 0 && this.size > 0; i++) {
      this.#credit--;
      this.#resume();
    }
    if (this.size === 0) this.#credit = 0;
    this.#schedule();
  };
}
