import type { Clock } from '../base/timer-wheel.js';
import type { BodyForm } from '../http/body-reader.js';
import { FIELD } from '../http/fields.js';
import type { ClientPin, ClientSide } from '../http/flow.js';
import type { HeadEdit } from '../http/head-edit.js';
import { encodeReply, encodeRouteReply } from '../http/replies.js';
import { ForwardedClient } from '../http/request-encoder.js';
import type { RequestHead } from '../http/request-head.js';
import type { RequestParser } from '../http/request-parser.js';
import type { ResponseForm } from '../http/response-encoder.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Channel } from '../net/channel.js';
import type { ClientConnection } from './connection.js';
import type { ClientRequest } from './request.js';
import { Responder } from './responder.js';

/** Interim responses gathered into one write, bytes. */
const MAX_GATHERED = 16 * 1024;

/** The bit of that field in `present`. */
const DATE = 1 << FIELD.date;

/** Whom a request is from that nobody has made yet. */
const NOBODY = new ForwardedClient('', false);

/** The client as whoever answers its request sees it: the request as far as it has come, and where the answer goes. */
export class ClientView implements ClientSide {
  readonly head: RequestHead;
  forwarded: ForwardedClient = NOBODY;
  startedAt = 0;
  readonly #request: ClientRequest;
  readonly #parser: RequestParser;
  readonly #responder = new Responder();
  readonly #clock: Clock;
  #connection: ClientConnection | null = null;
  #channel: Channel | null = null;

  constructor(request: ClientRequest, parser: RequestParser, clock: Clock) {
    this.head = parser.head;
    this.#request = request;
    this.#parser = parser;
    this.#clock = clock;
  }

  /** `now`: when the last of the head was read. */
  open(connection: ClientConnection, now: number): void {
    this.#connection = connection;
    this.startedAt = now;
    this.forwarded = connection.forwarded;
    this.#channel = connection.channel;
    this.#responder.begin(this.#parser.head.minorVersion === 0);
  }

  /** Lets go of the client. */
  clear(): void {
    this.#connection = null;
    this.#channel = null;
  }

  // The request.

  get pin(): ClientPin | null {
    return (this.#connection as ClientConnection).pin;
  }

  set pin(pin: ClientPin | null) {
    (this.#connection as ClientConnection).pin = pin;
  }

  get requestComplete(): boolean {
    return this.#parser.body.complete;
  }

  get requestBytes(): number {
    return this.#parser.body.contentBytes;
  }

  useLimits(bodyBytes: number, bodyTimeout: number, bodyRate: number): boolean {
    return this.#request.useLimits(bodyBytes, bodyTimeout, bodyRate);
  }

  pauseRequest(): void {
    this.#request.pauseBody();
  }

  resumeRequest(): void {
    this.#request.resumeBody();
  }

  // The answer.

  get sentHead(): string {
    return this.#responder.sentHead;
  }

  get status(): number {
    return this.#responder.status;
  }

  sendInterim(head: ResponseHead): boolean {
    if (head.status === 100) this.#request.expectBody();
    const channel = this.#channel as Channel;
    this.#responder.interim(head, channel);
    // Many of them may come in a turn of the event loop, and be long.
    if (channel.heldBytes < MAX_GATHERED || channel.flush()) return true;
    (this.#connection as ClientConnection).reader.note();
    return false;
  }

  sendHead(head: ResponseHead, edit: HeadEdit | null): BodyForm {
    const wallMs = (head.present & DATE) === 0 ? this.#clock.wall() : 0;
    const { mayKeepAlive } = this.#request;
    return this.#responder.head(head, edit, this.#channel as Channel, mayKeepAlive, wallMs);
  }

  sendBody(buffer: Buffer, start: number, end: number): boolean {
    if (this.#responder.body(this.#channel as Channel, buffer, start, end)) return true;
    (this.#connection as ClientConnection).reader.note();
    return false;
  }

  endResponse(): void {
    if (this.#responder.wrapsChunks) this.#responder.end(this.#channel as Channel);
  }

  turnAway(): void {
    (this.#connection as ClientConnection).isUnwanted = true;
  }

  takeBack(): boolean {
    return this.#responder.takeBack(this.#channel as Channel);
  }

  takesAnswers(): boolean {
    return (this.#connection as ClientConnection).reader.takesAnswers();
  }

  reply(status: number, edit: HeadEdit | null, text?: string, fields = ''): number {
    return this.#reply(status, (form, toHead, wallMs) =>
      encodeReply(status, form, toHead, wallMs, text, fields, edit),
    );
  }

  replyWith(status: number, body: string, edit: HeadEdit): number {
    return this.#reply(status, (form, toHead, wallMs) =>
      encodeRouteReply(status, body, edit, form, toHead, wallMs),
    );
  }

  #reply(status: number, encode: (form: ResponseForm, toHead: boolean, wallMs: number) => string): number {
    const toHead = this.head.method === 'HEAD';
    const wallMs = this.#clock.wall();
    const { mayKeepAlive } = this.#request;
    const channel = this.#channel as Channel;
    return this.#responder.reply(status, channel, mayKeepAlive, (form) => encode(form, toHead, wallMs));
  }

  cut(): void {
    this.#request.cut();
    (this.#channel as Channel).reset();
  }

  switchProtocols(head: ResponseHead, fields: string): void {
    const channel = this.#channel as Channel;
    this.#responder.switching(head, fields, channel);
    channel.probePeer();
    this.#request.openTunnel();
  }

  sendTunnel(buffer: Buffer, start: number, end: number): boolean {
    return (this.#channel as Channel).write(buffer, start, end);
  }

  endTunnel(): void {
    (this.#channel as Channel).end();
  }

  settled(): void {
    const responder = this.#responder;
    this.#request.answered(responder.status !== 0 && responder.keepsAlive);
  }
}
