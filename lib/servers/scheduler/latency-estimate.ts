/** After this long without an answer an estimate has lost two thirds of what it was, ms. */
const DECAY_MS = 10_000;

/**
 * How slow a server is now, in ms: a moving average that believes a slow answer at once and a fast one little by
 * little (peak EWMA). It shrinks while nothing is heard, so that a server that was slow is tried again.
 */
export class LatencyEstimate {
  #ms = 0;
  #at = 0;

  /** An answer took `ms`; `now` in ms of any clock that never goes back. */
  note(ms: number, now: number): void {
    const kept = this.#decay(now);
    this.#ms = ms >= this.#ms ? ms : this.#ms * kept + ms * (1 - kept);
    this.#at = now;
  }

  /** The estimate at `now`; 0 when nothing is known. */
  at(now: number): number {
    return this.#ms === 0 ? 0 : this.#ms * this.#decay(now);
  }

  #decay(now: number): number {
    return Math.exp((this.#at - now) / DECAY_MS);
  }
}
