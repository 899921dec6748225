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

/** Reads that would have fitted into the next smaller buffer, in a row, after which a stream goes back to that. */
const SMALL_READS = 8;
const MEBIBYTE = 1024 * 1024;
/**
 * Bytes in one turn of the event loop after which a stream rests until the next. libuv reads up to 32 times in a row,
 * and others wait: small requests beside two bodies of 64 MiB took 8 to 27 ms (median), and take 4 to 8 with the rest.
 */
const MAX_BURST = 1024 * 1024;
/**
 * The same in ms of a tick, whatever they were spent on. Bodies of tiny chunks take ten times as long as others: ten of them
 * made each turn one of 0.3 s.
 */
const MAX_TICK_MS = 2;
/** A full read that costs more than this, and this for each MiB, is not worth a larger buffer, nor that one. */
const DEAR_MS = 0.1;
const DEAR_MS_PER_MIB = 2;
/**
 * A turn in which such reads have cost so many ms has a crowd of them. Each stream is read once in a turn, so their reads
 * become small: a thousand bodies of tiny chunks made a turn last 0.3 s.
 */
const CROWDED_MS = 8;

/** Time in ms: on the wall, which is asked in no time, and of the processor. */
export interface ReadingClocks {
  wall(): number;
  processor(): number;
}

const CLOCKS: ReadingClocks = { wall: () => performance.now(), processor: processorTime };

/** Whose reads these are. */
export interface StreamReader {
  /** Stops reading until `readOn`. */
  rest(): void;
  /** Reads on, unless it has been paused for another reason. */
  readOn(): void;
}

/**
 * How one socket reads while bodies stream through it: the larger the pieces, the faster it goes, and how much in one
 * turn of the event loop. It goes on from one body to the next, so that a body of 100 KiB is one read and one write.
 */
export class StreamReading implements TickTask {
  readonly #reader: StreamReader;
  readonly #clocks: ReadingClocks;
  /** What it holds a place for; null while it reads like everybody. */
  #place: Buffer | null = null;
  #smallReads = 0;
  /** Bytes read in larger pieces in this turn of the event loop. */
  #burst = 0;
  #rests = false;
  /** When the current read began to be dealt with. */
  #began = 0;
  /** The same in processor time; -1 where that is not asked. */
  #costBegan = -1;
  /** Did the last full read take long? It may be that others had the processor: what the next one costs will tell. */
  #isSuspect = false;

  constructor(reader: StreamReader, clocks = CLOCKS) {
    this.#reader = reader;
    this.#clocks = clocks;
  }

  /** Is nothing read until the turn has ended? */
  get rests(): boolean {
    return this.#rests;
  }

  /** In front of dealing with a read that filled its buffer. */
  begin(): void {
    this.#began = this.#clocks.wall();
    this.#costBegan = this.#isSuspect ? this.#clocks.processor() : -1;
  }

  /**
   * Behind a read of `length` bytes into `buffer`: the buffer for the next one, or undefined to go on with the same.
   * `isPaused`: nothing is read for now. What was read may be kept then, for as long as the stream keeps its place: so the
   * number of places bounds it.
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

  /** Who writes faster than the peer takes it gains nothing by larger pieces, nor does one whose bytes cost much. */
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

  /** While connections keep coming a piece is enough: they are accepted one per turn, however long that is. */
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

  /** The socket is gone. */
  release(): void {
    if (this.#place !== null) giveReadBuffer(this.#place);
    this.#place = null;
  }
}
