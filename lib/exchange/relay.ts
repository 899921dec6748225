import { GrowingBuffer } from '../base/bytes.js';
import { FAILURES, type Failure } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { ClientSide } from '../http/flow.js';
import type { Lease } from '../servers/contracts.js';

/**
 * off: there is no connection. asking: the request is going out, no final response head yet. answering: the response is
 * going to the client. finishing: that is whole, and the server gets what the client still sends of the request. tunnel:
 * after a 101, bytes of any kind both ways; clientEnded, serverEnded: the same, with one side half-closed.
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

/** A server that has answered already has so long, ms, to take some of the rest of the request. */
export const REST_MS = 5000;

/** A server that was made to wait for so long, ms, may well give up on its client. */
const LONG_HOLD_MS = 1000;

/** Whose FIN came first; silent: neither, `timeouts.tunnel` has passed. */
export type TunnelEnding = 'closed by the client' | 'closed by the server' | 'silent';

/**
 * The bytes between a client and the connection to its server, both ways: each side pauses the other, and the side
 * that has to move next has a deadline.
 */
export class Relay {
  readonly #deadline: Deadline;
  readonly #replay: Replay;
  readonly #wheel: TimerWheel;
  #client: ClientSide | null = null;
  #connection: Lease | null = null;
  #timeouts: TimeoutsConfig;
  #state: RelayState = 'off';
  /** The server said 100: the client, if it waited for that, may send its body. */
  #continued = false;
  /** The server takes no more for now; the client is paused. */
  #serverBlocked = false;
  /** The client takes no more for now; the server is paused. */
  #clientBlocked = false;
  /** Since when that is so, and for how many ms it was before, in the wheel's time. */
  #blockedSince = 0;
  #heldBackMs = 0;
  /** When the server's turn began, which has the whole request. */
  #turnBeganAt = 0;
  /**
   * Who did so first. A server that was killed and one that said goodbye look the same here: the log tells whose FIN it
   * was.
   */
  #tunnelEnding: TunnelEnding = 'silent';

  constructor(deadline: Deadline, replay: Replay, timeouts: TimeoutsConfig) {
    this.#deadline = deadline;
    this.#wheel = deadline.wheel;
    this.#replay = replay;
    this.#timeouts = timeouts;
  }

  /** For another request. */
  open(client: ClientSide, timeouts: TimeoutsConfig): void {
    this.#client = client;
    this.#timeouts = timeouts;
    this.#continued = false;
    this.#clientBlocked = false;
    this.#serverBlocked = false;
    this.#heldBackMs = 0;
  }

  /** The request is over: holds nothing of it any more. */
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

  /** Is it the server's turn, which has the whole request? */
  get waitsForServer(): boolean {
    return this.#state === 'asking' && !this.#clientBlocked && this.#client?.requestComplete === true;
  }

  /** ms that it has been the server's turn, if it `waitsForServer`. */
  get turnMs(): number {
    return this.#wheel.clock.now() - this.#turnBeganAt;
  }

  /** Does the server take no more of the request for now? */
  get serverBlocked(): boolean {
    return this.#serverBlocked;
  }

  /** Has the client made the server wait for long, by taking little of what it was sent? */
  get clientHeldBack(): boolean {
    const now = this.#clientBlocked ? this.#wheel.now - this.#blockedSince : 0;
    return this.#heldBackMs + now >= LONG_HOLD_MS;
  }

  /** Has the server half-closed its side of a tunnel? */
  get serverHasEnded(): boolean {
    return this.#state === 'serverEnded';
  }

  /** When what is being dealt with was read from the server. */
  get readAt(): number {
    return this.#connection === null ? this.#wheel.clock.now() : this.#connection.readAt;
  }

  /** Does the server keep its connection after the current answer? */
  get serverKeeps(): boolean {
    return this.#connection?.serverKeeps === true;
  }

  /** Of the current answer, so far. */
  get contentBytes(): number {
    return this.#connection?.contentBytes ?? 0;
  }

  /** How the last tunnel came to its end. */
  get tunnelEnding(): TunnelEnding {
    return this.#tunnelEnding;
  }

  /** Sends `head`, and after it what has come of the request body, at `now`. */
  connect(connection: Lease, head: string, now: number): void {
    const client = this.#client as ClientSide;
    const { channel } = connection;
    this.#connection = connection;
    this.#move('asking');
    // By the server before, or as what was kept for this one became too much.
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

  /** Lets go of the connection, whose reading its next user may resume. */
  disconnect(): Lease | null {
    const connection = this.#connection;
    this.#connection = null;
    this.#move('off');
    // It may have been paused for the very last piece.
    if (this.#clientBlocked) connection?.channel.resume();
    return connection;
  }

  // To the server.

  /** Request body; only while it `isConnected`. */
  send(buffer: Buffer, start: number, end: number): void {
    const { head } = this.#client as ClientSide;
    this.#replay.keepSent(buffer, start, end);
    // A body that came without waiting for the 100.
    if (head.expectsContinue && !this.#continued && this.#state === 'asking') this.#deadline.disarm();
    if (!(this.#connection as Lease).channel.write(buffer, start, end)) this.pauseClient();
  }

  /** The last byte of the request was handed over, at `now`. */
  requestEnded(now: number): void {
    this.#turnBeganAt = now;
    if (this.#state === 'asking' && !this.#serverBlocked)
      this.#deadline.armFrom(now, this.#timeouts.responseHeader);
  }

  /** The server said 100. */
  mayContinue(): void {
    this.#continued = true;
    if (!this.#serverBlocked) this.#deadline.disarm();
  }

  /** The server has taken what it was sent. */
  serverDrained(): void {
    if (!this.#serverBlocked) return;
    this.#serverBlocked = false;
    const client = this.#client as ClientSide;
    if (this.#state === 'asking') this.#awaitServer(client, this.#wheel.clock.now());
    else if (this.#state === 'finishing') this.#deadline.disarm();
    client.resumeRequest();
  }

  /** Starts the server's time to answer if it is the server's turn; while the client owes a body, it has its own. */
  #awaitServer(client: ClientSide, now: number): void {
    if (!client.requestComplete && !this.#waitsForContinue(client)) {
      this.#deadline.disarm();
      return;
    }
    this.#turnBeganAt = now;
    this.#deadline.armFrom(now, this.#timeouts.responseHeader);
  }

  #waitsForContinue({ head, requestBytes }: ClientSide): boolean {
    return head.expectsContinue && !this.#continued && requestBytes === 0;
  }

  /** The server reads slower than the client writes: it has until `responseHeader` to take something. */
  pauseClient(): void {
    this.#serverBlocked = true;
    this.#client?.pauseRequest();
    if (this.#state === 'asking') this.#deadline.arm(this.#timeouts.responseHeader);
    else if (this.#state === 'finishing') this.#deadline.arm(REST_MS);
  }

  // To the client.

  /** The final response head has come, at `now`. */
  beginAnswer(now: number): void {
    this.#move('answering');
    this.#deadline.armFrom(now, this.#timeouts.responseBody);
  }

  answer(buffer: Buffer, start: number, end: number): void {
    // Nothing more is waited for after the last piece.
    const connection = this.#connection as Lease;
    if (!connection.bodyComplete) this.#deadline.armFrom(connection.readAt, this.#timeouts.responseBody);
    if (!(this.#client as ClientSide).sendBody(buffer, start, end)) this.pauseServer();
  }

  /** The answer is whole, the request is not: what comes of it still goes to the server. */
  finish(): void {
    this.#move('finishing');
    if (this.#serverBlocked) this.#deadline.arm(REST_MS);
    else this.#deadline.disarm();
  }

  /** The client has taken what it was sent. */
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

  /** The client reads slower than the server writes. */
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

  /** The client half-closed its side. True: so has the server, and the tunnel is over. */
  endFromClient(): boolean {
    if (this.#state === 'serverEnded') return true;
    this.#move('clientEnded');
    this.#tunnelEnding = 'closed by the client';
    this.#connection?.channel.end();
    return false;
  }

  /** The server half-closed its side. True: so has the client, and the tunnel is over. */
  endFromServer(): boolean {
    if (this.#state === 'clientEnded') return true;
    this.#move('serverEnded');
    this.#tunnelEnding = 'closed by the server';
    this.#client?.endTunnel();
    return false;
  }

  // Deadlines.

  /** The deadline has passed: who let it pass. Null: there is more time, or a tunnel has been silent for long enough. */
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

  /** As long as the client takes nothing, be it of the answer before this one, the server is not read: nothing is its fault. */
  #overdueOf(failure: Failure, timeout: number): Failure | null {
    if (!this.#clientBlocked) return failure;
    if (!this.#client?.takesAnswers()) return FAILURES.client_stalled;
    this.#deadline.arm(timeout);
    return null;
  }
}

/** Set aside for all requests there are now. */
let heldBytes = 0;

/** Bytes of memory that request bodies take which wait for a server, or may have to be sent again. */
export function replayBytes(): number {
  return heldBytes;
}

/**
 * The part of a request's body that may have to be sent again: all of it that no server has been sent yet, and,
 * while a retry is still possible, what one has. However small the pieces it comes in, it takes `limit` bytes at most,
 * and what was read in one go besides.
 */
export class Replay {
  #limit = 0;
  readonly #kept = new GrowingBuffer();
  #repeatable = false;
  /** Does it still hold the body from its first byte on? */
  whole = true;

  /**
   * For another request. What was sent of it is kept only if it is `repeatable`, and not longer than `limit` bytes: a
   * longer body is streamed, and can't be sent twice.
   */
  begin(limit: number, repeatable: boolean): void {
    this.#limit = limit;
    this.#repeatable = repeatable;
  }

  /** Is as much waiting for a connection as may? Nothing more is to be read then. */
  get isFull(): boolean {
    return this.#kept.length >= this.#limit;
  }

  /** Copies bytes that wait for a connection; the caller pauses the client when it `isFull`, so they are few. */
  keep(buffer: Buffer, start: number, end: number): void {
    const before = this.#kept.capacity;
    this.#kept.append(buffer, start, end, this.#limit);
    heldBytes += this.#kept.capacity - before;
  }

  /** Copies bytes that are being sent, as long as they and all before them fit. */
  keepSent(buffer: Buffer, start: number, end: number): void {
    if (!this.whole) return;
    if (this.#repeatable && this.#kept.length + end - start <= this.#limit) {
      this.keep(buffer, start, end);
    } else {
      // Also when the very first piece is too long: what follows must not be taken for the beginning.
      this.whole = false;
      this.#release();
    }
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Everything kept, as it came. */
  get bytes(): Buffer {
    return this.#kept.bytes;
  }

  /** What was kept has been sent; it may have to be sent again. */
  sent(): void {
    if (this.#repeatable) return;
    this.whole = this.whole && this.#kept.length === 0;
    this.#release();
  }

  /** Nothing is left of the request. */
  reset(): void {
    this.whole = true;
    if (this.#kept.length > 0) this.#release();
  }

  #release(): void {
    heldBytes -= this.#kept.capacity;
    this.#kept.clear();
  }
}
