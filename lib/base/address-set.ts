import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One range of addresses, as bytes that compare like the addresses do. */
interface Range {
  readonly first: string;
  readonly last: string;
}

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** An IPv6 block with a prefix this long or longer may be one of IPv4 in disguise: `::ffff:10.0.0.0/104`. */
const MAPPED_BITS = 96;

/**
 * A set of IP addresses and CIDR blocks, v4 and v6: sorted, merged, found by bisection. An IPv4 address and its
 * IPv6-mapped form are the same; a block of IPv6, `::/0` too, holds no IPv4.
 */
export class AddressSet {
  readonly #ranges: readonly Range[];

  /** `entries`: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`. Throws, naming the entry, at one that is neither. */
  constructor(entries: readonly string[]) {
    this.#ranges = merge(entries.map(parseRange));
  }

  /** Is `address` (as text) in the set? What is no address is in none. */
  has(address: string): boolean {
    // ipaddr.js alone would take `1` and `0x7f.1` for addresses.
    if (this.#ranges.length === 0 || isIP(address) === 0) return false;
    const key = keyOf(ipaddr.process(address));
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as Range).first <= key) low = middle + 1;
      else high = middle;
    }
    return low > 0 && key <= (this.#ranges[low - 1] as Range).last;
  }
}

function parseRange(entry: string): Range {
  try {
    const [network, bits] = unmapped(entry);
    const bytes = network.toByteArray();
    const last = bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, bits - i * 8))));
    const first = bytes.map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, bits - i * 8))));
    return { first: keyOf(ipaddr.fromByteArray(first)), last: keyOf(ipaddr.fromByteArray(last)) };
  } catch {
    throw new Error(`not an IP address or CIDR block: "${entry}"`);
  }
}

/** The network and the length of its prefix; IPv4 in IPv6 clothing as IPv4. */
function unmapped(entry: string): [network: Ip, bits: number] {
  if (isIP(entry.replace(/\/\d+$/, '')) === 0) throw new Error('no address');
  const [network, bits] = entry.includes('/') ? ipaddr.parseCIDR(entry) : [ipaddr.parse(entry), Infinity];
  if (network.kind() === 'ipv4') return [network, Math.min(bits, 32)];
  const v6 = network as ipaddr.IPv6;
  if (!v6.isIPv4MappedAddress() || bits < MAPPED_BITS) return [v6, Math.min(bits, 128)];
  return [v6.toIPv4Address(), Math.min(bits - MAPPED_BITS, 32)];
}

/** The bytes as a string of as many characters, behind one that keeps the two families apart. */
function keyOf(address: Ip): string {
  return String.fromCharCode(address.kind() === 'ipv4' ? 4 : 6, ...address.toByteArray());
}

function merge(ranges: Range[]): Range[] {
  ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: Range[] = [];
  for (const range of ranges) {
    const previous = merged.at(-1);
    if (previous !== undefined && range.first <= previous.last) {
      if (range.last > previous.last) merged[merged.length - 1] = { first: previous.first, last: range.last };
    } else {
      merged.push(range);
    }
  }
  return merged;
}
