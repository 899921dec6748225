/** Nobody has to keep a rate before this: a client may begin slowly. */
const GRACE_MS = 10_000;

/**
 * The time a client has for a request body: so long for each next piece, and no longer for all of it than `body_rate`
 * allows, or one byte now and then would hold a server's connection for ever. It does not run while it is the server
 * that is waited for.
 */
export class BodyPace {
  #timeout = 0;
  #rate = 0;
  /** When its first byte could come, later by all the time that it was held back; -1 as long as none could. */
  #since = -1;
  #heldAt = 0;

  /** A body is about to come, with these limits until others are used. */
  begin(timeout: number, rate: number): void {
    this.#since = -1;
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** `timeout`: ms for the next piece, `rate`: bytes a second; 0 is no limit. */
  use(timeout: number, rate: number): void {
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** Of the body, `bytes` are there: ms from `now` until more must be; 0 when it may take as long as it likes. */
  patience(now: number, bytes: number): number {
    if (this.#rate === 0) return this.#timeout;
    if (this.#since === -1) this.#since = now;
    const left = this.#since + GRACE_MS + (bytes * 1000) / this.#rate - now;
    return Math.max(1, this.#timeout === 0 ? left : Math.min(left, this.#timeout));
  }

  /** From `now` on (ms) nothing is read: the server takes no more. */
  hold(now: number): void {
    this.#heldAt = now;
  }

  /** Reading goes on at `now`; only behind `hold`. */
  goOn(now: number): void {
    if (this.#since !== -1) this.#since += now - this.#heldAt;
  }
}
