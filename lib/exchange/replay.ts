/**
 * The part of a request's body that may have to be sent again: all of it that no server has been sent yet, and,
 * while a retry is still possible, what one has.
 */
export class Replay {
  #limit = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;
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
    return this.#bytes >= this.#limit;
  }

  /** Copies bytes that wait for a connection; the caller pauses the client when it `isFull`, so they are few. */
  keep(buffer: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.#bytes += end - start;
  }

  /** Copies bytes that are being sent, as long as they and all before them fit. */
  keepSent(buffer: Buffer, start: number, end: number): void {
    if (!this.whole) return;
    if (this.#repeatable && this.#bytes + end - start <= this.#limit) {
      this.keep(buffer, start, end);
    } else {
      // Also when the very first piece is too long: what follows must not be taken for the beginning.
      this.whole = false;
      this.#release();
    }
  }

  /** Everything kept, in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** What was kept has been sent; it may have to be sent again. */
  sent(): void {
    if (this.#repeatable) return;
    this.whole = this.whole && this.#bytes === 0;
    this.#release();
  }

  /** Nothing is left of the request. */
  reset(): void {
    this.whole = true;
    this.#release();
  }

  #release(): void {
    if (this.#bytes === 0) return;
    this.#pieces = [];
    this.#bytes = 0;
  }
}
