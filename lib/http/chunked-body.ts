import type { BodyForm, BodyReceiver } from './body-receiver.js';
import {
  CHUNK_TABLES,
  DATA,
  DATA_END,
  DIGIT_VALUE,
  DIGITS,
  END,
  EXTENSION,
  LAST,
  NO_DIGIT,
  REFUSED,
  SIZE_CR,
  START,
  TRAILERS,
} from './chunk-grammar.js';
import { KeptRuns } from './kept-runs.js';
import type { MessageKind } from './llhttp.js';

/** Between two pieces of data there may be this much that is none: extensions, zeros before a size. */
const MAX_FRAMING_BYTES = 16 * 1024;
/** 2^52 - 1 has 13 of them: a size with more would be another number to a server that counts in 32, 63 or 64 bits. */
const MAX_SIZE_DIGITS = 13;
/** Fewer bytes than this are no whole chunk. */
const SHORTEST_CHUNK = 6;
/** What has a longer size, or a longer line, is left to the table. */
const FEW_DIGITS = 4;
const SHORT_LINE = 1024;

const CR = 0x0d;
const LF = 0x0a;

/** What is wrong: a byte that must not be there, a size that can't be counted, too much framing. */
export type ChunkFault = 'syntax' | 'size' | 'framing';

/**
 * Reads the chunks of one body, up to its end or its trailer section. It is done here and not by llhttp, which calls
 * back for each piece of data: bodies of one-byte chunks took seven times as long.
 */
export class ChunkedBody {
  readonly #table: Uint8Array;
  readonly #runs = new KeptRuns();
  #keepsFraming = true;
  #state = START;
  /** The size as far as it was read; then the bytes of data that have not come yet. */
  #left = 0;
  /** Digits of the size, leading zeros left out. */
  #digits = 0;
  /** Since the last data, in reads before this one. */
  #framingBytes = 0;
  /** Where in this read it goes on. */
  #framingFrom = 0;
  #isReleased = false;
  /** Bytes of data so far. */
  contentBytes = 0;
  fault: ChunkFault | null = null;

  constructor(side: MessageKind) {
    this.#table = CHUNK_TABLES[side];
  }

  /** For another body. `wire` keeps sizes and ends of lines and leaves out extensions, `content` keeps the data alone. */
  begin(form: BodyForm): void {
    this.#keepsFraming = form === 'wire';
    this.#state = START;
    this.#left = 0;
    this.#digits = 0;
    this.#framingBytes = 0;
    this.#isReleased = false;
    this.contentBytes = 0;
    this.fault = null;
  }

  /** Nobody wants the rest; nothing more is handed on. */
  release(): void {
    this.#isReleased = true;
  }

  /** Has the last chunk been read, and does a trailer section begin where `read` stopped? */
  get isInTrailers(): boolean {
    return this.#state === TRAILERS;
  }

  /** Has it ended, without a trailer section? */
  get hasEnded(): boolean {
    return this.#state === END;
  }

  /**
   * Takes bytes up to the trailer section or the end, and hands on what is wanted of them, in as few pieces as possible.
   * Gives the position behind the last byte taken. Look at `fault` then: what is handed on of such a read is no more
   * than what stood before a long run.
   */
  read(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    const runs = this.#runs;
    runs.begin(start);
    const isKept = this.#state === DATA || (this.#keepsFraming && this.#state < EXTENSION);
    if (isKept) runs.open(start);
    this.#framingFrom = start;
    const stop = this.#scan(buffer, start, end, receiver);
    if (this.#isReleased || this.fault !== null) return stop;
    if (this.#state !== DATA && !this.#countFraming(stop)) return stop;
    runs.close(buffer, stop, receiver);
    if (!this.#isReleased) runs.flush(buffer, receiver);
    return stop;
  }

  #scan(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    let i = start;
    while (i < end && !this.#isReleased) {
      if (this.#state === DATA) {
        i = this.#takeData(buffer, i, end, receiver);
        continue;
      }
      if (this.#state === START) i = this.#takeWhole(buffer, i, end, receiver);
      if (i < end && !this.#isReleased) i = this.#takeFraming(buffer, i, end, receiver);
      if (this.#isDone) return i;
    }
    return i;
  }

  /** Is there nothing more to be read here? */
  get #isDone(): boolean {
    return this.fault !== null || this.#state === TRAILERS || this.#state === END;
  }

  #takeData(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    const taken = Math.min(this.#left, end - start);
    const i = start + taken;
    this.#left -= taken;
    this.contentBytes += taken;
    if (this.#left > 0) return i;
    this.#state = DATA_END;
    this.#framingFrom = i;
    if (!this.#keepsFraming) this.#runs.close(buffer, i, receiver);
    return i;
  }

  /**
   * Takes the chunks that are there as a whole, one after the other; it stops in front of one that is not, or that has
   * anything special to it, and leaves it to `#takeFraming`. It takes nothing that the table does not take, in less than
   * half the time: this is what bodies of tiny chunks cost.
   */
  #takeWhole(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    const runs = this.#runs;
    const keepsFraming = this.#keepsFraming;
    const last = end - SHORTEST_CHUNK;
    let i = start;
    while (i <= last) {
      let size = 0;
      let line = i;
      let digit = DIGIT_VALUE[buffer[line] as number] as number;
      while (digit < NO_DIGIT && line - i < FEW_DIGITS) {
        size = size * 16 + digit;
        digit = DIGIT_VALUE[buffer[++line] as number] as number;
      }
      const lineEnd = buffer[line] === CR ? line : this.#skipExtension(buffer, line, last);
      const data = lineEnd + 2;
      const dataEnd = data + size;
      if (size === 0 || lineEnd === -1 || dataEnd + 2 > end) break;
      if (buffer[lineEnd + 1] !== LF || buffer[dataEnd] !== CR || buffer[dataEnd + 1] !== LF) break;
      this.contentBytes += size;
      i = dataEnd + 2;
      if (!keepsFraming) runs.keep(buffer, data, dataEnd, receiver);
      else if (lineEnd > line) runs.leaveOut(buffer, line, lineEnd, receiver);
      if (this.#isReleased) break;
    }
    // Of the last chunk the end of its data's line was framing.
    if (i > start) this.#framingFrom = i - 2;
    return i;
  }

  /** What follows the digits of a size at `line`: where its CR is; -1 if that is not near, or something is wrong. */
  #skipExtension(buffer: Buffer, line: number, last: number): number {
    const table = this.#table;
    const limit = Math.min(last, line + SHORT_LINE);
    let state = table[(DIGITS << 8) | (buffer[line] as number)] as number;
    let i = line;
    while (state >= EXTENSION && i < limit) state = table[(state << 8) | (buffer[++i] as number)] as number;
    return state === SIZE_CR ? i : -1;
  }

  #takeFraming(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    const table = this.#table;
    const runs = this.#runs;
    let state = this.#state;
    let i = start;
    while (i < end) {
      const byte = buffer[i++] as number;
      const next = table[(state << 8) | byte] as number;
      if (next >= EXTENSION) {
        if (state < EXTENSION && this.#keepsFraming) runs.close(buffer, i - 1, receiver);
        if (this.#isReleased) return i;
      } else if (next === DIGITS) {
        if (!this.#addDigit(byte)) return i;
      } else if (next === SIZE_CR) {
        if (state >= EXTENSION && this.#keepsFraming) runs.open(i - 1);
      } else if (next === DATA) {
        return this.#endLine(i);
      } else if (next === START || next >= TRAILERS) {
        return this.#stopAt(next, i);
      }
      state = next;
    }
    this.#state = state;
    return i;
  }

  /** False when there are too many. */
  #addDigit(byte: number): boolean {
    const value = DIGIT_VALUE[byte] as number;
    if (this.#digits > 0 || value > 0) this.#digits++;
    this.#left = this.#left * 16 + value;
    if (this.#digits <= MAX_SIZE_DIGITS) return true;
    this.fault = 'size';
    return false;
  }

  /** The line of a size ends at `i`: data follows, or the end. */
  #endLine(i: number): number {
    if (!this.#countFraming(i)) return i;
    this.#digits = 0;
    if (this.#left === 0) {
      this.#state = LAST;
      return i;
    }
    this.#state = DATA;
    this.#framingBytes = 0;
    if (!this.#keepsFraming) this.#runs.open(i);
    return i;
  }

  /** Framing has gone on until `at`; false when there is too much of it. */
  #countFraming(at: number): boolean {
    this.#framingBytes += at - this.#framingFrom;
    this.#framingFrom = at;
    if (this.#framingBytes <= MAX_FRAMING_BYTES) return true;
    this.fault = 'framing';
    return false;
  }

  #stopAt(state: number, i: number): number {
    this.#state = state;
    if (state === REFUSED) this.fault = 'syntax';
    // The byte that told of a trailer section is the first of it.
    return state === TRAILERS ? i - 1 : i;
  }
}
