import type { ObjectPool } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import type { RequestHandler } from '../http/flow.js';
import type { Runnable, RunQueue } from '../net/loop-tick.js';
import type { ConnectionControl, RequestDeps, RequestOwner } from './contracts.js';
import type { ClientRequest } from './request.js';

/** The most pipelined bytes kept while a request is answered, or waits in the run queue; beyond it reading stops. */
const MAX_STASH = 64 * 1024;
/** The most bytes of local replies to pipelined requests gathered into one write. */
const MAX_GATHERED = 16 * 1024;
/**
 * A FIN this soon after a request half-closes; one that surely came later, while the client waits, means that it left. What
 * counts is when it can have arrived at the earliest (`TimerWheel.readUntil`), not when a late event loop reads it.
 */
const HALF_CLOSE_MS = 100;

/** Why reading is paused: the server reads no more of the body; the stash is full; the client reads no answers. */
const FOR_SERVER = 1;
const FOR_STASH = 2;
const FOR_CLIENT = 4;

/** What reading requests needs, the same for all connections of a balancer. */
export interface InputDeps extends RequestDeps {
  /** Objects for requests; a connection has one from the first byte of a request until the request is over. */
  readonly requests: ObjectPool<ClientRequest>;
  readonly runQueue: RunQueue;
}

/**
 * The reading half of a client's connection: reads requests one after another, each when the previous one is answered.
 * Bytes that arrive too early are kept, and reading stops before there are too many.
 */
export class ClientInput implements RequestOwner, Runnable {
  readonly #connection: ConnectionControl;
  readonly #deps: InputDeps;
  /** The current request, from its first byte until it is answered and the rest of its body dropped. */
  #request: ClientRequest | null = null;
  /** Bytes after the current request, or of the next one before it may begin. */
  #stash: Buffer | null = null;
  /** Does the connection wait in the run queue? */
  #isInLine = false;
  #pauses = 0;
  #consuming = false;
  /** When bytes were last read, or reading went on after a pause, by the exact clock. */
  #lastReadAt = 0;
  /** Since when there has been no request, in the wheel's time; meaningless while there is one. */
  idleSince: number;

  constructor(connection: ConnectionControl, deps: InputDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.idleSince = deps.wheel.now;
  }

  /** Is the connection between two requests, with no byte of the next one? */
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
    this.#lastReadAt = wheel.clock.now();
    const request = this.#request;
    const phase = request === null ? 'head' : request.phase;
    if (phase === 'tunnel') this.#handler?.onClientTunnelBytes(buffer, 0, length);
    else if (phase === 'held' || this.#stash !== null) this.#keepForLater(buffer, 0, length);
    else if (request !== null) this.#consumeRead(buffer, length, false);
    else if (runQueue.admit()) this.#consumeRead(buffer, length, true);
    else this.#waitForTurn(buffer, length);
  }

  #consumeRead(buffer: Buffer, length: number, admitted: boolean): void {
    const position = this.#consume(buffer, 0, length, admitted, this.#lastReadAt);
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

  /** Called by the run queue: the kept bytes may be processed. */
  run(): void {
    this.#isInLine = false;
    this.#goOn('has');
  }

  /**
   * Processes bytes that were read, or whose request may begin, at `now`. `admitted`: a request may begin. Returns the
   * position after the last byte processed.
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

  /** Also needed after local replies: a read may hold thousands of requests. */
  #mayBegin(isFirst: boolean, bytesBefore: number): boolean {
    const { runQueue } = this.#deps;
    return isFirst ? runQueue.admit() : runQueue.admitNext(bytesBefore);
  }

  /** False while the client reads nothing of the answers it was sent: it gets no more of them. */
  #mayReadOn(): boolean {
    const { channel } = this.#connection;
    return channel.heldBytes < MAX_GATHERED || channel.flush();
  }

  /** The first bytes of a request, usually all of it. */
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
    // Also after a long read: libuv would read as much again at once, up to 32 times.
    if (this.#stash.length >= MAX_STASH || end >= MAX_STASH) this.#pause(FOR_STASH);
  }

  // From one request to the next.

  /** The current request is over. */
  nextRequest(): void {
    const { wheel, timeouts } = this.#deps;
    this.#putRequestBack();
    const { now } = wheel;
    this.idleSince = now;
    // The wheel's time is exact enough for an idle connection.
    this.#connection.deadline.armFrom(now, timeouts.keepAlive);
    if (!this.#consuming) this.#goOn('asks');
  }

  /**
   * Processes kept bytes, once the client has read what it was sent. `turn`: in the run queue, the connection is
   * admitted, may ask, or must wait because it was just admitted.
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
    // A request that has only begun will never be complete.
    if (phase === 'body') this.#connection.abandon();
    else if (phase === 'head') this.#connection.closePolitely();
  }

  /** The client reads no answers: it gets no more until it does, and its time to read runs. */
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
    if (this.#pauses > 0) return;
    // What has arrived during the pause is read only now, the FIN too.
    this.#lastReadAt = this.#deps.wheel.clock.now();
    this.#connection.channel.resume();
  }

  // Called by the current request.

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
   * Has the client said that this was its last request, and is there none after it? Then it sends nothing more (RFC 9112,
   * 9.6), no late input can turn the close into a reset, and a lingering close would waste three system calls.
   */
  #clientIsDone(request: ClientRequest): boolean {
    return request.isLast && !this.hasMore;
  }

  // Called by the connection.

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
        if (this.#deps.wheel.readUntil - this.#lastReadAt > HALF_CLOSE_MS) this.#connection.abandon();
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
    // Bytes that wait in the run queue are a request: the client has not been silent.
    else if (this.#stash === null) this.#connection.closePolitely();
  }

  /** The current request, if there is one, will not be answered by a server. */
  fail(failure: Failure, detail: string): void {
    this.#request?.fail(failure, detail);
  }

  /** The last answer was given: further input is dropped, and reading is not paused. */
  stop(): void {
    this.#stash = null;
    this.#putRequestBack();
    if (this.#pauses === 0) return;
    this.#pauses = 0;
    this.#connection.channel.resume();
  }

  /** The client has left. */
  abandon(): void {
    this.#stash = null;
    this.#handler?.onClientGone();
    // Otherwise the request is returned to the pool when it is settled.
    if (this.#handler === null) this.#putRequestBack();
  }
}
