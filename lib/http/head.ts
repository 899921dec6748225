import { equalsWord, FIELD, type FieldId, fieldId, trimSpace } from './fields.js';

const SPACE = 0x20;
const TAB = 0x09;

/**
 * A message head as received: one latin1 string, and the position of each field in it. Strings for single fields are made
 * only when they are asked for. Made once per parser and filled again for each message.
 */
export class MessageHead {
  /** The whole head, start line to empty line, one character per byte. */
  text = '';
  /** Four numbers per field: start and end of its name, start and end of its value in `text`. */
  readonly offsets: Int32Array;
  /** The id of each field, parallel to `offsets`. */
  readonly ids: Uint8Array;
  fieldCount = 0;
  /** A bit for each id that a field of the head has: most fields that are asked for are absent. */
  present = 0;
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minorVersion = 1;

  constructor(maxFields: number) {
    this.offsets = new Int32Array(maxFields * 4);
    this.ids = new Uint8Array(maxFields);
  }

  /** Takes over a parsed head: its text, and the offsets that the parser has already written into `offsets`. */
  protected load(text: string, fieldCount: number): void {
    const { offsets, ids } = this;
    let present = 0;
    for (let i = 0; i < fieldCount; i++) {
      const id = fieldId(text, offsets[i * 4] as number, offsets[i * 4 + 1] as number);
      ids[i] = id;
      present |= 1 << id;
    }
    this.text = text;
    this.fieldCount = fieldCount;
    this.present = present;
  }

  /** Has the head a field with this id? */
  has(id: FieldId): boolean {
    return ((this.present >>> id) & 1) === 1;
  }

  idAt(index: number): FieldId {
    return this.ids[index] as FieldId;
  }

  nameAt(index: number): string {
    return this.text.slice(this.offsets[index * 4], this.offsets[index * 4 + 1]);
  }

  /** The value without white space around it (RFC 9112, 5.1). */
  valueAt(index: number): string {
    return this.text.slice(this.offsets[index * 4 + 2], this.valueEnd(index));
  }

  valueStart(index: number): number {
    return this.offsets[index * 4 + 2] as number;
  }

  /** End of the value without trailing white space, which llhttp keeps. */
  valueEnd(index: number): number {
    const start = this.offsets[index * 4 + 2] as number;
    let end = this.offsets[index * 4 + 3] as number;
    while (end > start) {
      const code = this.text.charCodeAt(end - 1);
      if (code !== SPACE && code !== TAB) break;
      end--;
    }
    return end;
  }

  /** Is the value exactly `chunked`? */
  isChunked(index: number): boolean {
    return equalsWord(this.text, this.valueStart(index), this.valueEnd(index), 'chunked');
  }

  /** Where the line of field `index` begins; for `fieldCount`, where the empty line begins. */
  lineStart(index: number): number {
    return index < this.fieldCount ? (this.offsets[index * 4] as number) : this.text.length - 2;
  }

  /** The first field with this id, or -1. */
  indexOf(id: FieldId): number {
    if (((this.present >>> id) & 1) === 0) return -1;
    for (let i = 0; i < this.fieldCount; i++) if (this.ids[i] === id) return i;
    return -1;
  }

  /** The first field of this name (lower case) that has a value, or -1; for names without an id. */
  indexOfName(name: string): number {
    for (let i = 0; i < this.fieldCount; i++) {
      const start = this.offsets[i * 4] as number;
      if (!equalsWord(this.text, start, this.offsets[i * 4 + 1] as number, name)) continue;
      if (this.valueEnd(i) > this.valueStart(i)) return i;
    }
    return -1;
  }

  /** The value of the first field with this id; empty when there is none. */
  valueOf(id: FieldId): string {
    const index = this.indexOf(id);
    return index === -1 ? '' : this.valueAt(index);
  }
}

/** What the Connection fields of a head say (RFC 9110, 7.6.1). */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  te = false;
  /**
   * Other names, lower case: fields to drop too. A client may send thousands. Null when there are none, as nearly always.
   */
  named: Set<string> | null = null;

  /** Resets to the state of a head without Connection. */
  clear(): void {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    this.te = false;
    this.named = null;
  }

  /** Reads every Connection field of `head`; only after `clear`. */
  read(head: MessageHead): void {
    for (let i = 0; i < head.fieldCount; i++) {
      if (head.ids[i] === FIELD.connection) this.#readValue(head.valueAt(i));
    }
  }

  #readValue(value: string): void {
    if (value === 'keep-alive') {
      this.keepAlive = true;
      return;
    }
    for (const part of value.toLowerCase().split(',')) {
      const option = part.trim();
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') this.keepAlive = true;
      else if (option === 'upgrade') this.upgrade = true;
      else if (option === 'te') this.te = true;
      else if (option !== '') {
        this.named ??= new Set();
        this.named.add(option);
      }
    }
  }
}

/** The bit of Connection in `present`. */
const CONNECTION = 1 << FIELD.connection;

/** How a body ends (RFC 9112, 6.3): there is none, after a length, with the last chunk, or with the connection. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** RFC 9110, 9.2.2, and RFC 10008 for QUERY. A method that is not listed is not idempotent. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY',
]); // biome-ignore format: one table

/** Schemes that authenticate the whole connection, not a single request (RFC 4559). */
const CONNECTION_SCHEME = /^(ntlm|negotiate)(\s|$)/i;

/** The parts of a request line, and where they lie from its first byte on. */
export interface StartLine {
  readonly method: string;
  readonly targetStart: number;
  readonly targetEnd: number;
  readonly minorVersion: number;
}

/** A request head as received, with its framing and its target. */
export class RequestHead extends MessageHead {
  /** As received: methods are case-sensitive (RFC 9112, 3.1). */
  method = '';
  /** As received, in any of the four forms. */
  target = '';
  /** The target that a server is sent: origin-form, or `*`. */
  originTarget = '';
  /** The requested host and port; absolute-form wins over Host. Empty for an HTTP/1.0 request without either. */
  authority = '';
  framing: Framing = 'none';
  contentLength = 0;
  expectsContinue = false;
  readonly connection = new ConnectionOptions();

  /** Called by the parser only. */
  fill(text: string, fieldCount: number, line: StartLine): void {
    // Clears what the previous head said.
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

  /** Releases the text, so that an idle connection does not hold its last head. */
  clear(): void {
    this.text = '';
    this.fieldCount = 0;
    // A request that is refused before its head is complete must not be judged by the previous head.
    if ((this.present & CONNECTION) !== 0) this.connection.clear();
    this.present = 0;
    this.minorVersion = 1;
    this.method = '';
    this.target = '';
    this.originTarget = '';
    this.authority = '';
  }

  get isIdempotent(): boolean {
    return IDEMPOTENT.has(this.method);
  }

  /** Does the client know chunks and interim responses? A client of HTTP/1.0 does not. */
  get speaksHttp11(): boolean {
    return this.minorVersion === 1;
  }

  /** The name of the protocol in logs. */
  get protocol(): string {
    return this.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  }

  /** May the client's connection stay open after this request? (RFC 9112, 9.3) */
  get keepsAlive(): boolean {
    if (this.connection.close) return false;
    return this.minorVersion === 1 || this.connection.keepAlive;
  }

  /** Does the request authenticate its client for the whole server connection? */
  get authenticatesConnection(): boolean {
    if (!this.has(FIELD.authorization)) return false;
    for (let i = 0; i < this.fieldCount; i++)
      if (this.ids[i] === FIELD.authorization && CONNECTION_SCHEME.test(this.valueAt(i))) return true;
    return false;
  }

  /**
   * The protocols that a server may switch to, for its Upgrade field; empty when there are none. Requires Upgrade,
   * Connection and HTTP/1.1 (RFC 9110, 7.8).
   */
  get offeredProtocols(): string {
    return this.connection.upgrade && this.minorVersion === 1 ? passableProtocols(this) : '';
  }

  /** Must the request not be forwarded (RFC 9110, 7.6.2)? TRACE, the other method with Max-Forwards, is refused earlier. */
  get endsHere(): boolean {
    if (this.method !== 'OPTIONS') return false;
    for (let i = 0; i < this.fieldCount; i++)
      if (this.ids[i] === FIELD.maxForwards && /^0+$/.test(this.valueAt(i))) return true;
    return false;
  }

  /** Did the client say that it accepts trailers (RFC 9110, 10.1.4)? */
  get acceptsTrailers(): boolean {
    return this.connection.te && /(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(this.valueOf(FIELD.te));
  }
}

/** Where the status code lies in `HTTP/1.1 200 OK`. */
const STATUS_START = 9;
const STATUS_END = 12;
const CR = 0x0d;

/** A response head as received, with its framing. */
export class ResponseHead extends MessageHead {
  status = 0;
  framing: Framing = 'none';
  /** Bytes of the body when framing is `length`. */
  contentLength = 0;
  /** The field that announces this length to the client; -1 when there is none. */
  lengthIndex = -1;
  /**
   * Was a length sent beside chunks, or a body announced with a 204? The chunks count, and there is none: the length is dropped,
   * and the connection is not used again.
   */
  dropsLength = false;
  readonly connection = new ConnectionOptions();

  /** Called by the parser only. */
  fill(text: string, fieldCount: number, minorVersion: number, status: number): void {
    // Clears what the previous head said.
    if ((this.present & CONNECTION) !== 0) this.connection.clear();
    this.load(text, fieldCount);
    this.minorVersion = minorVersion;
    this.status = status;
    this.framing = 'none';
    this.contentLength = 0;
    this.lengthIndex = -1;
    this.dropsLength = false;
    if ((this.present & CONNECTION) !== 0) this.connection.read(this);
  }

  /** Releases the text, so that an idle connection does not hold its last head. */
  clear(): void {
    this.text = '';
    this.fieldCount = 0;
    if ((this.present & CONNECTION) !== 0) this.connection.clear();
    this.present = 0;
  }

  /** Status code and reason phrase as received: `200 OK`. */
  get statusText(): string {
    return this.text.slice(STATUS_START, this.text.indexOf('\r'));
  }

  /** Does the status line lack a reason phrase and the space before one (RFC 9112, 4)? */
  get isBare(): boolean {
    return this.text.charCodeAt(STATUS_END) === CR;
  }

  get isInterim(): boolean {
    return this.status < 200;
  }

  /** May the server's connection carry another request after this response? */
  get keepsAlive(): boolean {
    if (this.connection.close || this.framing === 'close' || this.dropsLength) return false;
    if (this.minorVersion === 1) return true;
    // RFC 9112, 6.1: HTTP/1.0 has no chunks; the framing of a server that sends them can't be trusted.
    return this.connection.keepAlive && this.framing !== 'chunked';
  }
}

/** A protocol name and an optional version (RFC 9110, 7.8). */
const PROTOCOL = /^([!#$%&'*+\-.^`|~\w]+)(?:\/[!#$%&'*+\-.^`|~\w]+)?$/;
/**
 * HTTP in any version would carry requests past every rule, and TLS anything at all; drafts of h2c had versions
 * (`h2c-14`).
 */
const NOT_PASSED = /^(?:h2c(?:-.*)?|http|tls)$/i;
/** The protocols that the Upgrade fields name, as written. */
function protocolsOf(head: MessageHead): string[] {
  const protocols: string[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.ids[i] !== FIELD.upgrade) continue;
    for (const part of head.valueAt(i).split(',')) {
      const protocol = trimSpace(part);
      if (protocol !== '') protocols.push(protocol);
    }
  }
  return protocols;
}

/**
 * The protocols of a request's Upgrade that are passed on, in the client's order and spelling; empty when there are none.
 */
function passableProtocols(head: MessageHead): string {
  const passed = protocolsOf(head).filter((protocol) => {
    const name = PROTOCOL.exec(protocol)?.[1];
    return name !== undefined && !NOT_PASSED.test(name);
  });
  return passed.join(', ');
}

/** Does a 101 name protocols, and only such as were `offered` (as `passableProtocols` returned them)? */
export function switchesTo(head: MessageHead, offered: string): boolean {
  const known = new Set(offered.toLowerCase().split(', '));
  const chosen = protocolsOf(head);
  return chosen.length > 0 && chosen.every((protocol) => known.has(protocol.toLowerCase()));
}

/** An exact number has fewer digits. */
const MAX_LENGTH_DIGITS = 17;
const ZERO = 0x30;

/** The Content-Length in `text[start, end)`; -1 when it is not plain digits or too large for an exact number. */
export function readLength(text: string, start = 0, end = text.length): number {
  const digits = end - start;
  if (digits === 0 || digits > MAX_LENGTH_DIGITS) return -1;
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}
