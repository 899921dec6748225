import { performance } from 'node:perf_hooks';

/** Told when one of its deadlines has passed. */
export interface DeadlineOwner {
  onDeadline(deadline: Deadline): void;
}

const SLOTS = 512;
const UNLINKED = -1;

/**
 * Many coarse deadlines on one interval. A deadline fires between its time and two ticks after it.
 *
 * Deadlines that judge somebody (`arm`) are counted from a fresh look at the clock: `now` is as old as the current turn
 * of the event loop is long, and after a turn of 1.1 s a connect that may take 1 s would have failed as it began. Those
 * that only tidy up (`armRoughly`) are counted from `now`, which spares the question: it costs 60 ns.
 *
 * Re-arming is what a proxy does several times per request, so it costs one assignment: a deadline stays in the
 * slot it was first linked in, and only when that slot comes round is it looked at and, if it was moved meanwhile,
 * linked again where it now belongs.
 */
export class TimerWheel {
  readonly #slots: (Deadline | null)[] = new Array<Deadline | null>(SLOTS).fill(null);
  readonly #due: Deadline[] = [];
  readonly #stop: () => void;
  /** For who has to know the time to the point; asking is not free. */
  readonly clock: Clock;
  readonly tickMs: number;
  #turned: number;
  /** Coarse monotonic time in ms: a tick behind at most, and as much more as the current turn of the event loop takes. */
  now: number;
  /** What is to be added to a time of the clock for the wall clock's, as of the last tick. */
  wallOffset: number;

  constructor(clock: Clock, tickMs = 50) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.now = clock.now();
    this.wallOffset = clock.wall() - this.now;
    this.#turned = this.#tickOf(this.now);
    this.#stop = clock.every(tickMs, () => this.#turn());
  }

  /** Stops the wheel; nothing fires any more. */
  close(): void {
    this.#stop();
  }

  /** Used by `Deadline`: puts it where `deadline.at` falls. */
  link(deadline: Deadline): void {
    const tick = Math.max(this.#tickOf(deadline.at) + 1, this.#turned + 1);
    // Further away than a full turn: it is looked at once per turn.
    deadline.linkedTick = Math.min(tick, this.#turned + SLOTS - 1);
    const slot = deadline.linkedTick % SLOTS;
    const first = this.#slots[slot] ?? null;
    deadline.next = first;
    deadline.previous = null;
    if (first !== null) first.previous = deadline;
    this.#slots[slot] = deadline;
  }

  /** Used by `Deadline`: takes it out of its slot. */
  unlink(deadline: Deadline): void {
    if (deadline.previous !== null) deadline.previous.next = deadline.next;
    else this.#slots[deadline.linkedTick % SLOTS] = deadline.next;
    if (deadline.next !== null) deadline.next.previous = deadline.previous;
    deadline.next = null;
    deadline.previous = null;
    deadline.linkedTick = UNLINKED;
  }

  #tickOf(ms: number): number {
    return Math.floor(ms / this.tickMs);
  }

  #turn(): void {
    this.now = this.clock.now();
    this.wallOffset = this.clock.wall() - this.now;
    const target = this.#tickOf(this.now);
    // After a long stall every slot is visited once, not once per missed turn.
    const from = Math.max(this.#turned + 1, target - SLOTS + 1);
    this.#turned = target;
    for (let tick = from; tick <= target; tick++) this.#empty(tick % SLOTS);
    // Fired only now: what a deadline does may arm, disarm or close others, these included.
    for (let deadline = this.#due.pop(); deadline !== undefined; deadline = this.#due.pop()) {
      if (deadline.at <= this.now) deadline.fire();
    }
  }

  #empty(slot: number): void {
    let deadline = this.#slots[slot] ?? null;
    this.#slots[slot] = null;
    while (deadline !== null) {
      const next: Deadline | null = deadline.next;
      deadline.next = null;
      deadline.previous = null;
      deadline.linkedTick = UNLINKED;
      if (deadline.at <= this.now) this.#due.push(deadline);
      else if (deadline.at !== Number.POSITIVE_INFINITY) this.link(deadline);
      deadline = next;
    }
  }
}

/** One deadline of one owner. Made once per connection and armed over and over. */
export class Deadline {
  readonly wheel: TimerWheel;
  readonly #owner: DeadlineOwner;
  /** When it passes, in the wheel's time; infinite while disarmed. */
  at = Number.POSITIVE_INFINITY;
  next: Deadline | null = null;
  previous: Deadline | null = null;
  linkedTick = UNLINKED;

  constructor(wheel: TimerWheel, owner: DeadlineOwner) {
    this.wheel = wheel;
    this.#owner = owner;
  }

  /**
   * Fires in `ms` unless armed again or disarmed before; 0 or less disarms, as 0 in a configuration means none.
   * Throws a RangeError for NaN: a deadline that never fires would be noticed when it is missed, if ever.
   */
  arm(ms: number): void {
    this.armFrom(ms > 0 ? this.wheel.clock.now() : 0, ms);
  }

  /** The same from `now`, which the caller has just read of the clock. */
  armFrom(now: number, ms: number): void {
    if (!(ms > 0)) {
      this.#armWithout(ms);
      return;
    }
    this.at = now + ms;
    if (this.linkedTick === UNLINKED) this.wheel.link(this);
    else if (this.linkedTick * this.wheel.tickMs > this.at + this.wheel.tickMs) {
      this.wheel.unlink(this);
      this.wheel.link(this);
    }
  }

  /**
   * The same, counted from the last tick: for what nobody is blamed for. It may be early by as much as the current turn
   * of the event loop has taken.
   */
  armRoughly(ms: number): void {
    this.armFrom(this.wheel.now, ms);
  }

  #armWithout(ms: number): void {
    if (Number.isNaN(ms)) throw new RangeError('a deadline was armed with NaN milliseconds');
    this.disarm();
  }

  /** It stays in its slot and is dropped when that comes round. */
  disarm(): void {
    this.at = Number.POSITIVE_INFINITY;
  }

  /** For good: leaves the wheel at once, so that nothing holds its owner. */
  release(): void {
    this.at = Number.POSITIVE_INFINITY;
    if (this.linkedTick !== UNLINKED) this.wheel.unlink(this);
  }

  get armed(): boolean {
    return this.at !== Number.POSITIVE_INFINITY;
  }

  /** Called by the wheel. */
  fire(): void {
    this.at = Number.POSITIVE_INFINITY;
    this.#owner.onDeadline(this);
  }
}

/** `ms`, made shorter or longer by at most `share` (0 to 1) of it, lest what began together falls due together. */
export function spread(ms: number, share: number, random: () => number = Math.random): number {
  return ms * (1 - share + 2 * share * random());
}

/** Where time comes from. Passed in everywhere, so that a test advances it instead of sleeping. */
export interface Clock {
  /** Monotonic, in ms with fractions. */
  now(): number;
  /** Wall clock, in ms since the epoch. */
  wall(): number;
  /**
   * Calls `tick` every `ms` until the returned function is called. Never keeps the process alive by itself. After a long
   * turn of the event loop, what came meanwhile is read before `tick` is called.
   */
  every(ms: number, tick: () => void): () => void;
}

/** A tick that is late by more than so many ms comes after a turn in which nobody could be heard. */
const LATE_MS = 100;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  every(ms, tick) {
    let last = performance.now();
    let stopped = false;
    const tickUnlessStopped = (): void => {
      if (!stopped) tick();
    };
    const timer = setInterval(() => {
      const late = performance.now() - last - ms;
      last += late + ms;
      // Timers come before the sockets: an answer that has been lying there must not be taken for none in time.
      if (late > LATE_MS) setImmediate(tickUnlessStopped);
      else tick();
    }, ms);
    timer.unref();
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  },
};
