/** How many bytes may wait in messages that the other thread has not read. */
const MOST_WAITING = 4 * 1024 * 1024;

const POSTED = 0;
const READ = 1;

/**
 * How much of what one thread has posted another one has read, in memory that both see. While the reader is busy, what
 * does not fit is dropped, so that memory stays bounded.
 */
export class Credit {
  readonly #counts: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#counts = new Int32Array(memory);
  }

  static create(): SharedArrayBuffer {
    return new SharedArrayBuffer(8);
  }

  /** False when too much waits; then nothing may be posted. Called by the thread that posts. */
  take(bytes: number): boolean {
    // Both counts wrap around; their difference does not.
    const waiting = (Atomics.load(this.#counts, POSTED) - Atomics.load(this.#counts, READ)) | 0;
    if (waiting + bytes > MOST_WAITING) return false;
    Atomics.add(this.#counts, POSTED, bytes);
    return true;
  }

  /** Called by the thread that reads, with the same number of bytes. */
  giveBack(bytes: number): void {
    Atomics.add(this.#counts, READ, bytes);
  }
}
