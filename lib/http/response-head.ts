import { ConnectionOptions, MessageHead } from './head.js';
import type { Framing } from './request-head.js';

/** A response head as received, with how its body is framed. */
export class ResponseHead extends MessageHead {
  status = 0;
  /** Status code and reason phrase as received: `200 OK`. */
  statusText = '';
  framing: Framing = 'none';
  /** Bytes of the body when framing is `length`. */
  contentLength = 0;
  /** The field that announces it to the client; -1 when none does. */
  lengthIndex = -1;
  /** It was announced beside chunks, which count: it is not passed on, and the connection is not used again. */
  dropsLength = false;
  readonly connection = new ConnectionOptions();

  /** Called by the parser only. */
  fill(text: string, fieldCount: number, minorVersion: number, lineEnd: number): void {
    this.load(text, fieldCount);
    this.minorVersion = minorVersion;
    this.statusText = text.slice(9, lineEnd);
    this.status = Number(text.slice(9, 12));
    this.framing = 'none';
    this.contentLength = 0;
    this.lengthIndex = -1;
    this.dropsLength = false;
    this.connection.read(this);
  }

  clear(): void {
    this.unload();
    this.statusText = '';
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
