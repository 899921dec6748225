/** ms after which an estimate without new answers has lost two thirds of its value. */
const DECAY_MS = 10_000;

/**
 * The present latency of a server, in ms: a moving average that follows a slow answer at once and fast ones gradually
 * (peak EWMA), of the answers in one thread. It shrinks while there are no answers, so that a server that was slow is tried again.
 */
export class LatencyEstimate {
  #ms = 0;
  #at = 0;

  /** An answer took `ms`; `now`: ms of a clock that never goes back. */
  note(ms: number, now: number): void {
    const kept = this.#decay(now);
    this.#ms = ms >= this.#ms ? ms : this.#ms * kept + ms * (1 - kept);
    this.#at = now;
  }

  /** The estimate at `now`; 0 when unknown. */
  at(now: number): number {
    return this.#ms === 0 ? 0 : this.#ms * this.#decay(now);
  }

  #decay(now: number): number {
    return Math.exp((this.#at - now) / DECAY_MS);
  }
}
