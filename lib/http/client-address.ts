import type { AddressSet } from '../base/address-set.js';
import { type IpAddress, parseIpAddress } from '../base/ip-address.js';
import { FIELD } from './fields.js';
import type { MessageHead } from './head.js';

const COLON = 0x3a;
const OPEN = 0x5b;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Whom a request is from. A peer that nobody trusts speaks for itself, whatever it claims. Behind a trusted proxy it
 * is the rightmost address of X-Forwarded-For that is not a trusted proxy: what stands left of it was written by
 * somebody unknown. Several fields are one list, in their order. An entry that is no address ends the walk; then, and
 * when all are trusted, it is the last address that was believed.
 */
export function clientAddress(peer: IpAddress, head: MessageHead, trusted: AddressSet): IpAddress {
  let client = peer;
  if (!trusted.has(client)) return client;
  for (let i = head.fieldCount - 1; i >= 0; i--) {
    if (head.ids[i] !== FIELD.xForwardedFor) continue;
    const start = head.valueStart(i);
    for (let end = head.valueEnd(i); end > start; ) {
      const comma = head.text.lastIndexOf(',', end - 1);
      const first = skipBlanks(head.text, Math.max(start, comma + 1), end);
      // RFC 9110, 5.6.1: empty elements of a list do not count.
      if (first < end) {
        const next = parseEntry(head.text, first, end);
        if (next === null) return client;
        client = next;
        if (!trusted.has(client)) return client;
      }
      end = comma;
    }
  }
  return client;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`, and blanks. */
function parseEntry(text: string, start: number, to: number): IpAddress | null {
  let end = to;
  while (isBlank(text.charCodeAt(end - 1))) end--;
  const colon = text.lastIndexOf(':', end - 1);
  if (text.charCodeAt(start) === OPEN) {
    const close = text.indexOf(']', start);
    // What stands in brackets is IPv6: it has a colon.
    if (close === -1 || close >= end || !text.slice(start, close).includes(':')) return null;
    return close + 1 === end || isPort(text, close + 1, end) ? parseIpAddress(text, start + 1, close) : null;
  }
  const hasPort = colon > start && text.indexOf(':', start) === colon;
  if (!hasPort) return parseIpAddress(text, start, end);
  return isPort(text, colon, end) ? parseIpAddress(text, start, colon) : null;
}

function skipBlanks(text: string, start: number, end: number): number {
  let first = start;
  while (first < end && isBlank(text.charCodeAt(first))) first++;
  return first;
}

/** `:` and one to five digits. */
function isPort(text: string, start: number, end: number): boolean {
  if (text.charCodeAt(start) !== COLON || end - start < 2 || end - start > 6) return false;
  for (let i = start + 1; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
  }
  return true;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
