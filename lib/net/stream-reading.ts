import type { ReadFate } from './lending.js';
import {
  bytesOf,
  giveReadBuffer,
  LARGEST,
  type ReadSize,
  sharedReadBuffer,
  sizeOf,
  takeReadBuffer,
} from './read-buffer.js';
import { atTurnEnd, connectionsComing, noteBurst, type TurnTask, turnLasts } from './turn.js';

/** Reads that would have fitted into the next smaller buffer, in a row, after which a stream goes back to that. */
const SMALL_READS = 8;
const MEBIBYTE = 1024 * 1024;
/**
 * Bytes in one turn of the event loop after which a stream rests until the next. libuv reads up to 32 times in a row,
 * and others wait: small requests beside two bodies of 64 MiB took 8 to 27 ms (median), and take 4 to 8 with the rest.
 */
const MAX_BURST = 1024 * 1024;
/**
 * The same in ms of a turn, whoever it was spent on. Bodies of tiny chunks take ten times as long as others: ten of them
 * made each turn one of 0.3 s.
 */
const MAX_TURN_MS = 2;
/** A full read that takes longer than this, and this for each MiB, is not worth a larger buffer, nor that one. */
const DEAR_MS = 0.1;
const DEAR_MS_PER_MIB = 2;

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
export class StreamReading implements TurnTask {
  readonly #reader: StreamReader;
  /** What it holds a place for; null while it reads like everybody. */
  #place: Buffer | null = null;
  #smallReads = 0;
  /** Bytes read in larger pieces in this turn of the event loop. */
  #burst = 0;
  #rests = false;

  constructor(reader: StreamReader) {
    this.#reader = reader;
  }

  /** Is nothing read until the turn has ended? */
  get rests(): boolean {
    return this.#rests;
  }

  /**
   * Behind a read of `length` bytes into `buffer`, which was dealt with from `began` to `now`: the buffer for the next
   * one, or undefined to go on with the same. `isPaused`: nothing is read for now. What was read may be kept then, for as
   * long as it keeps its place: so the number of places bounds it.
   */
  next(
    length: number,
    buffer: Buffer,
    fate: ReadFate,
    began: number,
    now: number,
    isPaused: boolean,
  ): Buffer | undefined {
    const place = this.#place;
    const isFull = length === buffer.length;
    if (place !== null || isFull) this.#count(length, now);
    const isDear = isFull && now - began > DEAR_MS + (DEAR_MS_PER_MIB * length) / MEBIBYTE;
    if (place === null) return isFull && fate === 'taken' && !isDear && !isPaused ? this.#take(1) : undefined;
    const size = sizeOf(place);
    const wanted = isPaused ? size : this.#wanted(length, size, fate, isDear);
    if (wanted === size && fate !== 'kept') return undefined;
    if (fate !== 'kept') giveReadBuffer(place);
    return this.#take(wanted);
  }

  /** The size that fits the stream's pace. Who writes faster than the peer takes it gains nothing by larger pieces. */
  #wanted(length: number, size: ReadSize, fate: ReadFate, isDear: boolean): ReadSize {
    if (isDear) return (size - 1) as ReadSize;
    if (length === bytesOf(size)) {
      this.#smallReads = 0;
      return fate !== 'taken' || size === LARGEST ? size : ((size + 1) as ReadSize);
    }
    const smaller = (size - 1) as ReadSize;
    this.#smallReads = length < bytesOf(smaller) ? this.#smallReads + 1 : 0;
    return this.#smallReads < SMALL_READS ? size : smaller;
  }

  #take(size: ReadSize): Buffer {
    this.#smallReads = 0;
    const buffer = takeReadBuffer(size);
    this.#place = buffer === sharedReadBuffer ? null : buffer;
    return buffer;
  }

  /** While connections keep coming a piece is enough: they are accepted one per turn, however long that is. */
  #count(length: number, now: number): void {
    if (this.#burst === 0) atTurnEnd(this);
    this.#burst += length;
    if (this.#rests) return;
    const isLong = this.#burst >= MAX_BURST || turnLasts(now) > MAX_TURN_MS;
    if (isLong) noteBurst();
    if (!isLong && !connectionsComing()) return;
    this.#rests = true;
    this.#reader.rest();
  }

  onTurnEnd(): void {
    if (this.#rests && connectionsComing()) {
      atTurnEnd(this);
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
