import { GrowingBuffer } from '../base/bytes.js';
import { FAILURES, type Failure } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { ClientSide } from '../http/flow.js';
import type { Lease } from '../servers/contracts.js';

/**
 * off: no connection. asking: the request is being sent, and no final response head has come. answering: the response
 * goes to the client. finishing: the response is complete, and the server gets what the client still sends of the
 * request. tunnel: after a 101, any bytes both ways. clientEnded, serverEnded: a tunnel with one side half-closed.
 */
export type RelayState =
  | 'off'
  | 'asking'
  | 'answering'
  | 'finishing'
  | 'tunnel'
  | 'clientEnded'
  | 'serverEnded';

export const RELAY_MOVES: Moves<RelayState> = {
  off: ['asking'],
  asking: ['answering', 'tunnel', 'off'],
  answering: ['finishing', 'off'],
  finishing: ['off'],
  tunnel: ['clientEnded', 'serverEnded', 'off'],
  clientEnded: ['off'],
  serverEnded: ['off'],
};

/** After its answer, a server has this long, in ms, to read more of the rest of the request. */
export const REST_MS = 5000;

/** A server that had to wait this long, in ms, may give up on its client. */
const LONG_HOLD_MS = 1000;

/** Which side sent its FIN first; silent: neither, `timeouts.tunnel` has passed. */
export type TunnelEnding = 'closed by the client' | 'closed by the server' | 'silent';

/**
 * Moves the bytes between a client and the connection to its server, both ways: each side pauses the other, and the side
 * that has to act next has a deadline.
 */
export class Relay {
  readonly #deadline: Deadline;
  readonly #replay: Replay;
  readonly #wheel: TimerWheel;
  #client: ClientSide | null = null;
  #connection: Lease | null = null;
  #timeouts: TimeoutsConfig;
  #state: RelayState = 'off';
  /** The server said 100: a client that waited for it may send its body. */
  #continued = false;
  /** The server reads no more for now; the client is paused. */
  #serverBlocked = false;
  /** The client reads no more for now; the server is paused. */
  #clientBlocked = false;
  /** Since when the client is blocked, and for how many ms it was before, in the wheel's time. */
  #blockedSince = 0;
  #heldBackMs = 0;
  /** Since when the server, which has the whole request, has had to answer. */
  #waitBeganAt = 0;
  /**
   * Which side sent its FIN first. For the client a killed server and an orderly close look the same: only the log tells
   * them apart.
   */
  #tunnelEnding: TunnelEnding = 'silent';

  constructor(deadline: Deadline, replay: Replay, timeouts: TimeoutsConfig) {
    this.#deadline = deadline;
    this.#wheel = deadline.wheel;
    this.#replay = replay;
    this.#timeouts = timeouts;
  }

  /** Prepares for another request. */
  open(client: ClientSide, timeouts: TimeoutsConfig): void {
    this.#client = client;
    this.#timeouts = timeouts;
    this.#continued = false;
    this.#clientBlocked = false;
    this.#serverBlocked = false;
    this.#heldBackMs = 0;
  }

  /** The request is over: releases everything of it. */
  close(): void {
    this.#client = null;
  }

  #move(to: RelayState): void {
    if (assertsMoves) checkMove(RELAY_MOVES, this.#state, to);
    this.#state = to;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  get isAnswering(): boolean {
    return this.#state === 'answering';
  }

  get isFinishing(): boolean {
    return this.#state === 'finishing';
  }

  get isTunnel(): boolean {
    return this.#state === 'tunnel' || this.#state === 'clientEnded' || this.#state === 'serverEnded';
  }

  /** Does the server have the whole request, so that its answer is waited for? */
  get waitsForServer(): boolean {
    return this.#state === 'asking' && !this.#clientBlocked && this.#client?.requestComplete === true;
  }

  /** For how many ms the server has had to answer, if the relay `waitsForServer`. */
  get waitedMs(): number {
    return this.#wheel.clock.now() - this.#waitBeganAt;
  }

  /** Does the server read no more of the request for now? */
  get serverBlocked(): boolean {
    return this.#serverBlocked;
  }

  /** Has the client made the server wait for long, by reading little of the answer? */
  get clientHeldBack(): boolean {
    const now = this.#clientBlocked ? this.#wheel.now - this.#blockedSince : 0;
    return this.#heldBackMs + now >= LONG_HOLD_MS;
  }

  /** Has the server half-closed its side of a tunnel? */
  get serverHasEnded(): boolean {
    return this.#state === 'serverEnded';
  }

  /** When the bytes that are being processed were read from the server. */
  get readAt(): number {
    return this.#connection === null ? this.#wheel.clock.now() : this.#connection.readAt;
  }

  /** Does the server keep its connection open after the current answer? */
  get serverKeeps(): boolean {
    return this.#connection?.serverKeeps === true;
  }

  /** Content bytes of the current answer so far. */
  get contentBytes(): number {
    return this.#connection?.contentBytes ?? 0;
  }

  /** How the last tunnel ended. */
  get tunnelEnding(): TunnelEnding {
    return this.#tunnelEnding;
  }

  /** Sends `head`, and then the part of the request body that has been received, at `now`. */
  connect(connection: Lease, head: string, now: number): void {
    const client = this.#client as ClientSide;
    const { channel } = connection;
    this.#connection = connection;
    this.#move('asking');
    // The client was paused by the previous server, or because the kept part of its body reached the limit.
    const isHeldBack = this.#serverBlocked || !this.#replay.isEmpty;
    this.#serverBlocked = false;
    channel.writeText(head);
    if (!isHeldBack || this.#replay.isEmpty || this.#sendKept(connection)) {
      this.#awaitServer(client, now);
      if (isHeldBack) client.resumeRequest();
    } else {
      this.pauseClient();
    }
  }

  #sendKept({ channel }: Lease): boolean {
    const { bytes } = this.#replay;
    this.#replay.sent();
    return channel.write(bytes, 0, bytes.length);
  }

  /** Detaches the connection; its next user may resume reading it. */
  disconnect(): Lease | null {
    const connection = this.#connection;
    this.#connection = null;
    this.#move('off');
    // The connection may have been paused for the very last piece.
    if (this.#clientBlocked) connection?.channel.resume();
    return connection;
  }

  // To the server.

  /** Sends request body; only while `isConnected`. */
  send(buffer: Buffer, start: number, end: number): void {
    const { head } = this.#client as ClientSide;
    this.#replay.keepSent(buffer, start, end);
    // The client sent its body without waiting for the 100.
    if (head.expectsContinue && !this.#continued && this.#state === 'asking') this.#deadline.disarm();
    if (!(this.#connection as Lease).channel.write(buffer, start, end)) this.pauseClient();
  }

  /** The last byte of the request was passed to the connection, at `now`. */
  requestEnded(now: number): void {
    this.#waitBeganAt = now;
    if (this.#state === 'asking' && !this.#serverBlocked)
      this.#deadline.armFrom(now, this.#timeouts.responseHeader);
  }

  /** The server said 100. */
  mayContinue(): void {
    this.#continued = true;
    if (!this.#serverBlocked) this.#deadline.disarm();
  }

  /** The server has read what it was sent. */
  serverDrained(): void {
    if (!this.#serverBlocked) return;
    this.#serverBlocked = false;
    const client = this.#client as ClientSide;
    if (this.#state === 'asking') this.#awaitServer(client, this.#wheel.clock.now());
    else if (this.#state === 'finishing') this.#deadline.disarm();
    client.resumeRequest();
  }

  /**
   * Starts the deadline for the server's answer if the server must act next; a client that owes a body has its own
   * deadline.
   */
  #awaitServer(client: ClientSide, now: number): void {
    if (!client.requestComplete && !this.#waitsForContinue(client)) {
      this.#deadline.disarm();
      return;
    }
    this.#waitBeganAt = now;
    this.#deadline.armFrom(now, this.#timeouts.responseHeader);
  }

  #waitsForContinue({ head, requestBytes }: ClientSide): boolean {
    return head.expectsContinue && !this.#continued && requestBytes === 0;
  }

  /** The server reads more slowly than the client writes: it must read something within `responseHeader`. */
  pauseClient(): void {
    this.#serverBlocked = true;
    this.#client?.pauseRequest();
    if (this.#state === 'asking') this.#deadline.arm(this.#timeouts.responseHeader);
    else if (this.#state === 'finishing') this.#deadline.arm(REST_MS);
  }

  // To the client.

  /** The final response head was received, at `now`. */
  beginAnswer(now: number): void {
    this.#move('answering');
    this.#deadline.armFrom(now, this.#timeouts.responseBody);
  }

  answer(buffer: Buffer, start: number, end: number): void {
    // Nothing is waited for after the last piece.
    const connection = this.#connection as Lease;
    if (!connection.bodyComplete) this.#deadline.armFrom(connection.readAt, this.#timeouts.responseBody);
    if (!(this.#client as ClientSide).sendBody(buffer, start, end)) this.pauseServer();
  }

  /** The answer is complete, the request is not: the rest of the request still goes to the server. */
  finish(): void {
    this.#move('finishing');
    if (this.#serverBlocked) this.#deadline.arm(REST_MS);
    else this.#deadline.disarm();
  }

  /** The client has read what it was sent. */
  clientDrained(): void {
    if (!this.#clientBlocked) return;
    this.#clientBlocked = false;
    this.#heldBackMs += this.#wheel.now - this.#blockedSince;
    this.#connection?.channel.resume();
    if (this.#state === 'answering') this.#deadline.arm(this.#timeouts.responseBody);
    // The server may have answered meanwhile, and was not read.
    else if (this.#state === 'asking' && this.#deadline.armed)
      this.#deadline.arm(this.#timeouts.responseHeader);
  }

  /** The client reads more slowly than the server writes. */
  pauseServer(): void {
    if (!this.#clientBlocked) this.#blockedSince = this.#wheel.now;
    this.#clientBlocked = true;
    this.#connection?.channel.pause();
  }

  // A tunnel.

  beginTunnel(): void {
    this.#move('tunnel');
    this.#tunnelEnding = 'silent';
    this.#deadline.arm(this.#timeouts.tunnel);
    this.#connection?.channel.probePeer();
  }

  tunnelToServer(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#timeouts.tunnel);
    if (this.#connection?.channel.write(buffer, start, end) === false) this.pauseClient();
  }

  tunnelToClient(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#timeouts.tunnel);
    if (this.#client?.sendTunnel(buffer, start, end) === false) this.pauseServer();
  }

  /** The client half-closed its side. True: the server did before, so the tunnel is over. */
  endFromClient(): boolean {
    if (this.#state === 'serverEnded') return true;
    this.#move('clientEnded');
    this.#tunnelEnding = 'closed by the client';
    this.#connection?.channel.end();
    return false;
  }

  /** The server half-closed its side. True: the client did before, so the tunnel is over. */
  endFromServer(): boolean {
    if (this.#state === 'clientEnded') return true;
    this.#move('serverEnded');
    this.#tunnelEnding = 'closed by the server';
    this.#client?.endTunnel();
    return false;
  }

  // Deadlines.

  /** The deadline has passed: returns the failure. Null: there is more time, or a tunnel was silent for long enough. */
  overdue(): Failure | null {
    switch (this.#state) {
      case 'asking':
        return this.#overdueOf(FAILURES.response_timeout, this.#timeouts.responseHeader);
      case 'answering':
        return this.#overdueOf(FAILURES.response_stalled, this.#timeouts.responseBody);
      case 'finishing':
      case 'tunnel':
      case 'clientEnded':
      case 'serverEnded':
      case 'off':
        return null;
    }
  }

  /** While the client reads nothing, even of the previous answer, the server is not read: it is not at fault. */
  #overdueOf(failure: Failure, timeout: number): Failure | null {
    if (!this.#clientBlocked) return failure;
    if (!this.#client?.takesAnswers()) return FAILURES.client_stalled;
    this.#deadline.arm(timeout);
    return null;
  }
}

/** Bytes kept for all current requests. */
let heldBytes = 0;

/** Memory taken by request bodies that wait for a server, or may have to be sent again. */
export function replayBytes(): number {
  return heldBytes;
}

/**
 * The part of a request body that may have to be sent again: everything that no server was sent yet, and, while a retry
 * is still possible, what a server was sent. It takes at most `limit` bytes, however small the pieces, plus the bytes of
 * one read.
 */
export class Replay {
  #limit = 0;
  readonly #kept = new GrowingBuffer();
  #repeatable = false;
  /** Does it still hold the body from its first byte? */
  whole = true;

  /**
   * Prepares for another request. Bytes that were sent are kept only if the request is `repeatable`, and the body is at
   * most `limit` bytes long: a longer body is streamed, and can't be sent twice.
   */
  begin(limit: number, repeatable: boolean): void {
    this.#limit = limit;
    this.#repeatable = repeatable;
  }

  /** Have as many bytes as allowed been kept for a connection? The caller then stops reading. */
  get isFull(): boolean {
    return this.#kept.length >= this.#limit;
  }

  /** Copies bytes that wait for a connection; the caller pauses the client when it `isFull`, so there are few. */
  keep(buffer: Buffer, start: number, end: number): void {
    const before = this.#kept.capacity;
    this.#kept.append(buffer, start, end, this.#limit);
    heldBytes += this.#kept.capacity - before;
  }

  /** Copies bytes that are being sent, as long as these and all before them fit. */
  keepSent(buffer: Buffer, start: number, end: number): void {
    if (!this.whole) return;
    if (this.#repeatable && this.#kept.length + end - start <= this.#limit) {
      this.keep(buffer, start, end);
    } else {
      // Also when the very first piece is too long: later bytes must not be taken for the beginning.
      this.whole = false;
      this.#release();
    }
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** All bytes kept, in order. */
  get bytes(): Buffer {
    return this.#kept.bytes;
  }

  /** The kept bytes have been sent; they may have to be sent again. */
  sent(): void {
    if (this.#repeatable) return;
    this.whole = this.whole && this.#kept.length === 0;
    this.#release();
  }

  /** Releases everything of the request. */
  reset(): void {
    this.whole = true;
    if (this.#kept.length > 0) this.#release();
  }

  #release(): void {
    heldBytes -= this.#kept.capacity;
    this.#kept.clear();
  }
}
