import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

/** Called when the share has grown. */
export interface SlowStarter {
  onSlowStartStep(): void;
}

/** The initial share: with a tenth of its weight a server still gets requests that warm it up. */
const LEAST_SHARE = 0.1;
/** The number of steps: at each, all groups of the server are notified. */
const STEPS = 20;

/** Raises the share of a server that was out to its full weight, evenly over time. */
export class SlowStart implements DeadlineOwner {
  readonly #wheel: TimerWheel;
  readonly #starter: SlowStarter;
  /** Made when first needed: most servers are never out. */
  #deadline: Deadline | null = null;
  #beganAt = 0;
  /** ms until the full share; 0 for at once. */
  duration: number;
  /** The share of its weight and of its capacity: up to 1. */
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

/** For this long only requests that lose nothing by a failure are used as trials: there may be no others. */
export const CAREFUL_MS = 5000;

/** The half-open state of a server after an ejection: one request at a time, if others can take the rest. */
export class HalfOpen {
  #on = false;
  /** Requests and tunnels that began before it and are still in flight. */
  #before = 0;
  #beganAt = 0;

  get isOn(): boolean {
    return this.#on;
  }

  /** `active`: requests in flight now; `now`: ms of a clock that never goes back. */
  begin(active: number, now: number): void {
    this.#on = true;
    this.#before = active;
    this.#beganAt = now;
  }

  end(): void {
    this.#on = false;
  }

  /**
   * Is there room for another request, with `active` in flight? `repeatable`: the request can be sent elsewhere
   * afterwards.
   */
  hasRoom(active: number, repeatable: boolean, now: number): boolean {
    if (!this.#on) return true;
    if (!repeatable && now - this.#beganAt < CAREFUL_MS) return false;
    this.#before = Math.min(this.#before, active);
    return active === this.#before;
  }
}
