import {
  type BufferSize,
  bytesOf,
  giveReadBuffer,
  LARGEST,
  sharedReadBuffer,
  sizeOf,
  takeReadBuffer,
} from './read-buffer.js';
import { atTurnEnd, type TurnTask } from './turn.js';

/** Reads that would have fitted into the next smaller buffer, in a row, after which a stream gets one of those. */
const SMALL_READS = 8;
/**
 * Bytes in one turn of the event loop after which a stream rests until the next. libuv reads up to 32 times in a row,
 * and others wait: small requests beside two bodies of 64 MiB took 8 to 27 ms (median), and take 4 to 8 with the rest.
 */
const MAX_BURST = 1024 * 1024;

/** Whose reads these are. */
export interface StreamReader {
  /** Stops reading until `readOn`. */
  rest(): void;
  /** Reads on, unless it has been paused for another reason. */
  readOn(): void;
}

/**
 * How one socket reads while bodies stream through it: into the shared buffer, or into one of its own, the larger the
 * faster it goes, and how much in one turn of the event loop. What lies in a buffer of its own is written without a
 * copy; it is kept from one body to the next, so that a body of 100 KiB is one read and one write.
 */
export class StreamReading implements TurnTask {
  readonly #reader: StreamReader;
  #own: Buffer | null = null;
  #smallReads = 0;
  /** Bytes read into a buffer of its own in this turn of the event loop. */
  #burst = 0;

  constructor(reader: StreamReader) {
    this.#reader = reader;
  }

  /**
   * Behind a read of `length` bytes into `buffer`: the buffer for the next one, or undefined to go on with the same.
   * `kept`: a write of what was read is not finished, so the buffer belongs to the writing channel now.
   */
  next(length: number, buffer: Buffer, kept: boolean): Buffer | undefined {
    const own = this.#own;
    // Small messages between two bodies come this way too, and make no burst.
    if (own === null) return length === buffer.length ? this.#take(1) : undefined;
    this.#count(length);
    const size = sizeOf(own);
    const wanted = this.#wanted(length, size, kept);
    // One no larger than the shared one was taken for want of better: held on to, every connection might end up with one.
    if (wanted === size && wanted > 0 && !kept) return undefined;
    if (!kept) giveReadBuffer(own);
    if (wanted > 0) return this.#take(wanted);
    this.#own = null;
    return sharedReadBuffer;
  }

  /** The size that fits the stream's pace. Who writes faster than the peer takes it gains nothing by larger pieces. */
  #wanted(length: number, size: BufferSize, kept: boolean): BufferSize {
    if (length === bytesOf(size)) {
      this.#smallReads = 0;
      return kept || size === LARGEST ? size : ((size + 1) as BufferSize);
    }
    if (size === 0) return 0;
    const smaller = (size - 1) as BufferSize;
    this.#smallReads = length < bytesOf(smaller) ? this.#smallReads + 1 : 0;
    return this.#smallReads < SMALL_READS ? size : smaller;
  }

  #take(size: BufferSize): Buffer {
    this.#smallReads = 0;
    this.#own = takeReadBuffer(size);
    return this.#own;
  }

  #count(length: number): void {
    if (this.#burst === 0) atTurnEnd(this);
    const before = this.#burst;
    this.#burst += length;
    if (before < MAX_BURST && this.#burst >= MAX_BURST) this.#reader.rest();
  }

  onTurnEnd(): void {
    const rested = this.#burst >= MAX_BURST;
    this.#burst = 0;
    if (rested) this.#reader.readOn();
  }

  /** The socket is gone. */
  release(): void {
    if (this.#own !== null) giveReadBuffer(this.#own);
    this.#own = null;
  }
}
