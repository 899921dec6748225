import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import { FIELD, type FieldId } from './fields.js';
import { forwardedElement, toldScheme } from './forwarded.js';
import type { HeadEdit } from './head-edit.js';
import { ASK, DROP, framingLine, HOP_BY_HOP, isNamed, isPlain, PASS, verdicts } from './hop.js';
import type { RequestHead } from './request-head.js';
import { readLength } from './request-rules.js';

/** What is known of the client's connection and told to servers. Made once per connection. */
export class ForwardedClient {
  readonly peer: IpAddress;
  /** The client's address as text, without a port. */
  readonly address: string;
  /** Is the peer one whose X-Forwarded-* and X-Request-Id are believed? */
  readonly trusted: boolean;
  readonly lines: string;
  /** Are servers told no more than that, X-Forwarded-Host and X-Request-Id? */
  readonly isPlain: boolean;
  /** Are servers told in Forwarded (RFC 7239) too? */
  readonly standard: boolean;
  /** Are they told in Via? nginx compresses nothing for a request that has one. */
  readonly via: boolean;

  constructor(address: string, trusted: boolean, standard = false, via = false) {
    this.peer = parseIpAddress(address) ?? IpAddress.unix;
    this.address = address;
    this.trusted = trusted;
    this.standard = standard;
    this.via = via;
    this.isPlain = !trusted && !standard && !via;
    this.lines = `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: http\r\n`;
  }
}

/** A peer that nobody vouched for may claim none of these; from a trusted one they are kept or appended to. */
const FORWARDING = {
  forwarded: DROP,
  xForwardedFor: DROP,
  xForwardedProto: DROP,
  xForwardedHost: DROP,
  xForwardedOther: DROP,
  xRealIp: DROP,
  xRequestId: DROP,
} as const;
const ONLY_HERE = { host: ASK, expect: ASK, maxForwards: ASK } as const;
const FROM_ANYONE = verdicts({ ...HOP_BY_HOP, ...FORWARDING, ...ONLY_HERE });
const FROM_TRUSTED = verdicts({ ...HOP_BY_HOP, ...ONLY_HERE, xForwardedFor: DROP, xRequestId: DROP });

/** RFC 8586: by this line a balancer knows a request that it has sent before. */
const LOOP_LINE = 'CDN-Loop: lb\r\n';
/** What is behind the value of X-Request-Id where a client asked for nothing that needs another line. */
const AFTER_ID = `\r\n${LOOP_LINE}\r\n`;
/** The bits of the fields by which it asks for more than that: Connection says what Upgrade and TE are for. */
const ASKED_FOR = 1 << FIELD.connection;

/** A request id from a trusted peer is kept if it is one that can stand in a log line. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The id a trusted peer gave the request; empty when there is none to keep. */
export function receivedRequestId(head: RequestHead, client: ForwardedClient): string {
  if (!client.trusted) return '';
  const id = head.valueOf(FIELD.xRequestId);
  return REQUEST_ID.test(id) ? id : '';
}

/**
 * The head as a server gets it: the client's own lines, byte for byte and in their order, without what belongs to
 * the client's hop, and with what this hop adds. `host` replaces the Host field; empty keeps the client's. `edit` is
 * what rules want of the head, our own fields included; null is nothing.
 */
export function encodeRequestHead(
  head: RequestHead,
  client: ForwardedClient,
  requestId: string,
  host: string,
  edit: HeadEdit | null = null,
): string {
  const { text, fieldCount, ids } = head;
  const { named } = head.connection;
  const table = client.trusted ? FROM_TRUSTED : FROM_ANYONE;
  const target = edit === null || edit.target === '' ? head.originTarget : edit.target;
  let out = '';
  let run = 0;
  let hosted = false;
  // Nothing replaces it, and it is what the request is for.
  const keepsHost = host === '' && head.originTarget === head.target;
  if (target !== head.target || head.minorVersion === 0) {
    out = `${head.method} ${target} HTTP/1.1\r\n`;
    run = head.lineStart(0);
  }
  if (edit !== null) edit.begin();
  for (let i = 0; i < fieldCount; i++) {
    const id = ids[i] as FieldId;
    if (id === FIELD.host) {
      hosted = true;
      if (keepsHost) continue;
    }
    const verdict = table[id] as number;
    const passes = verdict === PASS && (named === null || !isNamed(head, i, id, head.connection));
    const edited = edit === null || !passes ? null : edit.fieldAt(head, i);
    if (passes && edited === null) continue;
    if (id === FIELD.contentLength && isPlain(head, i)) continue;
    out += text.slice(run, head.lineStart(i));
    run = head.lineStart(i + 1);
    if (edited !== null) out += edited.lineAt(head, i);
    if (verdict !== ASK) continue;
    out += ask(head, i, host);
  }
  out += text.slice(run, text.length - 2);
  // HTTP/1.0 does without; in HTTP/1.1, which the server is spoken to, there is always one (RFC 9112, 3.2).
  if (!hosted) out += `Host: ${host === '' ? head.authority : host}\r\n`;
  if (edit === null && client.isPlain && (head.present & ASKED_FOR) === 0)
    return out + client.lines + linesUpToId(head.authority) + requestId + AFTER_ID;
  const way = client.trusted ? appended(head, client) : overwritten(head, client);
  const own = `${way}X-Request-Id: ${requestId}\r\n${ownLines(head, client)}`;
  return edit === null ? `${out}${own}\r\n` : `${out}${edit.own(own)}${edit.rest()}\r\n`;
}

/** Fields whose fate depends on their value. */
function ask(head: RequestHead, index: number, host: string): string {
  const line = head.text.slice(head.lineStart(index), head.lineStart(index + 1));
  switch (head.idAt(index)) {
    case FIELD.host: {
      const authority = host === '' ? head.authority : host;
      return head.valueAt(index) === authority ? line : `${head.nameAt(index)}: ${authority}\r\n`;
    }
    case FIELD.expect:
      return head.expectsContinue && head.valueAt(index) !== '' ? line : '';
    case FIELD.contentLength:
      return framingLine(head, index, String(head.contentLength));
    case FIELD.transferEncoding:
      return framingLine(head, index, 'chunked');
    default: {
      // Max-Forwards counts for OPTIONS alone here (RFC 9110, 7.6.2).
      const hops = head.method === 'OPTIONS' ? readLength(head.valueAt(index)) : -1;
      return hops > 0 ? `${head.nameAt(index)}: ${hops - 1}\r\n` : line;
    }
  }
}

/** The authority of the request before this one, and the lines up to the value of X-Request-Id that follow from it. */
let lastAuthority = '';
let lastLines = 'X-Request-Id: ';

/** Most requests ask for the same host as the one before: its lines are one string that is there already. */
function linesUpToId(authority: string): string {
  if (authority !== lastAuthority) {
    lastAuthority = authority;
    lastLines = `${authority === '' ? '' : `X-Forwarded-Host: ${authority}\r\n`}X-Request-Id: `;
  }
  return lastLines;
}

function overwritten(head: RequestHead, client: ForwardedClient): string {
  const host = head.authority === '' ? '' : `X-Forwarded-Host: ${head.authority}\r\n`;
  return client.standard ? client.lines + host + forwardedLine(head, client) : client.lines + host;
}

function appended(head: RequestHead, client: ForwardedClient): string {
  const chain: string[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.ids[i] === FIELD.xForwardedFor && head.valueAt(i) !== '') chain.push(head.valueAt(i));
  }
  chain.push(client.address);
  let lines = `X-Forwarded-For: ${chain.join(', ')}\r\n`;
  if (head.indexOf(FIELD.xForwardedProto) === -1)
    lines += `X-Forwarded-Proto: ${toldScheme(head) ?? 'http'}\r\n`;
  if (head.indexOf(FIELD.xForwardedHost) === -1 && head.authority !== '')
    lines += `X-Forwarded-Host: ${head.authority}\r\n`;
  // A chain that ended in the middle would tell of a way that the request did not come.
  const goesOn = client.standard || head.indexOf(FIELD.forwarded) !== -1;
  return goesOn ? lines + forwardedLine(head, client) : lines;
}

/** RFC 7239, 4: a line of its own behind those received, which a mistake in them can't reach. */
function forwardedLine(head: RequestHead, client: ForwardedClient): string {
  return `Forwarded: ${forwardedElement(client.peer, head.authority)}\r\n`;
}

function ownLines(head: RequestHead, client: ForwardedClient): string {
  let lines = LOOP_LINE;
  if (client.via) lines += head.minorVersion === 1 ? 'Via: 1.1 lb\r\n' : 'Via: 1.0 lb\r\n';
  const protocols = head.connection.upgrade ? head.offeredProtocols : '';
  if (protocols !== '') return `${lines}Connection: Upgrade\r\nUpgrade: ${protocols}\r\n`;
  return head.acceptsTrailers ? `${lines}Connection: TE\r\nTE: trailers\r\n` : lines;
}
