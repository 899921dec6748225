import { latin1 } from '../base/bytes.js';
import type { ObjectPool } from '../base/collections.js';
import { ChunkedBody, type ChunkFault } from './chunked-body.js';
import type { BodyForm, BodyListener } from './flow.js';
import type { Framing } from './head.js';
import { HeadMender } from './head-mender.js';
import { type LlhttpParser, llhttpPool, type MessageKind } from './llhttp.js';
import { type Refusal, refusal } from './refusal.js';
import { TrailerSection } from './trailers.js';

const CR = 0x0d;
const LF = 0x0a;

/** How large a head may be. */
export interface HeadLimits {
  /** Bytes, including start line and empty line. */
  readonly headBytes: number;
  readonly fields: number;
  /** Bytes of the request target. */
  readonly targetBytes: number;
}

/** The refusals, which differ between requests and responses. */
export interface HeadRefusals {
  readonly syntax: Refusal;
  readonly tooManyBytes: Refusal;
  readonly tooManyFields: Refusal;
}

export const REQUEST_REFUSALS: HeadRefusals = {
  syntax: refusal(400, 'the head is not valid HTTP/1.1'),
  tooManyBytes: refusal(431, 'the head is longer than limits.header_bytes'),
  tooManyFields: refusal(431, 'more fields than limits.headers'),
};

export const RESPONSE_REFUSALS: HeadRefusals = {
  syntax: refusal(502, 'the response head is not valid HTTP/1.1'),
  tooManyBytes: refusal(502, 'the response head is longer than twice limits.header_bytes'),
  tooManyFields: refusal(502, 'the response head has more fields than twice limits.headers'),
};

/**
 * Reads one head from any number of reads. A head that arrives in one read, as nearly all do, is parsed where it lies;
 * the bytes of a split one are gathered, never more than the limit allows. A head that llhttp refuses is read a second
 * time by a `HeadMender`, from its first byte to its last.
 */
export abstract class MessageParser {
  readonly #kind: MessageKind;
  readonly #llhttpPool: ObjectPool<LlhttpParser>;
  /** The offsets of the head's fields. */
  readonly #offsets: Int32Array;
  /** Not null while the head comes in. */
  #llhttp: LlhttpParser | null = null;
  /** Reads the body after the head. */
  readonly body: BodyReader;
  protected readonly limits: HeadLimits;
  readonly #refusals: HeadRefusals;
  #gathered: Buffer | null = null;
  #gatheredBytes = 0;
  /** Head bytes that llhttp has parsed so far. */
  #taken = 0;
  #lineRead = false;
  /** Reads the head a second time; null unless llhttp has refused it, which is rare. */
  #mender: HeadMender | null = null;
  /** Is the head complete and valid? */
  complete = false;
  /** Why the head is refused; then it never becomes complete. */
  refusal: Refusal | null = null;

  /** `offsets` belong to the head that this parser fills. */
  constructor(kind: MessageKind, limits: HeadLimits, refusals: HeadRefusals, offsets: Int32Array) {
    this.#kind = kind;
    this.#llhttpPool = llhttpPool(kind);
    this.#offsets = offsets;
    this.body = new BodyReader(kind, limits.headBytes);
    this.limits = limits;
    this.#refusals = refusals;
  }

  /**
   * Reads the start line at `buffer[start, end)`: true when it is complete and valid (`lineStart`, `lineEnd` are set),
   * false when more bytes are needed or `refusal` is set.
   */
  protected abstract readStartLine(buffer: Buffer, start: number, end: number): boolean;
  /** The longest start line, including empty lines before it, that may still be accepted. */
  protected abstract get maxLineBytes(): number;
  protected lineStart = 0;
  protected lineEnd = 0;
  /** llhttp gets this instead of the first `standInFor` bytes of the line. */
  protected standIn: Buffer | null = null;
  protected standInFor = 0;
  /** The head is refused after a valid start line at `buffer[start, end)`: keeps what the line says, for the log. */
  protected abstract noteLine(buffer: Buffer, start: number, end: number): void;
  /** The head is complete: classifies it and decides its framing. Returns null, or why the head is refused. */
  protected abstract accept(text: string, fieldCount: number): Refusal | null;

  #takeLlhttp(): LlhttpParser {
    const parser = this.#llhttpPool.take();
    parser.reset(this.#offsets);
    this.#llhttp = parser;
    return parser;
  }

  #giveLlhttp(parser: LlhttpParser): void {
    this.#llhttpPool.put(parser);
    this.#llhttp = null;
  }

  /** Has any byte of the message arrived? Empty lines before it do not count (RFC 9112, 2.2). */
  get started(): boolean {
    if (this.#taken > 0) return true;
    for (let i = 0; i < this.#gatheredBytes; i++) {
      const byte = this.#gathered?.[i];
      if (byte !== CR && byte !== LF) return true;
    }
    return false;
  }

  /** The head will not be complete: keeps what its line says, if that has arrived, for the log. */
  giveUp(): void {
    if (this.#lineRead) this.noteLine(this.#gathered as Buffer, 0, this.lineEnd - this.lineStart);
  }

  /** The message is finished: releases the listener to its body, and prepares for the next. */
  reset(): void {
    if (this.#llhttp !== null) this.#giveLlhttp(this.#llhttp);
    this.body.reset();
    this.#gathered = null;
    this.#gatheredBytes = 0;
    this.#taken = 0;
    this.#lineRead = false;
    this.#mender = null;
    this.standIn = null;
    this.complete = false;
    this.refusal = null;
  }

  /** Reads head bytes; returns the position after the last one. The caller then checks `complete` and `refusal`. */
  readHead(buffer: Buffer, start: number, end: number): number {
    if (this.#mender !== null) return this.#readMended(buffer, start, end);
    if (this.#lineRead) return this.#readFields(buffer, start, end, -1);
    if (this.#gatheredBytes > 0) return this.#readGatheredLine(buffer, start, end);
    if (this.readStartLine(buffer, start, end)) {
      this.#lineRead = true;
      const { lineStart } = this;
      return this.#readFields(buffer, this.#feedStandIn(lineStart), end, lineStart);
    }
    if (this.refusal === null) this.#gather(buffer, start, end);
    return end;
  }

  /** The line began in an earlier read: it is assembled first, then parsed as one. */
  #readGatheredLine(buffer: Buffer, start: number, end: number): number {
    const before = this.#gatheredBytes;
    // A line that may still be accepted is not longer, so no more is gathered.
    const room = this.maxLineBytes - before;
    this.#gather(buffer, start, Math.min(end, start + Math.max(room, 1)));
    const gathered = this.#gathered as Buffer;
    if (!this.readStartLine(gathered, 0, this.#gatheredBytes)) return end;
    this.#lineRead = true;
    const taken = this.lineEnd - before;
    // Removes empty lines before the message.
    gathered.copyWithin(0, this.lineStart, this.lineEnd);
    this.#gatheredBytes = this.lineEnd - this.lineStart;
    const rest = this.#feedStandIn(0);
    const parser = this.#llhttp ?? this.#takeLlhttp();
    parser.executeHead(gathered, rest, this.#gatheredBytes, this.#taken);
    if (parser.failed) return this.#refuseHead(this.#syntax, buffer, -1, start + taken);
    this.#taken = this.#gatheredBytes;
    return this.#readFields(buffer, start + taken, end, -1);
  }

  /** Returns the position in the line from which llhttp gets the real bytes. */
  #feedStandIn(lineStart: number): number {
    if (this.standIn === null) return lineStart;
    const parser = this.#llhttp ?? this.#takeLlhttp();
    parser.executeHead(this.standIn, 0, this.standIn.length, 0);
    this.#taken = this.standInFor;
    return lineStart + this.standInFor;
  }

  /** `origin` is where the head begins in `buffer`; -1 when it began in an earlier read. */
  #readFields(buffer: Buffer, start: number, end: number, origin: number): number {
    const limit = this.limits.headBytes;
    const parser = this.#llhttp ?? this.#takeLlhttp();
    const stop = Math.min(end, start + limit - this.#taken + 1);
    const position = parser.executeHead(buffer, start, stop, this.#taken);
    if (parser.failed) {
      if (!parser.hitFieldLimit) return this.#readAgain(buffer, start, end, origin);
      return this.#refuseHead(this.#refusals.tooManyFields, buffer, origin, position);
    }
    this.#taken += position - start;
    if (this.#taken > limit) return this.#refuseHead(this.#refusals.tooManyBytes, buffer, origin, position);
    if (!parser.headComplete) {
      this.#gather(buffer, origin === -1 ? start : origin, position);
      return position;
    }
    let text: string;
    if (origin !== -1) text = latin1(buffer, origin, position);
    else text = latin1(this.#gathered as Buffer, 0, this.#gatheredBytes) + latin1(buffer, start, position);
    this.#finish(text, parser);
    return position;
  }

  #finish(text: string, parser: LlhttpParser): void {
    this.#gathered = null;
    this.refusal = this.accept(text, parser.fieldCount);
    this.complete = this.refusal === null;
    this.#giveLlhttp(parser);
  }

  // The second reading.

  /** Starts again with the first byte. `buffer[start, end)` and `origin` are those of `#readFields`. */
  #readAgain(buffer: Buffer, start: number, end: number, origin: number): number {
    const lineBytes = this.lineEnd - this.lineStart;
    const gatheredBytes = this.#gatheredBytes;
    const source = origin === -1 ? (this.#gathered as Buffer) : buffer;
    const lineStart = Math.max(origin, 0);
    const mender = new HeadMender(
      source.subarray(lineStart, lineStart + lineBytes),
      this.#kind === 'response',
    );
    this.#mender = mender;
    if (this.#llhttp !== null) this.#giveLlhttp(this.#llhttp);
    this.#taken = 0;
    const rest = this.#feedStandIn(0);
    const parser = this.#llhttp ?? this.#takeLlhttp();
    parser.executeHead(mender.feed, rest, lineBytes, this.#taken);
    this.#taken = lineBytes;
    if (origin !== -1) return this.#readMended(buffer, origin + lineBytes, end);
    this.#readMended(source, lineBytes, gatheredBytes);
    return this.refusal === null ? this.#readMended(buffer, start, end) : end;
  }

  #readMended(buffer: Buffer, start: number, end: number): number {
    const mender = this.#mender as HeadMender;
    const parser = this.#llhttp ?? this.#takeLlhttp();
    const limit = this.limits.headBytes;
    const before = mender.length;
    const position = mender.add(buffer, start, Math.min(end, start + limit - this.#taken + 1));
    this.#taken += position - start;
    this.#gathered = mender.text;
    this.#gatheredBytes = mender.length;
    parser.executeHead(mender.feed, before, mender.length, before);
    if (parser.hitFieldLimit) return this.#refuseHead(this.#refusals.tooManyFields, mender.text, 0, position);
    // The second reading is safe because the head mender and llhttp must agree about the end of the head.
    if (parser.failed || parser.headComplete !== mender.complete)
      return this.#refuseHead(this.#syntax, mender.text, 0, position);
    if (this.#taken > limit) return this.#refuseHead(this.#refusals.tooManyBytes, mender.text, 0, position);
    if (!mender.complete) return position;
    this.#finish(latin1(mender.text, 0, mender.length), parser);
    this.#mender = null;
    return position;
  }

  get #syntax(): Refusal {
    const { syntax } = this.#refusals;
    const fault = this.#llhttp?.fault ?? '';
    return fault === '' ? syntax : refusal(syntax.status, `${syntax.detail}: ${fault}`);
  }

  #refuseHead(why: Refusal, buffer: Buffer, origin: number, position: number): number {
    this.refusal = why;
    this.#mender = null;
    if (this.#llhttp !== null) this.#giveLlhttp(this.#llhttp);
    const lineBytes = this.lineEnd - this.lineStart;
    if (origin === -1) this.noteLine(this.#gathered as Buffer, 0, lineBytes);
    else this.noteLine(buffer, origin, origin + lineBytes);
    return position;
  }

  #gather(buffer: Buffer, start: number, end: number): void {
    const bytes = end - start;
    const needed = this.#gatheredBytes + bytes;
    if (this.#gathered === null || this.#gathered.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2));
      if (this.#gathered !== null) this.#gathered.copy(grown, 0, 0, this.#gatheredBytes);
      this.#gathered = grown;
    }
    buffer.copy(this.#gathered, this.#gatheredBytes, start, end);
    this.#gatheredBytes = needed;
  }
}

/** The refusals for one fault, for each kind of message. */
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
 * Finds the end of one body, whatever its framing, and hands on its bytes. Bodies with a length are counted and not
 * parsed. From a chunked one, chunk extensions are removed (RFC 9112, 7.1.1: they concern this hop alone, and a parser
 * that reads them differently is how requests are smuggled), and trailers that must not be passed on. The other trailers
 * are handed on as fields, in either form.
 */
export class BodyReader {
  readonly #side: MessageKind;
  readonly #maxTrailerBytes: number;
  #receiver: BodyListener | null = null;
  /** Made, like `#trailers`, for the first body that needs them. */
  #chunks: ChunkedBody | null = null;
  #trailers: TrailerSection | null = null;
  /** Not null while a trailer section comes in. */
  #llhttp: LlhttpParser | null = null;
  /** The same, for a response: errors that are tolerated in its head are tolerated in its trailers. */
  #mender: HeadMender | null = null;
  #trailerBytes = 0;
  #framing: Framing = 'none';
  #remaining = 0;
  /** Is the body complete? */
  complete = true;
  refusal: Refusal | null = null;
  /** Bytes of content so far, of a body that is not chunked. */
  #counted = 0;

  constructor(side: MessageKind, maxTrailerBytes: number) {
    this.#side = side;
    this.#maxTrailerBytes = maxTrailerBytes;
  }

  /** The message is finished: releases the listener and the state of the body. */
  reset(): void {
    this.#receiver = null;
    if (this.#chunks !== null) this.#chunks.release();
    if (this.#llhttp !== null) this.#giveLlhttp(this.#llhttp);
    this.complete = true;
    this.refusal = null;
    this.#framing = 'none';
    this.#counted = 0;
  }

  /** The head is complete: prepares for the body that it announced. */
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

  /** Bytes of content so far, without chunk framing. */
  get contentBytes(): number {
    return this.#framing === 'chunked' ? (this.#chunks as ChunkedBody).contentBytes : this.#counted;
  }

  /** Bytes of a body with a length that are still to come; infinite when the length is unknown. */
  get remaining(): number {
    if (this.complete) return 0;
    return this.#framing === 'length' ? this.#remaining : Number.POSITIVE_INFINITY;
  }

  get endsWithConnection(): boolean {
    return this.#framing === 'close';
  }

  /** The connection ended: true when this is the end of the body, false when the body was cut off. */
  endWithConnection(): boolean {
    if (this.#framing === 'close') this.complete = true;
    return this.complete;
  }

  #giveLlhttp(llhttp: LlhttpParser): void {
    llhttpPool(llhttp.kind).put(llhttp);
    this.#llhttp = null;
    this.#mender = null;
  }

  /** Reads body bytes; returns the position after the last one that belongs to this body. */
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
    // The rest is not wanted.
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

  /** Adds the bytes to `trailers`. Returns the position after the last byte parsed. */
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
