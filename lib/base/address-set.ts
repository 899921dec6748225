import ipaddr from 'ipaddr.js';

/** One range of addresses, as bytes that compare like the addresses do. */
interface Range {
  readonly first: string;
  readonly last: string;
}

/**
 * A set of IP addresses and CIDR blocks, v4 and v6: sorted, merged, found by bisection. An IPv4 address and its
 * IPv6-mapped form are the same.
 */
export class AddressSet {
  readonly #ranges: readonly Range[];

  /** `entries`: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`. Throws, naming the entry, at one that is neither. */
  constructor(entries: readonly string[]) {
    this.#ranges = merge(entries.map(parseRange));
  }

  /** Is `address` (as text) in the set? What is no address is in none. */
  has(address: string): boolean {
    if (this.#ranges.length === 0 || !ipaddr.isValid(address)) return false;
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
    const [network, bits] = entry.includes('/') ? ipaddr.parseCIDR(entry) : single(ipaddr.parse(entry));
    const bytes = network.toByteArray();
    const last = bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, bits - i * 8))));
    const first = bytes.map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, bits - i * 8))));
    return { first: keyOf(ipaddr.fromByteArray(first)), last: keyOf(ipaddr.fromByteArray(last)) };
  } catch {
    throw new Error(`not an IP address or CIDR block: "${entry}"`);
  }
}

function single(address: ipaddr.IPv4 | ipaddr.IPv6): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** Sixteen bytes as a string of as many characters; v4 in its mapped form. */
function keyOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  const v6 = address.kind() === 'ipv4' ? (address as ipaddr.IPv4).toIPv4MappedAddress() : address;
  return String.fromCharCode(...v6.toByteArray());
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
