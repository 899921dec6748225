/** What another thread attaches to. */
export interface SuccessCountsHandle {
  readonly threads: number;
  readonly counts: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
}

/** Servers with higher numbers are not counted. The memory is reserved, and taken when it is used. */
const ROWS = 2 ** 16;

/**
 * How many attempts have succeeded on each server, and when it last answered, by thread. The outlier detector asks how many lie
 * between two failures, and whether a server has answered while a request had no answer, so no thread has to report each success.
 * Each thread writes its own numbers only.
 */
export class SuccessCounts {
  readonly #threads: readonly Uint32Array[];
  readonly #own: Uint32Array;
  /** When the last answer came, in ms of the clock; 0: none has. */
  readonly #answers: readonly Float64Array[];
  readonly #ownAnswers: Float64Array;

  private constructor({ threads, counts, answers }: SuccessCountsHandle, thread: number) {
    this.#answers = Array.from(
      { length: threads },
      (_, one) => new Float64Array(answers, one * ROWS * 8, threads === 1 ? 0 : ROWS),
    );
    this.#ownAnswers = this.#answers[thread] as Float64Array;
    this.#threads = Array.from(
      { length: threads },
      (_, one) => new Uint32Array(counts, one * ROWS * 4, threads === 1 ? 0 : ROWS),
    );
    this.#own = this.#threads[thread] as Uint32Array;
  }

  /** One thread alone judges its servers by itself, and counts nothing here. */
  static create(threads: number): SuccessCountsHandle {
    const rows = threads === 1 ? 0 : threads * ROWS;
    return { threads, counts: new SharedArrayBuffer(rows * 4), answers: new SharedArrayBuffer(rows * 8) };
  }

  static attach(handle: SuccessCountsHandle, thread: number): SuccessCounts {
    return new SuccessCounts(handle, thread);
  }

  /** An attempt of this thread has succeeded. */
  note(server: number): void {
    this.#own[server]!++;
  }

  /** A server has begun to answer a request of this thread. */
  noteAnswer(server: number, now: number): void {
    this.#ownAnswers[server] = now;
  }

  /** When a server last began to answer a request, of whatever thread, in ms of the clock; -Infinity: it has not. */
  answeredAt(server: number): number {
    let last = 0;
    for (const answers of this.#answers) last = Math.max(last, answers[server] ?? 0);
    return last === 0 ? Number.NEGATIVE_INFINITY : last;
  }

  /** What this thread has counted. */
  own(server: number): number {
    return this.#own[server] ?? 0;
  }

  /** Wraps around after 2^32. */
  of(thread: number, server: number): number {
    return this.#threads[thread]?.[server] ?? 0;
  }

  /** The number of threads. */
  get threads(): number {
    return this.#threads.length;
  }
}
