/** The least that is set aside for more than one piece. */
const LEAST_BYTES = 256;

/**
 * Bytes that come in pieces, put together in one buffer. Kept as they came, pieces of one byte would cost an object each
 * and a hundred times what is in them. The first piece, which mostly is all of it, is given just the room it needs.
 */
export class GrowingBuffer {
  #bytes: Buffer | null = null;
  /** Bytes of it so far. */
  length = 0;

  /** What is set aside for it. */
  get capacity(): number {
    return this.#bytes === null ? 0 : this.#bytes.length;
  }

  /** Copies `buffer[start, end)` to the end. No more than `most` is set aside while that is enough. */
  append(buffer: Buffer, start: number, end: number, most = Number.POSITIVE_INFINITY): void {
    const needed = this.length + end - start;
    let bytes = this.#bytes;
    if (bytes === null) bytes = Buffer.allocUnsafe(needed);
    else if (bytes.length < needed) bytes = grown(bytes, this.length, needed, most);
    buffer.copy(bytes, this.length, start, end);
    this.#bytes = bytes;
    this.length = needed;
  }

  /** What there is. Its bytes stay what they are, whatever is appended, and also after `clear`. */
  get bytes(): Buffer {
    return this.#bytes === null ? EMPTY : this.#bytes.subarray(0, this.length);
  }

  /** Lets go of what there is, which may still be on its way somewhere: nothing is written over it. */
  clear(): void {
    this.#bytes = null;
    this.length = 0;
  }
}

const EMPTY = Buffer.alloc(0);

function grown(bytes: Buffer, length: number, needed: number, most: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(
    Math.max(needed, Math.min(Math.max(bytes.length * 2, LEAST_BYTES), most)),
  );
  bytes.copy(larger, 0, 0, length);
  return larger;
}
