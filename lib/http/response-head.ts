import { FIELD } from './fields.js';
import { ConnectionOptions, MessageHead } from './head.js';
import type { Framing } from './request-head.js';

/** The bit of that field in `present`. */
const CONNECTION = 1 << FIELD.connection;
/** Where the code lies in `HTTP/1.1 200 OK`. */
const STATUS_START = 9;
const STATUS_END = 12;
const CR = 0x0d;

/** A response head as received, with how its body is framed. */
export class ResponseHead extends MessageHead {
  status = 0;
  framing: Framing = 'none';
  /** Bytes of the body when framing is `length`. */
  contentLength = 0;
  /** The field that announces it to the client; -1 when none does. */
  lengthIndex = -1;
  /** It was announced beside chunks, which count: it is not passed on, and the connection is not used again. */
  dropsLength = false;
  readonly connection = new ConnectionOptions();

  /** Called by the parser only. */
  fill(text: string, fieldCount: number, minorVersion: number, status: number): void {
    // What the head before has said.
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

  /** Lets go of the text, so that an idle connection does not hold its last head. */
  clear(): void {
    this.text = '';
    this.fieldCount = 0;
    this.connection.named = null;
  }

  /** Status code and reason phrase as received: `200 OK`. */
  get statusText(): string {
    return this.text.slice(STATUS_START, this.text.indexOf('\r'));
  }

  /** Has the status line no reason phrase, nor the space that stands in front of one (RFC 9112, 4)? */
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
    // RFC 9112, 6.1: HTTP/1.0 knows no chunks; who sends them has its framing wrong.
    return this.connection.keepAlive && this.framing !== 'chunked';
  }
}
