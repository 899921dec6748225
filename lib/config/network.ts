import { IpAddress, readAddress } from '../base/ip-address.js';
import { ValueError } from '../base/units.js';

/** A block of addresses: both ends belong to it. IPv4 in IPv6 (`::ffff:a.b.c.d`) is version 4. */
export interface Network {
  /** As written. */
  readonly text: string;
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

const IPV4 = 0xffff_ffffn;

/** The address that is being read. */
const words = new Uint32Array(4);

/** Reads `10.0.0.1`, `10.0.0.0/8`, `2001:db8::1` or `2001:db8::/32`. Throws a ValueError. */
export function parseNetwork(text: string): Network {
  const [address = '', length, ...rest] = text.split('/');
  const version = readAddress(address, 0, address.length, words);
  if (version === 0 || rest.length > 0) throw unexpected(text, '');
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : prefixLength(text, length, bits);
  const value = words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  if (version === 4) return block(text, 4, value & IPV4, prefix);
  return isMapped(value) && prefix >= 96
    ? block(text, 4, value & IPV4, prefix - 96)
    : block(text, 6, value, prefix);
}

/**
 * The network as it is usually written, when its address is not the first one: `10.0.0.1/8` is all of `10.0.0.0/8`.
 * undefined when it is the first, or a single address.
 */
export function plainNetwork({ text, version, first, last }: Network): string | undefined {
  const [address = '', length] = text.split('/');
  if (length === undefined) return undefined;
  const written = parseNetwork(address);
  if (written.version === version && written.first === first) return undefined;
  const prefix = (version === 4 ? 32 : 128) - (last - first).toString(2).replace('0', '').length;
  return `${addressText(version, first)}/${prefix}`;
}

/** True for `0.0.0.0/0` and `::/0`. */
export function isEverything({ version, first, last }: Network): boolean {
  return last - first === (1n << (version === 4 ? 32n : 128n)) - 1n;
}

/** True when every address of `b` is one of `a`. */
export function coversNetwork(a: Network, b: Network): boolean {
  return a.version === b.version && a.first <= b.first && b.last <= a.last;
}

function prefixLength(text: string, length: string, bits: number): number {
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefix <= bits)) throw unexpected(text, `After the slash goes a number from 0 to ${bits}.`);
  return prefix;
}

function block(text: string, version: 4 | 6, address: bigint, prefix: number): Network {
  const host = (1n << BigInt((version === 4 ? 32 : 128) - prefix)) - 1n;
  return { text, version, first: address & ~host, last: address | host };
}

/** IPv4 in IPv6, `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2). */
function isMapped(value: bigint): boolean {
  return value >> 32n === 0xffffn;
}

function addressText(version: 4 | 6, value: bigint): string {
  if (version === 4) return IpAddress.v4(Number(value)).text;
  return IpAddress.v6(Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & IPV4))).text;
}

function unexpected(text: string, hint: string): ValueError {
  return new ValueError(`expected an address or CIDR such as 10.0.0.0/8, got ${JSON.stringify(text)}`, hint);
}
