import { FIELD } from './fields.js';
import { elementParameter, lastComma, skipBlanks } from './forwarded.js';
import type { MessageHead } from './head.js';

/** What a client speaks to whoever ends its connection. */
export type Scheme = 'http' | 'https';

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['http', 'http'],
  ['ws', 'http'],
  ['https', 'https'],
  ['wss', 'https'],
]);

/**
 * The scheme that a trusted proxy in front says the client spoke: the last entry of X-Forwarded-Proto, which is that of
 * the proxy next to us, and where there is none that of Forwarded (RFC 7239). null when neither tells one.
 */
export function toldScheme(head: MessageHead): Scheme | null {
  const plain = head.indexOf(FIELD.xForwardedProto) !== -1;
  const id = plain ? FIELD.xForwardedProto : FIELD.forwarded;
  for (let i = head.fieldCount - 1; i >= 0; i--) {
    if (head.ids[i] !== id) continue;
    const start = head.valueStart(i);
    const end = head.valueEnd(i);
    const comma = plain ? head.text.lastIndexOf(',', end - 1) : lastComma(head.text, start, end);
    const first = skipBlanks(head.text, Math.max(start, comma + 1), end);
    const last = plain ? head.text.slice(first, end) : elementParameter(head.text, first, end, 'proto');
    return SCHEMES.get(last.trim().toLowerCase()) ?? null;
  }
  return null;
}
