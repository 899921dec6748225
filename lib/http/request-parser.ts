import { type HeadLimits, MessageParser, REQUEST_REFUSALS } from './message-parser.js';
import type { Refusal } from './refusal.js';
import { RequestHead } from './request-head.js';
import { RequestLine } from './request-line.js';
import { judgeRequest } from './request-rules.js';

/** Methods that llhttp is given as they are. For any other it gets GET: the framing does not depend on it. */
const KNOWN: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const LONGEST_KNOWN = 7;
const STAND_IN = Buffer.from('GET');

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

  protected override readStartLine(buffer: Buffer, start: number, end: number): boolean {
    const line = this.#line;
    if (!line.read(buffer, start, end, this.limits.targetBytes)) {
      this.refusal = line.refusal;
      return false;
    }
    this.lineStart = line.start;
    this.lineEnd = line.end;
    if (
      line.methodEnd > LONGEST_KNOWN ||
      !KNOWN.has(buffer.toString('latin1', line.start, line.start + line.methodEnd))
    ) {
      this.standIn = STAND_IN;
      this.standInFor = line.methodEnd;
    }
    return true;
  }

  protected override accept(text: string, fieldCount: number): Refusal | null {
    this.head.fill(text, fieldCount, this.#line);
    return judgeRequest(this.head);
  }
}
