import { latin1 } from '../base/latin1.js';
import { type HeadLimits, MessageParser, REQUEST_REFUSALS } from './message-parser.js';
import type { Refusal } from './refusal.js';
import { RequestHead } from './request-head.js';
import { MAX_LINE_OVERHEAD, RequestLine } from './request-line.js';
import { judgeMethod, judgeRequest } from './request-rules.js';

/** Methods that llhttp is given as they are. For any other it gets GET: the framing does not depend on it. */
const KNOWN = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((name) => Buffer.from(name));
const STAND_IN = Buffer.from('GET');
/** What llhttp is given for a line whose target it would refuse. */
const STAND_IN_LINE = Buffer.from('GET / HTTP/1.1\r\n');

/** Parses request heads, one after the other; `body` is what reads the body behind each. */
export class RequestParser extends MessageParser {
  readonly head: RequestHead;
  readonly #line = new RequestLine();

  constructor(limits: HeadLimits) {
    super('request', limits, REQUEST_REFUSALS);
    this.head = new RequestHead(limits.fields);
    this.reset();
  }

  protected override get fieldOffsets(): Int32Array {
    return this.head.offsets;
  }

  protected override get maxLineBytes(): number {
    return MAX_LINE_OVERHEAD + this.limits.targetBytes;
  }

  protected override readStartLine(buffer: Buffer, start: number, end: number): boolean {
    const line = this.#line;
    if (!line.read(buffer, start, end, this.limits.targetBytes)) {
      this.refusal = line.refusal;
      return false;
    }
    this.lineStart = line.start;
    this.lineEnd = line.end;
    if (line.isBeyondAscii) {
      this.standIn = STAND_IN_LINE;
      this.standInFor = line.end - line.start;
    }
    if (isKnown(buffer, line.start, line.methodEnd)) return true;
    this.refusal = judgeMethod(latin1(buffer, line.start, line.start + line.methodEnd));
    if (this.refusal !== null) {
      this.noteLine(buffer, line.start, line.end);
      return false;
    }
    if (this.standIn === null) {
      this.standIn = STAND_IN;
      this.standInFor = line.methodEnd;
    }
    return true;
  }

  protected override noteLine(buffer: Buffer, start: number, end: number): void {
    this.head.fill(`${latin1(buffer, start, end)}\r\n`, 0, this.#line);
  }

  protected override accept(text: string, fieldCount: number): Refusal | null {
    this.head.fill(text, fieldCount, this.#line);
    return judgeRequest(this.head);
  }
}

/** Is the method of `length` bytes at `start` one of `KNOWN`? Without a string of it: this is asked per request. */
function isKnown(buffer: Buffer, start: number, length: number): boolean {
  for (let i = 0; i < KNOWN.length; i++) {
    const name = KNOWN[i] as Buffer;
    if (name.length !== length) continue;
    let same = 0;
    while (same < length && buffer[start + same] === name[same]) same++;
    if (same === length) return true;
  }
  return false;
}
