import type { ObjectPool } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import type { RequestHandler } from '../http/flow.js';
import type { Runnable, RunQueue } from '../net/loop-tick.js';
import type { ConnectionControl, RequestDeps, RequestOwner } from './contracts.js';
import type { ClientRequest } from './request.js';

/** Pipelined bytes kept while a request is being answered, or waits for its turn; beyond it the client has to wait. */
const MAX_STASH = 64 * 1024;
/** Own answers to pipelined requests gathered into one write. */
const MAX_GATHERED = 16 * 1024;
/** A FIN this soon after a request half-closes; one that comes later, while waiting, is a client that left. */
const HALF_CLOSE_MS = 100;

/** Why nothing is read for now. The server takes no more of the body; the stash is full; the client takes no answers. */
const FOR_SERVER = 1;
const FOR_STASH = 2;
const FOR_CLIENT = 4;

/** What reading requests needs, the same for all connections of a balancer. */
export interface InputDeps extends RequestDeps {
  /** What a connection holds from the first byte of a request until it is dealt with. */
  readonly requests: ObjectPool<ClientRequest>;
  readonly runQueue: RunQueue;
}

/**
 * The reading half of a client's connection: requests one after the other, each when the one before is answered. What
 * comes too early is kept, and the client paused before that is too much.
 */
export class ClientInput implements RequestOwner, Runnable {
  readonly #connection: ConnectionControl;
  readonly #deps: InputDeps;
  /** From its first byte until it is answered and the rest of its body dropped. */
  #request: ClientRequest | null = null;
  /** What came after the current request, or of the next one before it may begin. */
  #stash: Buffer | null = null;
  /** Does it wait for that turn? */
  #isInLine = false;
  #pauses = 0;
  #consuming = false;
  /** When the last byte came, to the point. */
  #lastByteAt = 0;
  /** Since when it has had no request, in the wheel's time; of no meaning while it has one. */
  idleSince: number;

  constructor(connection: ConnectionControl, deps: InputDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.idleSince = deps.wheel.now;
  }

  /** Between two requests, with nothing of the next? */
  get isIdle(): boolean {
    return this.#request === null && this.#stash === null && this.#connection.state === 'open';
  }

  /** The handler of the current request; null while there is none. */
  get #handler(): RequestHandler | null {
    return this.#request === null ? null : this.#request.handler;
  }

  // Bytes.

  onBytes(buffer: Buffer, length: number): void {
    const { wheel, runQueue } = this.#deps;
    this.#lastByteAt = wheel.clock.now();
    const request = this.#request;
    const phase = request === null ? 'head' : request.phase;
    if (phase === 'tunnel') this.#handler?.onClientTunnelBytes(buffer, 0, length);
    else if (phase === 'held' || this.#stash !== null) this.#keepForLater(buffer, 0, length);
    else if (request !== null) this.#consumeRead(buffer, length, false);
    else if (runQueue.admit()) this.#consumeRead(buffer, length, true);
    else this.#waitForTurn(buffer, length);
  }

  #consumeRead(buffer: Buffer, length: number, admitted: boolean): void {
    const position = this.#consume(buffer, 0, length, admitted, this.#lastByteAt);
    if (position < length && this.#connection.state === 'open') this.#keepForLater(buffer, position, length);
    if (this.#request === null) this.#goOn('waits');
  }

  #waitForTurn(buffer: Buffer, length: number): void {
    this.#keepForLater(buffer, 0, length);
    this.#getInLine();
  }

  #getInLine(): void {
    if (this.#isInLine) return;
    this.#isInLine = true;
    this.#deps.runQueue.push(this);
  }

  /** The turn of what was kept has come. */
  run(): void {
    this.#isInLine = false;
    this.#goOn('has');
  }

  /**
   * Deals with bytes that were read, or whose request may begin, at `now`. `admitted`: a request may begin. Returns the
   * position after the last byte that was dealt with.
   */
  #consume(buffer: Buffer, start: number, end: number, admitted: boolean, now: number): number {
    let position = start;
    let begunAt = -1;
    const connection = this.#connection;
    this.#consuming = true;
    while (position < end && connection.state === 'open') {
      const request = this.#request;
      if (request !== null) {
        if (!request.isReading) break;
        position = request.read(buffer, position, end, now);
        continue;
      }
      if (!this.#mayReadOn()) break;
      const isFirst = begunAt === -1;
      if (!(isFirst && admitted) && !this.#mayBegin(isFirst, position - begunAt)) break;
      begunAt = position;
      position = this.#begin(buffer, position, end, now);
    }
    this.#consuming = false;
    return position;
  }

  /** Also where a request was answered at once: a read may hold thousands of them. */
  #mayBegin(isFirst: boolean, bytesBefore: number): boolean {
    const { runQueue } = this.#deps;
    return isFirst ? runQueue.admit() : runQueue.admitNext(bytesBefore);
  }

  /** False while the client takes nothing of the answers it was sent: it gets no more of them. */
  #mayReadOn(): boolean {
    const { channel } = this.#connection;
    return channel.heldBytes < MAX_GATHERED || channel.flush();
  }

  /** The first bytes of a request, most often all of it. */
  #begin(buffer: Buffer, start: number, end: number, now: number): number {
    const connection = this.#connection;
    const { requests, timeouts } = this.#deps;
    const request = requests.take();
    this.#request = request;
    connection.beginRequest();
    request.begin(this, connection);
    const position = request.read(buffer, start, end, now);
    if (this.#request !== null && request.phase === 'head')
      connection.deadline.armFrom(now, timeouts.requestHeader);
    return position;
  }

  #putRequestBack(): void {
    const request = this.#request;
    if (request === null) return;
    this.#request = null;
    request.clear();
    this.#deps.requests.put(request);
  }

  #keepForLater(buffer: Buffer, start: number, end: number): void {
    const before = this.#stash === null ? 0 : this.#stash.length;
    const stash = Buffer.allocUnsafe(before + end - start);
    if (this.#stash !== null) this.#stash.copy(stash, 0);
    buffer.copy(stash, before, start, end);
    this.#stash = stash;
    // After a read as long as that libuv would read again at once, up to 32 times.
    if (this.#stash.length >= MAX_STASH || end >= MAX_STASH) this.#pause(FOR_STASH);
  }

  // From one request to the next.

  /** The current one is over and done with. */
  nextRequest(): void {
    const { wheel, timeouts } = this.#deps;
    this.#putRequestBack();
    const { now } = wheel;
    this.idleSince = now;
    // Roughly: no client is judged by this deadline.
    this.#connection.deadline.armFrom(now, timeouts.keepAlive);
    if (!this.#consuming) this.#goOn('asks');
  }

  /**
   * Takes up what came in the meantime, as soon as the client has taken what it was sent. `turn`: does the connection have
   * it, may it ask for it, or is it to wait for it, as it just had one?
   */
  #goOn(turn: 'has' | 'asks' | 'waits'): void {
    const connection = this.#connection;
    if (this.#request !== null || connection.state !== 'open') return;
    if (connection.channel.backlog > 0) {
      this.#waitForClient();
      return;
    }
    if ((this.#pauses & FOR_CLIENT) !== 0) {
      connection.deadline.armRoughly(this.#deps.timeouts.keepAlive);
      this.#resume(FOR_CLIENT);
    }
    if (this.#stash !== null) {
      const asks = turn === 'asks' && !this.#isInLine;
      if (turn === 'has' || (asks && this.#deps.runQueue.admit())) this.#consumeStash(this.#stash);
      else this.#getInLine();
    } else if (connection.peerEnded || connection.isDraining) {
      connection.closePolitely();
    }
  }

  #consumeStash(stash: Buffer): void {
    this.#stash = null;
    const now = this.#deps.wheel.clock.now();
    const position = this.#consume(stash, 0, stash.length, true, now);
    if (position < stash.length && this.#connection.state === 'open') this.#stash = stash.subarray(position);
    else this.#resume(FOR_STASH);
    this.#goOn('waits');
    const phase = this.#request?.phase;
    if (!this.#connection.peerEnded || this.#connection.state !== 'open') return;
    // A request that has only begun will never be whole.
    if (phase === 'body') this.#connection.abandon();
    else if (phase === 'head') this.#connection.closePolitely();
  }

  /** It takes no answers: it gets no more of them until it has, and its time for that runs. */
  #waitForClient(): void {
    this.#pause(FOR_CLIENT);
    this.#connection.reader.wait();
  }

  #pause(why: number): void {
    this.#pauses |= why;
    this.#connection.channel.pause();
  }

  #resume(why: number): void {
    if ((this.#pauses & why) === 0) return;
    this.#pauses &= ~why;
    if (this.#pauses === 0) this.#connection.channel.resume();
  }

  // From the current request.

  get hasMore(): boolean {
    return this.#stash !== null || this.#consuming;
  }

  pauseForServer(): void {
    this.#pause(FOR_SERVER);
  }

  resumeForServer(): void {
    this.#resume(FOR_SERVER);
  }

  openTunnel(): void {
    const stash = this.#stash;
    this.#stash = null;
    this.#resume(FOR_STASH);
    if (stash !== null) this.#handler?.onClientTunnelBytes(stash, 0, stash.length);
    if (this.#connection.peerEnded) this.#handler?.onClientTunnelEnd();
  }

  answered(stays: boolean): void {
    const request = this.#request as ClientRequest;
    if (this.#connection.state !== 'open') {
      this.#putRequestBack();
      return;
    }
    if (this.#pauses !== 0) this.#resume(FOR_SERVER);
    if (!stays && this.#clientIsDone(request)) this.#connection.closeAtOnce();
    else if (!stays) this.#connection.closePolitely();
    else if (request.requestComplete) this.nextRequest();
    else request.drain();
  }

  /**
   * Has the client said that this was its last request, and was it? Then it sends nothing more (RFC 9112, 9.6), no late
   * input can turn the close into a reset, and lingering would cost three system calls for nothing.
   */
  #clientIsDone(request: ClientRequest): boolean {
    return request.isLast && !this.hasMore;
  }

  // From the connection.

  onEnd(): void {
    if (this.#connection.state !== 'open') return;
    switch (this.#request?.phase) {
      case 'tunnel':
        this.#handler?.onClientTunnelEnd();
        break;
      case 'body':
        this.#connection.abandon();
        break;
      case 'held':
        if (this.#deps.wheel.clock.now() - this.#lastByteAt > HALF_CLOSE_MS) this.#connection.abandon();
        break;
      default:
        if (this.#stash === null) this.#connection.closePolitely();
    }
  }

  onBlocked(): void {
    const handler = this.#handler;
    if (handler !== null) handler.onClientBlocked();
    else if (this.#request === null && this.#connection.state === 'open') this.#waitForClient();
  }

  onDrain(): void {
    const handler = this.#handler;
    if (handler !== null) handler.onClientDrain();
    else this.#goOn('asks');
  }

  onDeadline(): void {
    if (this.#connection.state !== 'open') return;
    if (this.#request !== null) this.#request.deadlinePassed();
    else if ((this.#pauses & FOR_CLIENT) !== 0) this.#connection.reader.judge();
    // What waits for its turn is a request: the client has not been silent.
    else if (this.#stash === null) this.#connection.closePolitely();
  }

  /** The current request, if there is one, is not to be answered by a server any more. */
  fail(failure: Failure, detail: string): void {
    this.#request?.fail(failure, detail);
  }

  /** The last answer is given: what comes now is dropped, and nothing keeps it from coming. */
  stop(): void {
    this.#stash = null;
    this.#putRequestBack();
    if (this.#pauses === 0) return;
    this.#pauses = 0;
    this.#connection.channel.resume();
  }

  /** The client is gone. */
  abandon(): void {
    this.#stash = null;
    this.#handler?.onClientGone();
    // Else it is put back when it is settled.
    if (this.#handler === null) this.#putRequestBack();
  }
}
