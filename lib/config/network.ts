import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ValueError } from '../base/value-error.js';

/** A block of addresses: both ends belong to it. IPv4 in IPv6 (`::ffff:a.b.c.d`) is version 4. */
export interface Network {
  /** As written. */
  readonly text: string;
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads `10.0.0.1`, `10.0.0.0/8`, `2001:db8::1` or `2001:db8::/32`. Throws a ValueError. */
export function parseNetwork(text: string): Network {
  const [address = '', length, ...rest] = text.split('/');
  // ipaddr.js also takes 10.1, 0x0a.0.0.1 and 010.0.0.1 for addresses; whoever writes these means something else.
  if (isIP(address) === 0 || address.includes('%') || rest.length > 0) throw unexpected(text, '');
  const parsed = ipaddr.parse(address);
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress();
  const bits = parsed.kind() === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? bits : prefixLength(text, length, bits);
  if (mapped && prefix >= 96) return block(text, 4, parsed.toIPv4Address().toByteArray(), prefix - 96);
  return block(text, bits === 32 ? 4 : 6, parsed.toByteArray(), prefix);
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

function block(text: string, version: 4 | 6, bytes: readonly number[], prefix: number): Network {
  const host = (1n << BigInt((version === 4 ? 32 : 128) - prefix)) - 1n;
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { text, version, first: value & ~host, last: value | host };
}

function unexpected(text: string, hint: string): ValueError {
  return new ValueError(`expected an address or CIDR such as 10.0.0.0/8, got ${JSON.stringify(text)}`, hint);
}
