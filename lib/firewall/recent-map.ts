/**
 * A map of clients seen recently, in bounded memory. It has two maps: one takes what is new and what is read, the other
 * holds what was not read since the last exchange. When the first has half the capacity, or after `keepMs`, the second
 * is dropped and they are exchanged. So the least recently used entries are dropped first, an entry read within
 * `keepMs` is dropped only for lack of space, and neither timers nor a list in order of use are needed.
 */
export class RecentMap<V> {
  readonly #half: number;
  readonly #keepMs: number;
  #recent = new Map<string, V>();
  #former = new Map<string, V>();
  #turnedAt = Number.NEGATIVE_INFINITY;

  /** `capacity`: the maximum number of keys. `keepMs`: how long an entry matters after it was last read. */
  constructor(capacity: number, keepMs: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#recent.size + this.#former.size;
  }

  /** `now`: monotonic ms, never less than the last time. */
  get(key: string, now: number): V | undefined {
    if (now - this.#turnedAt >= this.#keepMs) this.#turn(now);
    const recent = this.#recent.get(key);
    if (recent !== undefined || this.#former.size === 0) return recent;
    const former = this.#former.get(key);
    if (former !== undefined) this.set(key, former, now);
    return former;
  }

  set(key: string, value: V, now: number): void {
    this.#former.delete(key);
    if (this.#recent.size >= this.#half && !this.#recent.has(key)) this.#turn(now);
    this.#recent.set(key, value);
  }

  delete(key: string): void {
    this.#recent.delete(key);
    this.#former.delete(key);
  }

  /** All entries, those read recently first. */
  *entries(): Generator<[key: string, value: V]> {
    yield* this.#recent;
    yield* this.#former;
  }

  #turn(now: number): void {
    this.#turnedAt = now;
    if (this.size === 0) return;
    this.#former = this.#recent;
    this.#recent = new Map();
  }
}
