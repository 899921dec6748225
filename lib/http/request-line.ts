import { latin1 } from '../base/latin1.js';
import { type Refusal, refusal } from './refusal.js';

/**
 * The request line, read by hand before llhttp sees it: llhttp takes two spaces for one, RTSP for HTTP, and refuses
 * methods that it has not heard of and targets with bytes above 0x7F.
 */

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
/** Empty lines tolerated before a request (RFC 9112, 2.2 asks for at least one), in bytes. */
const MAX_LEADING_BYTES = 8;
const MAX_METHOD_BYTES = 64;
const VERSION_BYTES = 8;
const HTTP1 = Uint8Array.from('HTTP/1.', (c) => c.charCodeAt(0));
const ZERO = 0x30;
/** Empty lines, method, two spaces, version and CRLF: what a line can have beside its target. */
export const MAX_LINE_OVERHEAD = MAX_LEADING_BYTES + MAX_METHOD_BYTES + VERSION_BYTES + 4;
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
 * send `\`, `"`, `<` and `>`, and older clients UTF-8: none of these ends a line or a target, so no two parsers frame
 * the message differently. What they mean in a path is for `path.ts` and `path-readings.ts`.
 */
const TARGET = new Uint8Array(256).fill(ASCII, 0x21, 0x7f).fill(ABOVE_ASCII, 0x80);
TARGET['#'.charCodeAt(0)] = 0;

/** The first byte of a TLS record with a handshake: somebody asks for https:// here. */
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

/** The parts of a request line, as offsets from `start`. */
export class RequestLine {
  /** First byte of the method, behind empty lines. */
  start = 0;
  /** The method itself, set by who has read the line. */
  method = '';
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** Has the target a byte above 0x7F? llhttp refuses those. */
  isBeyondAscii = false;
  minorVersion = 1;
  /** Behind the line's LF, in the buffer. */
  end = 0;
  refusal: Refusal | null = null;

  /**
   * Reads the line at `buffer[start, end)`. True when it is complete and good; false when it is refused (`refusal`)
   * or more bytes are needed.
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
      // What is there already must be a beginning of the one thing that may come.
      return BEGUN_VERSION.test(latin1(buffer, start, end)) ? false : this.#refuse(BAD_LINE);
    }
    this.minorVersion = (buffer[lineEnd - 1] as number) - ZERO;
    // Byte by byte: a string of the version costs more than all the rest of the line.
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
