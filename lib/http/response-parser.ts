import { FIELD } from './fields.js';
import { ResponseHead, readLength } from './head.js';
import { type HeadLimits, MessageParser, RESPONSE_REFUSALS } from './message-parser.js';
import { type Refusal, refusal } from './refusal.js';

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
/** Length of `HTTP/1.1 200`, with which every valid status line begins. */
const CODE_END = 12;
const MAX_LINE_BYTES = 1024;

/** Parses the response heads of one connection, in order; interim ones too, each as a head of its own. */
export class ResponseParser extends MessageParser {
  readonly head: ResponseHead;
  #minorVersion = 1;
  #status = 0;
  /** Was the request a HEAD? Then there is no body, whatever the fields say (RFC 9112, 6.3). */
  toHead = false;

  constructor(limits: HeadLimits) {
    const head = new ResponseHead(limits.fields);
    super('response', limits, RESPONSE_REFUSALS, head.offsets);
    this.head = head;
  }

  /** The response is finished: releases all of it, and prepares for the next. */
  clear(): void {
    this.reset();
    this.head.clear();
  }

  protected override get maxLineBytes(): number {
    return MAX_LINE_BYTES;
  }

  /** The log shows the refusal of a bad response, not its line. */
  protected override noteLine(): void {}

  protected override readStartLine(buffer: Buffer, start: number, end: number): boolean {
    const limit = Math.min(end, start + MAX_LINE_BYTES);
    let lineFeed = start;
    while (lineFeed < limit && buffer[lineFeed] !== LF) lineFeed++;
    if (lineFeed === limit) {
      // A line that begins differently is refused at once: waiting for its end would end in a 504.
      const tooLong = end - start >= MAX_LINE_BYTES;
      if (tooLong || !beginsStatusLine(buffer, start, end)) this.refusal = BAD_STATUS_LINE;
      return false;
    }
    this.#status = statusOf(buffer, start, lineFeed);
    if (this.#status === -1) {
      this.refusal = BAD_STATUS_LINE;
      return false;
    }
    this.#minorVersion = (buffer[start + HTTP1.length] as number) - ZERO;
    this.lineStart = start;
    this.lineEnd = lineFeed + 1;
    return true;
  }

  protected override accept(text: string, fieldCount: number): Refusal | null {
    this.head.fill(text, fieldCount, this.#minorVersion, this.#status);
    return this.#frame(this.head);
  }

  /**
   * RFC 9112, 6.3, in its order. All programs understand several equal lengths, or a length beside chunks, in the same
   * way; clients get only the unambiguous form.
   */
  #frame(head: ResponseHead): Refusal | null {
    const { status } = head;
    // After a 1xx only the next head follows, and neither field is passed on with it.
    if (status < 200) return null;
    let lengths = 0;
    let codings = 0;
    for (let i = 0; i < head.fieldCount; i++) {
      const id = head.ids[i];
      if (id === FIELD.contentLength) {
        const length = readLength(head.text, head.valueStart(i), head.valueEnd(i));
        if (length === -1) return BAD_LENGTH;
        if (lengths++ === 0) head.lengthIndex = i;
        else if (head.valueAt(i) !== head.valueAt(head.lengthIndex)) return TWO_LENGTHS;
        head.contentLength = length;
      } else if (id === FIELD.transferEncoding) {
        if (++codings > 1 || !head.isChunked(i)) return UNKNOWN_CODING;
      }
    }
    if (codings > 0 && lengths > 0) {
      if (head.minorVersion === 0) return CODING_AND_LENGTH;
      head.dropsLength = true;
      head.lengthIndex = -1;
    }
    // No body follows, but a server that announces one may send it, when the next request is on the connection already.
    if (status === 204 && (codings > 0 || head.contentLength > 0)) head.dropsLength = true;
    if (this.toHead || status === 204 || status === 304) head.framing = 'none';
    else if (codings === 1) head.framing = 'chunked';
    else if (lengths > 0) head.framing = head.contentLength === 0 ? 'none' : 'length';
    else head.framing = 'close';
    return null;
  }
}

/** Are the bytes of the line so far a beginning of `HTTP/1.`? */
function beginsStatusLine(buffer: Buffer, start: number, end: number): boolean {
  const length = Math.min(end - start, HTTP1.length);
  for (let i = 0; i < length; i++) if (buffer[start + i] !== HTTP1[i]) return false;
  return true;
}

/**
 * The status code of a valid status line, else -1: RFC 9112, 4, with any three digits from 100 on, as some servers use
 * codes above 599; byte by byte, because this runs for every response.
 */
function statusOf(buffer: Buffer, start: number, lineFeed: number): number {
  const codeEnd = start + CODE_END;
  const reasonEnd = lineFeed - 1;
  if (reasonEnd < codeEnd || buffer[reasonEnd] !== CR) return -1;
  for (let i = 0; i < HTTP1.length; i++) if (buffer[start + i] !== HTTP1[i]) return -1;
  const minorVersion = (buffer[start + HTTP1.length] as number) - ZERO;
  if (minorVersion !== 0 && minorVersion !== 1) return -1;
  if (buffer[start + HTTP1.length + 1] !== SPACE) return -1;
  let status = 0;
  for (let i = codeEnd - 3; i < codeEnd; i++) {
    const digit = (buffer[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  if (status < 100 || (reasonEnd > codeEnd && buffer[codeEnd] !== SPACE)) return -1;
  for (let i = codeEnd; i < reasonEnd; i++) {
    const byte = buffer[i] as number;
    if ((byte < SPACE && byte !== TAB) || byte === DEL) return -1;
  }
  return status;
}
