/** This many deaths within this many ms show that threads end again and again. */
const MANY = 5;
const WITHIN_MS = 10_000;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

/** How long to wait before a thread is started in place of one that has ended. */
export class RespawnDelay {
  readonly #deaths: number[] = [];
  #delay = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  /**
   * ms from a death at `now`; 0 unless threads end again and again. A delay keeps later deaths apart, so it begins at 0 anew only
   * when no thread has ended for longer than that.
   */
  next(now: number): number {
    const isQuiet = now - this.#lastAt >= this.#delay + WITHIN_MS;
    this.#lastAt = now;
    if (isQuiet) {
      this.#deaths.length = 0;
      this.#delay = 0;
    }
    this.#deaths.push(now);
    while ((this.#deaths[0] as number) <= now - WITHIN_MS) this.#deaths.shift();
    if (this.#delay > 0 || this.#deaths.length >= MANY)
      this.#delay = Math.min(LONGEST_DELAY_MS, Math.max(FIRST_DELAY_MS, this.#delay * 2));
    return this.#delay;
  }
}
