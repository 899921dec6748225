import { latin1 } from '../base/bytes.js';
import { FIELD } from './fields.js';
import { RequestHead, readLength } from './head.js';
import { type HeadLimits, MessageParser, REQUEST_REFUSALS } from './message-parser.js';
import { type Refusal, refusal } from './refusal.js';

/** Methods that llhttp is given unchanged. For any other it gets GET: the framing does not depend on the method. */
const KNOWN = ['GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const STAND_IN = Buffer.from('GET');
/** llhttp gets this instead of a line with a target that it would refuse. */
const STAND_IN_LINE = Buffer.from('GET / HTTP/1.1\r\n');

/** Parses request heads, one after the other; `body` reads the body after each. */
export class RequestParser extends MessageParser {
  readonly head: RequestHead;
  readonly #line = new RequestLine();

  constructor(limits: HeadLimits) {
    const head = new RequestHead(limits.fields);
    super('request', limits, REQUEST_REFUSALS, head.offsets);
    this.head = head;
  }

  /** The message is finished: releases all of it, and prepares for the next. */
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

/** The method of `length` bytes at `start`, if it is in `KNOWN`, else empty. Makes no string for a request. */
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

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
/** Bytes of empty lines tolerated before a request (RFC 9112, 2.2 asks for at least one line). */
const MAX_LEADING_BYTES = 8;
const MAX_METHOD_BYTES = 64;
const VERSION_BYTES = 8;
const HTTP1 = Uint8Array.from('HTTP/1.', (c) => c.charCodeAt(0));
const ZERO = 0x30;
/** Empty lines, method, two spaces, version and CRLF: what a line has besides its target. */
const MAX_LINE_OVERHEAD = MAX_LEADING_BYTES + MAX_METHOD_BYTES + VERSION_BYTES + 4;
const VERSION = /^HTTP\/\d\.\d$/;
const BEGUN_VERSION = /^(H(T(T(P(\/(\d\.?)?)?)?)?)?)?$/;

const TOKEN = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN[c.charCodeAt(0)] = 1;
}
const ASCII = 1;
const ABOVE_ASCII = 2;
/**
 * Visible ASCII without `#`, which begins a fragment, and all bytes above 0x7F. RFC 9112, 3.2 has fewer, but browsers
 * send `\`, `"`, `<` and `>`, and older clients UTF-8: none of these ends a line or a target, so all parsers frame the
 * message alike. `path.ts` and `path-readings.ts` handle what they mean in a path.
 */
const TARGET = new Uint8Array(256).fill(ASCII, 0x21, 0x7f).fill(ABOVE_ASCII, 0x80);
TARGET['#'.charCodeAt(0)] = 0;

/** The first byte of a TLS handshake record: the client uses https:// on a plain listener. */
const HANDSHAKE = 0x16;
const TLS = refusal(400, 'TLS is not spoken here: the client asked for https://');

const LEADING_BYTES = refusal(400, 'too many empty lines before the request');
const BAD_METHOD = refusal(400, 'the method is not a token');
const LONG_METHOD = refusal(501, 'the method is too long');
const LONG_TARGET = refusal(414, 'the request target is longer than limits.uri_bytes');
const BAD_TARGET = refusal(400, 'the request target has a control character or a #');
const BAD_LINE = refusal(400, 'the request line is not `method target HTTP/1.1`');
const BAD_VERSION = refusal(505, 'only HTTP/1.0 and HTTP/1.1 are spoken here');
const HTTP2 = refusal(505, 'HTTP/2 without TLS is not spoken here');

/**
 * The parts of a request line, as offsets from `start`. It is parsed here before llhttp sees it: llhttp takes two spaces
 * for one, RTSP for HTTP, and refuses methods that it does not know and targets with bytes above 0x7F.
 */
class RequestLine {
  /** First byte of the method, after empty lines. */
  start = 0;
  /** The method, set by the caller that has read the line. */
  method = '';
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** Does the target have a byte above 0x7F? llhttp refuses those. */
  isBeyondAscii = false;
  minorVersion = 1;
  /** The position after the line's LF, in the buffer. */
  end = 0;
  refusal: Refusal | null = null;

  /**
   * Reads the line at `buffer[start, end)`. True when it is complete and valid; false when it is refused (`refusal`) or
   * more bytes are needed.
   */
  read(buffer: Buffer, start: number, end: number, maxTargetBytes: number): boolean {
    this.refusal = null;
    let i = start;
    while (i < end && (buffer[i] === CR || buffer[i] === LF)) {
      if (i - start >= MAX_LEADING_BYTES) return this.#refuse(LEADING_BYTES);
      if (buffer[i] === LF) return this.#refuse(BAD_LINE);
      if (i + 1 === end) return false;
      if (buffer[i + 1] !== LF) return this.#refuse(BAD_LINE);
      i += 2;
    }
    this.start = i;
    while (i < end && TOKEN[buffer[i] as number] === 1) i++;
    if (i - this.start > MAX_METHOD_BYTES) return this.#refuse(LONG_METHOD);
    if (i === end) return false;
    if (buffer[i] !== SPACE || i === this.start)
      return this.#refuse(i === this.start && buffer[i] === HANDSHAKE ? TLS : BAD_METHOD);
    this.methodEnd = i - this.start;
    i++;
    const target = i;
    let kinds = 0;
    for (; i < end; i++) {
      const kind = TARGET[buffer[i] as number] as number;
      if (kind === 0) break;
      kinds |= kind;
    }
    if (i - target > maxTargetBytes) return this.#refuse(LONG_TARGET);
    if (i === end) return false;
    if (buffer[i] !== SPACE || i === target) {
      const byte = buffer[i] as number;
      return this.#refuse(byte === SPACE || byte === CR || byte === LF ? BAD_LINE : BAD_TARGET);
    }
    this.targetStart = target - this.start;
    this.targetEnd = i - this.start;
    this.isBeyondAscii = (kinds & ABOVE_ASCII) !== 0;
    return this.#readVersion(buffer, i + 1, end);
  }

  #readVersion(buffer: Buffer, start: number, end: number): boolean {
    const lineEnd = start + VERSION_BYTES;
    if (end < lineEnd) {
      // The bytes so far must be the beginning of a version.
      return BEGUN_VERSION.test(latin1(buffer, start, end)) ? false : this.#refuse(BAD_LINE);
    }
    this.minorVersion = (buffer[lineEnd - 1] as number) - ZERO;
    // Byte by byte: making a string of the version costs more than reading the rest of the line.
    for (let i = 0; i < HTTP1.length; i++) if (buffer[start + i] !== HTTP1[i]) this.minorVersion = -1;
    if (this.minorVersion !== 0 && this.minorVersion !== 1) {
      const version = latin1(buffer, start, lineEnd);
      if (version === 'HTTP/2.0') return this.#refuse(HTTP2);
      return this.#refuse(VERSION.test(version) ? BAD_VERSION : BAD_LINE);
    }
    if (lineEnd < end && buffer[lineEnd] !== CR) return this.#refuse(BAD_LINE);
    if (lineEnd + 1 < end && buffer[lineEnd + 1] !== LF) return this.#refuse(BAD_LINE);
    this.end = lineEnd + 2;
    return this.end <= end;
  }

  #refuse(why: Refusal): false {
    this.refusal = why;
    return false;
  }
}

/**
 * Faults that llhttp accepts and a proxy must not: each has made two servers disagree about where a request ends, or
 * which host it is for.
 */
const TWO_HOSTS = refusal(400, 'more than one Host field');
const NO_HOST = refusal(400, 'HTTP/1.1 without a Host field');
const BAD_HOST = refusal(400, 'the Host is not a host name or address with an optional port');
const BAD_TARGET_FORM = refusal(400, 'the request target is neither a path nor an http URL');
const ASTERISK = refusal(400, '`*` is a target for OPTIONS alone');
const CONNECT = refusal(501, 'CONNECT is not offered');
const TRACE = refusal(405, 'TRACE is not offered');
const EMPTY_CODING = refusal(400, 'an empty Transfer-Encoding');
const OLD_CODING = refusal(400, 'Transfer-Encoding in an HTTP/1.0 request');
const UNKNOWN_CODING = refusal(501, 'the only transfer coding understood is chunked, once');
const CODING_AND_LENGTH = refusal(400, 'Transfer-Encoding together with Content-Length');
const TWO_LENGTHS = refusal(400, 'more than one Content-Length');
const BAD_LENGTH = refusal(400, 'Content-Length is not a plain number');
const LOOP = Object.freeze({
  status: 508,
  reason: 'loop',
  detail: 'the request has passed here too often',
} as const);
const EXPECTATION = refusal(417, 'the only expectation understood is 100-continue');

/** How often a request may have passed a balancer of this name before it is treated as a loop. */
const MAX_PASSES = 8;
/**
 * reg-name, IPv4 or bracketed IP literal, optional port (RFC 3986, 3.2.2); no userinfo. Without two characters that a reg-name
 * may have, but no name in DNS: a comma, because in X-Forwarded-Host, which is a list, servers would take what stands before it
 * for the host; and percent-encoding, because servers that make a URL of the Host decode it (`%61dmin.example` is
 * `admin.example` to `new URL`), so that the routes and guards of one host would serve another.
 */
export const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+;=]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
const SLASH = 0x2f;
const TRACE_LENGTH = 5;

/**
 * The refusal for a method, which is checked before anything else of the request; null when there is none. In any case: some
 * servers take `trace` for TRACE, and their answer would have the fields that lb adds.
 */
function judgeMethod(method: string): Refusal | null {
  // Upper case takes a call of V8, which GET and POST need not pay for.
  if (method.length < TRACE_LENGTH) return null;
  const name = method.toUpperCase();
  if (name === 'CONNECT') return CONNECT;
  return name === 'TRACE' ? TRACE : null;
}

/** Decides target, host and framing of a parsed head; returns why the head is refused, or null. */
export function judgeRequest(head: RequestHead): Refusal | null {
  return readFields(head) ?? (head.target.charCodeAt(0) === SLASH ? null : readTarget(head));
}

function readFields(head: RequestHead): Refusal | null {
  let hosts = 0;
  let lengths = 0;
  let codings = 0;
  let passes = 0;
  for (let i = 0; i < head.fieldCount; i++) {
    switch (head.ids[i]) {
      case FIELD.host:
        hosts++;
        head.authority = isKnown(head, i) ? known : head.valueAt(i);
        break;
      case FIELD.contentLength: {
        const length = readLength(head.text, head.valueStart(i), head.valueEnd(i));
        if (length === -1) return BAD_LENGTH;
        head.contentLength = length;
        lengths++;
        break;
      }
      case FIELD.transferEncoding: {
        const refused = readCoding(head, i);
        if (refused !== null) return refused;
        codings++;
        break;
      }
      case FIELD.expect:
        // RFC 9110, 10.1.1: the expectation of an HTTP/1.0 client is ignored. An empty list expects nothing.
        if (head.minorVersion === 0 || head.valueAt(i) === '') break;
        if (head.valueAt(i).toLowerCase() !== '100-continue') return EXPECTATION;
        head.expectsContinue = true;
        break;
      case FIELD.cdnLoop:
        passes += countPasses(head.valueAt(i));
        if (passes >= MAX_PASSES) return LOOP;
        break;
      default:
    }
  }
  if (codings > 1) return UNKNOWN_CODING;
  if (codings === 1 && lengths > 0) return CODING_AND_LENGTH;
  if (lengths > 1) return TWO_LENGTHS;
  if (hosts > 1) return TWO_HOSTS;
  if (hosts === 0 && head.minorVersion === 1) return NO_HOST;
  if (hosts === 1 && head.authority !== known && !isAuthority(head.authority)) return BAD_HOST;
  head.framing = codings === 1 ? 'chunked' : head.contentLength > 0 ? 'length' : 'none';
  return null;
}

function readCoding(head: RequestHead, index: number): Refusal | null {
  if (head.minorVersion === 0) return OLD_CODING;
  if (head.isChunked(index)) return null;
  return head.valueAt(index) === '' ? EMPTY_CODING : UNKNOWN_CODING;
}

/**
 * The last authority that was valid: most requests have the same one as the request before. Never empty; first no valid
 * one.
 */
let known = '\0';

function isKnown({ text, offsets }: RequestHead, index: number): boolean {
  const start = offsets[index * 4 + 2] as number;
  return (offsets[index * 4 + 3] as number) - start === known.length && text.startsWith(known, start);
}

function isAuthority(text: string): boolean {
  if (!AUTHORITY.test(text)) return false;
  known = text;
  return true;
}

/** How often the value of a CDN-Loop field (RFC 8586) names this balancer, with parameters or without. */
function countPasses(value: string): number {
  return value.match(/(?:^|,)[ \t]*lb[ \t]*(?=[,;]|$)/gi)?.length ?? 0;
}

/** The four forms of RFC 9112, 3.2. Servers get origin-form, whatever the client sent. */
function readTarget(head: RequestHead): Refusal | null {
  const target = head.target;
  if (target === '*') return head.method === 'OPTIONS' ? null : ASTERISK;
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) return BAD_TARGET_FORM;
  const [, authority = '', rest = ''] = absolute;
  if (!isAuthority(authority)) return BAD_HOST;
  // RFC 9112, 3.2.2: the authority in the target replaces Host.
  head.authority = authority;
  if (rest === '') head.originTarget = head.method === 'OPTIONS' ? '*' : '/';
  else head.originTarget = rest.startsWith('?') ? `/${rest}` : rest;
  return null;
}
