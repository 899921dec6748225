import type { Clock } from '../base/clock.js';
import { FAILURES, type Failure } from '../base/failure.js';
import type { Shelf } from '../base/shelf.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { LimitsConfig, TimeoutsConfig } from '../config/types.js';
import type { BodyForm, BodyReceiver } from '../http/body-reader.js';
import type { ClientSide, RequestHandler } from '../http/flow.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Refusal } from '../http/refusal.js';
import { encodeReply, encodeRouteReply } from '../http/replies.js';
import type { ForwardedClient } from '../http/request-encoder.js';
import type { RequestHead } from '../http/request-head.js';
import type { RequestParser } from '../http/request-parser.js';
import type { ResponseForm } from '../http/response-encoder.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import type { Responder } from './responder.js';

/** What every client connection needs, the same for all of one balancer. */
export interface ClientServices {
  readonly wheel: TimerWheel;
  /** These two change with a reload. */
  timeouts: TimeoutsConfig;
  limits: LimitsConfig;
  readonly parsers: Shelf<RequestParser>;
  readonly responders: Shelf<Responder>;
  /** Somebody to answer one request. */
  readonly handlers: { take(): RequestHandler };
  readonly clock: Clock;
  onClosed(connection: ClientConnection): void;
}

const REQUEST_TIMEOUT: Refusal = {
  status: 408,
  reason: 'request_timeout',
  detail: 'the head did not come in time',
};
const BODY_TOO_LARGE = 'the body is longer than limits.body_bytes';

/** Pipelined bytes kept while a request is being answered; beyond it the client has to wait. */
const MAX_STASH = 64 * 1024;
/** After an answer that ends the connection, input is read and dropped for so long, lest a reset erase the answer. */
const LINGER_MS = 5000;
const LINGER_BYTES = 4 * 1024 * 1024;
/** A rest of a refused or unread body that is worth reading to keep the connection. */
const MAX_DRAIN = 64 * 1024;
/** Own answers to pipelined requests gathered into one write. */
const MAX_GATHERED = 16 * 1024;
/** A FIN this soon behind a request half-closes; one that comes later, while waiting, is a client that left. */
const HALF_CLOSE_MS = 1000;

/**
 * idle: between requests. head, body: a request is coming in. held: it is all there; what follows waits for its answer.
 * drain: it is answered, the rest of its body is dropped. tunnel: after a 101. linger: after the last answer. closed.
 */
type Reading = 'idle' | 'head' | 'body' | 'held' | 'drain' | 'tunnel' | 'linger' | 'closed';

/** Why nothing is read for now. The server takes no more of the body; the stash is full; the client takes no answers. */
const FOR_SERVER = 1;
const FOR_STASH = 2;
const FOR_CLIENT = 4;

/**
 * A client's connection: requests in, one after the other, and their answers out in the same order. What it needs for
 * a request is taken when its first byte comes and put back when it is answered, so an idle connection is small.
 */
export class ClientConnection implements ChannelOwner, DeadlineOwner, BodyReceiver, ClientSide {
  readonly #services: ClientServices;
  readonly #deadline: Deadline;
  readonly #channel: Channel;
  readonly forwarded: ForwardedClient;
  #reading: Reading = 'idle';
  #parser: RequestParser | null = null;
  #responder: Responder | null = null;
  #handler: RequestHandler | null = null;
  #stash: Buffer | null = null;
  #keepAlive = true;
  #consuming = false;
  #pauses = 0;
  #peerEnded = false;
  #draining = false;
  /** Coarse time of the last byte from the client. */
  #lastByteAt = 0;
  #lingered = 0;
  /** What the current route allows. */
  #bodyBytes = 0;
  #bodyTimeout = 0;
  /** The channel's backlog when the client was last seen to take something. */
  #backlog = 0;

  constructor(services: ClientServices, forwarded: ForwardedClient, open: (owner: ChannelOwner) => Channel) {
    this.#services = services;
    this.forwarded = forwarded;
    this.#deadline = new Deadline(services.wheel, this);
    // A client that connects and says nothing is idle: the header deadline starts at the first byte (features 44).
    this.#deadline.arm(services.timeouts.keepAlive);
    this.#channel = open(this);
  }

  /** Is nothing going on, so that closing it now loses nothing? */
  get isIdle(): boolean {
    return this.#reading === 'idle' && this.#stash === null;
  }

  /** The balancer is going away: the current request, or the next if it comes before `closeIfIdle`, is the last. */
  announceEnd(): void {
    this.#draining = true;
  }

  closeIfIdle(): void {
    if (this.isIdle) this.#closePolitely();
  }

  /** Cuts it off; who waits for an answer and has seen nothing of it is told. */
  destroy(): void {
    this.#keepAlive = false;
    this.#handler?.onRequestFailed(FAILURES.shutdown, '');
    this.#channel.flush();
    this.#channel.destroy();
  }

  // Requests in.

  #consume(buffer: Buffer, start: number, end: number): void {
    let position = start;
    this.#consuming = true;
    while (position < end) {
      if (this.#reading === 'idle' && !this.#mayReadOn()) break;
      if (this.#reading === 'idle' || this.#reading === 'head')
        position = this.#readHead(buffer, position, end);
      else if (this.#reading === 'body' || this.#reading === 'drain')
        position = this.#readBody(buffer, position, end);
      else break;
    }
    this.#consuming = false;
    if (position < end && (this.#reading === 'held' || this.#reading === 'idle'))
      this.#keepForLater(buffer, position, end);
    if (this.#handler === null) this.#goOn();
  }

  /** False while the client takes nothing of the answers it was sent: it gets no more of them. */
  #mayReadOn(): boolean {
    return this.#channel.heldBytes < MAX_GATHERED || this.#channel.flush();
  }

  useLimits(bodyBytes: number, bodyTimeout: number): boolean {
    this.#bodyBytes = bodyBytes;
    this.#bodyTimeout = bodyTimeout;
    if (this.#reading === 'body' && this.#deadline.armed) this.#deadline.arm(bodyTimeout);
    return bodyBytes === 0 || this.head.contentLength <= bodyBytes;
  }

  #readHead(buffer: Buffer, start: number, end: number): number {
    this.#parser ??= this.#services.parsers.take();
    const parser = this.#parser;
    if (this.#reading === 'idle') parser.reset();
    const position = parser.readHead(buffer, start, end);
    if (parser.complete) {
      this.#onHead(parser);
    } else if (parser.refusal !== null) {
      this.#refuse(parser, parser.refusal);
    } else if (this.#reading === 'idle') {
      this.#reading = 'head';
      this.#deadline.arm(this.#services.timeouts.requestHeader);
    }
    return position;
  }

  #onHead(parser: RequestParser): void {
    const { head, body } = parser;
    this.#keepAlive = head.keepsAlive;
    this.#bodyBytes = this.#services.limits.bodyBytes;
    this.#bodyTimeout = this.#services.timeouts.requestBody;
    const handler = this.#takeHandler(parser);
    this.#reading = body.complete ? 'held' : 'body';
    // Who asked to be told to go on owes nothing before that; until then it is the server that is waited for.
    if (body.complete || head.expectsContinue) this.#deadline.disarm();
    else this.#deadline.arm(this.#bodyTimeout);
    handler.start(this);
  }

  /** The end of this connection: where the next request would begin is not certain. */
  #refuse(parser: RequestParser, why: Refusal): void {
    this.#keepAlive = false;
    const handler = this.#takeHandler(parser);
    this.#reading = 'held';
    handler.refuse(this, why);
  }

  #takeHandler(parser: RequestParser): RequestHandler {
    const { head, body } = parser;
    body.begin(parser.complete ? head.framing : 'none', head.contentLength, 'wire', this);
    this.#responder = this.#services.responders.take();
    this.#responder.begin(head.minorVersion === 0);
    this.#handler = this.#services.handlers.take();
    return this.#handler;
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this.#parser as RequestParser;
    const position = body.read(buffer, start, end);
    if (body.refusal !== null) {
      this.#keepAlive = false;
      if (this.#handler === null) this.#closePolitely();
      else this.#handler.onRequestFailed(failureOf(body.refusal), body.refusal.detail);
    } else if (body.complete) {
      this.#onBodyEnd();
    }
    return position;
  }

  #onBodyEnd(): void {
    if (this.#reading === 'drain') {
      this.#nextRequest();
    } else if (this.#reading === 'body') {
      this.#reading = 'held';
      this.#deadline.disarm();
      this.#handler?.onRequestEnd();
    }
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    const handler = this.#handler;
    if (handler === null || this.#reading !== 'body') return;
    if (this.#bodyBytes > 0 && this.requestBytes > this.#bodyBytes) {
      this.#keepAlive = false;
      handler.onRequestFailed(FAILURES.body_too_large, BODY_TOO_LARGE);
      return;
    }
    if ((this.#pauses & FOR_SERVER) === 0) this.#deadline.arm(this.#bodyTimeout);
    handler.onRequestBytes(buffer, start, end);
  }

  #keepForLater(buffer: Buffer, start: number, end: number): void {
    const piece = buffer.subarray(start, end);
    this.#stash = this.#stash === null ? Buffer.from(piece) : Buffer.concat([this.#stash, piece]);
    if (this.#stash.length >= MAX_STASH) this.#pause(FOR_STASH);
  }

  #nextRequest(): void {
    this.#reading = 'idle';
    this.#parkParser();
    this.#deadline.arm(this.#services.timeouts.keepAlive);
    if (!this.#consuming) this.#goOn();
  }

  /** Takes up what came in the meantime, as soon as the client has taken what it was sent. */
  #goOn(): void {
    if (this.#reading !== 'idle') return;
    if (this.#channel.backlog > 0) {
      this.#waitForClient();
      return;
    }
    if ((this.#pauses & FOR_CLIENT) !== 0) {
      this.#deadline.arm(this.#services.timeouts.keepAlive);
      this.#resume(FOR_CLIENT);
    }
    const stash = this.#stash;
    if (stash !== null) {
      this.#stash = null;
      this.#resume(FOR_STASH);
      this.#consume(stash, 0, stash.length);
      if (this.#peerEnded) this.#leaveUnfinished();
    } else if (this.#peerEnded || this.#draining) {
      this.#closePolitely();
    }
  }

  /** It takes no answers: it gets no more of them until it has, and its time for that runs. */
  #waitForClient(): void {
    this.#pause(FOR_CLIENT);
    this.#noteBacklog();
    this.#deadline.arm(this.#services.timeouts.responseBody);
  }

  /** The client has ended: a request that has only begun will never be whole. */
  #leaveUnfinished(): void {
    if (this.#reading === 'body') this.#abandon();
    else if (this.#reading === 'head') this.#closePolitely();
  }

  #pause(why: number): void {
    this.#pauses |= why;
    this.#channel.pause();
  }

  #resume(why: number): void {
    if ((this.#pauses & why) === 0) return;
    this.#pauses &= ~why;
    if (this.#pauses === 0) this.#channel.resume();
  }

  #noteBacklog(): void {
    this.#backlog = this.#channel.backlog;
  }

  takesAnswers(): boolean {
    const before = this.#backlog;
    this.#noteBacklog();
    return this.#backlog < before;
  }

  // The client's side of the current request.

  get head(): RequestHead {
    return (this.#parser as RequestParser).head;
  }

  get requestComplete(): boolean {
    return this.#parser === null || this.#parser.body.complete;
  }

  get requestBytes(): number {
    return this.#parser?.body.contentBytes ?? 0;
  }

  get sentHead(): string {
    return this.#responder?.sentHead ?? '';
  }

  pauseRequest(): void {
    if ((this.#pauses & FOR_SERVER) !== 0) return;
    // Not the client's fault: its own deadline stands still.
    if (this.#reading === 'body') this.#deadline.disarm();
    this.#pause(FOR_SERVER);
  }

  resumeRequest(): void {
    if ((this.#pauses & FOR_SERVER) === 0) return;
    if (this.#reading === 'body') this.#deadline.arm(this.#bodyTimeout);
    this.#resume(FOR_SERVER);
  }

  sendInterim(head: ResponseHead): void {
    if (head.status === 100 && this.#reading === 'body' && (this.#pauses & FOR_SERVER) === 0)
      this.#deadline.arm(this.#bodyTimeout);
    (this.#responder as Responder).interim(head, this.#channel);
  }

  sendHead(head: ResponseHead, edit: HeadEdit | null): BodyForm {
    const wallMs = this.#services.clock.wall();
    return (this.#responder as Responder).head(head, edit, this.#channel, this.#mayKeepAlive(), wallMs);
  }

  sendBody(buffer: Buffer, start: number, end: number): boolean {
    if ((this.#responder as Responder).body(this.#channel, buffer, start, end)) return true;
    this.#noteBacklog();
    return false;
  }

  endResponse(): void {
    (this.#responder as Responder).end(this.#channel);
  }

  reply(status: number, text?: string, fields = ''): void {
    this.#reply((form, toHead, wallMs) => encodeReply(status, form, toHead, wallMs, text, fields));
  }

  replyWith(status: number, body: string, edit: HeadEdit): void {
    this.#reply((form, toHead, wallMs) => encodeRouteReply(status, body, edit, form, toHead, wallMs));
  }

  #reply(encode: (form: ResponseForm, toHead: boolean, wallMs: number) => string): void {
    const toHead = this.head.method === 'HEAD';
    const wallMs = this.#services.clock.wall();
    const responder = this.#responder as Responder;
    responder.reply(this.#channel, this.#mayKeepAlive(), (form) => encode(form, toHead, wallMs));
  }

  /** An answer may come before the whole request: then the rest must be little enough to read and drop. */
  #mayKeepAlive(): boolean {
    if (!this.#keepAlive || this.#draining || (this.#peerEnded && this.#stash === null && !this.#consuming))
      return false;
    const { head, body } = this.#parser as RequestParser;
    return body.complete || (body.remaining <= MAX_DRAIN && !head.expectsContinue);
  }

  cut(): void {
    this.#reading = 'closed';
    this.#channel.reset();
  }

  switchProtocols(head: ResponseHead, fields: string): void {
    (this.#responder as Responder).switching(head, fields, this.#channel);
    this.#reading = 'tunnel';
    this.#deadline.disarm();
    this.#channel.probePeer();
    const stash = this.#stash;
    this.#stash = null;
    this.#resume(FOR_STASH);
    if (stash !== null) this.#handler?.onClientTunnelBytes(stash, 0, stash.length);
    if (this.#peerEnded) this.#handler?.onClientTunnelEnd();
  }

  sendTunnel(buffer: Buffer, start: number, end: number): boolean {
    return this.#channel.write(buffer, start, end);
  }

  endTunnel(): void {
    this.#channel.end();
  }

  settled(): void {
    const responder = this.#responder as Responder;
    const stays = responder.begun && responder.keepsAlive;
    this.#services.responders.put(responder);
    this.#responder = null;
    this.#handler = null;
    if (this.#reading !== 'closed') this.#resume(FOR_SERVER);
    if (this.#reading === 'closed') {
      this.#parkParser();
    } else if (!stays) {
      if (this.#clientIsDone()) this.#closeAtOnce();
      else this.#closePolitely();
    } else if (this.requestComplete) {
      this.#nextRequest();
    } else {
      this.#reading = 'drain';
      this.#deadline.arm(this.#bodyTimeout);
    }
  }

  // Endings.

  /** Sends what there is to send, then FIN, and reads on for a while so that the client gets to see it (RFC 9112, 9.6). */
  #closePolitely(): void {
    if (this.#reading === 'closed' || this.#reading === 'linger') return;
    this.#reading = 'linger';
    this.#stash = null;
    this.#parkParser();
    this.#pauses = 0;
    this.#channel.resume();
    // Behind the FIN of a tunnel a flush is always done, and still not all may have gone out.
    if (this.#channel.flush() && this.#channel.backlog === 0) {
      this.#finish();
    } else {
      this.#noteBacklog();
      this.#deadline.arm(this.#services.timeouts.responseBody);
    }
  }

  /**
   * Has the client said that this was its last request, and was it? Then it sends nothing more (RFC 9112, 9.6), no late
   * input can turn the close into a reset, and lingering would cost three system calls for nothing.
   */
  #clientIsDone(): boolean {
    const { head, body } = this.#parser as RequestParser;
    return (
      this.#reading === 'held' &&
      this.#stash === null &&
      body.complete &&
      !head.keepsAlive &&
      !this.#consuming
    );
  }

  #closeAtOnce(): void {
    this.#reading = 'linger';
    this.#parkParser();
    this.#noteBacklog();
    this.#deadline.arm(this.#services.timeouts.responseBody);
    this.#channel.close();
  }

  #finish(): void {
    this.#channel.end();
    this.#noteBacklog();
    this.#deadline.arm(LINGER_MS);
  }

  #parkParser(): void {
    const parser = this.#parser;
    if (parser === null) return;
    this.#parser = null;
    parser.body.release();
    parser.head.clear();
    this.#services.parsers.put(parser);
  }

  #abandon(): void {
    this.#reading = 'closed';
    this.#handler?.onClientGone();
    // Answers to the requests before it.
    this.#channel.flush();
    this.#channel.destroy();
  }

  /** It has had its time to take what it was sent: as long as it takes something, it gets more (features 44). */
  #judgeReader(): void {
    if (this.takesAnswers()) this.#deadline.arm(this.#services.timeouts.responseBody);
    else this.#channel.destroy();
  }

  // What the socket and the wheel say.

  onBytes(buffer: Buffer, length: number): void {
    this.#lastByteAt = this.#services.wheel.now;
    switch (this.#reading) {
      case 'tunnel':
        this.#handler?.onClientTunnelBytes(buffer, 0, length);
        break;
      case 'linger':
        this.#lingered += length;
        if (this.#lingered > LINGER_BYTES) this.#channel.destroy();
        break;
      case 'closed':
        break;
      case 'held':
        this.#keepForLater(buffer, 0, length);
        break;
      default:
        if (this.#stash !== null) this.#keepForLater(buffer, 0, length);
        else this.#consume(buffer, 0, length);
    }
  }

  onEnd(): void {
    this.#peerEnded = true;
    switch (this.#reading) {
      case 'tunnel':
        this.#handler?.onClientTunnelEnd();
        break;
      case 'body':
        this.#abandon();
        break;
      case 'held':
        if (this.#services.wheel.now - this.#lastByteAt > HALF_CLOSE_MS) this.#abandon();
        break;
      case 'linger':
      case 'closed':
        break;
      default:
        if (this.#stash === null) this.#closePolitely();
    }
  }

  onBlocked(): void {
    this.#noteBacklog();
    if (this.#handler !== null) this.#handler.onClientBlocked();
    else if (this.#reading === 'idle') this.#waitForClient();
  }

  onDrain(): void {
    if (this.#handler !== null) this.#handler.onClientDrain();
    else if (this.#reading === 'linger') this.#finish();
    else this.#goOn();
  }

  onClose(): void {
    this.#reading = 'closed';
    this.#deadline.release();
    this.#handler?.onClientGone();
    this.#parkParser();
    this.#stash = null;
    this.#services.onClosed(this);
  }

  onDeadline(): void {
    switch (this.#reading) {
      case 'head': {
        const parser = this.#parser as RequestParser;
        // Nothing but empty lines is no request (features 37): there is nobody to tell.
        if (parser.started) this.#refuse(parser, REQUEST_TIMEOUT);
        else this.#closePolitely();
        break;
      }
      case 'body':
        this.#keepAlive = false;
        this.#handler?.onRequestFailed(FAILURES.request_timeout, 'the body did not come in time');
        break;
      case 'idle':
        if ((this.#pauses & FOR_CLIENT) !== 0) this.#judgeReader();
        else this.#closePolitely();
        break;
      case 'drain':
        this.#closePolitely();
        break;
      case 'linger':
        this.#judgeReader();
        break;
      case 'held':
      case 'tunnel':
      case 'closed':
        break;
    }
  }
}

/** A body that is refused has a status of its own: 431 for its trailers, 400 for its chunks. */
function failureOf({ status }: Refusal): Failure {
  return { ...FAILURES.bad_request, status };
}
