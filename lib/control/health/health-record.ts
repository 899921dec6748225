import type { TimerWheel } from '../../base/timer-wheel.js';
import type { ServerWatcher } from '../../servers/engine-contract.js';
import { HealthHistory } from './health-history.js';

/**
 * What is remembered of one server's health, whatever judges it: for people, and for those that judge it. No request
 * looks at it. It stays as long as the server does, over reloads too.
 */
export class HealthRecord implements ServerWatcher {
  readonly history = new HealthHistory();
  /** When a check was passed last, by the timer wheel. */
  passedAt = Number.NEGATIVE_INFINITY;
  ejections = 0;
  /** How often it ought to have been ejected, but no other could be used in its place. */
  spared = 0;
  readonly #errors = new RecentErrors();
  readonly #wheel: TimerWheel;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  /** An answer with 5xx, or an attempt that failed. */
  onError(): void {
    this.#errors.note(this.#wheel.now);
  }

  /** Those of about the last minute. */
  get recentErrors(): number {
    return this.#errors.count(this.#wheel.now);
  }

  notePassed(): void {
    this.passedAt = this.#wheel.now;
  }
}

/** The window moves on by so many ms; six whole parts and the one that is being filled are the last minute. */
const PART_MS = 10_000;
const PARTS = 7;

/** Counts errors of about the last minute. A server that makes none takes no memory for it. */
export class RecentErrors {
  #parts: number[] | null = null;
  /** Which part it was when it was last told, counted from the beginning of time. */
  #part = 0;

  /** `now` in ms of any clock that never goes back. */
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
