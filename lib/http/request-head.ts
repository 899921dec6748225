import { FIELD } from './fields.js';
import { ConnectionOptions, MessageHead } from './head.js';
import { passableProtocols } from './hop.js';
import type { RequestLine } from './request-line.js';

/** The bit of that field in `present`. */
const CONNECTION = 1 << FIELD.connection;

/** How a body ends (RFC 9112, 6.3): not there, after a length, with its last chunk, or with the connection. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** RFC 9110, 9.2.2, and RFC 10008 for QUERY. Anything not listed is not idempotent, whatever its author thinks. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY',
]); // biome-ignore format: one table

/** They say who sends all that follows on a connection (RFC 4559), not who sends one request. */
const CONNECTION_SCHEME = /^(ntlm|negotiate)(\s|$)/i;

/** A request head as received, with what its framing and its target mean. */
export class RequestHead extends MessageHead {
  /** As received: case counts (RFC 9112, 3.1). */
  method = '';
  /** As received, in whichever form. */
  target = '';
  /** What a server is asked for: origin-form, or `*`. */
  originTarget = '';
  /** Host and port asked for; absolute-form wins over Host. Empty for an HTTP/1.0 request without either. */
  authority = '';
  framing: Framing = 'none';
  contentLength = 0;
  expectsContinue = false;
  readonly connection = new ConnectionOptions();

  /** Called by the parser only. */
  fill(text: string, fieldCount: number, line: RequestLine): void {
    // What the head before has said.
    if ((this.present & CONNECTION) !== 0) this.connection.clear();
    this.load(text, fieldCount);
    this.minorVersion = line.minorVersion;
    this.method = line.method;
    this.target = text.slice(line.targetStart, line.targetEnd);
    this.originTarget = this.target;
    this.authority = '';
    this.framing = 'none';
    this.contentLength = 0;
    this.expectsContinue = false;
    if ((this.present & CONNECTION) !== 0) this.connection.read(this);
  }

  /** Lets go of the text, so that an idle connection does not hold its last head. */
  clear(): void {
    this.text = '';
    this.fieldCount = 0;
    this.connection.named = null;
    this.minorVersion = 1;
    this.method = '';
    this.target = '';
    this.originTarget = '';
    this.authority = '';
  }

  get isIdempotent(): boolean {
    return IDEMPOTENT.has(this.method);
  }

  /** Does its client know chunks and interim responses? That of HTTP/1.0 does not. */
  get speaksHttp11(): boolean {
    return this.minorVersion === 1;
  }

  /** As logs name it. */
  get protocol(): string {
    return this.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  }

  /** May the client's connection stay open after this request? (RFC 9112, 9.3) */
  get keepsAlive(): boolean {
    if (this.connection.close) return false;
    return this.minorVersion === 1 || this.connection.keepAlive;
  }

  /** Does it show who its client is in a way that holds for the server's connection? */
  get authenticatesConnection(): boolean {
    if (!this.has(FIELD.authorization)) return false;
    for (let i = 0; i < this.fieldCount; i++)
      if (this.ids[i] === FIELD.authorization && CONNECTION_SCHEME.test(this.valueAt(i))) return true;
    return false;
  }

  /**
   * The protocols that a server may switch to, for its Upgrade field; empty when there is none. Both fields are needed,
   * and HTTP/1.1 (RFC 9110, 7.8).
   */
  get offeredProtocols(): string {
    return this.connection.upgrade && this.minorVersion === 1 ? passableProtocols(this) : '';
  }

  /** May it go no further than here (RFC 9110, 7.6.2)? TRACE, the other method that counts hops, is refused before. */
  get endsHere(): boolean {
    if (this.method !== 'OPTIONS') return false;
    for (let i = 0; i < this.fieldCount; i++)
      if (this.ids[i] === FIELD.maxForwards && /^0+$/.test(this.valueAt(i))) return true;
    return false;
  }

  /** Did the client say that it takes trailers (RFC 9110, 10.1.4)? */
  get acceptsTrailers(): boolean {
    return this.connection.te && /(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(this.valueOf(FIELD.te));
  }
}
