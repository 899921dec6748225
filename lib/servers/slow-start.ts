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

  /** When it began, in ms of the clock; null: the share is whole. */
  get since(): number | null {
    return this.share < 1 ? this.#beganAt : null;
  }

  /** Begins, or goes on with what began at `since`, in ms of the clock. */
  begin(since = this.#wheel.now): void {
    if (this.duration === 0 || since + this.duration <= this.#wheel.now) return;
    this.#beganAt = since;
    this.share = this.#shareNow;
    this.#deadline ??= new Deadline(this.#wheel, this);
    this.#deadline.arm(this.duration / STEPS);
  }

  get #shareNow(): number {
    const left = this.#left;
    return left <= 0 ? 1 : Math.max(LEAST_SHARE, 1 - left / this.duration);
  }

  /** ms until the whole share. */
  get #left(): number {
    return this.#beganAt + this.duration - this.#wheel.now;
  }

  onDeadline(): void {
    this.share = this.#shareNow;
    this.#deadline?.arm(Math.min(this.#left, this.duration / STEPS));
    this.#starter.onSlowStartStep();
  }
}
