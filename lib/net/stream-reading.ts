import { giveReadBuffer, isLarge, SHARED_BYTES, sharedReadBuffer, takeReadBuffer } from './read-buffer.js';

/** Reads that would have fitted into the shared buffer, in a row, after which a large one is given back. */
const SMALL_READS = 8;

/**
 * Which buffer a socket reads into: the shared one, or one of its own while bodies stream through it. What lies in
 * one of its own is written without a copy; a large one is kept from one body to the next, so that a body of 100 KiB
 * is one read and one write.
 */
export class StreamReading {
  #own: Buffer | null = null;
  #smallReads = 0;

  /**
   * Behind a read of `length` bytes into `buffer`: the buffer for the next one, or undefined to go on with the same.
   * `kept`: a write of what was read is not finished, so the buffer belongs to the writing channel now.
   */
  next(length: number, buffer: Buffer, kept: boolean): Buffer | undefined {
    const own = this.#own;
    if (own === null) return length === buffer.length ? this.#take() : undefined;
    this.#smallReads = length < SHARED_BYTES ? this.#smallReads + 1 : 0;
    const streams = this.#smallReads < (isLarge(own) ? SMALL_READS : 1);
    if (streams && !kept) return undefined;
    if (!kept) giveReadBuffer(own);
    if (streams) return this.#take();
    this.#own = null;
    return sharedReadBuffer;
  }

  #take(): Buffer {
    this.#own = takeReadBuffer(true);
    return this.#own;
  }

  /** The socket is gone. */
  release(): void {
    if (this.#own !== null) giveReadBuffer(this.#own);
    this.#own = null;
  }
}
