import type { TimerWheel } from '../../base/timer-wheel.js';
import type { ServerWatcher } from '../../servers/engine-contract.js';
import { HealthHistory } from './health-history.js';
import { RecentErrors } from './recent-errors.js';

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
