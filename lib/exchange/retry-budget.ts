const WINDOW_SECONDS = 10;
/** So that little traffic may be retried too. */
const FREE_PER_SECOND = 3;

/**
 * How much of the traffic to some servers may be retries: a share of the requests of the last 10 seconds, and 3 per
 * second beside it. Servers that fail all at once would else be sent a multiple of what they can't bear already. The
 * window slides by whole seconds as it is asked; coarse time, in ms, is told by whoever asks.
 */
export class RetryBudget {
  readonly #share: number;
  /** Per second of the window, at the second's number modulo its length. */
  readonly #requests = new Array<number>(WINDOW_SECONDS).fill(0);
  readonly #retries = new Array<number>(WINDOW_SECONDS).fill(0);
  #second = 0;
  /** Sums over the window. */
  #requestCount = 0;
  #retryCount = 0;

  /** `share`: of the requests, from 0 to 1. */
  constructor(share: number) {
    this.#share = share;
  }

  countRequest(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#forget(second);
    this.#requests[second % WINDOW_SECONDS]!++;
    this.#requestCount++;
  }

  /** Takes one retry; false when there is none left. */
  take(now: number): boolean {
    const slot = this.#slide(now);
    const allowed = this.#requestCount * this.#share + FREE_PER_SECOND * WINDOW_SECONDS;
    if (this.#retryCount + 1 > allowed) return false;
    this.#retries[slot] = (this.#retries[slot] as number) + 1;
    this.#retryCount++;
    return true;
  }

  /** Lets go of the seconds that have left the window; gives the place of the current one. */
  #slide(now: number): number {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#forget(second);
    return second % WINDOW_SECONDS;
  }

  #forget(second: number): void {
    // After a long silence every place is cleared once, not once per second of it.
    const from = Math.max(this.#second + 1, second - WINDOW_SECONDS + 1);
    for (let past = from; past <= second; past++) {
      const slot = past % WINDOW_SECONDS;
      this.#requestCount -= this.#requests[slot] as number;
      this.#retryCount -= this.#retries[slot] as number;
      this.#requests[slot] = 0;
      this.#retries[slot] = 0;
    }
    this.#second = second;
  }
}
