import { latin1 } from '../base/latin1.js';
import { FIELD } from './fields.js';
import { type HeadLimits, MessageParser, RESPONSE_REFUSALS } from './message-parser.js';
import { type Refusal, refusal } from './refusal.js';
import { readLength } from './request-rules.js';
import { ResponseHead } from './response-head.js';

const BAD_STATUS_LINE = refusal(502, 'the status line is not `HTTP/1.1 code reason`');
const UNKNOWN_CODING = refusal(502, 'a transfer coding other than chunked');
const CODING_AND_LENGTH = refusal(502, 'Transfer-Encoding together with Content-Length');
const BAD_LENGTH = refusal(502, 'Content-Length is not one plain number');

const LF = 0x0a;
/** The shortest status line that can be good: `HTTP/1.1 200` CR LF. */
const STATUS_LINE = /^HTTP\/1\.([01]) [1-5]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n$/;
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

  protected override get fieldOffsets(): Int32Array {
    return this.head.offsets;
  }

  protected override get maxLineBytes(): number {
    return MAX_LINE_BYTES;
  }

  /** What the log says of a bad response is its refusal. */
  protected override noteLine(): void {}

  protected override readStartLine(buffer: Buffer, start: number, end: number): boolean {
    const lineFeed = buffer.subarray(start, Math.min(end, start + MAX_LINE_BYTES)).indexOf(LF);
    if (lineFeed === -1) {
      if (end - start >= MAX_LINE_BYTES) this.refusal = BAD_STATUS_LINE;
      return false;
    }
    const line = STATUS_LINE.exec(latin1(buffer, start, start + lineFeed + 1));
    if (line === null) {
      this.refusal = BAD_STATUS_LINE;
      return false;
    }
    this.#minorVersion = line[1] === '1' ? 1 : 0;
    this.lineStart = start;
    this.lineEnd = start + lineFeed + 1;
    return true;
  }

  protected override accept(text: string, fieldCount: number): Refusal | null {
    this.head.fill(text, fieldCount, this.#minorVersion, text.indexOf('\r'));
    return this.#frame(this.head);
  }

  /** RFC 9112, 6.3, in its order. */
  #frame(head: ResponseHead): Refusal | null {
    let lengths = 0;
    let codings = 0;
    for (let i = 0; i < head.fieldCount; i++) {
      const id = head.ids[i];
      if (id === FIELD.contentLength) {
        head.contentLength = readLength(head.valueAt(i));
        if (++lengths > 1 || head.contentLength === -1) return BAD_LENGTH;
      } else if (id === FIELD.transferEncoding) {
        if (++codings > 1 || !head.isChunked(i)) return UNKNOWN_CODING;
      }
    }
    if (codings > 0 && lengths > 0) return CODING_AND_LENGTH;
    const { status } = head;
    if (this.toHead || status < 200 || status === 204 || status === 304) head.framing = 'none';
    else if (codings === 1) head.framing = 'chunked';
    else if (lengths === 1) head.framing = head.contentLength === 0 ? 'none' : 'length';
    else head.framing = 'close';
    return null;
  }
}
