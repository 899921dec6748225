import type { LlhttpParser, MessageKind } from './llhttp.js';
import { type Refusal, refusal } from './refusal.js';
import type { Framing } from './request-head.js';
import { TrailerSection } from './trailers.js';

const CR = 0x0d;

/** Takes the body, piece by piece. A piece is valid during the call only: it lies in a read buffer. */
export interface BodyReceiver {
  onBodyBytes(buffer: Buffer, start: number, end: number): void;
}

/**
 * What of a chunked body is handed on: `wire` keeps the chunks as they came, so that a body is relayed in one write
 * per read; `content` gives the data alone, for a peer that does not know chunks.
 */
export type BodyForm = 'wire' | 'content';

const BAD_REQUEST_CHUNK = refusal(400, 'the chunked body is not valid');
const BAD_RESPONSE_CHUNK = refusal(502, 'the chunked body is not valid');
const LONG_TRAILERS = refusal(431, 'the trailer section is longer than limits.header_bytes');

/** Is this byte part of a chunk-size line without extension, or of the line end behind the data? */
const PLAIN_FRAMING = new Uint8Array(256);
for (const c of '0123456789abcdefABCDEF\r\n') PLAIN_FRAMING[c.charCodeAt(0)] = 1;

/**
 * Finds the end of one body, whatever frames it, and hands on its bytes. Bodies with a length are counted and never
 * parsed. Of a chunked one, chunk extensions are taken out (RFC 9112, 7.1.1: they are for this hop alone, and a
 * parser that reads them differently is how requests are smuggled), and trailers that must not be passed on are left
 * out. Trailers are dropped altogether in `content` form.
 */
export class BodyReader {
  readonly #side: MessageKind;
  readonly #maxTrailerBytes: number;
  readonly #llhttp: LlhttpParser;
  #receiver: BodyReceiver | null = null;
  #trailers: TrailerSection | null = null;
  #framing: Framing = 'none';
  #form: BodyForm = 'wire';
  #remaining = 0;
  #inExtension = false;
  /** Is the whole body there? */
  complete = true;
  refusal: Refusal | null = null;
  /** Bytes of content so far, chunk framing not counted. */
  contentBytes = 0;

  constructor(side: MessageKind, maxTrailerBytes: number, llhttp: LlhttpParser) {
    this.#side = side;
    this.#maxTrailerBytes = maxTrailerBytes;
    this.#llhttp = llhttp;
  }

  /** Behind a head, for the body that it announced. */
  begin(framing: Framing, contentLength: number, form: BodyForm, receiver: BodyReceiver): void {
    this.#framing = framing;
    this.#form = form;
    this.#remaining = contentLength;
    this.#inExtension = false;
    this.complete = framing === 'none';
    this.refusal = null;
    this.contentBytes = 0;
    this.#receiver = receiver;
    if (framing !== 'chunked') return;
    this.#trailers ??= new TrailerSection();
    this.#trailers.clear();
    this.#llhttp.continueBody(this.#trailers.offsets);
  }

  /** Bytes of a body with a length that have not come yet; infinite when its length is not known. */
  get remaining(): number {
    if (this.complete) return 0;
    return this.#framing === 'length' ? this.#remaining : Number.POSITIVE_INFINITY;
  }

  /** The connection ended: the end of a body that ends with it, a cut (false) for any other. */
  endWithConnection(): boolean {
    if (this.#framing === 'close') this.complete = true;
    return this.complete;
  }

  /** Lets go of the receiver and forgets the body, when its message is done with. */
  release(): void {
    this.#receiver = null;
    this.refusal = null;
    this.contentBytes = 0;
  }

  /** Takes body bytes; gives the position behind the last one that belongs to this body. */
  read(buffer: Buffer, start: number, end: number): number {
    const receiver = this.#receiver as BodyReceiver;
    switch (this.#framing) {
      case 'none':
        return start;
      case 'length': {
        const stop = Math.min(end, start + this.#remaining);
        this.#remaining -= stop - start;
        this.contentBytes += stop - start;
        this.complete = this.#remaining === 0;
        if (stop > start) receiver.onBodyBytes(buffer, start, stop);
        return stop;
      }
      case 'close':
        this.contentBytes += end - start;
        receiver.onBodyBytes(buffer, start, end);
        return end;
      case 'chunked':
        return this.#readChunks(buffer, start, end, receiver);
    }
  }

  #readChunks(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    const llhttp = this.#llhttp;
    const trailers = this.#trailers as TrailerSection;
    const stop = llhttp.executeBody(buffer, start, end, trailers.nextOffset);
    if (llhttp.failed) return this.#refuse(BAD_REQUEST_CHUNK, stop);
    this.#countContent();
    const trailerStart = trailers.begin(llhttp.fieldCount, start, stop);
    if (this.#form === 'content') this.#handOnContent(buffer, receiver);
    else this.#handOnWire(buffer, start, trailerStart, receiver);
    trailers.append(buffer, trailerStart, stop);
    if (trailers.length > this.#maxTrailerBytes) return this.#refuse(LONG_TRAILERS, stop);
    if (llhttp.messageComplete) {
      this.complete = true;
      if (trailers.length > 0 && this.#form === 'wire') {
        const end = Buffer.from(`${trailers.passable(llhttp.fieldCount)}\r\n`, 'latin1');
        receiver.onBodyBytes(end, 0, end.length);
      }
    }
    return stop;
  }

  #refuse(request: Refusal, position: number): number {
    this.refusal = this.#side === 'request' ? request : BAD_RESPONSE_CHUNK;
    return position;
  }

  #countContent(): void {
    const spans = this.#llhttp.bodySpans;
    for (let i = 0; i < this.#llhttp.bodySpanCount; i++) {
      this.contentBytes += (spans[i * 2 + 1] as number) - (spans[i * 2] as number);
    }
  }

  #handOnContent(buffer: Buffer, receiver: BodyReceiver): void {
    const spans = this.#llhttp.bodySpans;
    for (let i = 0; i < this.#llhttp.bodySpanCount; i++) {
      receiver.onBodyBytes(buffer, spans[i * 2] as number, spans[i * 2 + 1] as number);
    }
  }

  /** Hands on `buffer[start, end)` in as few pieces as possible: one, unless there are extensions to leave out. */
  #handOnWire(buffer: Buffer, start: number, end: number, receiver: BodyReceiver): void {
    const spans = this.#llhttp.bodySpans;
    const spanCount = this.#llhttp.bodySpanCount;
    let piece = start;
    let gap = start;
    for (let span = 0; span <= spanCount; span++) {
      const gapEnd = span < spanCount ? (spans[span * 2] as number) : end;
      for (let i = gap; i < gapEnd; i++) {
        const byte = buffer[i] as number;
        if (this.#inExtension) {
          if (byte !== CR) continue;
          this.#inExtension = false;
          piece = i;
        } else if (PLAIN_FRAMING[byte] === 0) {
          if (i > piece) receiver.onBodyBytes(buffer, piece, i);
          this.#inExtension = true;
        }
      }
      if (span < spanCount) gap = spans[span * 2 + 1] as number;
    }
    if (!this.#inExtension && end > piece) receiver.onBodyBytes(buffer, piece, end);
  }
}
