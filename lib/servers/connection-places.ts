import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { RowListener, ServerRow } from '../shared/server-row.js';
import type { PoolLimits } from './contracts.js';

/**
 * While requests wait, a pool that shares its limit with other threads looks at the line at each turn of the timer
 * wheel. Normally another thread calls it earlier; this is for a call that is lost.
 */
const LOOK_MS = 10;
/** How often a free place is left to a thread whose request came earlier; after that the thread is passed over. */
const PATIENT_LOOKS = 2;

/**
 * A place is left to a request of another thread that came this many ms earlier. Threads whose requests wait about
 * equally long keep their open connections, instead of closing them for one another: a request is delayed by that for
 * at most this time, or for a quarter of the time that it has waited, if that is more.
 */
const TOLERANCE_MS = 5;
const TOLERANCE_SHARE = 0.25;

/** A pool, as it is called because of its line. */
export interface PlaceUser {
  readonly limits: PoolLimits;
  /** Do requests of this thread wait for a place? */
  readonly isFull: boolean;
  /** Another thread needs room, or has left a place to this one; or it is time to look. */
  onRoom(): void;
}

/**
 * The places for connections to one server, of which all threads together have `max_connections`, and the line of requests
 * for them. Each thread has a line of its own, and tells the others when its first request came. A free place is left to
 * the thread whose request came first.
 */
export class ConnectionPlaces implements RowListener, DeadlineOwner {
  readonly #row: ServerRow;
  readonly #wheel: TimerWheel;
  readonly #user: PlaceUser;
  /** Looks at the line; made when first needed. */
  #look: Deadline | null = null;
  /** Looks at which a free place was left to others. */
  #leftFree = 0;

  constructor(row: ServerRow, wheel: TimerWheel, user: PlaceUser) {
    this.#row = row;
    this.#wheel = wheel;
    this.#user = user;
    row.join();
    row.listen(this);
  }

  /** In ms of the clock, which is the same in all threads; where no other thread asks, as of the last tick. */
  get now(): number {
    return this.#row.isShared ? this.#wheel.clock.now() : this.#wheel.now;
  }

  /** Are more taken than there may be, not counting connections that are closing to make room? */
  get isOverLimit(): boolean {
    const { maxConnections } = this.#user.limits;
    return maxConnections > 0 && this.#row.open - this.#row.closing > maxConnections;
  }

  /** Takes a place, for a request that came at `since`; false when there is none for it. */
  take(since: number): boolean {
    const row = this.#row;
    const { maxConnections } = this.#user.limits;
    if (maxConnections === 0) {
      row.addPlace();
      return true;
    }
    if (row.isShared && row.othersCameBefore(since, TOLERANCE_MS)) return false;
    return row.takePlace(maxConnections);
  }

  give(): void {
    this.#row.givePlace();
  }

  /**
   * Do more requests wait in other threads than there is room for, one of which came so long before `since` that an open
   * connection is closed for it? Infinite: at any time.
   */
  owesRoom(since: number): boolean {
    const row = this.#row;
    const { maxConnections } = this.#user.limits;
    if (!row.isShared || maxConnections === 0) return false;
    const { othersInLine } = row;
    if (othersInLine <= 0 || othersInLine <= maxConnections - row.open + row.closing) return false;
    const tolerance = Math.max(TOLERANCE_MS, (this.now - since) * TOLERANCE_SHARE);
    return row.othersCameBefore(since, tolerance);
  }

  /** A request that comes at `now` joins the line; false when it is full. */
  join(now: number): boolean {
    return this.#row.joinLine(this.#user.limits.maxWaiting, now);
  }

  /** Tells the other threads how many requests of this one are in line, and when the first of them came. */
  tell(count: number, since: number): void {
    const row = this.#row;
    row.setLine(count, since);
    if (count === 0) this.#leftFree = 0;
    if (!row.isShared) return;
    if (count > 0) this.#lookSoon();
    // A place that was left to requests that came earlier.
    if (row.othersInLine > 0 && row.open < this.#user.limits.maxConnections) row.callFirst();
  }

  /** Calls a thread with an unused connection, if requests of this one need the room. */
  ask(): void {
    const row = this.#row;
    if (row.isShared && this.#user.isFull && row.inLine > row.closing) row.callUnused();
  }

  onCall(): void {
    this.#user.onRoom();
    // This thread has not enough unused connections for all that need one.
    if (this.owesRoom(Number.POSITIVE_INFINITY)) this.#row.callUnused();
  }

  #lookSoon(): void {
    this.#look ??= new Deadline(this.#wheel, this);
    if (!this.#look.armed) this.#look.armRoughly(LOOK_MS);
  }

  onDeadline(): void {
    if (!this.#user.isFull) return;
    const isFree = this.#row.open < this.#user.limits.maxConnections;
    this.#leftFree = isFree ? this.#leftFree + 1 : 0;
    if (this.#leftFree >= PATIENT_LOOKS) this.#row.ignoreFirst();
    this.#user.onRoom();
    this.ask();
  }

  /** No new requests come to this thread's pool. */
  leave(): void {
    this.#row.leave();
  }

  /** The pool is closed. */
  close(): void {
    this.#look?.release();
    this.#row.setLine(0, 0);
  }
}
