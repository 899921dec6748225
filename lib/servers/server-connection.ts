import type { Address } from '../base/address.js';
import { FAILURES, type Failure } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { Deadline, type DeadlineOwner, spread, type TimerWheel } from '../base/timer-wheel.js';
import { FIELD } from '../http/fields.js';
import type { ResponseHead } from '../http/head.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Channel, ChannelOwner, EndListener } from '../net/channel.js';
import { atTickEnd, type TickTask } from '../net/loop-tick.js';
import { TlsError } from '../net/tls-failure.js';
import type { ConnectionDeps, ConnectionOwner, PooledConnection, ResponseListener } from './contracts.js';

/** More interim responses before a final one are an attack or a loop. */
const MAX_INTERIM = 64;

/**
 * idle: no request uses the connection. asking: a request was sent, and no final response head has come. answering: the
 * body is received. answered: the response is complete, and the connection is not released yet. tunnel: after a 101.
 * ending: the tunnel is over, and its remaining bytes are sent. closed: the socket is gone or about to be.
 */
export type ServerConnectionState =
  | 'idle'
  | 'asking'
  | 'answering'
  | 'answered'
  | 'tunnel'
  | 'ending'
  | 'closed';

/** A complete response is followed by `asking` when the next request was sent before (pipelining). */
export const SERVER_CONNECTION_MOVES: Moves<ServerConnectionState> = {
  idle: ['asking', 'closed'],
  asking: ['answering', 'tunnel', 'closed'],
  answering: ['answered', 'closed'],
  answered: ['idle', 'asking', 'ending', 'closed'],
  tunnel: ['ending', 'closed'],
  ending: ['closed'],
  closed: [],
};

/**
 * May another request follow the response? last: the response says that it is the last one. surplus: bytes came after it,
 * which can only be an error or an attack (RFC 9112, 6.3); between pipelined requests they may be the next response.
 */
type Reuse = 'fit' | 'last' | 'surplus';

/** One HTTP/1.1 socket to a server, with a response parser while a request is on it, and whether it can be reused. */
export class ServerConnection
  implements PooledConnection, ChannelOwner, DeadlineOwner, EndListener, TickTask
{
  /** A client may still read the answer slowly when a server that has ended reads no more of the request. */
  readonly wantsRest = true;
  readonly channel: Channel;
  readonly peer: string;
  readonly #owner: ConnectionOwner;
  readonly #deps: ConnectionDeps;
  readonly #deadline: Deadline;
  readonly #lifetime: Lifetime;
  #state: ServerConnectionState = 'idle';
  #receiver: ResponseListener | null = null;
  /** Taken at a response's first byte: a thousand requests in flight share the parser that is in the CPU caches. */
  #parser: ResponseParser | null = null;
  /** Is the current request a HEAD? */
  #toHead = false;
  #interim = 0;
  #failedBytes = 0;
  #tunnelEnd: TunnelEnd | null = null;
  #reuse: Reuse = 'fit';
  readBytes = 0;
  pooled = false;
  /** Is it kept for one client, if it is to be reused after this tick? */
  #keepsAtTickEnd = false;
  /** -1: not asked for since the last read. */
  #readAt = -1;

  constructor(
    owner: ConnectionOwner,
    deps: ConnectionDeps,
    open: (owner: ChannelOwner) => Channel,
    peer: string,
  ) {
    this.#owner = owner;
    this.peer = peer;
    this.#deps = deps;
    this.#deadline = new Deadline(deps.wheel, this);
    this.#lifetime = new Lifetime(owner, deps.wheel);
    this.channel = open(this);
  }

  get address(): Address {
    return this.#owner.address;
  }

  #move(to: ServerConnectionState): void {
    if (assertsMoves) checkMove(SERVER_CONNECTION_MOVES, this.#state, to);
    this.#state = to;
  }

  get isSpoilt(): boolean {
    return this.#reuse !== 'fit';
  }

  get contentBytes(): number {
    return this.#parser?.body.contentBytes ?? this.#failedBytes;
  }

  /** Has the whole body of the current response arrived, including the part that is being handed on? */
  get bodyComplete(): boolean {
    return this.#parser?.body.complete ?? true;
  }

  /**
   * Leases the connection: from now on `receiver` is called. `toHead`: the request is a HEAD, so its response has no
   * body.
   */
  assign(receiver: ResponseListener, toHead: boolean): void {
    this.#deadline.disarm();
    this.#receiver = receiver;
    this.#begin(toHead);
  }

  get readAt(): number {
    if (this.#readAt === -1) this.#readAt = this.#deadline.wheel.clock.now();
    return this.#readAt;
  }

  get serverKeeps(): boolean {
    return this.#parser?.head.keepsAlive === true;
  }

  expect(toHead: boolean): boolean {
    const parser = this.#parser as ResponseParser;
    if (!parser.head.keepsAlive) return false;
    this.#begin(toHead);
    parser.reset();
    parser.toHead = toHead;
    return true;
  }

  #begin(toHead: boolean): void {
    this.#move('asking');
    this.#lifetime.requests++;
    this.#toHead = toHead;
    this.#interim = 0;
    this.#reuse = 'fit';
  }

  handTo(receiver: ResponseListener): void {
    this.#receiver = receiver;
  }

  /** Returns the connection to its pool if it can be reused, else closes it. The receiver is not called any more. */
  release(kept = false): void {
    const whole = this.#state === 'answered' && this.#reuse === 'fit';
    // A server that answered before it read the whole request would read the rest as the next request.
    const reusable = whole && this.#lifetime.hasRoomFor(1);
    if (this.#reuse === 'surplus') this.#owner.noteUnsolicited();
    if (reusable && !this.#lifetime.fieldRead)
      this.#lifetime.noteKeepAlive((this.#parser as ResponseParser).head);
    this.#detach();
    if (!reusable) this.discard();
    else if (this.channel.flushed) this.#giveBack(kept);
    else {
      this.#keepsAtTickEnd = kept;
      atTickEnd(this);
    }
  }

  /** Was it released when something of the request was unsent? Then the end of the tick decides on it. */
  get #isUndecided(): boolean {
    return this.#state === 'answered' && this.#receiver === null;
  }

  #giveBack(kept: boolean): void {
    this.pooled = true;
    this.idle(kept);
    if (kept) this.#owner.keep(this);
    else this.#owner.takeBack(this);
  }

  /**
   * A write over one of Node's TLS sockets that is made at the end of a tick is reported at the end of the next one, and the
   * answer may have been read by then: so what was unsent at a release is looked at once more.
   */
  onTickEnd(): void {
    if (!this.#isUndecided) return;
    if (this.channel.flushed && this.#lifetime.hasRoomFor(1)) this.#giveBack(this.#keepsAtTickEnd);
    else this.discard();
  }

  get isKept(): boolean {
    return this.#owner.isKept(this);
  }

  reclaim(): boolean {
    if (this.#isUndecided) this.discard();
    return this.#owner.reclaim(this);
  }

  hasRoomFor(requests: number): boolean {
    return this.#lifetime.hasRoomFor(requests);
  }

  idle(kept = false): void {
    this.#move('idle');
    // A rough deadline is enough: it does not judge the server.
    this.#deadline.armFrom(this.#deps.wheel.now, this.#lifetime.rest(kept));
  }

  park(): void {
    this.pooled = true;
  }

  followLimits(): void {
    this.#lifetime.followLimits();
  }

  finish(): void {
    if (this.#state === 'idle') this.discard();
    else this.#lifetime.end();
  }

  cut(): void {
    this.channel.destroy();
  }

  discard(): void {
    this.#detach();
    this.#shut();
  }

  retire(patience: number): void {
    this.#detach();
    this.#move('ending');
    this.#tunnelEnd = new TunnelEnd(this.channel, this.#deadline, patience);
  }

  /** The pool must not lease the connection between now and the socket's `close`. */
  #shut(): void {
    this.#move('closed');
    this.#owner.forget(this);
    this.channel.destroy();
  }

  #detach(): void {
    this.#receiver = null;
    if (this.#parser === null) return;
    this.#parser.clear();
    this.#deps.parsers.put(this.#parser);
    this.#parser = null;
  }

  #fail(failure: Failure, detail: string): void {
    const receiver = this.#receiver;
    this.#failedBytes = this.contentBytes;
    this.discard();
    receiver?.onFailed(failure, detail);
  }

  #readResponse(buffer: Buffer, length: number): void {
    let position = 0;
    while (position < length && this.#receiver !== null) {
      const parser = this.#parser ?? this.#takeParser();
      if (this.#state === 'tunnel') {
        this.#receiver.onTunnelBytes(buffer, position, length);
        return;
      }
      if (this.#state === 'answered') {
        this.#reuse = 'surplus';
        return;
      }
      if (!parser.complete) {
        position = parser.readHead(buffer, position, length);
        if (parser.complete) this.#onHead(parser, position < length);
      } else {
        position = parser.body.read(buffer, position, length);
        if (parser.body.complete && this.#parser === parser) this.#finish(position < length);
      }
      const refused = parser.refusal ?? parser.body.refusal;
      if (refused !== null && this.#receiver !== null) {
        this.#fail(FAILURES.bad_response, refused.detail);
        return;
      }
    }
  }

  #takeParser(): ResponseParser {
    const parser = this.#deps.parsers.take();
    parser.toHead = this.#toHead;
    this.#parser = parser;
    return parser;
  }

  #onHead(parser: ResponseParser, more: boolean): void {
    const receiver = this.#receiver as ResponseListener;
    const head = parser.head;
    if (head.status === 101) {
      // The receiver may have given up the connection within the call.
      if (receiver.onSwitch(head)) this.#move(this.#receiver === null ? this.#state : 'tunnel');
      else this.#fail(FAILURES.bad_response, 'status 101 for a protocol that was not offered');
      return;
    }
    if (head.status < 200) {
      this.#interim++;
      if (this.#interim > MAX_INTERIM) {
        this.#fail(FAILURES.bad_response, 'too many interim responses');
        return;
      }
      receiver.onInterim(head);
      if (this.#parser === parser) parser.reset();
      return;
    }
    this.#move('answering');
    const form = receiver.onResponseHead(head);
    if (this.#parser !== parser) return;
    // The receiver may have changed within the call.
    parser.body.begin(head.framing, head.contentLength, form, this.#receiver as ResponseListener);
    if (parser.body.complete) this.#finish(more);
  }

  /** `surplus`: bytes came after the response. */
  #finish(surplus: boolean): void {
    this.#move('answered');
    if (surplus) this.#reuse = 'surplus';
    else if (!(this.#parser as ResponseParser).head.keepsAlive) this.#reuse = 'last';
    this.#receiver?.onResponseEnd();
  }

  /** Has a byte of the response arrived? */
  get #hasBegun(): boolean {
    return this.#interim > 0 || this.#parser?.started === true || this.#parser?.complete === true;
  }

  #onGone(detail: string): void {
    if (this.#receiver === null) return;
    const failure = this.#hasBegun ? FAILURES.reset_in_response : FAILURES.reset_before_response;
    this.#fail(failure, detail);
  }

  // Called by the socket.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#receiver === null) {
      if (this.#state === 'idle' || this.#isUndecided) this.#owner.noteUnsolicited();
      this.#shut();
      return;
    }
    this.#readAt = -1;
    this.readBytes = length;
    this.#readResponse(buffer, length);
  }

  onEnd(): void {
    const receiver = this.#receiver;
    if (receiver === null) {
      if (this.#state === 'idle') this.#lifetime.noteIdleClose();
      this.#shut();
    } else if (this.#state === 'tunnel') {
      receiver.onTunnelEnd();
    } else if (this.#state === 'answering' && this.#parser?.body.endsWithConnection === true) {
      // RFC 9112, 9.8
      if (this.channel.truncated) this.#onGone('closed without close_notify');
      else this.channel.confirmEnd(this);
    } else {
      this.#onGone('closed');
    }
  }

  /** Only a confirmed end, not a reset, completes a body that ends with the connection. */
  onEndConfirmed(): void {
    if (this.#receiver === null || this.#parser?.body.endWithConnection() !== true) return;
    this.#readAt = -1;
    this.#finish(false);
  }

  onBlocked(): void {
    this.#receiver?.onServerBlocked();
  }

  onDrain(): void {
    this.#receiver?.onServerDrain();
  }

  onClose(error: NodeJS.ErrnoException | null): void {
    if (this.#state === 'idle') this.#lifetime.noteIdleClose();
    this.#move('closed');
    this.#deadline.release();
    this.#owner.onClosed(this);
    if (error instanceof TlsError) this.#onTlsFailed(error);
    else this.#onGone(error?.code ?? 'closed');
  }

  /** A server refuses our certificate after the first request was written, of which it has read nothing. */
  #onTlsFailed({ inHandshake, message }: TlsError): void {
    if (inHandshake && this.#lifetime.requests <= 1 && !this.#hasBegun)
      this.#fail(FAILURES.tls_failed, message);
    else this.#onGone(message);
  }

  /** The connection was idle for its time, or the server reads nothing of what was written to a tunnel. */
  onDeadline(): void {
    if (this.#state === 'ending' && this.#tunnelEnd?.goesOn() === true) return;
    if (this.#state === 'idle' || this.#state === 'ending') this.#shut();
  }
}

/** ms in which a server must close its side after it has read everything. */
const CLOSE_MS = 5000;

/** Closes a tunnel: sends the remaining bytes and a FIN; the socket stays open while the server keeps reading. */
class TunnelEnd {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #patience: number;
  /** Unsent bytes when the server was last checked. */
  #unsent = 0;

  /** `patience`: ms in which the server must read something while bytes are unsent; 0 is the minimum. */
  constructor(channel: Channel, deadline: Deadline, patience: number) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#patience = patience;
    channel.end();
    this.#wait();
  }

  /** The deadline has passed: true if the server has read something since, and gets more time. */
  goesOn(): boolean {
    if (this.#channel.backlog >= this.#unsent) return false;
    this.#wait();
    return true;
  }

  #wait(): void {
    this.#unsent = this.#channel.backlog;
    this.#deadline.arm(this.#unsent > 0 && this.#patience > 0 ? this.#patience : CLOSE_MS);
  }
}

/** Ages vary by this share in both directions, so that connections that were opened together do not end together. */
const AGE_JITTER = 0.1;
/** For a server whose idle timeout is unknown. */
const MOST_KEPT_MS = 600_000;

/** The properties of a connection's owner that determine its lifetime. */
type LifetimeTerms = Pick<ConnectionOwner, 'limits' | 'idleLimit'>;

/** How often and how long a connection may be used, and how long it is kept idle. */
export class Lifetime {
  readonly #terms: LifetimeTerms;
  readonly #wheel: TimerWheel;
  readonly #bornAt: number;
  /** The share of `max_age`, which a reload may change. */
  readonly #share = spread(1, AGE_JITTER);
  /** In the wheel's time. */
  #endsAt = 0;
  #isOver = false;
  /** Requests that the connection has carried so far. */
  requests = 0;
  #idleSince = 0;
  /** Has the first response been searched for Keep-Alive? */
  fieldRead = false;

  constructor(terms: LifetimeTerms, wheel: TimerWheel) {
    this.#terms = terms;
    this.#wheel = wheel;
    this.#bornAt = wheel.now;
    this.followLimits();
  }

  /** `max_age` has changed. */
  followLimits(): void {
    if (this.#isOver) return;
    const { maxAge } = this.#terms.limits;
    this.#endsAt = maxAge > 0 ? this.#bornAt + maxAge * this.#share : Number.POSITIVE_INFINITY;
  }

  /** May the connection carry this many more requests? */
  hasRoomFor(requests: number): boolean {
    const { maxRequests } = this.#terms.limits;
    if (maxRequests > 0 && this.requests + requests > maxRequests) return false;
    return this.#wheel.now < this.#endsAt;
  }

  /** The connection carries no further requests. */
  end(): void {
    this.#isOver = true;
    this.#endsAt = 0;
  }

  /** The Keep-Alive of the first response counts for all; only before `fieldRead`. */
  noteKeepAlive(head: ResponseHead): void {
    this.fieldRead = true;
    this.#terms.idleLimit.noteField(head.valueOf(FIELD.keepAlive));
  }

  /**
   * The connection is idle from now on; returns the ms that it is kept. `kept`: for one client, as long as the server
   * keeps it.
   */
  rest(kept: boolean): number {
    const { now } = this.#wheel;
    const { idleLimit } = this.#terms;
    this.#idleSince = now;
    const isPinned = kept && this.#terms.limits.sendProxy === null;
    const limit = isPinned ? Math.min(idleLimit.ofServer(now), MOST_KEPT_MS) : idleLimit.at(now);
    return Math.max(1, Math.min(limit, this.#endsAt - now));
  }

  /** The server closed the idle connection, which shows the server's idle timeout. */
  noteIdleClose(): void {
    const { now } = this.#wheel;
    if (this.requests > 0) this.#terms.idleLimit.noteClose(now - this.#idleSince, now);
  }
}
