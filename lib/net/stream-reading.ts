import { giveReadBuffer, SHARED_BYTES, sharedReadBuffer, takeReadBuffer } from './read-buffer.js';

/** Full reads in a row after which a stream is given large buffers. */
const LARGE_AFTER = 4;

/** Which buffer a socket reads into: the shared one, or while a body streams through it one of its own. */
export class StreamReading {
  #own: Buffer | null = null;
  #fullReads = 0;

  /**
   * Behind a read of `length` bytes into `buffer`: the buffer for the next one, or undefined to go on with the same.
   * `kept`: a write of what was read is not finished, so the buffer belongs to the writing channel now.
   */
  next(length: number, buffer: Buffer, kept: boolean): Buffer | undefined {
    if (length === buffer.length) this.#fullReads++;
    else if (length < SHARED_BYTES) this.#fullReads = 0;
    const streams = this.#fullReads > 0;
    const large = this.#fullReads > LARGE_AFTER;
    const own = this.#own;
    if (own === null && !streams) return undefined;
    if (own !== null && !kept && streams && !(large && own.length === SHARED_BYTES)) return undefined;
    if (own !== null && !kept) giveReadBuffer(own);
    this.#own = streams ? takeReadBuffer(large) : null;
    return this.#own ?? sharedReadBuffer;
  }

  /** The socket is gone. */
  release(): void {
    if (this.#own !== null) giveReadBuffer(this.#own);
    this.#own = null;
  }
}
