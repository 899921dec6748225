/**
 * Bytes as a string, one character per byte, as in HTTP/1 heads (RFC 9112, 2.2). Uses Node's native slice without the
 * option handling of `toString`, which costs as much as the copy for a short head.
 */
interface Latin1Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, at: number): number;
}

/** `buffer[start, end)` as latin1. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as unknown as Latin1Buffer).latin1Slice(start, end);
}

/**
 * Writes `text` (latin1) into `buffer` from `at` on and returns the number of bytes; fewer when the buffer is too
 * short.
 */
export function writeLatin1(buffer: Buffer, text: string, at: number): number {
  return (buffer as unknown as Latin1Buffer).latin1Write(text, at);
}

/** The smallest buffer for more than one piece. */
const LEAST_BYTES = 256;

/**
 * Bytes that arrive in pieces, joined in one buffer. Stored separately, pieces of one byte would cost an object each
 * and a hundred times their content. The first piece, which mostly is all, gets a buffer of exactly its size.
 */
export class GrowingBuffer {
  #bytes: Buffer | null = null;
  /** The number of bytes so far. */
  length = 0;

  /** The size of the buffer. */
  get capacity(): number {
    return this.#bytes === null ? 0 : this.#bytes.length;
  }

  /** Appends `buffer[start, end)`. The buffer does not grow beyond `most` while that is enough. */
  append(buffer: Buffer, start: number, end: number, most = Number.POSITIVE_INFINITY): void {
    const needed = this.length + end - start;
    let bytes = this.#bytes;
    if (bytes === null) bytes = Buffer.allocUnsafe(needed);
    else if (bytes.length < needed) bytes = grown(bytes, this.length, needed, most);
    buffer.copy(bytes, this.length, start, end);
    this.#bytes = bytes;
    this.length = needed;
  }

  /** The bytes so far. They do not change when more is appended, nor after `clear`. */
  get bytes(): Buffer {
    return this.#bytes === null ? EMPTY : this.#bytes.subarray(0, this.length);
  }

  /** Drops the bytes, which may still be in use by a write: they are not overwritten. */
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
