import { latin1 } from '../base/latin1.js';
import { type HeadLimits, MessageParser, REQUEST_REFUSALS } from './message-parser.js';
import type { Refusal } from './refusal.js';
import { RequestHead } from './request-head.js';
import { MAX_LINE_OVERHEAD, RequestLine } from './request-line.js';
import { judgeMethod, judgeRequest } from './request-rules.js';

/** Methods that llhttp is given as they are. For any other it gets GET: the framing does not depend on it. */
const KNOWN = ['GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const STAND_IN = Buffer.from('GET');
/** What llhttp is given for a line whose target it would refuse. */
const STAND_IN_LINE = Buffer.from('GET / HTTP/1.1\r\n');

/** Parses request heads, one after the other; `body` is what reads the body behind each. */
export class RequestParser extends MessageParser {
  readonly head: RequestHead;
  readonly #line = new RequestLine();

  constructor(limits: HeadLimits) {
    const head = new RequestHead(limits.fields);
    super('request', limits, REQUEST_REFUSALS, head.offsets);
    this.head = head;
  }

  /** The message is done with: holds nothing of it any more, and is ready for the next. */
  clear(): void {
    this.reset();
    this.head.clear();
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
    line.method = knownMethod(buffer, line.start, line.methodEnd);
    if (line.method !== '') return true;
    line.method = latin1(buffer, line.start, line.start + line.methodEnd);
    this.refusal = judgeMethod(line.method);
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

/** Which of `KNOWN` the method of `length` bytes at `start` is; empty: none. No string of it is made for a request. */
function knownMethod(buffer: Buffer, start: number, length: number): string {
  for (let i = 0; i < KNOWN.length; i++) {
    const name = KNOWN[i] as string;
    if (name.length !== length) continue;
    let same = 0;
    while (same < length && buffer[start + same] === name.charCodeAt(same)) same++;
    if (same === length) return name;
  }
  return '';
}
