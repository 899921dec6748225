/** What another thread attaches to. */
export interface SuccessCountsHandle {
  readonly threads: number;
  readonly counts: SharedArrayBuffer;
}

/** Servers with higher numbers are not counted. The memory is reserved, and taken when it is used. */
const ROWS = 2 ** 16;

/**
 * How many attempts have succeeded on each server, by thread. The outlier detector asks how many lie between two
 * failures, so no thread has to report each success. Each thread writes its own counts only.
 */
export class SuccessCounts {
  readonly #threads: readonly Uint32Array[];
  readonly #own: Uint32Array;

  private constructor({ threads, counts }: SuccessCountsHandle, thread: number) {
    this.#threads = Array.from(
      { length: threads },
      (_, one) => new Uint32Array(counts, one * ROWS * 4, threads === 1 ? 0 : ROWS),
    );
    this.#own = this.#threads[thread] as Uint32Array;
  }

  /** One thread alone judges its servers by itself, and counts nothing here. */
  static create(threads: number): SuccessCountsHandle {
    return { threads, counts: new SharedArrayBuffer(threads === 1 ? 0 : threads * ROWS * 4) };
  }

  static attach(handle: SuccessCountsHandle, thread: number): SuccessCounts {
    return new SuccessCounts(handle, thread);
  }

  /** An attempt of this thread has succeeded. */
  note(server: number): void {
    this.#own[server]!++;
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
