import type { Failure } from '../base/failure.js';
import type { FieldNames } from './fields.js';
import type { ForwardedClient } from './forwarded.js';
import type { RequestHead, ResponseHead } from './head.js';
import type { HeadEdit } from './head-edit.js';
import type { Refusal } from './refusal.js';

/**
 * How the two ends of a request talk to each other without knowing each other: the client's connection sees a
 * `RequestHandler`, the exchange sees a `ClientSide`.
 */

/** What a client's connection has to itself of a server, from one request to the next. */
export interface ClientPin {
  /** The client's connection is gone. */
  release(): void;
}

/** The client's side of one request: where its body comes from, and where the response goes. */
export interface ClientSide {
  readonly head: RequestHead;
  readonly forwarded: ForwardedClient;
  /** Kept for the handler of the next request on the connection, and released when that ends. */
  pin: ClientPin | null;
  /** Has the last byte of the request come? */
  readonly requestComplete: boolean;
  /** Bytes of request content so far. */
  readonly requestBytes: number;
  /** When the last of its head was read, in ms of the balancer's clock. */
  readonly startedAt: number;
  /** Does the client understand 1xx responses? */
  readonly takesInterim: boolean;
  /** The head that was sent, own or passed on; empty until then. */
  readonly sentHead: string;
  /** Its status; 0 until then. */
  readonly status: number;
  /** No more of the request's body until `resumeRequest`. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** 1xx other than 101; only to a client that `takesInterim`. False asks to wait for `onClientDrain`. */
  sendInterim(head: ResponseHead): boolean;
  /** Sends the head of a server's response, together with what follows in the same read; says how its body is wanted. */
  sendHead(head: ResponseHead, edit: HeadEdit | null): BodyForm;
  /** A piece of the body in the form asked for. False asks to wait for `onClientDrain`. */
  sendBody(buffer: Buffer, start: number, end: number): boolean;
  /** As `BodyListener.onTrailers`, of the response. A client that can't take any (HTTP/1.0) gets none. */
  sendTrailers(fields: string): void;
  endResponse(): void;
  /** The answer is taken back, as nothing of it has gone out yet: another may be given. False when some has. */
  takeBack(): boolean;
  /** Behind a false: has the client taken anything since, or since this was last asked? */
  takesAnswers(): boolean;
  /**
   * An answer of the balancer's own; `edit` is what rules change about its head, `text` replaces the usual one, `fields`
   * are lines that go with it. Returns the bytes of its body.
   */
  reply(status: number, edit: HeadEdit | null, text?: string, fields?: string): number;
  /** The answer of a route that does not forward; `body` is bytes as latin1. Returns how many of them were sent. */
  replyWith(status: number, body: string, edit: HeadEdit): number;
  /** Little of what else it sends is to be read once it is answered: it is not let in, or can't be read. */
  turnAway(): void;
  /** What its route allows: bytes of body (0 is no limit), ms without any. False when it has announced more. */
  useLimits(bodyBytes: number, bodyTimeout: number, bodyRate: number): boolean;
  /** The response broke off: the client must not take it for whole. */
  cut(): void;
  /** Sends a 101, with `fields`, lines that go with it; from here on all bytes of the client go to `onTunnelBytes`. */
  switchProtocols(head: ResponseHead, fields: string): void;
  /** Bytes of a tunnel. False asks to wait for `onClientDrain`. */
  sendTunnel(buffer: Buffer, start: number, end: number): boolean;
  endTunnel(): void;
  /** The exchange is over, and its object used for another: nothing more is said to it about this request. */
  settled(): void;
}

/** Whoever answers one request. Nothing is said to it after it has called `settled`. */
export interface RequestHandler {
  /** Names of fields that must not come to the server in the trailers of the request; asked when there are any. */
  readonly droppedTrailers: FieldNames | null;
  /**
   * The head is there. `client.requestComplete` tells whether a body follows. `head` and `forwarded` are those of `client`,
   * handed over as nearly every step asks for them.
   */
  start(client: ClientSide, head: RequestHead, forwarded: ForwardedClient): void;
  /** In place of `start`: a head that can't be acted upon. */
  refuse(client: ClientSide, refusal: Refusal): void;
  /** Request body as it goes to the server: chunks as chunks. Valid during the call only. */
  onRequestBytes(buffer: Buffer, start: number, end: number): void;
  /** As `BodyListener.onTrailers`; before `onRequestEnd`. */
  onRequestTrailers(fields: string): void;
  onRequestEnd(): void;
  /** The rest of the request is not coming, or not wanted. */
  onRequestFailed(failure: Failure, detail: string): void;
  /** The client does not take what it was sent; `onClientDrain` follows. */
  onClientBlocked(): void;
  onClientDrain(): void;
  onClientTunnelBytes(buffer: Buffer, start: number, end: number): void;
  onClientTunnelEnd(): void;
  /** The client's connection is gone. */
  onClientGone(): void;
}

/**
 * Takes the body, piece by piece. A piece is valid during the call only: it lies in a read buffer. The message may be
 * let go of within the call (`release`): nothing more comes then, whatever else was read.
 */
export interface BodyListener {
  /** Names of trailer fields that are not for it; asked when there are trailers. */
  readonly droppedTrailers: FieldNames | null;
  onBodyBytes(buffer: Buffer, start: number, end: number): void;
  /**
   * The body is whole and has a trailer section: its fields that may be passed on, each a line with its end, as they came
   * and in their order; empty when none may. Nothing of the section goes to `onBodyBytes`, whatever the form: in `wire`
   * form the empty line after the last chunk is still to be written.
   */
  onTrailers(fields: string): void;
}

/**
 * What of a chunked body is handed on: `wire` keeps the chunks as they came, so that a body is relayed in one write
 * per read; `content` returns the data alone, for a peer that does not know chunks.
 */
export type BodyForm = 'wire' | 'content';
