import type { LlhttpParser, MessageKind } from './llhttp.js';
import { type Refusal, refusal } from './refusal.js';
import type { Framing } from './request-head.js';
import { TrailerSection } from './trailers.js';

const CR = 0x0d;
const ZERO = 0x30;

/** Has what chunked bodies are parsed with. */
export interface LlhttpHolder {
  readonly llhttp: LlhttpParser;
}

/**
 * Takes the body, piece by piece. A piece is valid during the call only: it lies in a read buffer. The message may be
 * let go of within the call (`release`): nothing more comes then, whatever else was read.
 */
export interface BodyReceiver {
  onBodyBytes(buffer: Buffer, start: number, end: number): void;
}

/**
 * What of a chunked body is handed on: `wire` keeps the chunks as they came, so that a body is relayed in one write
 * per read; `content` gives the data alone, for a peer that does not know chunks.
 */
export type BodyForm = 'wire' | 'content';

/** The refusals of one fault, by the side it came from. */
function refusals(status: number, detail: string): { readonly [side in MessageKind]: Refusal } {
  return { request: refusal(status, detail), response: refusal(502, detail) };
}

const BAD_CHUNK = refusals(400, 'the chunked body is not valid');
const BIG_CHUNK = refusals(400, 'a chunk size is not a number that can be counted exactly');
const LONG_FRAMING = refusals(400, 'more than 16 KiB of chunk framing without data');
const MANY_TRAILERS = refusals(431, 'more than 64 trailer fields');
const LONG_TRAILERS = refusals(431, 'the trailer section is longer than limits.header_bytes');
const LIMITS = { fields: MANY_TRAILERS, chunk_framing: LONG_FRAMING };

/** 2^52 - 1 has 13 of them: a size with more would be another number to a server that counts in 32, 63 or 64 bits. */
const MAX_SIZE_DIGITS = 13;

/** What a byte outside the data is: neither (an extension begins), a digit of a size, or of a line's end. */
const DIGIT = 1;
const LINE_END = 2;
const FRAMING = new Uint8Array(256);
for (const c of '0123456789abcdefABCDEF') FRAMING[c.charCodeAt(0)] = DIGIT;
for (const c of '\r\n') FRAMING[c.charCodeAt(0)] = LINE_END;

/**
 * Finds the end of one body, whatever frames it, and hands on its bytes. Bodies with a length are counted and never
 * parsed. Of a chunked one, chunk extensions are taken out (RFC 9112, 7.1.1: they are for this hop alone, and a
 * parser that reads them differently is how requests are smuggled), and trailers that must not be passed on are left
 * out. Trailers are dropped altogether in `content` form.
 */
export class BodyReader {
  readonly #side: MessageKind;
  readonly #maxTrailerBytes: number;
  readonly #holder: LlhttpHolder;
  #receiver: BodyReceiver | null = null;
  #trailers: TrailerSection | null = null;
  #framing: Framing = 'none';
  #form: BodyForm = 'wire';
  #remaining = 0;
  #inExtension = false;
  /** Digits of the chunk size that is being read, leading zeros left out. */
  #sizeDigits = 0;
  /** Is the whole body there? */
  complete = true;
  refusal: Refusal | null = null;
  /** Bytes of content so far, chunk framing not counted. */
  contentBytes = 0;

  constructor(side: MessageKind, maxTrailerBytes: number, holder: LlhttpHolder) {
    this.#side = side;
    this.#maxTrailerBytes = maxTrailerBytes;
    this.#holder = holder;
  }

  /** Before a head: nothing of the body before is left. */
  reset(): void {
    this.complete = true;
    this.refusal = null;
    this.contentBytes = 0;
  }

  /** Behind a head, for the body that it announced. */
  begin(framing: Framing, contentLength: number, form: BodyForm, receiver: BodyReceiver): void {
    this.#framing = framing;
    this.#form = form;
    this.#remaining = contentLength;
    this.#inExtension = false;
    this.#sizeDigits = 0;
    this.complete = framing === 'none';
    this.refusal = null;
    this.contentBytes = 0;
    this.#receiver = receiver;
    if (framing !== 'chunked') return;
    this.#trailers ??= new TrailerSection();
    this.#trailers.clear();
    this.#holder.llhttp.continueBody(this.#trailers.offsets);
  }

  /** Bytes of a body with a length that have not come yet; infinite when its length is not known. */
  get remaining(): number {
    if (this.complete) return 0;
    return this.#framing === 'length' ? this.#remaining : Number.POSITIVE_INFINITY;
  }

  get endsWithConnection(): boolean {
    return this.#framing === 'close';
  }

  /** The connection ended: the end of a body that ends with it, a cut (false) for any other. */
  endWithConnection(): boolean {
    if (this.#framing === 'close') this.complete = true;
    return this.complete;
  }

  /** Lets go of the receiver, when its message is done with. */
  release(): void {
    this.#receiver = null;
  }

  /** Takes body bytes; gives the position behind the last one that belongs to this body. */
  read(buffer: Buffer, start: number, end: number): number {
    switch (this.#framing) {
      case 'none':
        return start;
      case 'length': {
        const stop = Math.min(end, start + this.#remaining);
        this.#remaining -= stop - start;
        this.contentBytes += stop - start;
        this.complete = this.#remaining === 0;
        if (stop > start) this.#receiver?.onBodyBytes(buffer, start, stop);
        return stop;
      }
      case 'close':
        this.contentBytes += end - start;
        this.#receiver?.onBodyBytes(buffer, start, end);
        return end;
      case 'chunked':
        return this.#readChunks(buffer, start, end);
    }
  }

  #readChunks(buffer: Buffer, start: number, end: number): number {
    const { llhttp } = this.#holder;
    const trailers = this.#trailers as TrailerSection;
    const stop = llhttp.executeBody(buffer, start, end, trailers.nextOffset);
    if (llhttp.failed) return this.#refuse(llhttp.limit === '' ? BAD_CHUNK : LIMITS[llhttp.limit], stop);
    this.#countContent();
    const trailerStart = trailers.begin(llhttp.fieldCount, start, stop);
    if (!this.#handOn(buffer, start, trailerStart)) return this.#refuse(BIG_CHUNK, stop);
    // Nobody wants the rest any more, and what it was parsed with may be in use for another message.
    if (this.#receiver === null) return stop;
    trailers.append(buffer, trailerStart, stop);
    if (trailers.length > this.#maxTrailerBytes) return this.#refuse(LONG_TRAILERS, stop);
    if (llhttp.messageComplete) {
      this.complete = true;
      if (trailers.length > 0 && this.#form === 'wire') {
        const end = Buffer.from(`${trailers.passable(llhttp.fieldCount)}\r\n`, 'latin1');
        this.#receiver.onBodyBytes(end, 0, end.length);
      }
    }
    return stop;
  }

  #refuse(why: { readonly [side in MessageKind]: Refusal }, position: number): number {
    this.refusal = why[this.#side];
    return position;
  }

  #countContent(): void {
    const { bodySpans: spans, bodySpanCount } = this.#holder.llhttp;
    for (let i = 0; i < bodySpanCount; i++) {
      this.contentBytes += (spans[i * 2 + 1] as number) - (spans[i * 2] as number);
    }
  }

  /**
   * Hands on `buffer[start, end)`: as content, or in as few pieces as possible: one, unless there are extensions to
   * leave out. False when a chunk size is too big.
   */
  #handOn(buffer: Buffer, start: number, end: number): boolean {
    const wire = this.#form === 'wire';
    const { bodySpans: spans, bodySpanCount: spanCount } = this.#holder.llhttp;
    let piece = start;
    let gap = start;
    for (let span = 0; span < spanCount; span++) {
      const dataStart = spans[span * 2] as number;
      const dataEnd = spans[span * 2 + 1] as number;
      piece = this.#readFraming(buffer, gap, dataStart, piece);
      if (this.#sizeDigits > MAX_SIZE_DIGITS) return false;
      if (!wire) this.#receiver?.onBodyBytes(buffer, dataStart, dataEnd);
      if (this.#receiver === null) return true;
      gap = dataEnd;
    }
    piece = this.#readFraming(buffer, gap, end, piece);
    if (this.#sizeDigits > MAX_SIZE_DIGITS) return false;
    if (wire && !this.#inExtension && end > piece) this.#receiver?.onBodyBytes(buffer, piece, end);
    return true;
  }

  /**
   * Goes through `buffer[start, end)`, which lies between data. `piece` is where begins what was not handed on yet;
   * gives where that is now.
   */
  #readFraming(buffer: Buffer, start: number, end: number, piece: number): number {
    let unsent = piece;
    for (let i = start; i < end; i++) {
      const byte = buffer[i] as number;
      if (this.#inExtension) {
        if (byte !== CR) continue;
        this.#inExtension = false;
        this.#sizeDigits = 0;
        unsent = i;
        continue;
      }
      const kind = FRAMING[byte];
      if (kind === DIGIT) {
        if (byte === ZERO && this.#sizeDigits === 0) continue;
        if (++this.#sizeDigits > MAX_SIZE_DIGITS) return unsent;
      } else if (kind === LINE_END) {
        this.#sizeDigits = 0;
      } else {
        if (this.#form === 'wire' && i > unsent) this.#receiver?.onBodyBytes(buffer, unsent, i);
        this.#inExtension = true;
      }
    }
    return unsent;
  }
}
