import type { PassiveHealthConfig } from '../../config/types.js';

/** How long a server is left out: longer each time it happens, less long again after a time without trouble. */
export class EjectionTime {
  /** How often it happened lately. */
  #times = 0;
  /** When it was last let in again. */
  #since = 0;

  /** ms, for an ejection at `now`. */
  next({ ejectFor, maxEjectFor }: PassiveHealthConfig, now: number): number {
    const good = Math.floor(Math.max(0, now - this.#since) / ejectFor);
    this.#times = Math.max(0, this.#times - good) + 1;
    return Math.min(maxEjectFor, ejectFor * this.#times);
  }

  /** It is let in again. */
  over(now: number): void {
    this.#since = now;
  }
}
