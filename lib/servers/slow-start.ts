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
