import { GrowingBuffer } from '../base/growing-buffer.js';

/** Set aside for all requests there are now. */
let heldBytes = 0;

/** Bytes of memory that request bodies take which wait for a server, or may have to be sent again. */
export function replayBytes(): number {
  return heldBytes;
}

/**
 * The part of a request's body that may have to be sent again: all of it that no server has been sent yet, and,
 * while a retry is still possible, what one has. However small the pieces it comes in, it takes `limit` bytes at most,
 * and what was read in one go besides.
 */
export class Replay {
  #limit = 0;
  readonly #kept = new GrowingBuffer();
  #repeatable = false;
  /** Does it still hold the body from its first byte on? */
  whole = true;

  /**
   * For another request. What was sent of it is kept only if it is `repeatable`, and not longer than `limit` bytes: a
   * longer body is streamed, and can't be sent twice.
   */
  begin(limit: number, repeatable: boolean): void {
    this.#limit = limit;
    this.#repeatable = repeatable;
  }

  /** Is as much waiting for a connection as may? Nothing more is to be read then. */
  get isFull(): boolean {
    return this.#kept.length >= this.#limit;
  }

  /** Copies bytes that wait for a connection; the caller pauses the client when it `isFull`, so they are few. */
  keep(buffer: Buffer, start: number, end: number): void {
    const before = this.#kept.capacity;
    this.#kept.append(buffer, start, end, this.#limit);
    heldBytes += this.#kept.capacity - before;
  }

  /** Copies bytes that are being sent, as long as they and all before them fit. */
  keepSent(buffer: Buffer, start: number, end: number): void {
    if (!this.whole) return;
    if (this.#repeatable && this.#kept.length + end - start <= this.#limit) {
      this.keep(buffer, start, end);
    } else {
      // Also when the very first piece is too long: what follows must not be taken for the beginning.
      this.whole = false;
      this.#release();
    }
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Everything kept, as it came. */
  get bytes(): Buffer {
    return this.#kept.bytes;
  }

  /** What was kept has been sent; it may have to be sent again. */
  sent(): void {
    if (this.#repeatable) return;
    this.whole = this.whole && this.#kept.length === 0;
    this.#release();
  }

  /** Nothing is left of the request. */
  reset(): void {
    this.whole = true;
    if (this.#kept.length > 0) this.#release();
  }

  #release(): void {
    heldBytes -= this.#kept.capacity;
    this.#kept.clear();
  }
}
