import { ChunkedBody, type ChunkFault } from './chunked-body.js';
import type { BodyForm, BodyListener } from './flow.js';
import { HeadMender } from './head-mender.js';
import { type LlhttpParser, llhttpPool, type MessageKind } from './llhttp.js';
import { type Refusal, refusal } from './refusal.js';
import type { Framing } from './request-head.js';
import { TrailerSection } from './trailers.js';

/** The refusals of one fault, by the side it came from. */
type Sides = { readonly [side in MessageKind]: Refusal };

function refusals(status: number, detail: string): Sides {
  return { request: refusal(status, detail), response: refusal(502, detail) };
}

const NO_LINE = Buffer.alloc(0);

const BAD_CHUNK = refusals(400, 'the chunked body is not valid');
const BIG_CHUNK = refusals(400, 'a chunk size is not a number that can be counted exactly');
const LONG_FRAMING = refusals(400, 'more than 16 KiB of chunk framing without data');
const MANY_TRAILERS = refusals(431, 'more than 64 trailer fields');
const LONG_TRAILERS = refusals(431, 'the trailer section is longer than limits.header_bytes');
const CHUNK_FAULTS: { readonly [fault in ChunkFault]: Sides } = {
  syntax: BAD_CHUNK,
  size: BIG_CHUNK,
  framing: LONG_FRAMING,
};

/**
 * Finds the end of one body, whatever frames it, and hands on its bytes. Bodies with a length are counted and never
 * parsed. Of a chunked one, chunk extensions are taken out (RFC 9112, 7.1.1: they are for this hop alone, and a
 * parser that reads them differently is how requests are smuggled), and trailers that must not be passed on are left
 * out. The others are handed on as fields, in either form.
 */
export class BodyReader {
  readonly #side: MessageKind;
  readonly #maxTrailerBytes: number;
  #receiver: BodyListener | null = null;
  /** This and `#trailers` are made for the first body that needs them. */
  #chunks: ChunkedBody | null = null;
  #trailers: TrailerSection | null = null;
  /** While a trailer section comes in. */
  #llhttp: LlhttpParser | null = null;
  /** The same, in a response: what is forgiven in the fields of its head is forgiven there too. */
  #mender: HeadMender | null = null;
  #trailerBytes = 0;
  #framing: Framing = 'none';
  #remaining = 0;
  /** Is the whole body there? */
  complete = true;
  refusal: Refusal | null = null;
  /** Bytes of content so far of a body that is not chunked. */
  #counted = 0;

  constructor(side: MessageKind, maxTrailerBytes: number) {
    this.#side = side;
    this.#maxTrailerBytes = maxTrailerBytes;
  }

  /** Its message is done with: lets go of the receiver, and nothing of the body is left. */
  reset(): void {
    this.#receiver = null;
    if (this.#chunks !== null) this.#chunks.release();
    if (this.#llhttp !== null) this.#giveLlhttp(this.#llhttp);
    this.complete = true;
    this.refusal = null;
    this.#framing = 'none';
    this.#counted = 0;
  }

  /** Behind a head, for the body that it announced. */
  begin(framing: Framing, contentLength: number, form: BodyForm, receiver: BodyListener): void {
    this.#framing = framing;
    this.#remaining = contentLength;
    this.complete = framing === 'none';
    this.refusal = null;
    this.#counted = 0;
    this.#receiver = receiver;
    if (framing !== 'chunked') return;
    this.#chunks ??= new ChunkedBody(this.#side);
    this.#chunks.begin(form);
  }

  /** Bytes of content so far, chunk framing not counted. */
  get contentBytes(): number {
    return this.#framing === 'chunked' ? (this.#chunks as ChunkedBody).contentBytes : this.#counted;
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

  #giveLlhttp(llhttp: LlhttpParser): void {
    llhttpPool(llhttp.kind).put(llhttp);
    this.#llhttp = null;
    this.#mender = null;
  }

  /** Takes body bytes; gives the position behind the last one that belongs to this body. */
  read(buffer: Buffer, start: number, end: number): number {
    switch (this.#framing) {
      case 'none':
        return start;
      case 'length': {
        const stop = Math.min(end, start + this.#remaining);
        this.#remaining -= stop - start;
        this.#counted += stop - start;
        this.complete = this.#remaining === 0;
        if (stop > start) this.#receiver?.onBodyBytes(buffer, start, stop);
        return stop;
      }
      case 'close':
        this.#counted += end - start;
        this.#receiver?.onBodyBytes(buffer, start, end);
        return end;
      case 'chunked':
        return this.#readChunks(buffer, start, end);
    }
  }

  #readChunks(buffer: Buffer, start: number, end: number): number {
    const receiver = this.#receiver;
    // Nobody wants the rest any more.
    if (receiver === null) return end;
    if (this.#llhttp !== null) return this.#readTrailers(this.#llhttp, buffer, start, end);
    const chunks = this.#chunks as ChunkedBody;
    const stop = chunks.read(buffer, start, end, receiver);
    if (chunks.fault !== null) return this.#refuse(CHUNK_FAULTS[chunks.fault], stop);
    if (this.#receiver === null) return stop;
    if (chunks.isInTrailers) return this.#readTrailers(this.#beginTrailers(), buffer, stop, end);
    this.complete = chunks.hasEnded;
    return stop;
  }

  #beginTrailers(): LlhttpParser {
    this.#trailers ??= new TrailerSection();
    this.#trailers.clear();
    this.#trailerBytes = 0;
    this.#mender = this.#side === 'response' ? new HeadMender(NO_LINE, true) : null;
    const llhttp = llhttpPool('request').take();
    llhttp.beginTrailers(this.#trailers.offsets);
    this.#llhttp = llhttp;
    return llhttp;
  }

  #readTrailers(llhttp: LlhttpParser, buffer: Buffer, start: number, end: number): number {
    const trailers = this.#trailers as TrailerSection;
    const stop = this.#parseTrailers(llhttp, trailers, buffer, start, end);
    this.#trailerBytes += stop - start;
    const isBad = this.#mender !== null && this.#mender.complete !== llhttp.messageComplete;
    if (llhttp.failed || isBad) return this.#refuse(llhttp.hitFieldLimit ? MANY_TRAILERS : BAD_CHUNK, stop);
    if (this.#trailerBytes > this.#maxTrailerBytes) return this.#refuse(LONG_TRAILERS, stop);
    if (!llhttp.messageComplete) return stop;
    const { fieldCount } = llhttp;
    this.#giveLlhttp(llhttp);
    this.complete = true;
    const dropped = this.#receiver?.droppedTrailers ?? null;
    this.#receiver?.onTrailers(trailers.passable(fieldCount, dropped));
    return stop;
  }

  /** Returns the position after the last byte taken; the bytes are added to `trailers`. */
  #parseTrailers(
    llhttp: LlhttpParser,
    trailers: TrailerSection,
    buffer: Buffer,
    start: number,
    end: number,
  ): number {
    const mender = this.#mender;
    if (mender === null) {
      const stop = llhttp.executeTrailers(buffer, start, end, trailers.length);
      trailers.append(buffer, start, stop);
      return stop;
    }
    const before = mender.length;
    const stop = mender.add(buffer, start, end);
    llhttp.executeTrailers(mender.feed, before, mender.length, before);
    trailers.append(mender.text, before, mender.length);
    return stop;
  }

  #refuse(why: Sides, position: number): number {
    this.refusal = why[this.#side];
    return position;
  }
}
