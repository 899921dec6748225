import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

/** Told when its share has grown. */
export interface SlowStarter {
  onSlowStartStep(): void;
}

/** Less than this is no beginning: a server with a tenth of its weight still gets requests that warm it. */
const LEAST_SHARE = 0.1;
/** How often the share grows: each time all groups of the server are told. */
const STEPS = 20;

/** Brings a server that was out to its full share of the work little by little, evenly with time. */
export class SlowStart implements DeadlineOwner {
  readonly #wheel: TimerWheel;
  readonly #starter: SlowStarter;
  /** Made when it is first needed: most servers are never out. */
  #deadline: Deadline | null = null;
  #beganAt = 0;
  /** ms to the full share; 0 for at once. */
  duration: number;
  /** Of its weight, and of what it takes at once: up to 1. */
  share = 1;

  constructor(wheel: TimerWheel, duration: number, starter: SlowStarter) {
    this.#wheel = wheel;
    this.#starter = starter;
    this.duration = duration;
  }

  begin(): void {
    if (this.duration === 0) return;
    this.#beganAt = this.#wheel.now;
    this.share = LEAST_SHARE;
    this.#deadline ??= new Deadline(this.#wheel, this);
    this.#deadline.arm(this.duration / STEPS);
  }

  onDeadline(): void {
    const passed = this.#wheel.now - this.#beganAt;
    const left = this.duration - passed;
    this.share = left <= 0 ? 1 : Math.max(LEAST_SHARE, passed / this.duration);
    this.#deadline?.arm(Math.min(left, this.duration / STEPS));
    this.#starter.onSlowStartStep();
  }
}

/** For so long a trial is left to requests that lose nothing if it fails: there may be no others. */
export const CAREFUL_MS = 5000;

/** A server that was left out is tried again: with one request at a time, as far as others can take the rest. */
export class HalfOpen {
  #on = false;
  /** Requests and tunnels from before it began, as far as they still are in flight. */
  #before = 0;
  #beganAt = 0;

  get isOn(): boolean {
    return this.#on;
  }

  /** `active`: requests in flight on it now; `now` in ms of any clock that never goes back. */
  begin(active: number, now: number): void {
    this.#on = true;
    this.#before = active;
    this.#beganAt = now;
  }

  end(): void {
    this.#on = false;
  }

  /** May it get another request, with `active` in flight? `repeatable`: one that can be sent elsewhere after it. */
  hasRoom(active: number, repeatable: boolean, now: number): boolean {
    if (!this.#on) return true;
    if (!repeatable && now - this.#beganAt < CAREFUL_MS) return false;
    this.#before = Math.min(this.#before, active);
    return active === this.#before;
  }
}
