import { performance } from 'node:perf_hooks';

/** Called when one of its deadlines has passed. */
export interface DeadlineOwner {
  onDeadline(deadline: Deadline): void;
}

const SLOTS = 512;
const UNLINKED = -1;

/**
 * Many coarse deadlines on one interval. A deadline fires between its time and two ticks after it.
 *
 * Deadlines that judge a peer (`arm`) are counted from a fresh reading of the clock: `now` is as old as the current
 * tick of the event loop is long, and after a tick of 1.1 s a connect that may take 1 s would have failed as it began.
 * Deadlines that only tidy up (`armRoughly`) are counted from `now`, which saves reading the clock: 60 ns.
 *
 * A proxy re-arms deadlines several times per request, so that costs one assignment: a deadline stays in the slot it
 * was first linked in. When that slot comes round, a deadline that was moved meanwhile is linked again in its new slot.
 */
export class TimerWheel {
  readonly #slots: (Deadline | null)[] = new Array<Deadline | null>(SLOTS).fill(null);
  readonly #due: Deadline[] = [];
  readonly #stop: () => void;
  /** The exact time; reading the clock is not free. */
  readonly clock: Clock;
  readonly tickMs: number;
  #turned: number;
  /**
   * All that had arrived at the sockets by this time was read, in ms of the clock: the event loop has asked for input at least
   * once since the tick of this time. However late the loop is, what is read later has arrived later.
   */
  readUntil: number;
  /** Sets `readUntil` after the next read of the sockets. */
  #read: NodeJS.Immediate | undefined;
  /** Coarse monotonic time in ms: at most a tick old, plus the duration of the current tick of the event loop. */
  now: number;
  /** What is to be added to a time of the clock for the wall clock's, as of the last tick. */
  wallOffset: number;

  constructor(clock: Clock, tickMs = 50) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.now = clock.now();
    this.readUntil = this.now;
    this.wallOffset = clock.wall() - this.now;
    this.#turned = this.#tickOf(this.now);
    this.#stop = clock.every(tickMs, () => this.#turn());
  }

  /** Stops the wheel; nothing fires any more. */
  close(): void {
    this.#stop();
    clearImmediate(this.#read);
  }

  /** Used by `Deadline`: links it in the slot of `deadline.at`. */
  link(deadline: Deadline): void {
    const tick = Math.max(this.#tickOf(deadline.at) + 1, this.#turned + 1);
    // Further away than a full turn of the wheel: it is checked once per turn.
    deadline.linkedTick = Math.min(tick, this.#turned + SLOTS - 1);
    const slot = deadline.linkedTick % SLOTS;
    const first = this.#slots[slot] ?? null;
    deadline.next = first;
    deadline.previous = null;
    if (first !== null) first.previous = deadline;
    this.#slots[slot] = deadline;
  }

  /** Used by `Deadline`: removes it from its slot. */
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
    // It runs after the sockets were read: in this turn of the event loop or, where this is an immediate too, in the next.
    clearImmediate(this.#read);
    this.#read = setImmediate(wasRead, this, this.now);
    const target = this.#tickOf(this.now);
    // After a long stall every slot is visited once, not once per missed turn.
    const from = Math.max(this.#turned + 1, target - SLOTS + 1);
    this.#turned = target;
    for (let tick = from; tick <= target; tick++) this.#empty(tick % SLOTS);
    // Collected first and fired now: a deadline may arm, disarm or close others, including these.
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

function wasRead(wheel: TimerWheel, until: number): void {
  wheel.readUntil = until;
}

/** One deadline of one owner. Made once per connection and armed repeatedly. */
export class Deadline {
  readonly wheel: TimerWheel;
  readonly #owner: DeadlineOwner;
  /** When it fires, in the wheel's time; infinite while disarmed. */
  at = Number.POSITIVE_INFINITY;
  next: Deadline | null = null;
  previous: Deadline | null = null;
  linkedTick = UNLINKED;

  constructor(wheel: TimerWheel, owner: DeadlineOwner) {
    this.wheel = wheel;
    this.#owner = owner;
  }

  /**
   * Fires in `ms` unless armed again or disarmed before; 0 or less disarms, because 0 in a configuration means no
   * limit. Throws a RangeError for NaN: otherwise the deadline would never fire, and that would be noticed late.
   */
  arm(ms: number): void {
    this.armFrom(ms > 0 ? this.wheel.clock.now() : 0, ms);
  }

  /** The same from `now`, a reading of the clock that the caller has just made. */
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
   * The same, counted from the last tick, for deadlines by which no peer is judged. It may be early by the duration of the
   * current tick of the event loop.
   */
  armRoughly(ms: number): void {
    this.armFrom(this.wheel.now, ms);
  }

  #armWithout(ms: number): void {
    if (Number.isNaN(ms)) throw new RangeError('a deadline was armed with NaN milliseconds');
    this.disarm();
  }

  /** It stays in its slot and is dropped when the wheel comes there. */
  disarm(): void {
    this.at = Number.POSITIVE_INFINITY;
  }

  /** Final: leaves the wheel at once, so that the wheel does not keep its owner alive. */
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

/**
 * `ms`, shortened or lengthened at random by at most `share` (0 to 1), so that what began together does not end
 * together.
 */
export function spread(ms: number, share: number, random: () => number = Math.random): number {
  return ms * (1 - share + 2 * share * random());
}

/** The source of time. Passed in everywhere, so that tests can advance it instead of sleeping. */
export interface Clock {
  /** Monotonic, in ms with fractions. */
  now(): number;
  /** Wall clock, in ms since the epoch. */
  wall(): number;
  /**
   * Calls `tick` every `ms` until the returned function is called. Does not keep the process alive. After a long tick
   * of the event loop, pending input is read before `tick` is called.
   */
  every(ms: number, tick: () => void): () => void;
  /** Do the threads that serve clients see the same time? That of the machine is the same everywhere; a clock of a test is not by itself. */
  readonly isInAllThreads?: boolean;
}

/** A tick that is this much late (ms) comes after an event-loop tick in which no input was read. */
const LATE_MS = 100;

/** The time of the machine. */
export const systemClock: Clock = {
  isInAllThreads: true,
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
      // Node runs timers before it reads sockets: a response that has already arrived must not count as late.
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

/**
 * The time of `process.hrtime`, in ms, at which the `now` of this thread's clock was 0. Each thread counts from its own
 * start; `process.hrtime` is the same in all.
 */
export function clockZero(clock: Clock = systemClock): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - clock.now();
}

/** The time of the machine, counted like the clock of another thread, whose `clockZero` is `zero`. */
export function clockFrom(zero: number): Clock {
  const ahead = clockZero() - zero;
  return { ...systemClock, now: () => performance.now() + ahead };
}
