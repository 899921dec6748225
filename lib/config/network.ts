import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ValueError } from '../base/units.js';

/** A block of addresses; `first` and `last` belong to it. IPv4 in IPv6 (`::ffff:a.b.c.d`) is version 4. */
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
  // ipaddr.js also accepts 10.1, 0x0a.0.0.1 and 010.0.0.1, which people write with another meaning.
  if (isIP(address) === 0 || address.includes('%') || rest.length > 0)
    throw unexpected(text, adviseNetwork(text));
  const parsed = ipaddr.parse(address);
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress();
  const bits = parsed.kind() === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? bits : prefixLength(text, length, bits);
  if (mapped && prefix >= 96) return block(text, 4, parsed.toIPv4Address().toByteArray(), prefix - 96);
  return block(text, bits === 32 ? 4 : 6, parsed.toByteArray(), prefix);
}

/** What to write instead, where it is plain what was meant; else empty. */
function adviseNetwork(text: string): string {
  const wild = /^((?:\d{1,3}\.){1,3})(?:\*\.){0,2}\*$/.exec(text)?.[1]?.split('.').slice(0, -1);
  if (wild) return adviseBlock(wild, String(8 * wild.length));
  const [, short, length] = /^(\d{1,3}(?:\.\d{1,3}){0,2})\.?\/(\d{1,2})$/.exec(text) ?? [];
  if (short !== undefined && length !== undefined) return adviseBlock(short.split('.'), length);
  if (/^(?:all|any|\*|everyone|everybody)$/i.test(text))
    return '0.0.0.0/0 is every IPv4 address, ::/0 every IPv6 address.';
  if (/^[\d.]+\s*-\s*[\d.]+$/.test(text)) return 'Write a range as networks, such as 10.0.0.0/28.';
  if (/^\[.*\](?::\d+)?$/.test(text)) return 'Write it without brackets and port.';
  if (/^[\d.]+:\d+$/.test(text)) return 'Write it without the port.';
  return /^[a-z][a-z\d.-]*$/i.test(text) ? 'Names are not looked up here: write the address.' : '';
}

function adviseBlock(bytes: readonly string[], length: string): string {
  const address = [...bytes, '0', '0', '0'].slice(0, 4).join('.');
  return isIP(address) === 4 && Number(length) <= 32 ? `Write ${address}/${length}.` : '';
}

/**
 * The network in its usual form when the written address is not the first of the block: `10.0.0.1/8` is all of
 * `10.0.0.0/8`. undefined when it is the first, or a single address.
 */
export function plainNetwork({ text, version, first, last }: Network): string | undefined {
  const [address = '', length] = text.split('/');
  const size = version === 4 ? 4 : 16;
  if (length === undefined || numberOf(ipaddr.parse(address).toByteArray().slice(-size)) === first)
    return undefined;
  const bytes = Array.from({ length: size }, (_, i) => Number((first >> BigInt(8 * (size - 1 - i))) & 255n));
  return `${ipaddr.fromByteArray(bytes).toString()}/${8 * size - (last - first).toString(2).replace('0', '').length}`;
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
  const value = numberOf(bytes);
  return { text, version, first: value & ~host, last: value | host };
}

function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function unexpected(text: string, hint: string): ValueError {
  return new ValueError(`expected an address or CIDR such as 10.0.0.0/8, got ${JSON.stringify(text)}`, hint);
}
