import type { AddressSet } from '../base/address-set.js';
import type { IpAddress } from '../base/ip-address.js';
import { FIELD } from './fields.js';
import { elementFor, lastComma, parseNode, skipBlanks } from './forwarded.js';
import type { MessageHead } from './head.js';

/**
 * Whom a request is from. A peer that nobody trusts speaks for itself, whatever it claims. Behind a trusted proxy it
 * is the rightmost address of X-Forwarded-For that is not a trusted proxy: what stands left of it was written by
 * somebody unknown. Several fields are one list, in their order. An entry that is no address ends the walk; then, and
 * when all are trusted, it is the last address that was believed.
 *
 * Forwarded (RFC 7239) is walked in the same way where there is no X-Forwarded-For. Where there are both the proxy
 * wrote the older one, and may have let pass what a client wrote in the other.
 */
export function clientAddress(peer: IpAddress, head: MessageHead, trusted: AddressSet): IpAddress {
  let client = peer;
  if (!trusted.has(client)) return client;
  const plain = head.indexOf(FIELD.xForwardedFor) !== -1;
  const id = plain ? FIELD.xForwardedFor : FIELD.forwarded;
  for (let i = head.fieldCount - 1; i >= 0; i--) {
    if (head.ids[i] !== id) continue;
    const start = head.valueStart(i);
    for (let end = head.valueEnd(i); end > start; ) {
      const comma = plain ? head.text.lastIndexOf(',', end - 1) : lastComma(head.text, start, end);
      const first = skipBlanks(head.text, Math.max(start, comma + 1), end);
      // RFC 9110, 5.6.1: empty elements of a list do not count.
      if (first < end) {
        const next = plain ? parseNode(head.text, first, end) : elementFor(head.text, first, end);
        if (next === null) return client;
        client = next;
        if (!trusted.has(client)) return client;
      }
      end = comma;
    }
  }
  return client;
}
