import type { BodyForm, BodyListener } from './flow.js';
import type { MessageKind } from './llhttp.js';

/**
 * The chunk grammar (RFC 9112, 7.1) as a table from state and byte to the next state. It is strict wherever two programs
 * could read a different size or a different end: hexadecimal digits, then `;` or CRLF; no bare LF; blanks only around
 * the parts of an extension. Extensions are not acted upon, so an empty name or value passes.
 */

/** Data bytes are only counted. */
const DATA = 0;
/** Where a chunk begins. */
const START = 1;
const DIGITS = 2;
/** After the CR of a line with a size. */
const SIZE_CR = 3;
const DATA_END = 4;
const DATA_CR = 5;
/** After the line of the last chunk: an empty line or the trailer section follows. */
const LAST = 6;
const LAST_CR = 7;
/** The trailer section, which is not read here. */
const TRAILERS = 8;
const END = 9;
const REFUSED = 10;
/** This state and all later ones: inside an extension, or in the blanks before one. */
const EXTENSION = 11;
const BLANK = 11;
/** Some servers pad their sizes with spaces. Requests may not. */
const PADDING = 12;
const EXTENSION_START = 13;
const NAME = 14;
const NAME_BLANK = 15;
/** After `=`. */
const VALUE_START = 16;
const VALUE_BLANK = 17;
const VALUE = 18;
const QUOTED = 19;
const QUOTED_PAIR = 20;
const QUOTED_END = 21;
const STATES = 22;

const TOKEN = [..."!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].map(code);
const BLANKS = [' ', '\t'].map(code);

function code(character: string): number {
  return character.charCodeAt(0);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const DEL = 0x7f;
/** What may follow a backslash (RFC 9110, 5.6.4). */
const QUOTED_PAIRS = [0x09, ...range(0x20, 0xff)].filter((byte) => byte !== DEL);
/** The same without double quote and backslash, and DEL, which is harmless here and no error to llhttp. */
const QUOTED_TEXT = [...QUOTED_PAIRS.filter((byte) => byte !== code('"') && byte !== code('\\')), DEL];

/** The value of each hexadecimal digit; every other byte has this value instead. */
const NO_DIGIT = 16;
const DIGIT_VALUE = new Uint8Array(256).fill(NO_DIGIT);
const HEX = [...'0123456789abcdefABCDEF'].map(code);
for (const digit of HEX) DIGIT_VALUE[digit] = Number.parseInt(String.fromCharCode(digit), 16);

function tableOf(kind: MessageKind): Uint8Array {
  const table = new Uint8Array(STATES << 8).fill(REFUSED);
  const on = (state: number, bytes: readonly number[] | string, next: number): void => {
    const list = typeof bytes === 'string' ? [...bytes].map(code) : bytes;
    for (const byte of list) table[(state << 8) | byte] = next;
  };
  on(START, HEX, DIGITS);
  on(DIGITS, HEX, DIGITS);
  on(DIGITS, BLANKS, BLANK);
  if (kind === 'response') on(DIGITS, ' ', PADDING);
  on(PADDING, BLANKS, BLANK);
  on(PADDING, ' ', PADDING);
  on(BLANK, BLANKS, BLANK);
  on(EXTENSION_START, BLANKS, EXTENSION_START);
  for (const state of [EXTENSION_START, NAME]) on(state, TOKEN, NAME);
  for (const state of [NAME, NAME_BLANK]) on(state, BLANKS, NAME_BLANK);
  for (const state of [EXTENSION_START, NAME, NAME_BLANK]) on(state, '=', VALUE_START);
  for (const state of [VALUE_START, VALUE_BLANK]) on(state, BLANKS, VALUE_BLANK);
  for (const state of [VALUE_START, VALUE_BLANK, VALUE]) {
    on(state, TOKEN, VALUE);
    on(state, '"', QUOTED);
  }
  for (const state of [VALUE, QUOTED_END]) on(state, BLANKS, BLANK);
  on(QUOTED, QUOTED_TEXT, QUOTED);
  on(QUOTED, '\\', QUOTED_PAIR);
  on(QUOTED, '"', QUOTED_END);
  on(QUOTED_PAIR, QUOTED_PAIRS, QUOTED);
  const isWhole = [NAME, VALUE_START, VALUE, QUOTED_END];
  for (const state of [DIGITS, PADDING, BLANK, EXTENSION_START, NAME_BLANK, ...isWhole])
    on(state, ';', EXTENSION_START);
  for (const state of [DIGITS, PADDING, ...isWhole]) on(state, '\r', SIZE_CR);
  on(SIZE_CR, '\n', DATA);
  on(DATA_END, '\r', DATA_CR);
  on(DATA_CR, '\n', START);
  on(LAST, range(0, 255), TRAILERS);
  on(LAST, '\r', LAST_CR);
  on(LAST_CR, '\n', END);
  return table;
}

/** The next state, at `state << 8 | byte`. */
const CHUNK_TABLES: { readonly [kind in MessageKind]: Uint8Array } = {
  request: tableOf('request'),
  response: tableOf('response'),
};

/** Most bytes between two pieces of data that are not data themselves: extensions, zeros before a size. */
const MAX_FRAMING_BYTES = 16 * 1024;
/** 2^52 - 1 has 13 digits. A server that counts in 32, 63 or 64 bits would read a longer size as another number. */
const MAX_SIZE_DIGITS = 13;
/** Fewer bytes than this are not a whole chunk. */
const SHORTEST_CHUNK = 6;
/** A longer chunk, or a chunk with a longer size line, is left to the table. */
const SHORT = 1024 * 1024;
const MAX_LINE = MAX_FRAMING_BYTES - 4;
/** Up to this many bytes are moved in a loop. */
const BYTEWISE = 24;
const CR = 0x0d;
const LF = 0x0a;

/** What is wrong: a byte that must not be there, a size that can't be counted, too much framing. */
export type ChunkFault = 'syntax' | 'size' | 'framing';

/**
 * Reads the chunks of one body, up to its end or its trailer section. llhttp is not used for this because it calls back
 * for each piece of data: bodies of one-byte chunks took seven times as long.
 */
export class ChunkedBody {
  readonly #table: Uint8Array;
  readonly #runs = new KeptRuns();
  #keepsFraming = true;
  #state = START;
  /** While a size is read: its value so far. After that: the bytes of data still to come. */
  #left = 0;
  /** Digits of the size so far, without leading zeros. */
  #digits = 0;
  /** Framing bytes since the last data, counted in earlier reads. */
  #framingBytes = 0;
  /** Where the framing that is not counted yet begins in this read. */
  #framingFrom = 0;
  #isReleased = false;
  /** Bytes of data so far. */
  contentBytes = 0;
  fault: ChunkFault | null = null;

  constructor(side: MessageKind) {
    this.#table = CHUNK_TABLES[side];
  }

  /**
   * Prepares for another body. `wire` keeps sizes and line ends and leaves out extensions; `content` keeps only the data.
   */
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

  /** The rest is not wanted: nothing more is handed on. */
  release(): void {
    this.#isReleased = true;
  }

  /** Has the last chunk been read, and does a trailer section begin where `read` stopped? */
  get isInTrailers(): boolean {
    return this.#state === TRAILERS;
  }

  /** Has the body ended without a trailer section? */
  get hasEnded(): boolean {
    return this.#state === END;
  }

  /**
   * Reads up to the trailer section or the end, and hands on the kept bytes in as few pieces as possible. Returns the
   * position after the last byte read. The caller then checks `fault`: if it is set, at most the bytes before a long run
   * were handed on.
   */
  read(buffer: Buffer, start: number, end: number, receiver: BodyListener): number {
    const runs = this.#runs;
    const contentBytes = this.contentBytes;
    runs.begin(start);
    const isKept = this.#state === DATA || (this.#keepsFraming && this.#state < EXTENSION);
    if (isKept) runs.open(start);
    this.#framingFrom = start;
    const stop = this.#scan(buffer, start, end, receiver);
    if (this.#isReleased) return stop;
    if (this.fault !== null || (this.#state !== DATA && !this.#countFraming(stop))) {
      // Content of a refused read is not handed on and does not count.
      this.contentBytes = contentBytes;
      return stop;
    }
    runs.close(buffer, stop, receiver);
    if (!this.#isReleased) runs.flush(buffer, receiver);
    return stop;
  }

  #scan(buffer: Buffer, start: number, end: number, receiver: BodyListener): number {
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

  /** Has this body nothing more to read? */
  get #isDone(): boolean {
    return this.fault !== null || this.#state === TRAILERS || this.#state === END;
  }

  #takeData(buffer: Buffer, start: number, end: number, receiver: BodyListener): number {
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
   * Reads the chunks that are in the buffer as a whole, one after the other. Stops before a chunk that is incomplete or
   * unusual in any way, and leaves that chunk to `#takeFraming`. Accepts nothing that the table refuses, in less than
   * half the time: this decides what bodies of tiny chunks cost.
   */
  #takeWhole(buffer: Buffer, start: number, end: number, receiver: BodyListener): number {
    const table = this.#table;
    const runs = this.#runs;
    const keepsFraming = this.#keepsFraming;
    const last = end - SHORTEST_CHUNK;
    // Everything that changes with each chunk is a local variable: with fields the loop is half as fast.
    let { write, from } = runs;
    let content = 0;
    let i = start;
    while (i <= last) {
      let size = 0;
      let line = i;
      let digit = DIGIT_VALUE[buffer[line] as number] as number;
      while (digit === 0 && line < last) digit = DIGIT_VALUE[buffer[++line] as number] as number;
      while (digit < NO_DIGIT && size < SHORT) {
        size = size * 16 + digit;
        digit = DIGIT_VALUE[buffer[++line] as number] as number;
      }
      let lineEnd = line;
      let state = table[(DIGITS << 8) | (buffer[line] as number)] as number;
      while (state >= EXTENSION && lineEnd < last)
        state = table[(state << 8) | (buffer[++lineEnd] as number)] as number;
      const data = lineEnd + 2;
      const dataEnd = data + size;
      if (state !== SIZE_CR || size === 0 || dataEnd + 2 > end || lineEnd - i > MAX_LINE) break;
      if (buffer[lineEnd + 1] !== LF || buffer[dataEnd] !== CR || buffer[dataEnd + 1] !== LF) break;
      content += size;
      i = dataEnd + 2;
      if (keepsFraming && lineEnd === line) continue;
      const runEnd = keepsFraming ? line : dataEnd;
      if (!keepsFraming) from = data;
      if (runEnd - from <= BYTEWISE) {
        if (write === from) write = runEnd;
        else while (from < runEnd) buffer[write++] = buffer[from++] as number;
      } else {
        runs.write = write;
        runs.from = from;
        this.contentBytes += content;
        content = 0;
        runs.close(buffer, runEnd, receiver);
        write = runs.write;
      }
      from = keepsFraming ? lineEnd : -1;
      if (this.#isReleased) break;
    }
    runs.write = write;
    runs.from = from;
    this.contentBytes += content;
    // The line end after the data of the last chunk counts as framing.
    if (i > start) this.#framingFrom = i - 2;
    return i;
  }

  #takeFraming(buffer: Buffer, start: number, end: number, receiver: BodyListener): number {
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

  /** False when there are too many digits. */
  #addDigit(byte: number): boolean {
    const value = DIGIT_VALUE[byte] as number;
    if (this.#digits > 0 || value > 0) this.#digits++;
    this.#left = this.#left * 16 + value;
    if (this.#digits <= MAX_SIZE_DIGITS) return true;
    this.fault = 'size';
    return false;
  }

  /** The line of a size ends at `i`: data follows, or the end of the body. */
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

  /** Counts the framing up to `at`; false when there is too much. */
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
    // The byte that showed that a trailer section follows is its first byte.
    return state === TRAILERS ? i - 1 : i;
  }
}

/**
 * A run at least this long begins a new piece: handing on a piece costs its receiver about 1 µs, as much as moving 16
 * KiB.
 */
const LONG_RUN = 4096;

/**
 * The kept bytes of one read. Runs between bytes that are left out are moved together within the read buffer, so that ten
 * thousand short runs become one piece: one call, and one write.
 */
class KeptRuns {
  /** `[piece, write)` is assembled but not handed on yet. */
  #piece = 0;
  write = 0;
  /** Where the open run begins; -1 when none is open. */
  from = -1;

  /** Prepares for another read, which begins at `start`. */
  begin(start: number): void {
    this.#piece = start;
    this.write = start;
    this.from = -1;
  }

  /** Bytes from `at` on are kept. */
  open(at: number): void {
    this.from = at;
  }

  /** Bytes from `at` on are left out. Before a long run that does not adjoin the piece, hands on the piece. */
  close(buffer: Buffer, at: number, receiver: BodyListener): void {
    const from = this.from;
    if (from === -1) return;
    this.from = -1;
    if (this.write === from) {
      this.write = at;
    } else if (at - from < LONG_RUN) {
      this.write = moveDown(buffer, this.write, from, at);
    } else {
      this.flush(buffer, receiver);
      this.#piece = from;
      this.write = at;
    }
  }

  /** Hands on what is left. */
  flush(buffer: Buffer, receiver: BodyListener): void {
    const piece = this.#piece;
    this.#piece = this.write;
    if (this.write > piece) receiver.onBodyBytes(buffer, piece, this.write);
  }
}

/** Moves `buffer[from, to)` down to `at`; returns the position after the moved bytes. */
function moveDown(buffer: Buffer, at: number, from: number, to: number): number {
  if (to - from > BYTEWISE) {
    buffer.copyWithin(at, from, to);
    return at + to - from;
  }
  let write = at;
  for (let i = from; i < to; i++) buffer[write++] = buffer[i] as number;
  return write;
}
