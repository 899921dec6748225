/**
 * The fields a proxy acts on, by number: a head is classified once, when it is parsed, and everything after asks
 * for numbers instead of comparing names.
 */
export const FIELD = {
  other: 0,
  host: 1,
  connection: 2,
  keepAlive: 3,
  proxyConnection: 4,
  te: 5,
  trailer: 6,
  transferEncoding: 7,
  upgrade: 8,
  contentLength: 9,
  expect: 10,
  via: 11,
  date: 12,
  forwarded: 13,
  xForwardedFor: 14,
  xForwardedProto: 15,
  xForwardedHost: 16,
  /** Any other X-Forwarded-*. */
  xForwardedOther: 17,
  xRealIp: 18,
  xRequestId: 19,
  maxForwards: 20,
  userAgent: 21,
  referer: 22,
  cookie: 23,
  authorization: 24,
  cdnLoop: 26,
  /** X-Client-Cert, X-Client-Cert-*, Client-Cert and Client-Cert-Chain (RFC 9440). */
  clientCert: 27,
  traceparent: 28,
  tracestate: 29,
  /** A name above as a server reads it that treats `_`, `.` and other marks like `-` (CGI, WSGI, PHP): never passed on. */
  disguised: 25,
} as const;

export type FieldId = (typeof FIELD)[keyof typeof FIELD];

const HYPHEN = 0x2d;

const DIFFERENT = 0;
const SAME = 1;
const SAME_BUT_MARKED = 2;

/** Is `text[start…]` this lower-case name, in any case, or with other marks for `-`? The lengths are equal already. */
function spells(text: string, start: number, name: string): number {
  let match = SAME;
  for (let i = 0; i < name.length; i++) {
    // 0x20 folds the case of letters and leaves digits and `-` alone; a token holds nothing else that could collide.
    const folded = text.charCodeAt(start + i) | 0x20;
    const expected = name.charCodeAt(i);
    if (folded === expected) continue;
    if (expected !== HYPHEN || !isMark(folded)) return DIFFERENT;
    match = SAME_BUT_MARKED;
  }
  return match;
}

/**
 * Is the character of a token neither a letter nor a digit? `folded` has the bit 0x20 set, which turns no mark into
 * either.
 */
function isMark(folded: number): boolean {
  return (folded < 0x61 || folded > 0x7a) && (folded < 0x30 || folded > 0x39);
}

/** Known names by length: length and first letter alone identify most fields of a request. */
const BY_LENGTH: readonly (readonly (readonly [name: string, id: FieldId])[])[] = (() => {
  const names: readonly (readonly [string, FieldId])[] = [
    ['te', FIELD.te],
    ['via', FIELD.via],
    ['host', FIELD.host],
    ['date', FIELD.date],
    ['expect', FIELD.expect],
    ['cookie', FIELD.cookie],
    ['trailer', FIELD.trailer],
    ['upgrade', FIELD.upgrade],
    ['referer', FIELD.referer],
    ['forwarded', FIELD.forwarded],
    ['x-real-ip', FIELD.xRealIp],
    ['cdn-loop', FIELD.cdnLoop],
    ['connection', FIELD.connection],
    ['client-cert', FIELD.clientCert],
    ['tracestate', FIELD.tracestate],
    ['traceparent', FIELD.traceparent],
    ['keep-alive', FIELD.keepAlive],
    ['user-agent', FIELD.userAgent],
    ['x-request-id', FIELD.xRequestId],
    ['max-forwards', FIELD.maxForwards],
    ['authorization', FIELD.authorization],
    ['x-client-cert', FIELD.clientCert],
    ['content-length', FIELD.contentLength],
    ['x-forwarded-for', FIELD.xForwardedFor],
    ['x-forwarded-host', FIELD.xForwardedHost],
    ['proxy-connection', FIELD.proxyConnection],
    ['x-forwarded-proto', FIELD.xForwardedProto],
    ['client-cert-chain', FIELD.clientCert],
    ['transfer-encoding', FIELD.transferEncoding],
  ];
  const table: [string, FieldId][][] = Array.from({ length: 18 }, () => []);
  for (const [name, id] of names) table[name.length]?.push([name, id]);
  return table;
})();
const NONE: readonly (readonly [string, FieldId])[] = [];
/** Names with one of these prefixes are treated alike. */
const PREFIXES: readonly (readonly [prefix: string, id: FieldId])[] = [
  ['x-forwarded-', FIELD.xForwardedOther],
  ['x-client-cert-', FIELD.clientCert],
];
const LETTER_X = 0x78;

/** Which known field the name at `text[start, end)` is. */
export function fieldId(text: string, start: number, end: number): FieldId {
  const length = end - start;
  const candidates = BY_LENGTH[length] ?? NONE;
  const first = text.charCodeAt(start) | 0x20;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as readonly [string, FieldId];
    if (candidate[0].charCodeAt(0) !== first) continue;
    const match = spells(text, start, candidate[0]);
    if (match !== DIFFERENT) return match === SAME ? candidate[1] : FIELD.disguised;
  }
  return first === LETTER_X ? idByPrefix(text, start, length) : FIELD.other;
}

function idByPrefix(text: string, start: number, length: number): FieldId {
  for (let i = 0; i < PREFIXES.length; i++) {
    const [prefix, id] = PREFIXES[i] as readonly [string, FieldId];
    if (length <= prefix.length) continue;
    const match = spells(text, start, prefix);
    if (match !== DIFFERENT) return match === SAME ? id : FIELD.disguised;
  }
  return FIELD.other;
}

/**
 * May a server take the name at `text[start, end)` for the lower-case `name`? Servers that hand fields on as variables
 * (CGI, RFC 3875, 4.1.18; WSGI, PHP, lighttpd) keep letters and digits, and write `_` for everything else: `X-User`,
 * `X_User` and `X.User` are all HTTP_X_USER to them.
 */
export function readsAs(text: string, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    const folded = text.charCodeAt(start + i) | 0x20;
    const expected = name.charCodeAt(i) | 0x20;
    if (folded !== expected && !(isMark(folded) && isMark(expected))) return false;
  }
  return true;
}

/** Names of fields, found in every spelling that servers may read as the same name. */
export class FieldNames {
  readonly #names: readonly string[];
  /** A bit for each length that a name has; shifts count modulo 32. */
  readonly lengths: number;

  /** `names`: in lower case. */
  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)];
    this.lengths = this.#names.reduce((bits, name) => bits | (1 << name.length), 0);
  }

  /** The name that a server may take `text[start, end)` for; null when there is none. */
  find(text: string, start: number, end: number): string | null {
    if (((this.lengths >>> (end - start)) & 1) === 0) return null;
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] as string;
      if (readsAs(text, start, end, name)) return name;
    }
    return null;
  }
}

/** Case-insensitive equality of `text[start, end)` with a lower-case ASCII word. */
export function equalsWord(text: string, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    let code = text.charCodeAt(start + i);
    if (code >= 0x41 && code <= 0x5a) code |= 0x20;
    if (code !== word.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Without SP and HTAB around it. `trim` would also remove 0xA0, with which many characters of UTF-8 end, and a regular
 * expression would take quadratic time for a long run of blanks inside.
 */
export function trimSpace(bytes: string): string {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes.charCodeAt(start))) start++;
  while (end > start && isSpace(bytes.charCodeAt(end - 1))) end--;
  return bytes.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
