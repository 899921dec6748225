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
  /** Spelt with `_` for `-` and by that one of the above to a server that folds the two: never passed on. */
  disguised: 25,
} as const;

export type FieldId = (typeof FIELD)[keyof typeof FIELD];

const UNDERSCORE_FOLDED = 0x5f | 0x20;
const HYPHEN = 0x2d;

const DIFFERENT = 0;
const SAME = 1;
const SAME_BUT_UNDERSCORED = 2;

/** Is `text[start…]` this lower-case name, letters in any case, and with `_` for a `-`? Lengths are equal already. */
function spells(text: string, start: number, name: string): number {
  let verdict = SAME;
  for (let i = 0; i < name.length; i++) {
    // 0x20 folds the case of letters and leaves digits and `-` alone; a token holds nothing else that could collide.
    const folded = text.charCodeAt(start + i) | 0x20;
    const expected = name.charCodeAt(i);
    if (folded === expected) continue;
    if (folded !== UNDERSCORE_FOLDED || expected !== HYPHEN) return DIFFERENT;
    verdict = SAME_BUT_UNDERSCORED;
  }
  return verdict;
}

/** Known names by length: most fields of a request are told apart by length and first letter alone. */
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
    ['keep-alive', FIELD.keepAlive],
    ['user-agent', FIELD.userAgent],
    ['x-request-id', FIELD.xRequestId],
    ['max-forwards', FIELD.maxForwards],
    ['authorization', FIELD.authorization],
    ['content-length', FIELD.contentLength],
    ['x-forwarded-for', FIELD.xForwardedFor],
    ['x-forwarded-host', FIELD.xForwardedHost],
    ['proxy-connection', FIELD.proxyConnection],
    ['x-forwarded-proto', FIELD.xForwardedProto],
    ['transfer-encoding', FIELD.transferEncoding],
  ];
  const table: [string, FieldId][][] = Array.from({ length: 18 }, () => []);
  for (const [name, id] of names) table[name.length]?.push([name, id]);
  return table;
})();
const NONE: readonly (readonly [string, FieldId])[] = [];
const FORWARDED_PREFIX = 'x-forwarded-';
const LETTER_X = 0x78;

/** Which known field the name at `text[start, end)` is. */
export function fieldId(text: string, start: number, end: number): FieldId {
  const length = end - start;
  const candidates = BY_LENGTH[length] ?? NONE;
  const first = text.charCodeAt(start) | 0x20;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as readonly [string, FieldId];
    if (candidate[0].charCodeAt(0) !== first) continue;
    const verdict = spells(text, start, candidate[0]);
    if (verdict !== DIFFERENT) return verdict === SAME ? candidate[1] : FIELD.disguised;
  }
  if (first === LETTER_X && length > FORWARDED_PREFIX.length) {
    const verdict = spells(text, start, FORWARDED_PREFIX);
    if (verdict !== DIFFERENT) return verdict === SAME ? FIELD.xForwardedOther : FIELD.disguised;
  }
  return FIELD.other;
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
