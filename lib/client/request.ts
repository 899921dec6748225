import { FAILURES, type Failure } from '../base/failure.js';
import type { Clock } from '../base/timer-wheel.js';
import type { BodyListener } from '../http/body-reader.js';
import type { FieldNames } from '../http/fields.js';
import type { RequestHandler } from '../http/flow.js';
import type { HeadLimits } from '../http/message-parser.js';
import type { Refusal } from '../http/refusal.js';
import type { RequestHead } from '../http/request-head.js';
import { RequestParser } from '../http/request-parser.js';
import { BodyPace } from './body-pace.js';
import { ClientView } from './client-view.js';
import type { ClientConnection } from './connection.js';
import type { ClientInput } from './input.js';

const HEAD_TIMEOUT: Refusal = {
  status: 408,
  reason: 'request_timeout',
  detail: 'the head did not come in time',
};
const BODY_TIMEOUT = 'the body did not come in time';
const BODY_TOO_LARGE = 'the body is longer than limits.body_bytes';

/** A rest of a refused or unread body that is worth reading to keep the connection. */
const MAX_DRAIN = 64 * 1024;

/**
 * head, body: it is coming in. held: it is all there; what follows waits for its answer. drain: it is answered, the rest
 * of its body is dropped. tunnel: after a 101.
 */
export type RequestPhase = 'head' | 'body' | 'held' | 'drain' | 'tunnel';

/**
 * One request of a client, as it comes in. A connection takes one from the object pool with the first byte and puts it back
 * when it is answered and the rest of its body is read, so an idle connection has none.
 */
export class ClientRequest implements BodyListener {
  readonly #parser: RequestParser;
  readonly #view: ClientView;
  #input: ClientInput | null = null;
  #connection: ClientConnection | null = null;
  phase: RequestPhase = 'head';
  #keepAlive = false;
  /** The server takes no more of the body for now. */
  #paused = false;
  /** What its route allows. */
  #bodyBytes = 0;
  readonly #pace = new BodyPace();
  /** Who answers it; null until its head is there, and once it is settled. */
  handler: RequestHandler | null = null;

  constructor(limits: HeadLimits, clock: Clock) {
    this.#parser = new RequestParser(limits);
    this.#view = new ClientView(this, this.#parser, clock);
  }

  /** Its first byte is there. */
  begin(input: ClientInput, connection: ClientConnection): void {
    this.#input = input;
    this.#connection = connection;
    this.phase = 'head';
    this.#paused = false;
  }

  /** It is over: lets go of all it knows of its client. */
  clear(): void {
    this.#input = null;
    this.#connection = null;
    this.#view.clear();
    this.#parser.clear();
  }

  // Bytes.

  /** Is what comes next a part of it? */
  get isReading(): boolean {
    return this.phase === 'head' || this.phase === 'body' || this.phase === 'drain';
  }

  /** Deals with bytes that were read at `now`. Gives the position behind the last byte that belongs to it. */
  read(buffer: Buffer, start: number, end: number, now: number): number {
    if (this.phase !== 'head') return this.#readBody(buffer, start, end);
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
    this.phase = complete ? 'held' : 'body';
    // Who asked to be told to go on owes nothing before that; until then it is the server that is waited for.
    if (complete || head.expectsContinue) this.#connection?.deadline.disarm();
    else this.#armPatience();
    handler.start(this.#view);
  }

  /** The end of this connection: where the next request would begin is not certain. */
  #refuse(why: Refusal, now: number): void {
    const handler = this.#open(false, null, now);
    this.phase = 'held';
    handler.refuse(this.#view, why);
  }

  /** `asked`: the head; null when it is refused. */
  #open(keepAlive: boolean, asked: RequestHead | null, now: number): RequestHandler {
    const connection = this.#connection as ClientConnection;
    const { handlers, limits, timeouts, readiness } = connection.services;
    const { head, body, complete } = this.#parser;
    this.#keepAlive = keepAlive;
    this.#bodyBytes = limits.bodyBytes;
    this.#pace.begin(timeouts.requestBody, limits.bodyRate);
    body.begin(complete ? head.framing : 'none', head.contentLength, 'wire', this);
    this.#view.open(connection, now);
    const asksUs = readiness !== null && asked !== null && readiness.isFor(asked);
    this.handler = asksUs ? readiness : handlers.take();
    return this.handler;
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this.#parser;
    const position = body.read(buffer, start, end);
    if (body.refusal !== null) {
      if (this.handler === null) this.#connection?.closePolitely();
      else this.fail(failureOf(body.refusal), body.refusal.detail);
    } else if (body.complete) {
      this.#onBodyEnd();
    }
    return position;
  }

  #onBodyEnd(): void {
    if (this.phase === 'drain') {
      this.#input?.nextRequest();
    } else if (this.phase === 'body' && this.handler !== null) {
      this.phase = 'held';
      this.#connection?.deadline.disarm();
      this.handler.onRequestEnd();
    }
  }

  get droppedTrailers(): FieldNames | null {
    return this.handler === null ? null : this.handler.droppedTrailers;
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    const { handler } = this;
    // Answered: the rest is dropped.
    if (handler === null) return;
    if (this.#bodyBytes > 0 && this.#parser.body.contentBytes > this.#bodyBytes) {
      this.fail(FAILURES.body_too_large, BODY_TOO_LARGE);
      return;
    }
    this.expectBody();
    handler.onRequestBytes(buffer, start, end);
  }

  /** The rest of it is not coming, or not wanted: the connection ends behind its answer. */
  fail(failure: Failure, detail: string): void {
    this.#keepAlive = false;
    this.handler?.onRequestFailed(failure, detail);
  }

  deadlinePassed(): void {
    // Nothing but empty lines is no request (RFC 9112, 2.2): there is nobody to tell.
    if (this.phase === 'head' && this.#parser.started) this.#refuse(HEAD_TIMEOUT, this.#now());
    else if (this.phase === 'head' || this.phase === 'drain') this.#connection?.closePolitely();
    else if (this.phase === 'body') this.fail(FAILURES.request_timeout, BODY_TIMEOUT);
  }

  // What its handler asks for.

  /** Takes the limits of its route; false when its body has been announced as longer. */
  useLimits(bodyBytes: number, bodyTimeout: number, bodyRate: number): boolean {
    this.#bodyBytes = bodyBytes;
    // There is none: nobody has to wait for it.
    if (this.phase === 'held') return true;
    const { head } = this.#parser;
    this.#pace.use(bodyTimeout, bodyRate);
    if (!head.expectsContinue) this.expectBody();
    return bodyBytes === 0 || head.contentLength <= bodyBytes;
  }

  /** The client's time to send some of the body begins anew, unless it is the server that is waited for. */
  expectBody(): void {
    if (this.phase === 'body' && !this.#paused) this.#armPatience();
  }

  /** Until then more of the body must be there. */
  #armPatience(): void {
    const now = this.#now();
    this.#connection?.deadline.armFrom(now, this.#pace.patience(now, this.#parser.body.contentBytes));
  }

  #now(): number {
    return (this.#connection as ClientConnection).services.wheel.clock.now();
  }

  pauseBody(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#pace.hold(this.#now());
    // Not the client's fault: its own deadline stands still.
    if (this.phase === 'body') this.#connection?.deadline.disarm();
    this.#input?.pauseForServer();
  }

  resumeBody(): void {
    if (!this.#paused) return;
    this.#unpause();
    this.expectBody();
    this.#input?.resumeForServer();
  }

  #unpause(): void {
    this.#paused = false;
    this.#pace.goOn(this.#now());
  }

  /** An answer may come before the whole request: then the rest must be little enough to read and drop. */
  get mayKeepAlive(): boolean {
    if (!this.#keepAlive || this.#input?.mayGoOn !== true) return false;
    const { head, body } = this.#parser;
    return body.complete || (body.remaining <= MAX_DRAIN && !head.expectsContinue);
  }

  cut(): void {
    this.#input?.cut();
  }

  openTunnel(): void {
    this.phase = 'tunnel';
    this.#connection?.deadline.disarm();
    this.#input?.openTunnel();
  }

  /** Nothing more comes from the handler; `stays` when its answer leaves the connection open. */
  answered(stays: boolean): void {
    this.handler = null;
    if (this.#paused) this.#unpause();
    // The rest of it may have turned out to be bad meanwhile.
    this.#input?.answered(stays && this.#keepAlive);
  }

  /** It is answered, but not all there: the rest of its body is read and dropped. */
  drain(): void {
    this.phase = 'drain';
    this.#armPatience();
  }

  /** Is it all there? */
  get complete(): boolean {
    return this.#parser.body.complete;
  }

  /** Did the client say that it sends nothing behind it? */
  get isLast(): boolean {
    return !this.#parser.head.keepsAlive;
  }
}

/** A body that is refused has a status of its own: 431 for its trailers, 400 for its chunks. */
function failureOf({ status }: Refusal): Failure {
  return { ...FAILURES.bad_request, status };
}
