import type { Failure } from '../base/failure.js';
import type { FieldNames } from './fields.js';
import type { ForwardedClient } from './forwarded.js';
import type { RequestHead, ResponseHead } from './head.js';
import type { HeadEdit } from './head-edit.js';
import type { Refusal } from './refusal.js';

/**
 * How the client's connection and the exchange of a request talk without importing each other: the connection sees a
 * `RequestHandler`, the exchange sees a `ClientSide`.
 */

/** A server connection that is pinned to a client's connection from one request to the next. */
export interface ClientPin {
  /** The client's connection is gone. */
  release(): void;
}

/** The client's side of one request: where its body comes from, and where the response goes. */
export interface ClientSide {
  readonly head: RequestHead;
  readonly forwarded: ForwardedClient;
  /** Kept for the handler of the next request on the connection; released when the connection ends. */
  pin: ClientPin | null;
  /** Has the last byte of the request arrived? */
  readonly requestComplete: boolean;
  /** Bytes of request content so far. */
  readonly requestBytes: number;
  /** When the end of its head was read, in ms of the balancer's clock. */
  readonly startedAt: number;
  /** Does the client understand 1xx responses? */
  readonly takesInterim: boolean;
  /** The head that was sent, forwarded or of a local reply; empty until then. */
  readonly sentHead: string;
  /** The status that was sent; 0 until then. */
  readonly status: number;
  /** Stops reading the body of the request until `resumeRequest`. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** Sends a 1xx other than 101; only to a client that `takesInterim`. False: the caller should wait for `onClientDrain`. */
  sendInterim(head: ResponseHead): boolean;
  /** Sends the head of a server's response, together with what follows in the same read; returns the form for its body. */
  sendHead(head: ResponseHead, edit: HeadEdit | null): BodyForm;
  /** Sends a piece of the body in that form. False: the caller should wait for `onClientDrain`. */
  sendBody(buffer: Buffer, start: number, end: number): boolean;
  /** Sends trailers of the response, as `BodyListener.onTrailers` got them. A client of HTTP/1.0 gets none. */
  sendTrailers(fields: string): void;
  endResponse(): void;
  /** Takes back the answer if nothing of it has been sent, so that another can be given. False when some was sent. */
  takeBack(): boolean;
  /** After a false: has the client read anything since then, or since the last call of this? */
  takesAnswers(): boolean;
  /**
   * Sends a local reply; `edit` is what rules change about its head, `text` replaces the usual text (bytes as latin1, of
   * `contentType`), `fields` are lines that are added. Returns the bytes of its body.
   */
  reply(status: number, edit: HeadEdit | null, text?: string, fields?: string, contentType?: string): number;
  /** Sends the fixed response of a route; `body` is bytes as latin1. Returns how many of them were sent. */
  replyWith(status: number, body: string, edit: HeadEdit): number;
  /** Reads little of the client's further input after the answer: the client was refused, or its input can't be parsed. */
  turnAway(): void;
  /** Sets the limits of the route: bytes of body (0 is no limit), ms without any, bytes/s. False when more was announced. */
  useLimits(bodyBytes: number, bodyTimeout: number, bodyRate: number): boolean;
  /** The response broke off: closes so that the client does not take it for complete. */
  cut(): void;
  /** Sends a 101 with the changes of `edit`; from here on all bytes of the client go to `onClientTunnelBytes`. */
  switchProtocols(head: ResponseHead, edit: HeadEdit | null): void;
  /** Sends bytes of a tunnel. False: the caller should wait for `onClientDrain`. */
  sendTunnel(buffer: Buffer, start: number, end: number): boolean;
  endTunnel(): void;
  /** The exchange is over and its object will serve another request: the client's side calls it no more about this one. */
  settled(): void;
}

/** Answers one request. Not called any more once it has called `settled`. */
export interface RequestHandler {
  /** Names of fields that must not reach the server in the trailers of the request; read when there are any. */
  readonly droppedTrailers: FieldNames | null;
  /**
   * The head is complete; `client.requestComplete` says whether a body follows. `head` and `forwarded` are those of
   * `client`, passed along because nearly every step needs them.
   */
  start(client: ClientSide, head: RequestHead, forwarded: ForwardedClient): void;
  /** Called instead of `start` for a head that can't be acted upon. */
  refuse(client: ClientSide, refusal: Refusal): void;
  /** Bytes of the request body as they go to the server: chunks as chunks. Valid during the call only. */
  onRequestBytes(buffer: Buffer, start: number, end: number): void;
  /** As `BodyListener.onTrailers`; before `onRequestEnd`. */
  onRequestTrailers(fields: string): void;
  onRequestEnd(): void;
  /** The rest of the request will not arrive, or is not wanted. */
  onRequestFailed(failure: Failure, detail: string): void;
  /** The client does not read what it was sent; `onClientDrain` follows. */
  onClientBlocked(): void;
  onClientDrain(): void;
  onClientTunnelBytes(buffer: Buffer, start: number, end: number): void;
  onClientTunnelEnd(): void;
  /** The client's connection is gone. */
  onClientGone(): void;
}

/**
 * Receives the body, piece by piece. A piece is valid during the call only: it lies in a read buffer. The listener may
 * release the message within the call (`release`): it is then called no more, whatever else was read.
 */
export interface BodyListener {
  /** Names of trailer fields that this listener must not get; read when there are trailers. */
  readonly droppedTrailers: FieldNames | null;
  onBodyBytes(buffer: Buffer, start: number, end: number): void;
  /**
   * The body is complete and has a trailer section: the fields that may be passed on, each a line with its end, unchanged
   * and in their order; empty when none may. Nothing of the section goes to `onBodyBytes`, in either form: in `wire` form
   * the empty line after the last chunk is still to be written.
   */
  onTrailers(fields: string): void;
}

/**
 * What is handed on of a chunked body: `wire` keeps the chunks as received, so that a body is relayed in one write per
 * read; `content` has only the data, for a peer that does not know chunks.
 */
export type BodyForm = 'wire' | 'content';
