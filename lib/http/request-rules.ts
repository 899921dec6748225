import { FIELD } from './fields.js';
import { type Refusal, refusal } from './refusal.js';
import type { RequestHead } from './request-head.js';

/**
 * What llhttp lets pass and a proxy must not: each of these has made two servers disagree about where a request
 * ends, or about whom it is for.
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

/** Times a request may have passed a balancer of this name before it is taken for a loop. */
const MAX_PASSES = 8;
/** reg-name, IPv4 or bracketed IP literal, optional port (RFC 3986, 3.2.2); no userinfo. */
export const AUTHORITY =
  /^(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
/** More digits than an exact number can have. */
const MAX_LENGTH_DIGITS = 17;
const ZERO = 0x30;
const SLASH = 0x2f;

/** The refusal that a method deserves before anything else of the request is looked at, or null. */
export function judgeMethod(method: string): Refusal | null {
  if (method === 'CONNECT') return CONNECT;
  return method === 'TRACE' ? TRACE : null;
}

/** Decides target, host and framing of a parsed head; gives the refusal it deserves, or null. */
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
        // RFC 9110, 10.1.1: an HTTP/1.0 client can't mean it. An empty list expects nothing.
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

/** The last one that was good: most requests ask for the same as the one before. Never empty, and at first no host's. */
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

/** A Content-Length, `text[start, end)`, as a number; -1 when it is not plain digits or too big to count exactly. */
export function readLength(text: string, start = 0, end = text.length): number {
  const digits = end - start;
  if (digits === 0 || digits > MAX_LENGTH_DIGITS) return -1;
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/** How often the value of a CDN-Loop field (RFC 8586) names this balancer, with parameters or without. */
function countPasses(value: string): number {
  return value.match(/(?:^|,)[ \t]*lb[ \t]*(?=[,;]|$)/gi)?.length ?? 0;
}

/** The four forms of RFC 9112, 3.2. Servers are asked in origin-form, whatever the client used. */
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
