import type { Deadline, TimerWheel } from '../../base/timer-wheel.js';
import type { ServerWatcher } from '../../servers/engine-contract.js';
import { HealthHistory } from './health-history.js';

/**
 * What is recorded of one server's health: for people, and for the checker and the outlier detector. Requests do not read
 * it. Kept as long as the server, over reloads too.
 */
export class HealthRecord implements ServerWatcher {
  readonly history = new HealthHistory();
  /** When a check last passed, by the timer wheel. */
  passedAt = Number.NEGATIVE_INFINITY;
  ejections = 0;
  /** How often the server was not ejected because no other one was left. */
  spared = 0;
  /** Of the next check; null: the server has no checks. */
  nextCheck: Deadline | null = null;
  /** Of the end of an ejection, or of the trial after it; null: live requests are not judged. */
  ejection: Deadline | null = null;
  readonly #errors = new RecentErrors();
  readonly #wheel: TimerWheel;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  /** Counts a 5xx answer or a failed attempt. */
  onError(): void {
    this.#errors.note(this.#wheel.now);
  }

  /** Errors of about the last minute. */
  get recentErrors(): number {
    return this.#errors.count(this.#wheel.now);
  }

  /** When the next check begins, in ms since the epoch; null: none is planned, or one is running. */
  get nextCheckAt(): number | null {
    return wallTimeOf(this.nextCheck);
  }

  /** When an ejection ends, or the trial after it, in ms since the epoch; null: there is neither. */
  get ejectedUntil(): number | null {
    return wallTimeOf(this.ejection);
  }

  notePassed(): void {
    this.passedAt = this.#wheel.now;
  }
}

/** To a tenth of a second: the two clocks are compared again in each tick, and differ by a millisecond. */
function wallTimeOf(deadline: Deadline | null): number | null {
  return deadline?.armed === true ? Math.round((deadline.at + deadline.wheel.wallOffset) / 100) * 100 : null;
}

/** The window moves in steps of this many ms; six whole parts and the one being filled cover the last minute. */
const PART_MS = 10_000;
const PARTS = 7;

/** Counts errors of about the last minute. A server without errors takes no memory for it. */
export class RecentErrors {
  #parts: number[] | null = null;
  /** The part of the latest error, counted from time 0. */
  #part = 0;

  /** `now`: ms of a clock that never goes back. */
  note(now: number): void {
    this.#parts ??= new Array<number>(PARTS).fill(0);
    this.#moveTo(now);
    this.#parts[this.#part % PARTS]!++;
  }

  count(now: number): number {
    if (this.#parts === null) return 0;
    this.#moveTo(now);
    return this.#parts.reduce((sum, count) => sum + count, 0);
  }

  #moveTo(now: number): void {
    const part = Math.floor(now / PART_MS);
    const parts = this.#parts as number[];
    const first = Math.max(this.#part + 1, part - PARTS + 1);
    for (let next = first; next <= part; next++) parts[next % PARTS] = 0;
    this.#part = part;
  }
}
