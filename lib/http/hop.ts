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

const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;
const CHUNKED = 'chunked';

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
 * Is a framing field written as everybody writes it: one space, no leading zeros, no padding, `chunked` in lower case?
 * No two readers take it differently then.
 */
export function isPlain(head: MessageHead, index: number): boolean {
  const { text, offsets } = head;
  const nameEnd = offsets[index * 4 + 1] as number;
  const start = offsets[index * 4 + 2] as number;
  const end = offsets[index * 4 + 3] as number;
  if (start !== nameEnd + 2 || end + 2 !== head.lineStart(index + 1)) return false;
  if (text.charCodeAt(nameEnd) !== COLON || text.charCodeAt(nameEnd + 1) !== SPACE) return false;
  const first = text.charCodeAt(start);
  if (first === ZERO) return end === start + 1;
  if (isDigit(first)) return isDigit(text.charCodeAt(end - 1));
  return end - start === CHUNKED.length && text.startsWith(CHUNKED, start);
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

/**
 * A framing field as it is passed on: the line as received when nothing about it is unusual, else written again
 * without leading zeros and padding, so that no two readers can take it differently.
 */
export function framingLine(head: MessageHead, index: number, canonical: string): string {
  if (isPlain(head, index)) return head.text.slice(head.lineStart(index), head.lineStart(index + 1));
  return `${head.nameAt(index)}: ${canonical}\r\n`;
}
