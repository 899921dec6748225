import type { Address } from '../base/address.js';
import { latin1 } from '../base/bytes.js';
import { FAILURES, type Failure } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { FieldNames } from '../http/fields.js';
import type { BodyForm } from '../http/flow.js';
import type { ResponseHead } from '../http/head.js';
import { atTickEnd, type TickTask } from '../net/loop-tick.js';
import type {
  ConnectionSource,
  Lease,
  LeaseListener,
  PipelineOwner,
  ResponseListener,
  ServerChannel,
  WholeConnection,
  WholeListener,
} from './contracts.js';

/** After a response that takes longer, the requests after it move to connections of their own. */
const PATIENCE_MS = 1000;
/** At most this much of an unwanted response is read to keep the connection. */
const MAX_DROPPED = 64 * 1024;

/**
 * spare: without connection and requests, kept for reuse. waiting: waits for a connection. ready: connected, no response
 * is due. reading: waits for a response, or reads it. late: the response takes long, so no request may join. last: the
 * requests after the first have left, so unwanted responses will follow the first one.
 */
export type PipelineState = 'spare' | 'waiting' | 'ready' | 'reading' | 'late' | 'last';

export const PIPELINE_MOVES: Moves<PipelineState> = {
  spare: ['waiting', 'ready'],
  waiting: ['ready', 'spare'],
  ready: ['reading', 'spare'],
  reading: ['late', 'last', 'spare'],
  late: ['spare'],
  last: ['spare'],
};

/** Manages the requests that share a connection. */
type Owner = PipelineOwner<PipelinedConnection, PipelineSlot>;

/**
 * One connection with several requests in flight (RFC 9112, 9.3.2). Only requests that may be repeated get here: when the
 * connection breaks, or the first response is slow, the requests after it move elsewhere without a failure.
 *
 * A response belongs to the first request without one, and to none if that request was not sent before the read that
 * contains the response. If bytes do not begin like a response where one must begin, a length was wrong: the connection
 * is closed before bytes of one response can become part of another.
 */
export class PipelinedConnection implements WholeListener, ResponseListener, DeadlineOwner, TickTask {
  /** A pipeline waits for a whole connection. */
  readonly isPipelinable = false;
  readonly client = null;
  readonly #source: ConnectionSource;
  readonly #owner: Owner;
  readonly #deadline: Deadline;
  readonly #slots: PipelineSlot[] = [];
  #state: PipelineState = 'spare';
  #connection: WholeConnection | null = null;
  /** How many slots, from the first, were written in a tick of the event loop that is over. */
  #sent = 0;
  #awaitsTickEnd = false;
  /** The server reads nothing of what was written to it. */
  #isBlocked = false;
  #dropped = 0;
  #listed = -1;
  #index = 0;

  constructor(source: ConnectionSource, owner: Owner, wheel: TimerWheel) {
    this.#source = source;
    this.#owner = owner;
    this.#deadline = new Deadline(wheel, this);
  }

  #move(to: PipelineState): void {
    if (assertsMoves) checkMove(PIPELINE_MOVES, this.#state, to);
    this.#state = to;
  }

  get address(): Address {
    return this.#source.address;
  }

  /** The list of its owner that the pipeline is in, and its position; -1: in none. */
  get listed(): number {
    return this.#listed;
  }

  get index(): number {
    return this.#index;
  }

  noteListed(list: number, index: number): void {
    this.#listed = list;
    this.#index = index;
  }

  /** Requests of the pipeline. */
  get load(): number {
    return this.#slots.length;
  }

  get takesMore(): boolean {
    const connection = this.#connection;
    const isReading = this.#state === 'reading';
    if (connection === null || this.#isBlocked || (this.#state !== 'ready' && !isReading)) return false;
    // This one may be among the connections to close.
    if (this.#source.mustShrink) return false;
    return connection.hasRoomFor(this.#slots.length + (isReading ? 0 : 1));
  }

  /** Adds a slot after all others. */
  join(requester: LeaseListener): PipelineSlot {
    const slot = this.#owner.takeSlot();
    const isPooled = this.#state === 'reading' || this.#slots.length > 0 || this.#connection?.pooled === true;
    slot.open(this, requester, isPooled);
    if (this.#state === 'spare') this.#move('waiting');
    this.#slots.push(slot);
    return slot;
  }

  /** Removes the slot of `requester` if it still waits for the connection. */
  leave(requester: LeaseListener): boolean {
    const index = this.#slots.findIndex((slot) => slot.requester === requester);
    if (index === -1) return false;
    this.#owner.putSlot(this.#slots.splice(index, 1)[0] as PipelineSlot);
    if (this.#slots.length === 0) this.#move('spare');
    return true;
  }

  /** Uses this connection; slots can be used from now on. */
  adopt(connection: WholeConnection): void {
    this.#move('ready');
    this.#connection = connection;
  }

  onLease(connection: WholeConnection): void {
    this.#owner.waitsNoLonger(this);
    this.adopt(connection);
    for (const slot of [...this.#slots]) slot.requester?.onLease(slot);
    this.#owner.list(this);
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    this.#owner.waitsNoLonger(this);
    this.#failAll(failure, failure, detail);
  }

  // Called by users of slots.

  get readAt(): number {
    return (this.#connection as WholeConnection).readAt;
  }

  get bodyComplete(): boolean {
    return this.#connection?.bodyComplete === true;
  }

  assigned(slot: PipelineSlot): void {
    if (this.#state === 'reading' || slot !== this.#slots[0]) return;
    this.#move('reading');
    this.#deadline.arm(PATIENCE_MS);
    this.#connection?.assign(this, slot.toHead);
  }

  write(text: string): void {
    this.#connection?.channel.writeText(text);
    if (this.#awaitsTickEnd) return;
    this.#awaitsTickEnd = true;
    atTickEnd(this);
  }

  onTickEnd(): void {
    this.#awaitsTickEnd = false;
    if (this.#connection !== null) this.#sent = this.#slots.length;
  }

  /** A client that reads nothing pauses its own response, and none before it. */
  paced(slot: PipelineSlot | undefined): void {
    if (slot !== this.#slots[0]) return;
    if (slot?.isPaused === true) this.#connection?.channel.pause();
    else this.#connection?.channel.resume();
  }

  /** The response of this slot is not wanted any more. */
  abandon(slot: PipelineSlot): void {
    if (slot.isPaused) slot.resume();
    if (this.#slots.includes(slot) && !this.#slots.some(({ receiver }) => receiver !== null))
      this.#close(FAILURES.reset_before_response, '');
  }

  // Called by the connection.

  get #front(): PipelineSlot {
    return this.#slots[0] as PipelineSlot;
  }

  onInterim(head: ResponseHead): void {
    if (this.#sent === 0) this.#close(FAILURES.reset_before_response, 'a response before its request');
    else this.#front.receiver?.onInterim(head);
  }

  onResponseHead(head: ResponseHead): BodyForm {
    if (this.#sent === 0) {
      this.#close(FAILURES.reset_before_response, 'a response before its request');
      return 'wire';
    }
    const slot = this.#front;
    slot.beginResponse();
    this.#dropped = 0;
    return slot.receiver?.onResponseHead(head) ?? 'wire';
  }

  get droppedTrailers(): FieldNames | null {
    return this.#front.receiver?.droppedTrailers ?? null;
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#sent > 1 && !this.#endsWhereItShould(buffer, start, end)) {
      this.#close(FAILURES.bad_response, 'the length of a pipelined response is wrong');
      return;
    }
    const { receiver } = this.#front;
    if (receiver !== null) {
      receiver.onBodyBytes(buffer, start, end);
      return;
    }
    this.#dropped += end - start;
    if (this.#dropped > MAX_DROPPED) this.#close(FAILURES.reset_before_response, 'after a long response');
  }

  onTrailers(fields: string): void {
    this.#front.receiver?.onTrailers(fields);
  }

  /**
   * A body announced with too large a length swallows the next response. This shows when a read begins with a response
   * inside a body, or when bytes other than a response follow the end of the body.
   */
  #endsWhereItShould(buffer: Buffer, start: number, end: number): boolean {
    const connection = this.#connection as WholeConnection;
    if (start === 0 && beginsResponse(buffer, 0, connection.readBytes)) return false;
    return (
      !connection.bodyComplete ||
      end === connection.readBytes ||
      beginsLikeResponse(buffer, end, connection.readBytes)
    );
  }

  onResponseEnd(): void {
    const connection = this.#connection as WholeConnection;
    const slot = this.#slots.shift() as PipelineSlot;
    this.#sent = Math.max(0, this.#sent - 1);
    if (slot.isPaused || this.#slots[0]?.isPaused === true) this.paced(this.#slots[0]);
    this.#owner.list(this);
    slot.endResponse(connection.contentBytes);
    this.#owner.putSlot(slot);
    if (this.#connection !== connection) return;
    const next = this.#slots[0];
    if (next === undefined && this.#state !== 'last') {
      this.#end();
      connection.release();
    } else if (
      next === undefined ||
      (this.#sent === 0 && connection.isSpoilt) ||
      !connection.expect(next.toHead)
    ) {
      this.#close(FAILURES.reset_before_response, 'closed after the previous response');
    } else {
      this.#deadline.arm(PATIENCE_MS);
      this.#owner.list(this);
    }
  }

  /** Never requested: an upgrade has a connection of its own. */
  onSwitch(): boolean {
    return false;
  }

  onTunnelBytes(): void {}

  onTunnelEnd(): void {}

  onServerBlocked(): void {
    this.#isBlocked = true;
  }

  onServerDrain(): void {
    this.#isBlocked = false;
  }

  /** The connection is closed. It is unknown whether the first request or an earlier one is at fault. */
  onFailed(failure: Failure, detail: string): void {
    const { isBegun, pooled } = this.#front;
    this.#front.noteContent(this.#connection?.contentBytes ?? 0);
    const doubtful = failure === FAILURES.bad_response && !isBegun && (pooled || this.#slots.length > 1);
    this.#failAll(
      doubtful ? FAILURES.reset_before_response : failure,
      FAILURES.reset_before_response,
      detail,
    );
  }

  /** The first response is too slow: the requests after it leave. */
  onDeadline(): void {
    const rest = this.#slots.splice(1);
    this.#move(rest.length === 0 ? 'late' : 'last');
    this.#owner.list(this);
    if (rest.length === 0) return;
    if (this.#front.receiver === null) this.#close(FAILURES.reset_before_response, '');
    for (const slot of rest) this.#fail(slot, FAILURES.reset_before_response, 'after a slow response');
  }

  // Endings.

  #close(failure: Failure, detail: string): void {
    const connection = this.#connection as WholeConnection;
    if (this.#slots.length > 0) this.#front.noteContent(connection.contentBytes);
    connection.discard();
    this.#failAll(failure, FAILURES.reset_before_response, detail);
  }

  #failAll(front: Failure, rest: Failure, detail: string): void {
    const slots = this.#slots.splice(0);
    this.#end();
    for (const [index, slot] of slots.entries()) this.#fail(slot, index === 0 ? front : rest, detail);
  }

  #fail(slot: PipelineSlot, failure: Failure, detail: string): void {
    slot.fail(failure, detail);
    this.#owner.putSlot(slot);
  }

  /** Prepares for another connection. */
  #end(): void {
    this.#deadline.disarm();
    this.#connection = null;
    this.#sent = 0;
    this.#isBlocked = false;
    this.#move('spare');
    this.#owner.putPipeline(this);
  }
}

/** The beginning of a response, up to the character after the status code. */
const STATUS_LINE = /^HTTP\/1\.[01] [1-5]\d\d[ \r]/;
const STATUS_LINE_BYTES = 13;
const PROTOCOL = 'HTTP/1.';

/** Is `buffer[start, end)` a response where none may begin? The first bytes must all be present. */
function beginsResponse(buffer: Buffer, start: number, end: number): boolean {
  return STATUS_LINE.test(latin1(buffer, start, Math.min(end, start + STATUS_LINE_BYTES)));
}

/** May `buffer[start, end)` be the beginning of a response, judging by the bytes present? */
function beginsLikeResponse(buffer: Buffer, start: number, end: number): boolean {
  const bytes = Math.min(end - start, PROTOCOL.length);
  return latin1(buffer, start, start + bytes) === PROTOCOL.slice(0, bytes);
}

/** The slot of one request in a pipeline, used like a connection. The object serves one request after the other. */
export class PipelineSlot implements Lease, ServerChannel {
  #pipeline: PipelinedConnection | null = null;
  /** Waits for the connection. */
  requester: LeaseListener | null = null;
  /** null when the response is unwanted: it is read and dropped. */
  receiver: ResponseListener | null = null;
  toHead = false;
  pooled = false;
  contentBytes = 0;
  /** The receiver reads no more for now. */
  isPaused = false;
  /** Has the receiver got the head of the response? */
  isBegun = false;

  open(pipeline: PipelinedConnection, requester: LeaseListener, isPooled: boolean): void {
    this.#pipeline = pipeline;
    this.requester = requester;
    this.receiver = null;
    this.pooled = isPooled;
    this.contentBytes = 0;
    this.isPaused = false;
    this.isBegun = false;
  }

  get address(): Address {
    return (this.#pipeline as PipelinedConnection).address;
  }

  /** Never: a request that authenticates its connection gets a connection of its own. */
  get isKept(): boolean {
    return false;
  }

  reclaim(): boolean {
    return false;
  }

  get channel(): ServerChannel {
    return this;
  }

  get bodyComplete(): boolean {
    return this.#pipeline?.bodyComplete === true;
  }

  get readAt(): number {
    return (this.#pipeline as PipelinedConnection).readAt;
  }

  /** Requests that share a connection have no body, so they never need to be resumed. */
  get serverKeeps(): boolean {
    return true;
  }

  assign(receiver: ResponseListener, toHead: boolean): void {
    this.requester = null;
    this.receiver = receiver;
    this.toHead = toHead;
    this.#pipeline?.assigned(this);
  }

  release(): void {
    this.receiver = null;
  }

  discard(): void {
    this.receiver = null;
    this.#pipeline?.abandon(this);
  }

  handTo(receiver: ResponseListener): void {
    this.receiver = receiver;
  }

  retire(): void {
    this.discard();
  }

  // Called by the pipeline.

  /** The head of the response was received. */
  beginResponse(): void {
    this.isBegun = true;
  }

  /** Content bytes of the response so far. */
  noteContent(bytes: number): void {
    this.contentBytes = bytes;
  }

  /** The response is complete. */
  endResponse(contentBytes: number): void {
    this.contentBytes = contentBytes;
    this.receiver?.onResponseEnd();
    this.receiver = null;
  }

  fail(failure: Failure, detail: string): void {
    const { receiver, requester } = this;
    this.receiver = null;
    this.requester = null;
    receiver?.onFailed(failure, detail);
    requester?.onLeaseFailed(failure, detail);
  }

  writeText(text: string): void {
    this.#pipeline?.write(text);
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    this.#pipeline?.write(latin1(buffer, start, end));
    return true;
  }

  /** Used only for tunnels, which have connections of their own. */
  end(): void {}

  probePeer(): void {}

  pause(): void {
    this.isPaused = true;
    this.#pipeline?.paced(this);
  }

  resume(): void {
    this.isPaused = false;
    this.#pipeline?.paced(this);
  }
}
