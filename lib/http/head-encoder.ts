import { FIELD, type FieldId } from './fields.js';
import { type ForwardedClient, forwardedElement, toldScheme } from './forwarded.js';
import {
  type ConnectionOptions,
  type Framing,
  type MessageHead,
  type RequestHead,
  type ResponseHead,
  readLength,
} from './head.js';
import type { HeadEdit } from './head-edit.js';

const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;
const CHUNKED = 'chunked';

/** What an encoder does with a field. */
const PASS = 0;
const DROP = 1;
/** Depends on more than the name. */
const ASK = 2;

/** A table of actions by field id; fields that are not named pass. */
export function fieldActions(named: Partial<Record<keyof typeof FIELD, number>>): Uint8Array {
  const table = new Uint8Array(Object.keys(FIELD).length).fill(PASS);
  for (const [name, action] of Object.entries(named)) table[FIELD[name as keyof typeof FIELD]] = action;
  return table;
}

/** Fields that belong to one connection, named by Connection or not (RFC 9110, 7.6.1). */
const HOP_BY_HOP = {
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
 * Is the field at `index` one that the sender named in Connection? Only fields that have no meaning to the balancer may
 * be named: a client that names Host, Cookie, Authorization, Content-Length or X-Forwarded-For wants to hide it from the
 * next server, and is not obeyed.
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
 * Is a framing field written in the usual way: one space, no leading zeros, no padding, `chunked` in lower case? All
 * readers agree about such a field.
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
 * A framing field as it is passed on: the line as received when it is usual, else written again without leading zeros and
 * padding, so that all readers agree about it.
 */
function framingLine(head: MessageHead, index: number, canonical: string): string {
  if (isPlain(head, index)) return head.text.slice(head.lineStart(index), head.lineStart(index + 1));
  return `${head.nameAt(index)}: ${canonical}\r\n`;
}

/** An untrusted peer may send none of these; those of a trusted peer are kept or appended to. */
const FORWARDING = {
  forwarded: DROP,
  xForwardedFor: DROP,
  xForwardedProto: DROP,
  xForwardedHost: DROP,
  xForwardedOther: DROP,
  xRealIp: DROP,
  xRequestId: DROP,
  clientCert: DROP,
} as const;
const ONLY_HERE = { host: ASK, expect: ASK, maxForwards: ASK } as const;
const FROM_ANYONE = fieldActions({ ...HOP_BY_HOP, ...FORWARDING, ...ONLY_HERE });
const TRUSTED = { ...HOP_BY_HOP, ...ONLY_HERE, xForwardedFor: DROP, xRequestId: DROP } as const;
const FROM_TRUSTED = fieldActions(TRUSTED);
/** A balancer that traces puts itself between client and server: the server gets its `traceparent`. */
const TRACING = { traceparent: DROP, tracestate: DROP } as const;
const TRACED_FROM_ANYONE = fieldActions({ ...HOP_BY_HOP, ...FORWARDING, ...ONLY_HERE, ...TRACING });
const TRACED_FROM_TRUSTED = fieldActions({ ...TRUSTED, ...TRACING });

/** RFC 8586: by this line a balancer recognises a request that it has sent before. */
const LOOP_LINE = 'CDN-Loop: lb\r\n';
/** What follows the value of X-Request-Id when the client asked for nothing that needs another line. */
const AFTER_ID = `\r\n${LOOP_LINE}\r\n`;
/** The bit of the field that asks for more lines: Connection names Upgrade and TE when they are meant. */
const ASKED_FOR = 1 << FIELD.connection;

/** A request id from a trusted peer is kept if it can stand in a log line. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The id that a trusted peer gave the request; empty when there is none to keep. */
export function receivedRequestId(head: RequestHead, client: ForwardedClient): string {
  if (!client.trusted) return '';
  const id = head.valueOf(FIELD.xRequestId);
  return REQUEST_ID.test(id) ? id : '';
}

/**
 * The head as the server gets it: the client's own lines, byte for byte and in their order, without those that concern
 * only the client's hop, and with those that this hop adds. `host` replaces the Host field; empty keeps the client's.
 * `edit` is what rules change, our own fields included; null is nothing. `trace` are the lines of the trace context in
 * place of the client's; empty keeps those.
 */
export function encodeRequestHead(
  head: RequestHead,
  client: ForwardedClient,
  requestId: string,
  host: string,
  edit: HeadEdit | null = null,
  trace = '',
): string {
  const { text, fieldCount, ids } = head;
  const { named } = head.connection;
  const table = trace === '' ? (client.trusted ? FROM_TRUSTED : FROM_ANYONE) : tracedTable(client);
  const target = edit === null || edit.target === '' ? head.originTarget : edit.target;
  let out = '';
  let run = 0;
  let hosted = false;
  // Host stays, and it is the host that the request is for.
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
    const action = table[id] as number;
    const passes = action === PASS && (named === null || !isNamed(head, i, id, head.connection));
    const edited = edit === null || !passes ? null : edit.fieldAt(head, i);
    if (passes && edited === null) continue;
    if (id === FIELD.contentLength && isPlain(head, i)) continue;
    out += text.slice(run, head.lineStart(i));
    run = head.lineStart(i + 1);
    if (edited !== null) out += edited.lineAt(head, i);
    if (action !== ASK) continue;
    out += ask(head, i, host);
  }
  out += text.slice(run, text.length - 2);
  // HTTP/1.0 may lack Host; the server is sent HTTP/1.1, which requires one (RFC 9112, 3.2).
  if (!hosted) out += `Host: ${host === '' ? head.authority : host}\r\n`;
  if (edit === null && client.isPlain && (head.present & ASKED_FOR) === 0)
    return out + trace + client.lines + linesUpToId(head.authority) + requestId + AFTER_ID;
  const way = client.trusted ? appended(head, client) : overwritten(head, client);
  const own = `${trace}${way}X-Request-Id: ${requestId}\r\n${ownLines(head, client)}`;
  return edit === null ? `${out}${own}\r\n` : `${out}${edit.own(own)}${edit.rest()}\r\n`;
}

function tracedTable({ trusted }: ForwardedClient): Uint8Array {
  return trusted ? TRACED_FROM_TRUSTED : TRACED_FROM_ANYONE;
}

/** Handles fields whose treatment depends on their value. */
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
      // Only for OPTIONS is Max-Forwards counted down (RFC 9110, 7.6.2).
      const hops = head.method === 'OPTIONS' ? readLength(head.valueAt(index)) : -1;
      return hops > 0 ? `${head.nameAt(index)}: ${hops - 1}\r\n` : line;
    }
  }
}

/** The authority of the previous request, and the lines for it up to the value of X-Request-Id. */
let lastAuthority = '';
let lastLines = 'X-Request-Id: ';

/** Most requests ask for the same host as the request before: its lines are reused as one string. */
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
    lines += `X-Forwarded-Proto: ${toldScheme(head) ?? client.transport.scheme}\r\n`;
  if (client.transport.port !== 0 && head.indexOfName('x-forwarded-port') === -1)
    lines += `X-Forwarded-Port: ${client.transport.port}\r\n`;
  if (head.indexOf(FIELD.xForwardedHost) === -1 && head.authority !== '')
    lines += `X-Forwarded-Host: ${head.authority}\r\n`;
  // A chain that stopped in the middle would describe a way that the request did not take.
  const goesOn = client.standard || head.indexOf(FIELD.forwarded) !== -1;
  return goesOn ? lines + forwardedLine(head, client) : lines;
}

/** RFC 7239, 4: a line of its own after those received, so that a mistake in those can't affect it. */
function forwardedLine(head: RequestHead, client: ForwardedClient): string {
  return `Forwarded: ${forwardedElement(client.peer, head.authority, client.transport.scheme)}\r\n`;
}

function ownLines(head: RequestHead, client: ForwardedClient): string {
  let lines = LOOP_LINE;
  if (client.via) lines += head.minorVersion === 1 ? 'Via: 1.1 lb\r\n' : 'Via: 1.0 lb\r\n';
  const protocols = head.connection.upgrade ? head.offeredProtocols : '';
  if (protocols !== '') return `${lines}Connection: Upgrade\r\nUpgrade: ${protocols}\r\n`;
  return head.acceptsTrailers ? `${lines}Connection: TE\r\nTE: trailers\r\n` : lines;
}

/** How a response is sent to the client. */
export interface ResponseForm {
  /** How its body ends on the client's side. */
  framing: Framing;
  /** Does the connection stay open after it? */
  keepAlive: boolean;
  /** Did the client speak HTTP/1.0? It must be told that the connection stays open, and can't read chunks. */
  oldClient: boolean;
}

/** The bit of Date in `present`. */
const DATE = 1 << FIELD.date;

const RESPONSE = fieldActions(HOP_BY_HOP);
/** RFC 9110, 15.5.22: a 426 without Upgrade would not say what to upgrade to. */
const UPGRADE_REQUIRED = fieldActions({ ...HOP_BY_HOP, upgrade: PASS });
const SWITCHING = fieldActions({ ...HOP_BY_HOP, upgrade: PASS, contentLength: DROP, transferEncoding: DROP });
const INTERIM = fieldActions({ ...HOP_BY_HOP, contentLength: DROP, transferEncoding: DROP });

/**
 * The head as the client gets it; always HTTP/1.1, whatever either side spoke (RFC 9110, 2.5). `wallMs` is called only
 * when the server sent no Date. `edit` is what rules change; null is nothing.
 */
export function encodeResponseHead(
  head: ResponseHead,
  form: ResponseForm,
  wallMs: number,
  edit: HeadEdit | null = null,
): string {
  const { text, fieldCount, ids } = head;
  const table = head.status === 426 ? UPGRADE_REQUIRED : RESPONSE;
  let out = '';
  let run = 0;
  if (head.minorVersion === 0 || head.isBare) {
    out = statusLine(head);
    run = head.lineStart(0);
  }
  let chunked = false;
  const { named } = head.connection;
  if (edit !== null) edit.begin();
  for (let i = 0; i < fieldCount; i++) {
    const id = ids[i] as FieldId;
    const action = table[id] as number;
    const passes = action === PASS && (named === null || !isNamed(head, i, id, head.connection));
    const edited = edit === null || !passes ? null : edit.fieldAt(head, i);
    if (passes && edited === null) continue;
    // Nearly every response has a length, written in the usual way.
    if (i === head.lengthIndex && mayHaveLength(head, form) && isPlain(head, i)) continue;
    out += text.slice(run, head.lineStart(i));
    run = head.lineStart(i + 1);
    if (edited !== null) out += edited.lineAt(head, i);
    if (action !== ASK) continue;
    if (id === FIELD.transferEncoding && form.framing === 'chunked') {
      chunked = true;
      out += framingLine(head, i, 'chunked');
    } else if (i === head.lengthIndex && mayHaveLength(head, form)) {
      out += framingLine(head, i, String(head.contentLength));
    }
  }
  out += text.slice(run, text.length - 2);
  const date = (head.present & DATE) !== 0 ? '' : `Date: ${httpDate(wallMs)}\r\n`;
  out += edit === null ? date : edit.own(date) + edit.rest();
  if (table === UPGRADE_REQUIRED) out += 'Connection: Upgrade\r\n';
  if (form.framing === 'chunked' && !chunked) out += 'Transfer-Encoding: chunked\r\n';
  return out + connectionLine(form);
}

/** The lines of a response's head that are kept when its body is not sent: `isKept` is asked about names, in lower case. */
export function fieldsWithoutBody(head: ResponseHead, isKept: (name: string) => boolean): string {
  let out = '';
  for (let i = 0; i < head.fieldCount; i++) {
    const id = head.idAt(i);
    if (RESPONSE[id] !== PASS || id === FIELD.date || isNamed(head, i, id, head.connection)) continue;
    if (isKept(head.nameAt(i).toLowerCase()))
      out += head.text.slice(head.lineStart(i), head.lineStart(i + 1));
  }
  return out;
}

/** RFC 9112, 4: the space after the code is required even when no reason follows. */
function statusLine(head: ResponseHead): string {
  return `HTTP/1.1 ${head.statusText}${head.isBare ? ' ' : ''}\r\n`;
}

/** RFC 9110, 8.6: not allowed on a 204; on a HEAD or 304 it is the length of a body that is not sent, and stays. */
function mayHaveLength(head: ResponseHead, form: ResponseForm): boolean {
  return head.status !== 204 && (form.framing === 'length' || form.framing === 'none');
}

/** The last line of a head, and the empty one after it. */
export function connectionLine(form: ResponseForm): string {
  if (!form.keepAlive) return 'Connection: close\r\n\r\n';
  return form.oldClient ? 'Connection: keep-alive\r\n\r\n' : '\r\n';
}

/**
 * An interim response (1xx) as the client gets it, or a 101, which keeps its Upgrade. `edit` is what rules change: of a 101,
 * which is the last response of its connection; null is nothing, as for every interim one.
 */
export function encodeInterimHead(head: ResponseHead, edit: HeadEdit | null = null): string {
  const table = head.status === 101 ? SWITCHING : INTERIM;
  let out = statusLine(head);
  edit?.begin();
  for (let i = 0; i < head.fieldCount; i++) {
    const id = head.idAt(i);
    if (table[id] !== PASS || isNamed(head, i, id, head.connection)) continue;
    const edited = edit === null ? null : edit.fieldAt(head, i);
    out +=
      edited === null ? head.text.slice(head.lineStart(i), head.lineStart(i + 1)) : edited.lineAt(head, i);
  }
  const added = edit === null ? '' : edit.rest();
  return `${out}${added}${head.status === 101 ? 'Connection: Upgrade\r\n' : ''}\r\n`;
}

let second = -1;
let text = '';

/** The IMF-fixdate of `wallMs` (RFC 9110, 5.6.7), built once per second. */
export function httpDate(wallMs: number): string {
  const now = Math.floor(wallMs / 1000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1000).toUTCString();
  }
  return text;
}
