import {
  type ClientCertificate,
  PLAIN_TRANSPORT,
  type Scheme,
  type TransportInfo,
} from '../base/transport-info.js';
import { WorkBudget } from '../base/work-budget.js';
import { certificateFields, tellsCertificate } from './client-certificate.js';
import { equalsWord, FIELD, readsAs, trimSpace } from './fields.js';
import { toldScheme } from './forwarded.js';
import type { RequestHead } from './head.js';
import { normalisePath } from './path.js';
import { decodeTriplets, readUtf8 } from './percent.js';
import type { Refusal } from './refusal.js';

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const BEYOND_ASCII = 0x80;

/** The other end of the connection that a request came on. */
export interface Peer {
  readonly address: string;
  /** Is the peer believed about the way of a request? */
  readonly trusted: boolean;
  /** The transport of its connection. */
  readonly transport: TransportInfo;
}

const TELLS_WAY: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip', 'x-request-id']);

/** Does a field of this name (lower case) describe the way of a request? That of an untrusted peer is overwritten. */
export function tellsWay(name: string): boolean {
  return name.startsWith('x-forwarded-') || TELLS_WAY.has(name) || tellsCertificate(name);
}

const NO_VALUES: readonly string[] = Object.freeze([]);

/**
 * What guards, routes and rules may ask of a request. One object serves one request after the other; each answer is
 * computed when it is first asked for. Header and cookie values are byte strings (latin1), like the head.
 */
export class RequestView {
  readonly #budget = new WorkBudget();
  #isBudgetUsed = false;
  #head: RequestHead | null = null;
  #peer: Peer | null = null;
  #clientAddress = '';
  #host: string | null = null;
  #targetRead = false;
  #rawPath = '';
  #path = '';
  #pathProblem: Refusal | null = null;
  /** Names and values, alternating. */
  #params: readonly string[] | null = null;
  #cookies: readonly string[] | null = null;

  /**
   * `clientAddress`: the client, after trusted proxies are skipped, as text without a port. `peer`: the sender; null is a
   * trusted proxy at the same address.
   */
  load(head: RequestHead, clientAddress: string, peer: Peer | null = null): void {
    this.#head = head;
    this.#peer = peer;
    this.#isBudgetUsed = false;
    this.#clientAddress = clientAddress;
    this.#host = null;
    this.#targetRead = false;
    this.#params = null;
    this.#cookies = null;
  }

  /** Releases the head. */
  clear(): void {
    this.#head = null;
    this.#peer = null;
    this.#clientAddress = '';
    this.#host = null;
    this.#targetRead = false;
    this.#rawPath = '';
    this.#path = '';
    this.#pathProblem = null;
    this.#params = null;
    this.#cookies = null;
  }

  get head(): RequestHead {
    if (this.#head === null) throw new Error('the request view has no head loaded');
    return this.#head;
  }

  /** The work that the regular expressions of all rules may do for this request. */
  get budget(): WorkBudget {
    if (!this.#isBudgetUsed) this.#budget.renew();
    this.#isBudgetUsed = true;
    return this.#budget;
  }

  get clientAddress(): string {
    return this.#clientAddress;
  }

  /** As received: methods are case-sensitive. */
  get method(): string {
    return this.head.method;
  }

  /** In lower case, without port and final dot; an IPv6 address in its brackets. Empty when there is none. */
  get host(): string {
    this.#host ??= hostOf(this.head.authority);
    return this.#host;
  }

  /** As received, without the query; `*` for OPTIONS about the server as a whole. */
  get rawPath(): string {
    if (!this.#targetRead) this.#readTarget();
    return this.#rawPath;
  }

  /** Normalised and decoded, for comparison only: see `normalisePath`. Never sent. */
  get path(): string {
    if (!this.#targetRead) this.#readTarget();
    return this.#path;
  }

  /** Why the path must be refused before any rule compares it; null when there is no problem. */
  get pathProblem(): Refusal | null {
    if (!this.#targetRead) this.#readTarget();
    return this.#pathProblem;
  }

  /**
   * From now on `path` is another reading of the path; used to find what a request leads to on a server that reads it so.
   */
  readAs(path: string): void {
    if (!this.#targetRead) this.#readTarget();
    this.#path = path;
  }

  /** As received, without the question mark. */
  get query(): string {
    return this.head.originTarget.slice(this.rawPath.length + 1);
  }

  /** The scheme that the client spoke: to a trusted proxy in front, if the proxy says so, else to us. */
  get scheme(): Scheme {
    const own = this.#peer === null ? 'http' : this.#peer.transport.scheme;
    return this.#peer?.trusted === false ? own : (toldScheme(this.head) ?? own);
  }

  /** The transport of the connection that the request came on. */
  get transport(): TransportInfo {
    return this.#peer === null ? PLAIN_TRANSPORT : this.#peer.transport;
  }

  /**
   * The certificate that the client showed; null when it showed none, or when a trusted proxy forwards its request: the
   * proxy's own certificate says nothing about the client.
   */
  get clientCertificate(): ClientCertificate | null {
    const peer = this.#peer;
    return peer === null || peer.trusted ? null : (peer.transport.tls?.clientCertificate ?? null);
  }

  /** The sender of the request, which may be a proxy: an address as text without a port. */
  get peerAddress(): string {
    return this.#peer?.address ?? this.#clientAddress;
  }

  /**
   * The values of the fields called `name` (lower case), in order. `host` is the requested authority, of absolute-form
   * too. For fields about the way of a request (X-Forwarded-For and the like) these are the values that servers get: only
   * a trusted proxy is believed.
   */
  header(name: string): readonly string[] {
    return tellsWay(name) && this.#peer !== null ? this.#way(name, this.#peer) : this.received(name);
  }

  #way(name: string, peer: Peer): readonly string[] {
    if (peer.trusted) {
      const received = this.received(name);
      if (received.length > 0 || name === 'x-forwarded-for') return received;
    }
    const { authority } = this.head;
    if (name === 'x-forwarded-proto') return [this.scheme];
    if (name === 'x-forwarded-port')
      return peer.transport.port === 0 ? NO_VALUES : [String(peer.transport.port)];
    if (name === 'x-forwarded-host') return authority === '' ? NO_VALUES : [authority];
    if (name === 'x-forwarded-for') return [peer.address];
    const value = certificateFields(this.clientCertificate).get(name);
    return value === undefined ? NO_VALUES : [value];
  }

  /** The values as received, from the client or a proxy. */
  received(name: string): readonly string[] {
    const head = this.head;
    if (name === 'host') return head.authority === '' ? NO_VALUES : [head.authority];
    const { text, offsets } = head;
    let values: string[] | null = null;
    for (let i = 0; i < head.fieldCount; i++) {
      if (!equalsWord(text, offsets[i * 4] as number, offsets[i * 4 + 1] as number, name)) continue;
      values ??= [];
      values.push(head.valueAt(i));
    }
    return values ?? NO_VALUES;
  }

  /**
   * The values of the fields that a server may take for `name` (lower case): first of those with exactly this name, in
   * order, then of those in another spelling. Disguised fields, which are never passed on, are left out.
   */
  spellings(name: string): readonly string[] {
    const exact = this.header(name);
    const head = this.head;
    const { text, offsets } = head;
    let values: string[] | null = null;
    for (let i = 0; i < head.fieldCount; i++) {
      const start = offsets[i * 4] as number;
      const end = offsets[i * 4 + 1] as number;
      if (!readsAs(text, start, end, name) || head.ids[i] === FIELD.disguised) continue;
      if (equalsWord(text, start, end, name)) continue;
      values ??= [...exact];
      values.push(head.valueAt(i));
    }
    return values ?? exact;
  }

  /** The values of a query parameter; names and values are decoded: triplets as UTF-8, `+` as a space. */
  param(name: string): readonly string[] {
    this.#params ??= readParams(this.query);
    return valuesOf(this.#params, name);
  }

  /** The values of a cookie, as written. */
  cookie(name: string): readonly string[] {
    this.#cookies ??= readCookies(this.header('cookie'));
    return valuesOf(this.#cookies, name);
  }

  /** One pass over the target finds the end of its path and whether the path needs normalising. */
  #readTarget(): void {
    const target = (this.#head ?? this.head).originTarget;
    let plain = true;
    let end = 0;
    let previous = 0;
    for (; end < target.length; end++) {
      const code = target.charCodeAt(end);
      if (code === QUESTION) break;
      if (
        code === PERCENT ||
        code >= BEYOND_ASCII ||
        ((code === SLASH || code === DOT) && previous === SLASH)
      )
        plain = false;
      previous = code;
    }
    this.#targetRead = true;
    this.#rawPath = end === target.length ? target : target.slice(0, end);
    this.#path = this.#rawPath;
    this.#pathProblem = null;
    if (plain) return;
    const { path, problem } = normalisePath(this.#rawPath);
    this.#path = path;
    this.#pathProblem = problem;
  }
}

function hostOf(authority: string): string {
  // A port follows the bracket of an address that has colons itself.
  const colon = authority.lastIndexOf(':');
  let end = colon > authority.lastIndexOf(']') ? colon : authority.length;
  if (authority.charCodeAt(end - 1) === DOT) end--;
  return authority.slice(0, end).toLowerCase();
}

/** The decoded name or value of a parameter (WHATWG URL, application/x-www-form-urlencoded). */
export function decodeParam(text: string): string {
  return readUtf8(decodeTriplets(text.includes('+') ? text.replaceAll('+', ' ') : text));
}

function readParams(query: string): readonly string[] {
  if (query === '') return NO_VALUES;
  const params: string[] = [];
  for (const piece of query.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    params.push(decodeParam(equals === -1 ? piece : piece.slice(0, equals)));
    params.push(equals === -1 ? '' : decodeParam(piece.slice(equals + 1)));
  }
  return params;
}

function readCookies(fields: readonly string[]): readonly string[] {
  if (fields.length === 0) return NO_VALUES;
  const cookies: string[] = [];
  for (const field of fields) {
    for (const pair of field.split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1) cookies.push(trimSpace(pair.slice(0, equals)), trimSpace(pair.slice(equals + 1)));
    }
  }
  return cookies;
}

function valuesOf(pairs: readonly string[], name: string): readonly string[] {
  let values: string[] | null = null;
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] !== name) continue;
    values ??= [];
    values.push(pairs[i + 1] as string);
  }
  return values ?? NO_VALUES;
}
