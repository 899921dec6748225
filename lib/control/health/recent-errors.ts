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
