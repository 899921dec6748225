import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HoldConfig } from '../config/types.js';

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
  /** It has left the line and is tried again. It calls `reached` or `lost` of the line afterwards. */
  resume(): void;
  /** It has left the line because its time is up. */
  giveUp(): void;
}

/**
 * Requests of a route that found no usable server, in their order. The first is tried again until it reaches a server; then
 * the others follow, more with each that reaches one. A request that fails again returns to its place.
 */
export class HoldLine implements DeadlineOwner {
  readonly terms: HoldConfig;
  /** Made when the first request comes: most routes never have one that waits. */
  #deadline: Deadline | null = null;
  #first: HeldRequest | null = null;
  #last: HeldRequest | null = null;
  /** Requests in the line. */
  size = 0;
  /** Requests that were resumed and have not reached a server yet. */
  #out = 0;
  /** How many may be resumed in the coming ticks. */
  #credit = 0;
  #isScheduled = false;

  constructor(terms: HoldConfig) {
    this.terms = terms;
  }

  /**
   * Takes a request in: a new one at the end, one that was in the line before in its place. False when the line is full, or
   * the time of the request is up.
   */
  enter(request: HeldRequest, wheel: TimerWheel): boolean {
    const now = wheel.clock.now();
    if (request.heldUntil === 0) {
      if (this.size >= this.terms.maxRequests) return false;
      request.heldUntil = now + this.terms.for;
    } else if (request.heldUntil <= now) {
      return false;
    }
    this.#insert(request);
    this.#deadline ??= new Deadline(wheel, this);
    if (!this.#deadline.armed) this.#deadline.arm(LOOK_EVERY);
    return true;
  }

  /** A request in the line is over: its client has left. */
  leave(request: HeldRequest): void {
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
    this.#credit = Math.min(this.#credit + FOLLOWERS, this.size);
    this.#schedule();
  }

  /** A request that was resumed has reached no server: it returns, or is over. */
  lost(): void {
    this.#out--;
    // The server is gone again: the others stay where they are.
    this.#credit = 0;
  }

  onDeadline({ wheel }: Deadline): void {
    const now = wheel.clock.now();
    while (this.#first !== null && this.#first.heldUntil <= now) this.#take().giveUp();
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
    this.leave(first);
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
