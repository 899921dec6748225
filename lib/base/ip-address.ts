/**
 * IP addresses as 32-bit words, parsed by hand: on the request path there is no time for regular expressions, and only
 * the common spellings may pass. Parsers disagree about `010.0.0.1`, `10.1` and `0x0a000001`, so here they are not
 * addresses.
 */

const DOT = 0x2e;
const COLON = 0x3a;
const PERCENT = 0x25;
const ZERO = 0x30;

/** The words before the last of an IPv4 address in IPv6, `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2). */
const MAPPED = 0x0000ffff;

/** The groups of the IPv6 address that is being read. */
const groups = new Uint16Array(8);

/** A parsed address: four words of 32 bits, and its two common texts. Immutable. */
export class IpAddress {
  /** 0 for a client of a Unix socket, which has no address. IPv4 in IPv6 is 4. */
  readonly version: 0 | 4 | 6;
  // Each open connection has an address: with a typed array for the words it was 184 bytes larger.
  readonly #first: number;
  readonly #second: number;
  readonly #third: number;
  readonly #fourth: number;
  /** The canonical spelling: dotted for IPv4, RFC 5952 for IPv6, without a zone. */
  readonly text: string;
  /**
   * What a client is counted by: the address, or the /64 network of an IPv6 client, which can use all its addresses.
   */
  readonly key: string;

  private constructor(version: 0 | 4 | 6, words: ArrayLike<number>, text: string, key: string) {
    this.version = version;
    // Signed, because V8 keeps numbers from 2³¹ on in objects of their own.
    this.#first = (words[0] as number) | 0;
    this.#second = (words[1] as number) | 0;
    this.#third = (words[2] as number) | 0;
    this.#fourth = (words[3] as number) | 0;
    this.text = text;
    this.key = key;
  }

  /** The peer of a Unix socket. It is in no set of addresses. */
  static readonly unix = new IpAddress(0, [0, 0, 0, 0], 'unix', 'unix');

  static v4(value: number): IpAddress {
    const text = `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
    return new IpAddress(4, [0, 0, MAPPED, value], text, text);
  }

  static v6(words: Uint32Array): IpAddress {
    const mapped = words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
    if (mapped) return IpAddress.v4(words[3] as number);
    return new IpAddress(6, words, v6Text(words), `${joined(words, 0, 4)}::/64`);
  }

  /** One of the four words, from the front, unsigned. An IPv4 address is in the last. */
  word(index: number): number {
    if (index === 3) return this.#fourth >>> 0;
    if (index === 0) return this.#first >>> 0;
    return (index === 1 ? this.#second : this.#third) >>> 0;
  }
}

/** The address at `text[start, end)`, without the zone of IPv6 (`%eth0`); null when it is not an address. */
export function parseIpAddress(text: string, start = 0, end = text.length): IpAddress | null {
  // The first colon or dot decides between IPv6 and IPv4; it is among the first five characters.
  for (let i = start; i < end && i < start + 5; i++) {
    const code = text.charCodeAt(i);
    if (code === COLON) return parseV6(text, start, end);
    if (code === DOT) break;
  }
  const value = readV4(text, start, end);
  return value === -1 ? null : IpAddress.v4(value);
}

/**
 * Reads the address at `text[start, end)`, without a zone, into four words, and returns its version as written:
 * `::ffff:a.b.c.d` is 6. Returns 0 if it is not an address. Allocates nothing, for lists of a million addresses.
 */
export function readAddress(text: string, start: number, end: number, words: Uint32Array): 0 | 4 | 6 {
  const value = readV4(text, start, end);
  if (value !== -1) {
    words[0] = 0;
    words[1] = 0;
    words[2] = MAPPED;
    words[3] = value;
    return 4;
  }
  if (!readGroups(text, start, end)) return 0;
  takeGroups(words);
  return 6;
}

/** Four decimal numbers without leading zeros; -1 for anything else. */
function readV4(text: string, start: number, end: number): number {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let octets = 0;
  for (let i = start; i <= end; i++) {
    const code = i === end ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || octets === 4) return -1;
      value = value * 256 + octet;
      octets++;
      octet = 0;
      digits = 0;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return -1;
    octet = octet * 10 + digit;
    digits++;
    if (octet > 255) return -1;
  }
  return octets === 4 ? value : -1;
}

function parseV6(text: string, start: number, end: number): IpAddress | null {
  const zone = zoneStart(text, start, end);
  if (zone === -1 || !readGroups(text, start, zone)) return null;
  const words = new Uint32Array(4);
  takeGroups(words);
  return IpAddress.v6(words);
}

/** Two groups to a word. */
function takeGroups(words: Uint32Array): void {
  for (let i = 0; i < 4; i++) {
    words[i] = ((groups[2 * i] as number) << 16) | (groups[2 * i + 1] as number);
  }
}

/**
 * Where the address ends and its zone begins; -1 when the text after `%` is not a zone (RFC 6874: unreserved
 * characters).
 */
function zoneStart(text: string, start: number, end: number): number {
  let zone = start;
  while (zone < end && text.charCodeAt(zone) !== PERCENT) zone++;
  if (zone === end) return end;
  return /^%[\w.~-]{1,32}$/.test(text.slice(zone, end)) ? zone : -1;
}

/** Fills `groups` from `text[start, end)`. */
function readGroups(text: string, start: number, end: number): boolean {
  let count = 0;
  let gap = -1;
  let i = start;
  if (text.charCodeAt(i) === COLON) {
    if (i + 1 >= end || text.charCodeAt(i + 1) !== COLON) return false;
    gap = 0;
    i += 2;
  }
  while (i < end) {
    if (count === 8) return false;
    const first = i;
    let group = 0;
    for (let digit = hexDigit(text, i, end); digit !== -1; digit = hexDigit(text, i, end)) {
      group = group * 16 + digit;
      i++;
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      const value = readV4(text, first, end);
      if (value === -1 || count > 6) return false;
      groups[count] = value >>> 16;
      groups[count + 1] = value;
      count += 2;
      break;
    }
    if (i === first || i - first > 4) return false;
    groups[count++] = group;
    if (i === end) break;
    if (text.charCodeAt(i) !== COLON || ++i === end) return false;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap !== -1) return false;
    gap = count;
    i++;
  }
  if (gap === -1) return count === 8;
  if (count === 8) return false;
  groups.copyWithin(8 - (count - gap), gap, count);
  groups.fill(0, gap, 8 - (count - gap));
  return true;
}

function hexDigit(text: string, index: number, end: number): number {
  if (index >= end) return -1;
  const code = text.charCodeAt(index);
  if (code >= ZERO && code <= 0x39) return code - ZERO;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

function groupAt(words: Uint32Array, index: number): number {
  const word = words[index >> 1] as number;
  return index & 1 ? word & 0xffff : word >>> 16;
}

/** Groups `[from, to)` with colons between them. */
function joined(words: Uint32Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += `${i > from ? ':' : ''}${groupAt(words, i).toString(16)}`;
  return text;
}

/** RFC 5952: the longest run of two or more zero groups, the first of equals, is written `::`. */
function v6Text(words: Uint32Array): string {
  let gap = 0;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groupAt(words, i + run) === 0) run++;
    if (run > length) {
      gap = i;
      length = run;
    }
    i += run;
  }
  return length === 1 ? joined(words, 0, 8) : `${joined(words, 0, gap)}::${joined(words, gap + length, 8)}`;
}
