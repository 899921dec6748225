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

/** Requests after a response that takes longer are moved to connections of their own. */
const PATIENCE_MS = 1000;
/** Of an unwanted response, so much is read to keep the connection. */
const MAX_DROPPED = 64 * 1024;

/**
 * spare: without a connection and without requests, to be used again. waiting: for a connection. ready: it has one, and no
 * response is due. reading: a response is waited for, or read. late: that takes long, and no request is to wait after it. last:
 * those who did have left, so unwanted responses will follow the one in front.
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

/** Who has the requests that share a connection in common with others. */
type Owner = PipelineOwner<PipelinedConnection, PipelineSlot>;

/**
 * One connection with several requests in flight (RFC 9112, 9.3.2). Only requests that may be repeated get here: when
 * the connection breaks, or the response in front is slow, those after it go elsewhere without a failure.
 *
 * A response belongs to the first request that has none, and to none if that was not sent before the read it came
 * in. What does not begin like a response where one must begin means that a length was wrong: the connection is
 * closed before bytes of one response could end up in another.
 */
export class PipelinedConnection implements WholeListener, ResponseListener, DeadlineOwner, TickTask {
  /** It is a whole connection that it waits for. */
  readonly isPipelinable = false;
  readonly client = null;
  readonly #source: ConnectionSource;
  readonly #owner: Owner;
  readonly #deadline: Deadline;
  readonly #slots: PipelineSlot[] = [];
  #state: PipelineState = 'spare';
  #connection: WholeConnection | null = null;
  /** How many of the slots, from the front, were written in a turn of the event loop that is over. */
  #sent = 0;
  #awaitsTickEnd = false;
  /** The server takes nothing of what was written to it. */
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

  /** In which of its owner's lists it is, and where; -1: in none. */
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

  /** Requests on it. */
  get load(): number {
    return this.#slots.length;
  }

  get takesMore(): boolean {
    const connection = this.#connection;
    const isReading = this.#state === 'reading';
    if (connection === null || this.#isBlocked || (this.#state !== 'ready' && !isReading)) return false;
    // There are more connections than `max_connections` has become: this one may be among those that have to go.
    if (this.#source.isOverLimit) return false;
    return connection.hasRoomFor(this.#slots.length + (isReading ? 0 : 1));
  }

  /** A slot after all others. */
  join(requester: LeaseListener): PipelineSlot {
    const slot = this.#owner.takeSlot();
    const isPooled = this.#state === 'reading' || this.#slots.length > 0 || this.#connection?.pooled === true;
    slot.open(this, requester, isPooled);
    if (this.#state === 'spare') this.#move('waiting');
    this.#slots.push(slot);
    return slot;
  }

  /** Has `requester` a slot that still waits for the connection? Then it loses it. */
  leave(requester: LeaseListener): boolean {
    const index = this.#slots.findIndex((slot) => slot.requester === requester);
    if (index === -1) return false;
    this.#owner.putSlot(this.#slots.splice(index, 1)[0] as PipelineSlot);
    if (this.#slots.length === 0) this.#move('spare');
    return true;
  }

  /** From here on slots can be used at once. */
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

  // From those who have slots.

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

  /** A client that takes nothing holds up the response that is its own, and none in front of it. */
  paced(slot: PipelineSlot | undefined): void {
    if (slot !== this.#slots[0]) return;
    if (slot?.isPaused === true) this.#connection?.channel.pause();
    else this.#connection?.channel.resume();
  }

  /** Its response is not wanted any more. */
  abandon(slot: PipelineSlot): void {
    if (slot.isPaused) slot.resume();
    if (this.#slots.includes(slot) && !this.#slots.some(({ receiver }) => receiver !== null))
      this.#close(FAILURES.reset_before_response, '');
  }

  // From the connection.

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
   * A body that is announced too long takes the next response for its rest. That shows where a read begins with a
   * response inside a body, and where something else than a response follows the body's end.
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

  /** Never asked for: an upgrade has a connection of its own. */
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

  /** The connection is closed. Whether the one in front is at fault, or what came before it, is unknown. */
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

  /** The response in front has had its time: those after it need not wait any longer. */
  onDeadline(): void {
    const behind = this.#slots.splice(1);
    this.#move(behind.length === 0 ? 'late' : 'last');
    this.#owner.list(this);
    if (behind.length === 0) return;
    if (this.#front.receiver === null) this.#close(FAILURES.reset_before_response, '');
    for (const slot of behind) this.#fail(slot, FAILURES.reset_before_response, 'after a slow response');
  }

  // Endings.

  #close(failure: Failure, detail: string): void {
    const connection = this.#connection as WholeConnection;
    if (this.#slots.length > 0) this.#front.noteContent(connection.contentBytes);
    connection.discard();
    this.#failAll(failure, FAILURES.reset_before_response, detail);
  }

  #failAll(front: Failure, behind: Failure, detail: string): void {
    const slots = this.#slots.splice(0);
    this.#end();
    for (const [index, slot] of slots.entries()) this.#fail(slot, index === 0 ? front : behind, detail);
  }

  #fail(slot: PipelineSlot, failure: Failure, detail: string): void {
    slot.fail(failure, detail);
    this.#owner.putSlot(slot);
  }

  /** Ready for another connection. */
  #end(): void {
    this.#deadline.disarm();
    this.#connection = null;
    this.#sent = 0;
    this.#isBlocked = false;
    this.#move('spare');
    this.#owner.putPipeline(this);
  }
}

/** What a response begins with, up to and including what follows its code. */
const STATUS_LINE = /^HTTP\/1\.[01] [1-5]\d\d[ \r]/;
const STATUS_LINE_BYTES = 13;
const PROTOCOL = 'HTTP/1.';

/** Is `buffer[start, end)` a response, where none may begin? Its first bytes must all be there. */
function beginsResponse(buffer: Buffer, start: number, end: number): boolean {
  return STATUS_LINE.test(latin1(buffer, start, Math.min(end, start + STATUS_LINE_BYTES)));
}

/** May `buffer[start, end)` be the beginning of a response, as far as there are bytes? */
function beginsLikeResponse(buffer: Buffer, start: number, end: number): boolean {
  const bytes = Math.min(end - start, PROTOCOL.length);
  return latin1(buffer, start, start + bytes) === PROTOCOL.slice(0, bytes);
}

/** The slot of one request in a pipeline: to its user it is a connection. Used for one after the other. */
export class PipelineSlot implements Lease, ServerChannel {
  #pipeline: PipelinedConnection | null = null;
  /** Waits for the connection. */
  requester: LeaseListener | null = null;
  /** null when the response is unwanted: it is read and dropped. */
  receiver: ResponseListener | null = null;
  toHead = false;
  pooled = false;
  contentBytes = 0;
  /** Its receiver takes no more for now. */
  isPaused = false;
  /** Its receiver has been told the head of the response. */
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

  /** Nobody has it alone: a request that authenticates its connection gets one of its own. */
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

  /** A request that shares a connection is complete: it need not be resumed. */
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

  // From its pipeline.

  /** The head of its response has come. */
  beginResponse(): void {
    this.isBegun = true;
  }

  /** Bytes of content of its response so far. */
  noteContent(bytes: number): void {
    this.contentBytes = bytes;
  }

  /** Its response is whole. */
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

  /** Only a tunnel is ended, and never here. */
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
