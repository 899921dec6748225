import type { AddressSet } from '../base/address-set.js';
import { type ConnectionEnds, type EndsSource, NO_ENDS } from '../base/connection-ends.js';
import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import { type ListenerState, NO_LISTENER } from '../base/listener-state.js';
import { PLAIN_TRANSPORT, type Scheme, type TransportInfo } from '../base/transport-info.js';
import { certificateLines } from './client-certificate.js';
import { FIELD } from './fields.js';
import type { MessageHead } from './head.js';

/** How proxies name the client to each other: X-Forwarded-For, and Forwarded (RFC 7239). */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x5b;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * One `name=value` of an element and what ends it. Values without quotes may hold more than a token: some proxies write
 * ports so. The pattern can match a blank in one way only; otherwise a long run of blanks would take a second to fail.
 */
const PAIR = /[ \t]*(?:([!#$%&'*+\-.^_`|~\w]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))[ \t]*)?(;|$)/y;
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;

/**
 * The position of the last comma of `text[start, end)` outside quoted strings; -1 when there is none. Searched from the
 * end, which the proxy next to us wrote: so a quote that a client left open hides nothing of it.
 */
function lastComma(text: string, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) {
    const code = text.charCodeAt(i);
    if (code === COMMA) return i;
    if (code === QUOTE) i = openingQuote(text, start, i);
  }
  return -1;
}

/** Where the quoted string that closes at `close` opens; `start` when it has no beginning. */
function openingQuote(text: string, start: number, close: number): number {
  for (let i = close - 1; i > start; i--) {
    if (text.charCodeAt(i) !== QUOTE) continue;
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i;
  }
  return start;
}

/**
 * The address in `for` of the Forwarded element at `text[start, end)`; null when it is no address, or the element is
 * malformed.
 */
function elementFor(text: string, start: number, end: number): IpAddress | null {
  const node = elementParameter(text, start, end, 'for');
  return node === '' ? null : parseNode(node, 0, node.length);
}

/**
 * The value of a parameter (lower case) of the element; empty when the parameter is missing, or the element is malformed.
 */
function elementParameter(text: string, start: number, end: number, wanted: string): string {
  const element = text.slice(start, end);
  let value = '';
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const pair = PAIR.exec(element);
    if (pair === null) return '';
    const [, name, quoted, bare] = pair;
    if (name?.toLowerCase() !== wanted) continue;
    // RFC 7239, 4: a parameter must not occur twice.
    if (value !== '') return '';
    value = bare ?? (quoted as string).replace(/\\(.)/g, '$1');
  }
  return value;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`, with blanks around it. */
function parseNode(text: string, start: number, to: number): IpAddress | null {
  let end = to;
  while (isBlank(text.charCodeAt(end - 1))) end--;
  const colon = text.lastIndexOf(':', end - 1);
  if (text.charCodeAt(start) === OPEN) {
    const close = text.indexOf(']', start);
    // An address in brackets is IPv6 and has a colon.
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

/** The Forwarded element of this hop: `peer` asked for `authority`, which may be empty, over `scheme`. */
export function forwardedElement(peer: IpAddress, authority: string, scheme: Scheme): string {
  const { version, text } = peer;
  // RFC 7239, 6: IPv6 in brackets, and therefore in quotes; a peer without an address gets a name with `_`.
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
 * The scheme that the client spoke according to a trusted proxy in front: the last entry of X-Forwarded-Proto, written by
 * the proxy next to us, or if there is none that of Forwarded (RFC 7239). null when neither names one.
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
 * The address of the client that sent a request. An untrusted peer is the client, whatever it claims. After a trusted
 * proxy it is the rightmost address of X-Forwarded-For that is not a trusted proxy: an unknown sender wrote what stands
 * left of it. Several fields are one list, in their order. The search ends at an entry that is not an address; then, and
 * when all are trusted, the client is the last address that was believed.
 *
 * Forwarded (RFC 7239) is searched in the same way when there is no X-Forwarded-For. When both are there, the proxy wrote
 * the older one, and may have let pass what a client wrote in the other.
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
      // RFC 9110, 5.6.1: empty elements of a list are ignored.
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

/** What `transportLines` returned last: most connections are to the same port. */
const lastLines = { scheme: '', port: -1, text: '' };

/** Scheme and port of the client's connection. Connections share one text, because each keeps its lines while it is open. */
function transportLines({ scheme, port }: TransportInfo): string {
  if (lastLines.scheme === scheme && lastLines.port === port) return lastLines.text;
  const portLine = port === 0 ? '' : `X-Forwarded-Port: ${port}\r\n`;
  lastLines.scheme = scheme;
  lastLines.port = port;
  lastLines.text = `X-Forwarded-Proto: ${scheme}\r\n${portLine}`;
  return lastLines.text;
}

/** What is known of the client's connection and passed to servers. Made once per connection. */
export class ForwardedClient implements EndsSource {
  readonly peer: IpAddress;
  /** The client's address as text, without a port. */
  readonly address: string;
  /** Is the peer trusted, so that its X-Forwarded-* and X-Request-Id are believed? */
  readonly trusted: boolean;
  /** The lines added to requests of an untrusted peer: address, scheme and port of the client, and its certificate. */
  readonly lines: string;
  /** Are these lines, X-Forwarded-Host and X-Request-Id all that is added? */
  readonly isPlain: boolean;
  /** Is Forwarded (RFC 7239) added too? */
  readonly standard: boolean;
  /** Is Via added? nginx compresses nothing for a request that has one. */
  readonly via: boolean;
  /** The transport of the connection itself, whatever the client spoke to a proxy in front. */
  readonly transport: TransportInfo;
  readonly #source: EndsSource;
  /** Where it connected. */
  readonly listener: ListenerState;

  /** `peer`: the parsed `address`, where the caller has it already. */
  constructor(
    address: string,
    trusted: boolean,
    standard = false,
    via = false,
    transport: TransportInfo = PLAIN_TRANSPORT,
    source: EndsSource = UNKNOWN_SOURCE,
    listener: ListenerState = NO_LISTENER,
    peer: IpAddress | null = null,
  ) {
    this.peer = peer ?? parseIpAddress(address) ?? IpAddress.unix;
    // One text in place of two that are the same.
    this.address = this.peer.text === address ? this.peer.text : address;
    this.trusted = trusted;
    this.standard = standard;
    this.via = via;
    this.isPlain = !trusted && !standard && !via;
    this.transport = transport;
    this.#source = source;
    this.listener = listener;
    const certificate = certificateLines(transport.tls?.clientCertificate ?? null);
    const rest = transportLines(transport) + certificate;
    this.lines = `X-Forwarded-For: ${address}\r\n${rest}`;
  }

  /** For PROXY headers to servers. */
  get source(): EndsSource {
    return this;
  }

  /**
   * The addresses of both ends of the connection. The system forgets them when the client resets the connection, while one of its
   * requests may still be in flight. Then the address that was admitted counts: without one, a server would take the request for
   * one of the balancer's own.
   */
  get ends(): ConnectionEnds {
    const { ends } = this.#source;
    const isKnown = ends.source.version !== 0 && ends.destination.version !== 0;
    if (isKnown || this.peer.version === 0) return ends;
    const { peer: source, transport } = this;
    return {
      source,
      sourcePort: ends.sourcePort,
      destination: IpAddress.v4(0),
      destinationPort: transport.port,
    };
  }
}
