/** The window moves on by a part of this many. */
const PARTS = 10;

/**
 * Counts outcomes over the last so many ms. The window slides: it is made of parts, and the oldest is forgotten as a
 * whole, so that what is counted is never older than the window and at most a tenth of it is missing.
 */
export class OutcomeWindow {
  readonly #partMs: number;
  readonly #requests = new Uint32Array(PARTS);
  readonly #bad = new Uint32Array(PARTS);
  /** Which part `now` fell into when it was last told, counted from the beginning of time. */
  #part = 0;
  /** In the whole window. */
  requests = 0;
  bad = 0;

  constructor(ms: number) {
    this.#partMs = ms / PARTS;
  }

  /** Share of bad ones, 0 to 1. */
  get badShare(): number {
    return this.requests === 0 ? 0 : this.bad / this.requests;
  }

  note(bad: boolean, now: number): void {
    const current = Math.floor(now / this.#partMs);
    if (current !== this.#part) this.#moveTo(current);
    const part = current % PARTS;
    this.#requests[part]!++;
    this.requests++;
    if (!bad) return;
    this.#bad[part]!++;
    this.bad++;
  }

  clear(): void {
    this.#requests.fill(0);
    this.#bad.fill(0);
    this.requests = 0;
    this.bad = 0;
  }

  #moveTo(part: number): void {
    if (part - this.#part >= PARTS) this.clear();
    else for (let next = this.#part + 1; next <= part; next++) this.#forget(next % PARTS);
    this.#part = part;
  }

  #forget(part: number): void {
    this.requests -= this.#requests[part]!;
    this.bad -= this.#bad[part]!;
    this.#requests[part] = 0;
    this.#bad[part] = 0;
  }
}
