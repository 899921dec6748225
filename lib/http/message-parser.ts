import type { ObjectPool } from '../base/collections.js';
import { latin1 } from '../base/latin1.js';
import { BodyReader } from './body-reader.js';
import { HeadMender } from './head-mender.js';
import { type LlhttpParser, llhttpPool, type MessageKind } from './llhttp.js';
import { type Refusal, refusal } from './refusal.js';

const CR = 0x0d;
const LF = 0x0a;

/** How much of a head is accepted. */
export interface HeadLimits {
  /** Bytes, start line and empty line included. */
  readonly headBytes: number;
  readonly fields: number;
  /** Bytes of the request target. */
  readonly targetBytes: number;
}

/** What differs in the refusals of requests and responses. */
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
 * Reads one head from any number of reads. A head that comes in one read, as nearly all do, is parsed where it lies;
 * only when it is split are its bytes gathered, never more than the limit allows. One that llhttp refuses is read a
 * second time by a `HeadMender`, from its first byte to its last.
 */
export abstract class MessageParser {
  readonly #kind: MessageKind;
  readonly #llhttpPool: ObjectPool<LlhttpParser>;
  /** Where the fields of the head lie. */
  readonly #offsets: Int32Array;
  /** While the head comes in. */
  #llhttp: LlhttpParser | null = null;
  /** Reads the body behind the head. */
  readonly body: BodyReader;
  protected readonly limits: HeadLimits;
  readonly #refusals: HeadRefusals;
  #gathered: Buffer | null = null;
  #gatheredBytes = 0;
  /** Head bytes given to llhttp so far. */
  #taken = 0;
  #lineRead = false;
  /** Reads the head a second time; null as long as llhttp refuses nothing, as nearly always. */
  #mender: HeadMender | null = null;
  /** The head is there, and good. */
  complete = false;
  /** Why it is not, and never will be. */
  refusal: Refusal | null = null;

  /** `offsets` are those of the head that it fills. */
  constructor(kind: MessageKind, limits: HeadLimits, refusals: HeadRefusals, offsets: Int32Array) {
    this.#kind = kind;
    this.#llhttpPool = llhttpPool(kind);
    this.#offsets = offsets;
    this.body = new BodyReader(kind, limits.headBytes);
    this.limits = limits;
    this.#refusals = refusals;
  }

  /**
   * The start line at `buffer[start, end)`: true when it is whole and good (`lineStart`, `lineEnd` are set), false
   * when more bytes are needed or `refusal` is set.
   */
  protected abstract readStartLine(buffer: Buffer, start: number, end: number): boolean;
  /** A start line that is not refused before is whole within so many bytes, empty lines before it included. */
  protected abstract get maxLineBytes(): number;
  protected lineStart = 0;
  protected lineEnd = 0;
  /** Given to llhttp in place of the first `standInFor` bytes of the line. */
  protected standIn: Buffer | null = null;
  protected standInFor = 0;
  /** A head is refused whose start line, at `buffer[start, end)`, was good: keeps what the line says, for the log. */
  protected abstract noteLine(buffer: Buffer, start: number, end: number): void;
  /** The head is whole: classify it and decide its framing; a refusal to send instead, or null. */
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

  /** Has any byte of the message come? Empty lines before it are none (RFC 9112, 2.2). */
  get started(): boolean {
    if (this.#taken > 0) return true;
    for (let i = 0; i < this.#gatheredBytes; i++) {
      const byte = this.#gathered?.[i];
      if (byte !== CR && byte !== LF) return true;
    }
    return false;
  }

  /** The message is done with: lets go of whoever got its body, and is ready for the next. */
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

  /** Takes head bytes; gives the position behind the last one. Look at `complete` and `refusal` then. */
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

  /** The line began in an earlier read: it is put together first, then read as one. */
  #readGatheredLine(buffer: Buffer, start: number, end: number): number {
    const before = this.#gatheredBytes;
    // No line that is still good is longer than this, so nothing longer is ever gathered.
    const room = this.maxLineBytes - before;
    this.#gather(buffer, start, Math.min(end, start + Math.max(room, 1)));
    const gathered = this.#gathered as Buffer;
    if (!this.readStartLine(gathered, 0, this.#gatheredBytes)) return end;
    this.#lineRead = true;
    const taken = this.lineEnd - before;
    // Empty lines before the message are no part of it.
    gathered.copyWithin(0, this.lineStart, this.lineEnd);
    this.#gatheredBytes = this.lineEnd - this.lineStart;
    const rest = this.#feedStandIn(0);
    const parser = this.#llhttp ?? this.#takeLlhttp();
    parser.executeHead(gathered, rest, this.#gatheredBytes, this.#taken);
    if (parser.failed) return this.#refuseHead(this.#syntax, buffer, -1, start + taken);
    this.#taken = this.#gatheredBytes;
    return this.#readFields(buffer, start + taken, end, -1);
  }

  /** Gives the position in the line from which llhttp gets the real bytes. */
  #feedStandIn(lineStart: number): number {
    if (this.standIn === null) return lineStart;
    const parser = this.#llhttp ?? this.#takeLlhttp();
    parser.executeHead(this.standIn, 0, this.standIn.length, 0);
    this.#taken = this.standInFor;
    return lineStart + this.standInFor;
  }

  /** `origin` is where the head begins in `buffer`, or -1 when it began in an earlier read. */
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

  /** Begins anew with the first byte. `buffer[start, end)` and `origin` are as `#readFields` got them. */
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
    // That the two agree on where the head ends is what makes the second reading as good as the first.
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
