import { FAILURES, type Failure } from '../base/failure.js';
import { Deadline, type DeadlineOwner } from '../base/timer-wheel.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Channel, ChannelOwner, EndListener } from '../net/channel.js';
import type { Lease, ResponseListener } from './lease.js';
import { Lifetime } from './lifetime.js';
import type { Pool } from './pool.js';
import type { ConnectionDeps } from './supplies.js';
import { TunnelEnd } from './tunnel-end.js';

/** More interim responses than this before a final one are an attack or a loop. */
const MAX_INTERIM = 64;

type State = 'idle' | 'busy' | 'closed';

/** One socket to a server, its response parser while a request is on it, and whether it can carry another. */
export class ServerConnection implements Lease, ChannelOwner, DeadlineOwner, EndListener {
  /** An answer that its client takes slowly is still there when a server that has ended takes no more of the request. */
  readonly wantsRest = true;
  readonly pool: Pool;
  readonly channel: Channel;
  /** The IP address, or the path of the socket, that it is connected to. */
  readonly peer: string;
  readonly #deps: ConnectionDeps;
  readonly #deadline: Deadline;
  readonly #lifetime: Lifetime;
  #state: State = 'idle';
  #receiver: ResponseListener | null = null;
  /** From a response's first byte on: a thousand requests in flight share the one that is in the caches. */
  #parser: ResponseParser | null = null;
  /** Is the current request a HEAD? */
  #toHead = false;
  #tunnel = false;
  #interim = 0;
  #failedBytes = 0;
  #tunnelEnd: TunnelEnd | null = null;
  #responseComplete = false;
  /** Bytes behind the response, or a response that forbids it: never to be used again. */
  isSpoilt = false;
  #surplus = false;
  /** What was read last, `readBuffer[0, readBytes)`, while it is being dealt with; else null. */
  readBuffer: Buffer | null = null;
  readBytes = 0;
  pooled = false;
  /** -1: nobody has asked for it since. */
  #readAt = -1;

  constructor(pool: Pool, deps: ConnectionDeps, open: (owner: ChannelOwner) => Channel, peer: string) {
    this.pool = pool;
    this.peer = peer;
    this.#deps = deps;
    this.#deadline = new Deadline(deps.wheel, this);
    this.#lifetime = new Lifetime(pool, deps.wheel);
    this.channel = open(this);
  }

  get contentBytes(): number {
    return this.#parser?.body.contentBytes ?? this.#failedBytes;
  }

  /** Is all of the current response's body there, what is being handed on included? */
  get bodyComplete(): boolean {
    return this.#parser?.body.complete ?? true;
  }

  /** Lends it: from here on `receiver` is told. `toHead`: the request is a HEAD, so its response has no body. */
  assign(receiver: ResponseListener, toHead: boolean): void {
    this.#deadline.disarm();
    this.#state = 'busy';
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

  /** Behind a response: that to another request, sent already, is next. False when the server keeps the connection no longer. */
  expect(toHead: boolean): boolean {
    const parser = this.#parser as ResponseParser;
    if (!parser.head.keepsAlive) return false;
    this.#begin(toHead);
    parser.reset();
    parser.toHead = toHead;
    return true;
  }

  #begin(toHead: boolean): void {
    this.#lifetime.requests++;
    this.#toHead = toHead;
    this.#interim = 0;
    this.#responseComplete = false;
    this.isSpoilt = false;
    this.#surplus = false;
  }

  handTo(receiver: ResponseListener): void {
    this.#receiver = receiver;
  }

  /** Gives it back to its pool if it can carry another request, else closes it. The receiver hears nothing more. */
  release(kept = false): void {
    const whole = this.#responseComplete && !this.isSpoilt && !this.#tunnel;
    // A server that answered without taking the whole request would read its rest in front of the next.
    const reusable = this.#state === 'busy' && whole && this.channel.flushed && this.#lifetime.hasRoomFor(1);
    if (this.#surplus) this.pool.noteUnsolicited();
    if (reusable && !this.#lifetime.fieldRead)
      this.#lifetime.noteKeepAlive((this.#parser as ResponseParser).head);
    this.#detach();
    if (!reusable) {
      this.discard();
      return;
    }
    this.pooled = true;
    this.idle(kept);
    if (kept) this.pool.keep(this);
    else this.pool.takeBack(this);
  }

  /** May it carry so many requests more? */
  hasRoomFor(requests: number): boolean {
    return this.#lifetime.hasRoomFor(requests);
  }

  /** Called by the pool: nobody uses it, and it is kept for a while. */
  idle(kept = false): void {
    this.#state = 'idle';
    const { wheel } = this.#deps;
    // Roughly: nobody is judged by it.
    this.#deadline.armFrom(wheel.now, this.#lifetime.rest(kept));
  }

  /** Called by the pool: its limits are others. */
  followLimits(): void {
    this.#lifetime.followLimits();
  }

  /** Called by the pool: it is closed as soon as nobody uses it. */
  finish(): void {
    if (this.#state === 'idle') this.discard();
    else this.#lifetime.end();
  }

  /** Closes it at once. The receiver hears nothing more. */
  discard(): void {
    this.#detach();
    this.#shut();
  }

  retire(patience: number): void {
    this.#detach();
    this.#state = 'closed';
    this.#tunnelEnd = new TunnelEnd(this.channel, this.#deadline, patience);
  }

  /** The pool must not lend it in the moment between this and the socket's `close`. */
  #shut(): void {
    this.#state = 'closed';
    this.pool.forget(this);
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
      if (this.#tunnel) {
        this.#receiver.onTunnelBytes(buffer, position, length);
        return;
      }
      if (this.#responseComplete) {
        this.#spoil();
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
      if (receiver.onSwitch(head)) this.#tunnel = true;
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
    const form = receiver.onResponseHead(head);
    if (this.#parser !== parser) return;
    // It may be another one since.
    parser.body.begin(head.framing, head.contentLength, form, this.#receiver as ResponseListener);
    if (parser.body.complete) this.#finish(more);
  }

  /** What comes without being asked for would be taken for the next response; in a pipeline it may be that. */
  #spoil(): void {
    this.isSpoilt = true;
    this.#surplus = true;
  }

  /** `surplus`: bytes came behind the response, which can only be an error or an attack (RFC 9112, 6.3). */
  #finish(surplus: boolean): void {
    const parser = this.#parser as ResponseParser;
    this.#responseComplete = true;
    if (surplus) this.#spoil();
    else if (!parser.head.keepsAlive) this.isSpoilt = true;
    this.#receiver?.onResponseEnd();
  }

  #onGone(detail: string): void {
    if (this.#receiver === null) return;
    const begun = this.#interim > 0 || this.#parser?.started === true || this.#parser?.complete === true;
    const failure = begun ? FAILURES.reset_in_response : FAILURES.reset_before_response;
    this.#fail(failure, detail);
  }

  // What the socket says.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#receiver === null) {
      if (this.#state === 'idle') this.pool.noteUnsolicited();
      this.#shut();
      return;
    }
    this.#readAt = -1;
    this.readBuffer = buffer;
    this.readBytes = length;
    this.#readResponse(buffer, length);
    this.readBuffer = null;
  }

  onEnd(): void {
    const receiver = this.#receiver;
    if (receiver === null) {
      if (this.#state === 'idle') this.#lifetime.noteIdleClose();
      this.#shut();
    } else if (this.#tunnel) {
      receiver.onTunnelEnd();
    } else if (
      !this.#responseComplete &&
      this.#parser?.complete === true &&
      this.#parser.body.endsWithConnection
    ) {
      this.channel.confirmEnd(this);
    } else {
      this.#onGone('closed');
    }
  }

  /** Only an end, and no reset, completes a body that nothing else delimits. */
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
    this.#state = 'closed';
    this.#deadline.release();
    this.pool.onClosed(this);
    this.#onGone(error?.code ?? 'closed');
  }

  /** Nobody needed it for a while. */
  onDeadline(): void {
    if (this.#tunnelEnd?.goesOn() === true) return;
    if (this.#state !== 'busy') this.#shut();
  }
}
