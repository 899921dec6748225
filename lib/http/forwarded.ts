import type { AddressSet } from '../base/address-set.js';
import { type EndsSource, NO_ENDS } from '../base/connection-ends.js';
import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import { PLAIN_TRANSPORT, type Scheme, type TransportInfo } from '../base/transport-info.js';
import { certificateLines } from './client-certificate.js';
import { FIELD } from './fields.js';
import type { MessageHead } from './head.js';

/** How proxies tell each other who asked: the nodes of X-Forwarded-For, and Forwarded (RFC 7239). */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x5b;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * One `name=value` of an element and what ends it. Values without quotes may hold more than a token: ports are written
 * so. There is one way to match any blank, or a long run of them would take a second to fail.
 */
const PAIR = /[ \t]*(?:([!#$%&'*+\-.^_`|~\w]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))[ \t]*)?(;|$)/y;
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;

/**
 * Where the last comma of `text[start, end)` stands that is in no quoted string; -1 when there is none. From the end,
 * for what stands there was written by the proxy next to us: a quote that a client left open hides nothing of it.
 */
function lastComma(text: string, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) {
    const code = text.charCodeAt(i);
    if (code === COMMA) return i;
    if (code === QUOTE) i = openingQuote(text, start, i);
  }
  return -1;
}

/** Where the string opens that closes at `close`; `start` when it does not. */
function openingQuote(text: string, start: number, close: number): number {
  for (let i = close - 1; i > start; i--) {
    if (text.charCodeAt(i) !== QUOTE) continue;
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i;
  }
  return start;
}

/** Whom the element of Forwarded at `text[start, end)` is `for`; null when that is no address, or nothing is well-formed. */
function elementFor(text: string, start: number, end: number): IpAddress | null {
  const node = elementParameter(text, start, end, 'for');
  return node === '' ? null : parseNode(node, 0, node.length);
}

/** The value of a parameter (lower case) of the element; empty when it is not there, or nothing is well-formed. */
function elementParameter(text: string, start: number, end: number, wanted: string): string {
  const element = text.slice(start, end);
  let value = '';
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const pair = PAIR.exec(element);
    if (pair === null) return '';
    const [, name, quoted, bare] = pair;
    if (name?.toLowerCase() !== wanted) continue;
    // RFC 7239, 4: each parameter once.
    if (value !== '') return '';
    value = bare ?? (quoted as string).replace(/\\(.)/g, '$1');
  }
  return value;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`, and blanks. */
function parseNode(text: string, start: number, to: number): IpAddress | null {
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

/** The first position of `text[start, end)` that is no blank. */
function skipBlanks(text: string, start: number, end: number): number {
  let first = start;
  while (first < end && isBlank(text.charCodeAt(first))) first++;
  return first;
}

/** The element of this hop: `peer` asked for `authority`, which may be empty, over `scheme`. */
export function forwardedElement(peer: IpAddress, authority: string, scheme: Scheme): string {
  const { version, text } = peer;
  // RFC 7239, 6: IPv6 in brackets, and so in quotes; who has no address gets a name with `_`.
  const node = version === 6 ? `"[${text}]"` : version === 4 ? text : `_${text}`;
  if (authority === '') return `for=${node};proto=${scheme}`;
  return `for=${node};host=${TOKEN.test(authority) ? authority : `"${authority}"`};proto=${scheme}`;
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

/**
 * Whom a request is from. An untrusted peer is the client, whatever it claims. Behind a trusted proxy it
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

const UNKNOWN_SOURCE: EndsSource = { ends: NO_ENDS };

/** What is known of the client's connection and told to servers. Made once per connection. */
export class ForwardedClient {
  readonly peer: IpAddress;
  /** The client's address as text, without a port. */
  readonly address: string;
  /** Is the peer one whose X-Forwarded-* and X-Request-Id are believed? */
  readonly trusted: boolean;
  /** What an untrusted peer's requests are sent with: address, scheme and port of the client, and its certificate. */
  readonly lines: string;
  /** Are servers told no more than that, X-Forwarded-Host and X-Request-Id? */
  readonly isPlain: boolean;
  /** Are servers told in Forwarded (RFC 7239) too? */
  readonly standard: boolean;
  /** Are they told in Via? nginx compresses nothing for a request that has one. */
  readonly via: boolean;
  /** How the connection itself is transported, whatever was spoken to a proxy in front. */
  readonly transport: TransportInfo;
  /** Knows its ports, for those who are to be told of them. */
  readonly source: EndsSource;

  constructor(
    address: string,
    trusted: boolean,
    standard = false,
    via = false,
    transport: TransportInfo = PLAIN_TRANSPORT,
    source: EndsSource = UNKNOWN_SOURCE,
  ) {
    this.peer = parseIpAddress(address) ?? IpAddress.unix;
    this.address = address;
    this.trusted = trusted;
    this.standard = standard;
    this.via = via;
    this.isPlain = !trusted && !standard && !via;
    this.transport = transport;
    this.source = source;
    const port = transport.port === 0 ? '' : `X-Forwarded-Port: ${transport.port}\r\n`;
    const certificate = certificateLines(transport.tls?.clientCertificate ?? null);
    this.lines = `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${transport.scheme}\r\n${port}${certificate}`;
  }
}
