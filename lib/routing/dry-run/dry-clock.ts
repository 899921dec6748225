import type { Clock } from '../../base/timer-wheel.js';

/** Longer than any bucket takes to fill and any ban lasts. */
const LEAP_MS = 1000 * 365 * 86_400_000;

/** Time for requests that are not sent: it stands still, except for leaps between requests. No timer runs. */
export class DryClock implements Clock {
  #now = 0;
  readonly #wall = Date.now();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall;
  }

  every(): () => void {
    return () => {};
  }

  /** Ends everything that firewalls remember: the next request is the first of its client. */
  leap(): void {
    this.#now += LEAP_MS;
  }
}
