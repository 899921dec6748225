import { FAILURES, type Failure } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import type { Clock } from '../base/timer-wheel.js';
import { FIELD, type FieldNames } from '../http/fields.js';
import type { BodyForm, BodyListener, ClientPin, ClientSide, RequestHandler } from '../http/flow.js';
import { ForwardedClient } from '../http/forwarded.js';
import type { RequestHead, ResponseHead } from '../http/head.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { ResponseForm } from '../http/head-encoder.js';
import type { HeadLimits } from '../http/message-parser.js';
import type { Refusal } from '../http/refusal.js';
import { encodeReply, encodeRouteReply } from '../http/replies.js';
import { RequestParser } from '../http/request-parser.js';
import type { Channel } from '../net/channel.js';
import type { ConnectionControl, RequestOwner } from './contracts.js';
import { BodyPace, OVERDUE_MS } from './deadlines.js';
import { Responder } from './responder.js';

const HEAD_TIMEOUT: Refusal = {
  status: 408,
  reason: 'request_timeout',
  detail: 'the head did not arrive in time',
};
const BODY_TIMEOUT = 'the body did not arrive in time';
const BODY_TOO_LARGE = 'the body is longer than limits.body_bytes';

/** The longest rest of a refused or unread body that is worth reading to keep the connection. */
const MAX_DRAIN = 64 * 1024;
/** Bytes of interim responses gathered into one write. */
const MAX_GATHERED = 16 * 1024;

/** The bit of Date in `present`. */
const DATE = 1 << FIELD.date;

/** The client of a request that has not begun. */
const NO_CLIENT = new ForwardedClient('', false);

/**
 * head, body: being received. held: complete; later bytes wait until it is answered. drain: answered, and the rest of its
 * body is dropped. tunnel: after a 101. over: not used by a connection.
 */
export type RequestPhase = 'over' | 'head' | 'body' | 'held' | 'drain' | 'tunnel';

export const REQUEST_MOVES: Moves<RequestPhase> = {
  over: ['head'],
  head: ['body', 'held', 'over'],
  body: ['held', 'drain', 'tunnel', 'over'],
  held: ['tunnel', 'over'],
  drain: ['over'],
  tunnel: ['over'],
};

/**
 * One request of a client: while it is received, and as the view of the client that its handler gets. A connection takes
 * one from the object pool at the first byte, and returns it when the request is answered and its body is read, so an
 * idle connection has none.
 */
export class ClientRequest implements BodyListener, ClientSide {
  readonly head: RequestHead;
  forwarded: ForwardedClient = NO_CLIENT;
  startedAt = 0;
  readonly #parser: RequestParser;
  readonly #responder = new Responder();
  readonly #clock: Clock;
  readonly #pace = new BodyPace();
  #owner: RequestOwner | null = null;
  #connection: ConnectionControl | null = null;
  #phase: RequestPhase = 'over';
  /** Does the client allow further requests after this one, and is this one valid? */
  #mayBeFollowed = false;
  /** The server reads no more of the body for now. */
  #paused = false;
  /** The limit of its route. */
  #bodyBytes = 0;
  /** Answers the request; null before its head is complete, and once it is settled. */
  #handler: RequestHandler | null = null;

  constructor(limits: HeadLimits, clock: Clock) {
    this.#parser = new RequestParser(limits);
    this.head = this.#parser.head;
    this.#clock = clock;
  }

  get phase(): RequestPhase {
    return this.#phase;
  }

  get handler(): RequestHandler | null {
    return this.#handler;
  }

  #move(to: RequestPhase): void {
    if (assertsMoves) checkMove(REQUEST_MOVES, this.#phase, to);
    this.#phase = to;
  }

  /** The first byte has arrived. */
  begin(owner: RequestOwner, connection: ConnectionControl): void {
    this.#owner = owner;
    this.#connection = connection;
    this.#move('head');
    this.#paused = false;
  }

  /** The request is over: releases everything about its client. */
  clear(): void {
    this.#move('over');
    this.#owner = null;
    this.#connection = null;
    this.#responder.clear();
    this.#parser.clear();
  }

  // Bytes.

  /** Do the next bytes belong to this request? */
  get isReading(): boolean {
    return this.#phase === 'head' || this.#phase === 'body' || this.#phase === 'drain';
  }

  /** Processes bytes that were read at `now`. Returns the position after the last byte that belongs to this request. */
  read(buffer: Buffer, start: number, end: number, now: number): number {
    if (this.#phase !== 'head') return this.#readBody(buffer, start, end);
    const parser = this.#parser;
    const position = parser.readHead(buffer, start, end);
    if (parser.complete) this.#onHead(now);
    else if (parser.refusal !== null) this.#refuse(parser.refusal, now);
    return position;
  }

  #onHead(now: number): void {
    const { head, body } = this.#parser;
    const handler = this.#open(head.keepsAlive, head, now);
    const { complete } = body;
    this.#move(complete ? 'held' : 'body');
    // A client that waits for a 100 owes no body before it; until then the server is waited for.
    if (complete || head.expectsContinue) this.#connection?.deadline.disarm();
    else this.#armPatience();
    handler.start(this, head, this.forwarded);
  }

  /** Ends the connection: it is uncertain where the next request would begin. */
  #refuse(why: Refusal, now: number): void {
    const handler = this.#open(false, null, now);
    this.#move('held');
    handler.refuse(this, why);
  }

  /** `asked`: the head; null when it is refused. */
  #open(mayBeFollowed: boolean, asked: RequestHead | null, now: number): RequestHandler {
    const connection = this.#connection as ConnectionControl;
    const { handlers, limits, timeouts, readiness, challenges } = connection.deps;
    const { head, body, complete } = this.#parser;
    this.#mayBeFollowed = mayBeFollowed;
    this.#bodyBytes = limits.bodyBytes;
    body.begin(complete ? head.framing : 'none', head.contentLength, 'wire', this);
    if (!body.complete) this.#pace.begin(timeouts.requestBody, limits.bodyRate);
    this.startedAt = now;
    this.forwarded = connection.forwarded;
    this.#responder.begin(connection.channel, !head.speaksHttp11);
    if (readiness !== null && asked !== null && readiness.isFor(asked)) this.#handler = readiness;
    else if (challenges !== null && asked !== null && challenges.isFor(asked)) this.#handler = challenges;
    else this.#handler = handlers.take();
    return this.#handler;
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this.#parser;
    const position = body.read(buffer, start, end);
    if (body.refusal !== null) {
      if (this.#handler === null) this.#connection?.closePolitely();
      else this.fail(failureOf(body.refusal), body.refusal.detail);
    } else if (body.complete) {
      this.#onBodyEnd();
    }
    return position;
  }

  #onBodyEnd(): void {
    if (this.#phase === 'drain') {
      this.#owner?.nextRequest();
    } else if (this.#phase === 'body' && this.#handler !== null) {
      this.#move('held');
      this.#connection?.deadline.disarm();
      this.#handler.onRequestEnd();
    }
  }

  get droppedTrailers(): FieldNames | null {
    return this.#handler === null ? null : this.#handler.droppedTrailers;
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    const handler = this.#handler;
    // The request is answered: the rest is dropped.
    if (handler === null) return;
    if (this.#bodyBytes > 0 && this.#parser.body.contentBytes > this.#bodyBytes) {
      this.fail(FAILURES.body_too_large, BODY_TOO_LARGE);
      return;
    }
    this.#expectBody();
    handler.onRequestBytes(buffer, start, end);
  }

  onTrailers(fields: string): void {
    this.#handler?.onRequestTrailers(fields);
  }

  /** The rest of the request will not arrive, or is not wanted: the connection ends after the answer. */
  fail(failure: Failure, detail: string): void {
    this.#mayBeFollowed = false;
    this.#handler?.onRequestFailed(failure, detail);
  }

  deadlinePassed(): void {
    // Empty lines alone are not a request (RFC 9112, 2.2): there is nothing to answer.
    if (this.#phase === 'head' && this.#parser.started) {
      this.#parser.giveUp();
      this.#refuse(HEAD_TIMEOUT, this.#now());
    } else if (this.#phase === 'head' || this.#phase === 'drain') this.#connection?.closePolitely();
    else if (this.#phase === 'body') this.fail(FAILURES.request_timeout, BODY_TIMEOUT);
  }

  /** Restarts the client's time for the next part of the body, unless the server is waited for. */
  #expectBody(): void {
    if (this.#phase === 'body' && !this.#paused) this.#armPatience();
  }

  /** Sets the deadline for more of the body. */
  #armPatience(): void {
    const now = this.#now();
    const { deadline } = this.#connection as ConnectionControl;
    const patience = this.#pace.patience(now, this.#parser.body.contentBytes);
    // The deadline of a body that is too late stays: moved by each piece, it might not pass while they come without a pause.
    if (patience !== OVERDUE_MS || !deadline.armed) deadline.armFrom(now, patience);
  }

  #now(): number {
    return (this.#connection as ConnectionControl).deps.wheel.clock.now();
  }

  /** The request is answered but incomplete: the rest of its body is read and dropped. */
  drain(): void {
    this.#move('drain');
    this.#armPatience();
  }

  /** Is it complete, and has the client said that it is the last one? */
  get isLast(): boolean {
    return this.#phase === 'held' && this.#parser.complete && this.requestComplete && !this.head.keepsAlive;
  }

  /**
   * Does the connection stay open after the answer? Only this function decides it. An answer may come before the whole
   * request: then the rest must be short enough to read and drop.
   */
  #mayKeepAlive(): boolean {
    const connection = this.#connection as ConnectionControl;
    const { limits, wheel } = connection.deps;
    const most = limits.requestsPerConnection;
    if (!this.#mayBeFollowed || connection.isDraining) return false;
    if ((most > 0 && connection.requests >= most) || wheel.now >= connection.endsAt) return false;
    if (connection.peerEnded && this.#owner?.hasMore !== true) return false;
    const { body } = this.#parser;
    return body.complete || (body.remaining <= MAX_DRAIN && !this.head.expectsContinue);
  }

  // Called by the handler, about the request.

  get pin(): ClientPin | null {
    return (this.#connection as ConnectionControl).pin;
  }

  set pin(pin: ClientPin | null) {
    (this.#connection as ConnectionControl).pin = pin;
  }

  get requestComplete(): boolean {
    return this.#parser.body.complete;
  }

  get requestBytes(): number {
    return this.#parser.body.contentBytes;
  }

  useLimits(bodyBytes: number, bodyTimeout: number, bodyRate: number): boolean {
    this.#bodyBytes = bodyBytes;
    // No body is waited for.
    if (this.#phase === 'held') return true;
    this.#pace.use(bodyTimeout, bodyRate);
    if (!this.head.expectsContinue) this.#expectBody();
    return bodyBytes === 0 || this.head.contentLength <= bodyBytes;
  }

  pauseRequest(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#pace.hold(this.#now());
    // The client is not at fault: its deadline is suspended.
    if (this.#phase === 'body') this.#connection?.deadline.disarm();
    this.#owner?.pauseForServer();
  }

  resumeRequest(): void {
    if (!this.#paused) return;
    this.#unpause();
    this.#expectBody();
    this.#owner?.resumeForServer();
  }

  #unpause(): void {
    this.#paused = false;
    this.#pace.goOn(this.#now());
  }

  turnAway(): void {
    this.#connection?.turnAway();
  }

  // Called by the handler, about the answer.

  get sentHead(): string {
    return this.#responder.sentHead;
  }

  get status(): number {
    return this.#responder.status;
  }

  get takesInterim(): boolean {
    return this.#responder.takesInterim;
  }

  get #channel(): Channel {
    return (this.#connection as ConnectionControl).channel;
  }

  sendInterim(head: ResponseHead): boolean {
    if (head.status === 100) this.#expectBody();
    const channel = this.#channel;
    this.#responder.interim(head);
    // Many interim responses may come in one tick, and they may be long.
    if (channel.heldBytes < MAX_GATHERED || channel.flush()) return true;
    this.#connection?.reader.note();
    return false;
  }

  sendHead(head: ResponseHead, edit: HeadEdit | null): BodyForm {
    const wallMs = (head.present & DATE) === 0 ? this.#clock.wall() : 0;
    return this.#responder.head(head, edit, this.#mayKeepAlive(), wallMs);
  }

  sendBody(buffer: Buffer, start: number, end: number): boolean {
    const connection = this.#connection as ConnectionControl;
    const goesOn = this.#responder.wrapsChunks
      ? this.#responder.chunk(buffer, start, end)
      : connection.channel.write(buffer, start, end);
    if (!goesOn) connection.reader.note();
    return goesOn;
  }

  sendTrailers(fields: string): void {
    this.#responder.trailers(fields);
  }

  endResponse(): void {
    if (this.#responder.wrapsChunks) this.#responder.end();
  }

  takeBack(): boolean {
    return this.#responder.takeBack();
  }

  takesAnswers(): boolean {
    return (this.#connection as ConnectionControl).reader.takesAnswers();
  }

  reply(status: number, edit: HeadEdit | null, text?: string, fields = '', contentType?: string): number {
    return this.#reply(status, (form, toHead, wallMs) =>
      encodeReply(status, form, toHead, wallMs, text, fields, edit, contentType),
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
    return this.#responder.reply(status, this.#mayKeepAlive(), (form) => encode(form, toHead, wallMs));
  }

  cut(): void {
    this.#connection?.cut();
  }

  switchProtocols(head: ResponseHead, edit: HeadEdit | null): void {
    this.#responder.switching(head, edit);
    this.#channel.probePeer();
    this.#move('tunnel');
    this.#connection?.deadline.disarm();
    this.#owner?.openTunnel();
  }

  sendTunnel(buffer: Buffer, start: number, end: number): boolean {
    return this.#channel.write(buffer, start, end);
  }

  endTunnel(): void {
    this.#channel.end();
  }

  settled(): void {
    this.#handler = null;
    if (this.#paused) this.#unpause();
    // The rest of the request may have turned out to be invalid.
    this.#owner?.answered(this.#responder.keepsAlive && this.#mayBeFollowed);
  }
}

/** A refused body has its own status: 431 for trailers, 400 for chunks. */
function failureOf({ status }: Refusal): Failure {
  return { ...FAILURES.bad_request, status };
}
