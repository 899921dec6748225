import type { BodyForm } from '../http/flow.js';
import type { ResponseHead } from '../http/head.js';
import type { HeadEdit } from '../http/head-edit.js';
import { encodeInterimHead, encodeResponseHead, type ResponseForm } from '../http/head-encoder.js';
import type { Channel } from '../net/channel.js';

/** Writes one response to a client, with the framing that the client understands. */
export class Responder {
  readonly #form: ResponseForm = { framing: 'none', keepAlive: true, oldClient: false };
  #channel: Channel | null = null;
  /** Is a body that ends with the server's connection sent in chunks, so that the client's connection can stay open? */
  wrapsChunks = false;
  /** The final head that was written; empty until then. */
  sentHead = '';
  /** The status that was written; 0 until then. */
  status = 0;
  /** Bytes that waited in the channel before the head of a server's answer; -1 when no such head was written. */
  #mark = -1;

  /** Prepares for another response. `oldClient`: the client speaks HTTP/1.0. */
  begin(channel: Channel, oldClient: boolean): void {
    this.#channel = channel;
    this.#form.oldClient = oldClient;
    this.wrapsChunks = false;
    this.sentHead = '';
    this.status = 0;
    this.#mark = -1;
  }

  /** Releases the client. */
  clear(): void {
    this.#channel = null;
  }

  /** Does the connection stay open after this response? */
  get keepsAlive(): boolean {
    return this.status !== 0 && this.#form.keepAlive;
  }

  /** Does the client understand interim responses? */
  get takesInterim(): boolean {
    return !this.#form.oldClient;
  }

  interim(head: ResponseHead): void {
    this.#channel?.writeText(encodeInterimHead(head));
  }

  switching(head: ResponseHead, edit: HeadEdit | null): void {
    this.#form.keepAlive = false;
    this.status = head.status;
    this.sentHead = encodeInterimHead(head, edit);
    this.#channel?.writeText(this.sentHead);
  }

  head(head: ResponseHead, edit: HeadEdit | null, mayKeepAlive: boolean, wallMs: number): BodyForm {
    const form = this.#form;
    const channel = this.#channel as Channel;
    const { framing } = head;
    // HTTP/1.0 has no chunks: bodies end with a length or with the connection.
    const unbounded = framing === 'chunked' || framing === 'close';
    form.framing = unbounded ? (form.oldClient ? 'close' : 'chunked') : framing;
    form.keepAlive = mayKeepAlive && form.framing !== 'close';
    this.wrapsChunks = framing === 'close' && form.framing === 'chunked';
    const text = encodeResponseHead(head, form, wallMs, edit);
    this.sentHead = text;
    this.status = head.status;
    this.#mark = channel.heldBytes;
    channel.writeText(text);
    return form.oldClient ? 'content' : 'wire';
  }

  /** Takes back a server's answer if nothing of it has been sent, so that another can be given. False when some was sent. */
  takeBack(): boolean {
    if (this.#mark === -1 || this.#channel?.takeBack(this.#mark, this.sentHead) !== true) return false;
    this.#mark = -1;
    this.wrapsChunks = false;
    this.sentHead = '';
    this.status = 0;
    return true;
  }

  /** Writes a piece of a body that `wrapsChunks`. False: the caller should wait for the channel's drain. */
  chunk(buffer: Buffer, start: number, end: number): boolean {
    const channel = this.#channel as Channel;
    channel.writeText(`${(end - start).toString(16)}\r\n`);
    const goOn = channel.write(buffer, start, end);
    channel.writeText('\r\n');
    return goOn;
  }

  /** Writes the trailers of a chunked body, each a line with its end. HTTP/1.0 has none. */
  trailers(fields: string): void {
    if (!this.#form.oldClient) this.#channel?.writeText(`${fields}\r\n`);
  }

  /** A body that `wrapsChunks` is complete. */
  end(): void {
    this.#channel?.writeText('0\r\n\r\n');
  }

  /** Writes a local reply, head and body as `encode` returns them, in latin1. Returns the number of bytes of its body. */
  reply(status: number, mayKeepAlive: boolean, encode: (form: ResponseForm) => string): number {
    this.#form.framing = 'length';
    this.#form.keepAlive = mayKeepAlive;
    const reply = encode(this.#form);
    this.status = status;
    this.sentHead = reply.slice(0, reply.indexOf('\r\n\r\n') + 4);
    this.#channel?.writeText(reply);
    return reply.length - this.sentHead.length;
  }
}
