import { FIELD } from './fields.js';
import { type HeadLimits, MessageParser, RESPONSE_REFUSALS } from './message-parser.js';
import { type Refusal, refusal } from './refusal.js';
import { readLength } from './request-rules.js';
import { ResponseHead } from './response-head.js';

const BAD_STATUS_LINE = refusal(502, 'the status line is not `HTTP/1.1 code reason`');
const UNKNOWN_CODING = refusal(502, 'a transfer coding other than chunked');
const CODING_AND_LENGTH = refusal(502, 'Transfer-Encoding together with Content-Length in HTTP/1.0');
const BAD_LENGTH = refusal(502, 'Content-Length is not one plain number');
const TWO_LENGTHS = refusal(502, 'Content-Length fields that differ');

const HTTP1 = Buffer.from('HTTP/1.');
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const DEL = 0x7f;
/** Of `HTTP/1.1 200`, with which every good status line begins. */
const CODE_END = 12;
const MAX_LINE_BYTES = 1024;

/** Parses response heads of one connection, in order; interim ones too, each as a head of its own. */
export class ResponseParser extends MessageParser {
  readonly head: ResponseHead;
  #minorVersion = 1;
  /** Was the request a HEAD? Then there is no body, whatever the fields say (RFC 9112, 6.3). */
  toHead = false;

  constructor(limits: HeadLimits) {
    super('response', limits, RESPONSE_REFUSALS);
    this.head = new ResponseHead(limits.fields);
    this.reset();
  }

  /** For the next response. */
  begin(toHead: boolean): this {
    this.reset();
    this.toHead = toHead;
    return this;
  }

  /** The response is done with: holds nothing of it any more. */
  clear(): void {
    this.release();
    this.head.clear();
  }

  protected override get fieldOffsets(): Int32Array {
    return this.head.offsets;
  }

  protected override get maxLineBytes(): number {
    return MAX_LINE_BYTES;
  }

  /** What the log says of a bad response is its refusal. */
  protected override noteLine(): void {}

  protected override readStartLine(buffer: Buffer, start: number, end: number): boolean {
    const limit = Math.min(end, start + MAX_LINE_BYTES);
    let lineFeed = start;
    while (lineFeed < limit && buffer[lineFeed] !== LF) lineFeed++;
    if (lineFeed === limit) {
      // Who begins otherwise is refused at once: waiting for the end of a line that is none would be waiting for 504.
      const tooLong = end - start >= MAX_LINE_BYTES;
      if (tooLong || !beginsStatusLine(buffer, start, end)) this.refusal = BAD_STATUS_LINE;
      return false;
    }
    if (!isStatusLine(buffer, start, lineFeed)) {
      this.refusal = BAD_STATUS_LINE;
      return false;
    }
    this.#minorVersion = (buffer[start + HTTP1.length] as number) - ZERO;
    this.lineStart = start;
    this.lineEnd = lineFeed + 1;
    return true;
  }

  protected override accept(text: string, fieldCount: number): Refusal | null {
    this.head.fill(text, fieldCount, this.#minorVersion, text.indexOf('\r'));
    return this.#frame(this.head);
  }

  /**
   * RFC 9112, 6.3, in its order. Servers that give several equal lengths, or one beside chunks, are understood in one
   * way by everybody; clients are told that way alone.
   */
  #frame(head: ResponseHead): Refusal | null {
    const { status } = head;
    // Nothing follows a 1xx but the next head, and neither field is passed on with it.
    if (status < 200) return null;
    let length = '';
    let codings = 0;
    for (let i = 0; i < head.fieldCount; i++) {
      const id = head.ids[i];
      if (id === FIELD.contentLength) {
        const value = head.valueAt(i);
        head.contentLength = readLength(value);
        if (head.contentLength === -1) return BAD_LENGTH;
        if (length === '') head.lengthIndex = i;
        else if (length !== value) return TWO_LENGTHS;
        length = value;
      } else if (id === FIELD.transferEncoding) {
        if (++codings > 1 || !head.isChunked(i)) return UNKNOWN_CODING;
      }
    }
    if (codings > 0 && length !== '') {
      if (head.minorVersion === 0) return CODING_AND_LENGTH;
      head.dropsLength = true;
      head.lengthIndex = -1;
    }
    if (this.toHead || status === 204 || status === 304) head.framing = 'none';
    else if (codings === 1) head.framing = 'chunked';
    else if (length !== '') head.framing = head.contentLength === 0 ? 'none' : 'length';
    else head.framing = 'close';
    return null;
  }
}

/** Is what there is of a line a beginning of `HTTP/1.`? */
function beginsStatusLine(buffer: Buffer, start: number, end: number): boolean {
  const length = Math.min(end - start, HTTP1.length);
  for (let i = 0; i < length; i++) if (buffer[start + i] !== HTTP1[i]) return false;
  return true;
}

/** RFC 9112, 4, with any three digits from 100 on, as servers use them beyond 599 too; byte by byte, as this is asked for every response. */
function isStatusLine(buffer: Buffer, start: number, lineFeed: number): boolean {
  const codeEnd = start + CODE_END;
  const reasonEnd = lineFeed - 1;
  if (reasonEnd < codeEnd || buffer[reasonEnd] !== CR) return false;
  for (let i = 0; i < HTTP1.length; i++) if (buffer[start + i] !== HTTP1[i]) return false;
  const minorVersion = (buffer[start + HTTP1.length] as number) - ZERO;
  if (minorVersion !== 0 && minorVersion !== 1) return false;
  if (buffer[start + HTTP1.length + 1] !== SPACE) return false;
  const first = (buffer[codeEnd - 3] as number) - ZERO;
  if (first < 1 || first > 9 || !isDigit(buffer[codeEnd - 2]) || !isDigit(buffer[codeEnd - 1])) return false;
  if (reasonEnd > codeEnd && buffer[codeEnd] !== SPACE) return false;
  for (let i = codeEnd; i < reasonEnd; i++) {
    const byte = buffer[i] as number;
    if ((byte < SPACE && byte !== TAB) || byte === DEL) return false;
  }
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}
