import { FIELD, type FieldId } from './fields.js';
import type { ConnectionOptions, MessageHead } from './head.js';

/** A protocol name and an optional version (RFC 9110, 7.8). */
const PROTOCOL = /^([!#$%&'*+\-.^`|~\w]+)(?:\/[!#$%&'*+\-.^`|~\w]+)?$/;
/** HTTP in any version would carry requests past every rule, and TLS anything, unseen; h2c had versions as `h2c-14`. */
const NOT_PASSED = /^(?:h2c(?:-.*)?|http|tls)$/i;

/** The protocols that an Upgrade field (or several) names, as they are written. */
function protocolsOf(head: MessageHead): string[] {
  const protocols: string[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.ids[i] !== FIELD.upgrade) continue;
    for (const part of head.valueAt(i).split(',')) {
      const protocol = part.replace(/^[ \t]+|[ \t]+$/g, '');
      if (protocol !== '') protocols.push(protocol);
    }
  }
  return protocols;
}

/** The protocols of a request's Upgrade that are passed on, in the client's order and spelling; empty when none is. */
export function passableProtocols(head: MessageHead): string {
  const passed = protocolsOf(head).filter((protocol) => {
    const name = PROTOCOL.exec(protocol)?.[1];
    return name !== undefined && !NOT_PASSED.test(name);
  });
  return passed.join(', ');
}

/** Does a 101 name protocols, and none but `offered` ones (as `passableProtocols` returned them)? */
export function switchesTo(head: MessageHead, offered: string): boolean {
  const known = new Set(offered.toLowerCase().split(', '));
  const chosen = protocolsOf(head);
  return chosen.length > 0 && chosen.every((protocol) => known.has(protocol.toLowerCase()));
}

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
