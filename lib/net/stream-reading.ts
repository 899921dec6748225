import { processorTime } from '../base/processor-time.js';
import type { BufferUse } from './borrowed-write.js';
import { atTickEnd, connectionsComing, noteBurst, type TickTask, tickCosts, tickLasts } from './loop-tick.js';
import {
  bytesOf,
  giveReadBuffer,
  LARGEST,
  type ReadSize,
  SMALLEST,
  sizeOf,
  takeReadBuffer,
  USUAL,
} from './read-buffer.js';

/** This many consecutive reads that would fit into the next smaller buffer move a stream back to it. */
const SMALL_READS = 8;
const MEBIBYTE = 1024 * 1024;
/**
 * Bytes in one tick of the event loop after which a stream rests until the next. libuv reads up to 32 times in a row,
 * while others wait: small requests beside two bodies of 64 MiB took 8 to 27 ms (median), and take 4 to 8 with the rest.
 */
const MAX_BURST = 1024 * 1024;
/**
 * The same limit in ms of a tick, for whatever they were spent. Bodies of tiny chunks take ten times as long as others:
 * ten of them made each tick last 0.3 s.
 */
const MAX_TICK_MS = 2;
/** A full read that costs more than this, plus this for each MiB, does not justify a larger buffer, nor the present one. */
const DEAR_MS = 0.1;
const DEAR_MS_PER_MIB = 2;
/**
 * In a tick in which such reads have cost this many ms there are many of them. Each stream is read once per tick, so
 * their reads become small: a thousand bodies of tiny chunks made a tick last 0.3 s.
 */
const CROWDED_MS = 8;

/** Time in ms: wall-clock time, which is cheap to read, and processor time. */
export interface ReadingClocks {
  wall(): number;
  processor(): number;
}

const CLOCKS: ReadingClocks = { wall: () => performance.now(), processor: processorTime };

/** The owner of the reads. */
export interface StreamReader {
  /** Stops reading until `readOn`. */
  rest(): void;
  /** Reads on, unless paused for another reason. */
  readOn(): void;
}

/**
 * How one socket reads while bodies stream through it: the size of reads, the larger the faster, and how much in one tick
 * of the event loop. It persists from one body to the next, so that a body of 100 KiB is one read and one write.
 */
export class StreamReading implements TickTask {
  readonly #reader: StreamReader;
  readonly #clocks: ReadingClocks;
  /** Its own buffer; null while it reads like any other socket. */
  #place: Buffer | null = null;
  #smallReads = 0;
  /** Bytes read in larger pieces in this tick of the event loop. */
  #burst = 0;
  #rests = false;
  /** When the processing of the current read began. */
  #began = 0;
  /** The same in processor time; -1 when not measured. */
  #costBegan = -1;
  /** Did the last full read take long? Others may have used the processor: the cost of the next one will show. */
  #isSuspect = false;

  constructor(reader: StreamReader, clocks = CLOCKS) {
    this.#reader = reader;
    this.#clocks = clocks;
  }

  /** Does nothing get read until the tick has ended? */
  get rests(): boolean {
    return this.#rests;
  }

  /** Before processing a read that filled its buffer. */
  begin(): void {
    this.#began = this.#clocks.wall();
    this.#costBegan = this.#isSuspect ? this.#clocks.processor() : -1;
  }

  /**
   * After a read of `length` bytes into `buffer`: returns the buffer for the next one, or undefined to keep this one.
   * `isPaused`: nothing is read for now. The bytes may be kept then for as long as the stream keeps its buffer: so the
   * number of buffers limits the memory.
   */
  next(length: number, buffer: Buffer, fate: BufferUse, isPaused: boolean): Buffer | undefined {
    const place = this.#place;
    const size = place === null ? USUAL : sizeOf(place);
    const isFull = length === buffer.length;
    const wanted = isFull ? this.#afterFull(length, size, fate) : this.#afterShort(length, size);
    if ((wanted === size || isPaused) && fate !== 'kept') return undefined;
    if (place !== null && fate !== 'kept') giveReadBuffer(place);
    return this.#take(isPaused ? size : wanted);
  }

  /** Larger pieces do not help a stream that is faster than its peer reads, nor one whose bytes are expensive. */
  #afterFull(length: number, size: ReadSize, fate: BufferUse): ReadSize {
    const now = this.#clocks.wall();
    this.#smallReads = 0;
    this.#count(length, tickLasts(now) > MAX_TICK_MS);
    const limit = DEAR_MS + (DEAR_MS_PER_MIB * length) / MEBIBYTE;
    if (this.#costBegan === -1) {
      this.#isSuspect = now - this.#began > limit;
    } else {
      const cost = this.#clocks.processor();
      const before = tickCosts(this.#costBegan);
      this.#isSuspect = cost - this.#costBegan > limit;
      if (this.#isSuspect && before + cost - this.#costBegan > CROWDED_MS) return SMALLEST;
      if (this.#isSuspect && size > USUAL) return (size - 1) as ReadSize;
    }
    return this.#isSuspect || fate !== 'taken' || size === LARGEST ? size : ((size + 1) as ReadSize);
  }

  #afterShort(length: number, size: ReadSize): ReadSize {
    if (size === USUAL) return size;
    this.#count(length, false);
    if (size === SMALLEST) return size;
    const smaller = (size - 1) as ReadSize;
    this.#smallReads = length < bytesOf(smaller) ? this.#smallReads + 1 : 0;
    return this.#smallReads < SMALL_READS ? size : smaller;
  }

  #take(size: ReadSize): Buffer {
    this.#smallReads = 0;
    const buffer = takeReadBuffer(size);
    this.#place = sizeOf(buffer) === USUAL ? null : buffer;
    return buffer;
  }

  /** While connections keep coming one piece is enough: one connection is accepted per tick, however long the tick is. */
  #count(length: number, hasLasted: boolean): void {
    if (this.#burst === 0) atTickEnd(this);
    this.#burst += length;
    if (this.#rests) return;
    const isLong = hasLasted || this.#burst >= MAX_BURST;
    if (isLong) noteBurst();
    if (!isLong && !connectionsComing()) return;
    this.#rests = true;
    this.#reader.rest();
  }

  onTickEnd(): void {
    if (this.#rests && connectionsComing()) {
      atTickEnd(this);
      return;
    }
    this.#burst = 0;
    if (!this.#rests) return;
    this.#rests = false;
    this.#reader.readOn();
  }

  /** The socket is closed. */
  release(): void {
    if (this.#place !== null) giveReadBuffer(this.#place);
    this.#place = null;
  }
}
