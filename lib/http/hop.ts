import { FIELD, type FieldId } from './fields.js';
import type { ConnectionOptions, MessageHead } from './head.js';

/** Protocols a connection may be switched to. h2c is never among them: it would carry requests past every rule. */
export const UPGRADE_PROTOCOL = 'websocket';

/** What becomes of a field on its way through. */
export const PASS = 0;
export const DROP = 1;
/** Depends on more than its name. */
export const ASK = 2;

/** The verdicts by field id; what is not named passes. */
export function verdicts(named: Partial<Record<keyof typeof FIELD, number>>): Uint8Array {
  const table = new Uint8Array(Object.keys(FIELD).length).fill(PASS);
  for (const [name, verdict] of Object.entries(named)) table[FIELD[name as keyof typeof FIELD]] = verdict;
  return table;
}

/** Fields that belong to one connection, named by Connection or not (RFC 9110, 7.6.1). */
export const HOP_BY_HOP = {
  connection: DROP,
  keepAlive: DROP,
  proxyConnection: DROP,
  te: DROP,
  upgrade: DROP,
  transferEncoding: ASK,
  contentLength: ASK,
  disguised: DROP,
} as const;

/**
 * Is the field at `index` one that the sender named in Connection? Only fields without a meaning of their own here
 * can be: whoever names Host, Cookie, Authorization, Content-Length or X-Forwarded-For wants to hide it from the next
 * server, and is not obeyed.
 */
export function isNamed(
  head: MessageHead,
  index: number,
  id: FieldId,
  connection: ConnectionOptions,
): boolean {
  if (connection.named === null || id !== FIELD.other) return false;
  return connection.named.has(head.nameAt(index).toLowerCase());
}

/**
 * A framing field as it is passed on: the line as received when nothing about it is unusual, else written again
 * without leading zeros and padding, so that no two readers can take it differently.
 */
export function framingLine(head: MessageHead, index: number, canonical: string): string {
  const lineStart = head.lineStart(index);
  const line = head.text.slice(lineStart, head.lineStart(index + 1));
  const expected = `: ${canonical}\r\n`;
  if (line.endsWith(expected) && line.length === head.nameAt(index).length + expected.length) return line;
  return head.nameAt(index) + expected;
}
