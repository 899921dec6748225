import { FAILURES, type Failure } from '../base/failure.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { BodyForm } from '../http/body-reader.js';
import type { FieldNames } from '../http/fields.js';
import type { ResponseHead } from '../http/response-head.js';
import { atTickEnd, type TickTask } from '../net/loop-tick.js';
import type { LeaseListener, ResponseListener } from './lease.js';
import type { PipelineSlot } from './pipeline-slot.js';
import type { PipelinedConnections } from './pipelined-connections.js';
import type { Pool } from './pool.js';
import { beginsLikeResponse, beginsResponse } from './response-start.js';
import type { ServerConnection } from './server-connection.js';

/** Requests behind a response that takes longer are moved to connections of their own. */
const PATIENCE_MS = 1000;
/** Of a response that nobody wants any more, so much is read to keep the connection. */
const MAX_DROPPED = 64 * 1024;

/**
 * One connection with several requests in flight (RFC 9112, 9.3.2). Only requests that may be repeated get here: when
 * the connection breaks, or the response in front is slow, those behind it go elsewhere and nobody notices.
 *
 * A response belongs to the first request that has none, and to nobody if that was not sent before the read it came
 * in. What does not begin like a response where one must begin means that a length was wrong: the connection is
 * closed before bytes of one response could end up in another.
 */
export class PipelinedConnection implements LeaseListener, ResponseListener, DeadlineOwner, TickTask {
  /** It is a whole connection that it waits for. */
  readonly isPipelinable = false;
  readonly pool: Pool;
  readonly #owner: PipelinedConnections;
  readonly #deadline: Deadline;
  readonly #places: PipelineSlot[] = [];
  #connection: ServerConnection | null = null;
  /** How many of the places, from the front, were written in a turn of the event loop that is over. */
  #sent = 0;
  #awaitsTurnEnd = false;
  /** A response is being waited for, or read. */
  #isReading = false;
  #isBlocked = false;
  /** The response in front takes long: nobody else is to wait behind it. */
  #isLate = false;
  /** Responses that nobody waits for will follow: the one in front is the last that counts. */
  #isLast = false;
  #dropped = 0;
  /** Where its owner lists it; -1 when it does not. */
  listed = -1;
  index = 0;

  constructor(pool: Pool, owner: PipelinedConnections, wheel: TimerWheel) {
    this.pool = pool;
    this.#owner = owner;
    this.#deadline = new Deadline(wheel, this);
  }

  /** Requests on it. */
  get load(): number {
    return this.#places.length;
  }

  get takesMore(): boolean {
    const connection = this.#connection;
    if (connection === null || this.#isLate || this.#isLast || this.#isBlocked) return false;
    // There are more connections than `max_connections` has become: this one may be among those that have to go.
    if (this.pool.isOverLimit) return false;
    return connection.hasRoomFor(this.#places.length + (this.#isReading ? 0 : 1));
  }

  /** A place behind all others. */
  join(requester: LeaseListener): PipelineSlot {
    const place = this.#owner.takePlace();
    place.open(this, requester);
    place.pooled = this.#isReading || this.#places.length > 0 || this.#connection?.pooled === true;
    this.#places.push(place);
    return place;
  }

  /** Has `requester` a place that still waits for the connection? Then it loses it. */
  leave(requester: LeaseListener): boolean {
    const index = this.#places.findIndex((place) => place.requester === requester);
    if (index === -1) return false;
    this.#owner.putPlace(this.#places.splice(index, 1)[0] as PipelineSlot);
    return true;
  }

  /** From here on places can be used at once. */
  adopt(connection: ServerConnection): void {
    this.#connection = connection;
  }

  onLease(connection: ServerConnection): void {
    this.#owner.waitsNoLonger(this);
    this.adopt(connection);
    for (const place of [...this.#places]) place.requester?.onLease(place);
    this.#owner.list(this);
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    this.#owner.waitsNoLonger(this);
    this.#failAll(failure, failure, detail);
  }

  // From those who have places.

  get readAt(): number {
    return (this.#connection as ServerConnection).readAt;
  }

  get bodyComplete(): boolean {
    return this.#connection?.bodyComplete === true;
  }

  assigned(place: PipelineSlot): void {
    if (this.#isReading || place !== this.#places[0]) return;
    this.#isReading = true;
    this.#deadline.arm(PATIENCE_MS);
    this.#connection?.assign(this, place.toHead);
  }

  write(text: string): void {
    this.#connection?.channel.writeText(text);
    if (this.#awaitsTurnEnd) return;
    this.#awaitsTurnEnd = true;
    atTickEnd(this);
  }

  onTurnEnd(): void {
    this.#awaitsTurnEnd = false;
    if (this.#connection !== null) this.#sent = this.#places.length;
  }

  /** A client that takes nothing holds up the response that is its own, and none in front of it. */
  paced(place: PipelineSlot | undefined): void {
    if (place !== this.#places[0]) return;
    if (place?.isPaused === true) this.#connection?.channel.pause();
    else this.#connection?.channel.resume();
  }

  /** Its response is not wanted any more. */
  abandon(place: PipelineSlot): void {
    place.receiver = null;
    if (place.isPaused) place.resume();
    if (this.#places.includes(place) && !this.#places.some(({ receiver }) => receiver !== null))
      this.#close(FAILURES.reset_before_response, '');
  }

  // From the connection.

  get #front(): PipelineSlot {
    return this.#places[0] as PipelineSlot;
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
    const place = this.#front;
    place.isBegun = true;
    this.#dropped = 0;
    return place.receiver?.onResponseHead(head) ?? 'wire';
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
    if (this.#dropped > MAX_DROPPED) this.#close(FAILURES.reset_before_response, 'behind a long response');
  }

  /**
   * A body that is announced too long takes the next response for its rest. That shows where a read begins with a
   * response inside a body, and where something else than a response stands behind the body's end.
   */
  #endsWhereItShould(buffer: Buffer, start: number, end: number): boolean {
    const connection = this.#connection as ServerConnection;
    // Trailers, which were put together anew. They end where chunks do, and these have no length that could be wrong.
    if (buffer !== connection.readBuffer) return true;
    if (start === 0 && beginsResponse(buffer, 0, connection.readBytes)) return false;
    return (
      !connection.bodyComplete ||
      end === connection.readBytes ||
      beginsLikeResponse(buffer, end, connection.readBytes)
    );
  }

  onResponseEnd(): void {
    const connection = this.#connection as ServerConnection;
    const place = this.#places.shift() as PipelineSlot;
    this.#sent = Math.max(0, this.#sent - 1);
    if (place.isPaused || this.#places[0]?.isPaused === true) this.paced(this.#places[0]);
    this.#owner.list(this);
    place.contentBytes = connection.contentBytes;
    place.receiver?.onResponseEnd();
    place.receiver = null;
    this.#owner.putPlace(place);
    if (this.#connection !== connection) return;
    const next = this.#places[0];
    if (next === undefined && !this.#isLast) {
      this.#end();
      connection.release();
    } else if (
      next === undefined ||
      (this.#sent === 0 && connection.isSpoilt) ||
      !connection.expect(next.toHead)
    ) {
      this.#close(FAILURES.reset_before_response, 'closed behind the response before');
    } else {
      this.#isLate = false;
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

  /** The connection is closed. Whether the one in front is at fault, or what came before it, nobody knows. */
  onFailed(failure: Failure, detail: string): void {
    const { isBegun, pooled } = this.#front;
    this.#front.contentBytes = this.#connection?.contentBytes ?? 0;
    const doubtful = failure === FAILURES.bad_response && !isBegun && (pooled || this.#places.length > 1);
    this.#failAll(
      doubtful ? FAILURES.reset_before_response : failure,
      FAILURES.reset_before_response,
      detail,
    );
  }

  /** The response in front has had its time: those behind it need not wait any longer. */
  onDeadline(): void {
    this.#isLate = true;
    this.#owner.list(this);
    const behind = this.#places.splice(1);
    if (behind.length === 0) return;
    this.#isLast = true;
    if (this.#front.receiver === null) this.#close(FAILURES.reset_before_response, '');
    for (const place of behind) this.#fail(place, FAILURES.reset_before_response, 'behind a slow response');
  }

  // Endings.

  #close(failure: Failure, detail: string): void {
    const connection = this.#connection as ServerConnection;
    if (this.#places.length > 0) this.#front.contentBytes = connection.contentBytes;
    connection.discard();
    this.#failAll(failure, FAILURES.reset_before_response, detail);
  }

  #failAll(front: Failure, behind: Failure, detail: string): void {
    const places = this.#places.splice(0);
    this.#end();
    for (const [index, place] of places.entries()) this.#fail(place, index === 0 ? front : behind, detail);
  }

  #fail(place: PipelineSlot, failure: Failure, detail: string): void {
    place.fail(failure, detail);
    this.#owner.putPlace(place);
  }

  /** Ready for another connection. */
  #end(): void {
    this.#deadline.disarm();
    this.#connection = null;
    this.#sent = 0;
    this.#isReading = false;
    this.#isBlocked = false;
    this.#isLate = false;
    this.#isLast = false;
    this.#owner.putPipeline(this);
  }
}
