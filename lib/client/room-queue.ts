import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { Entrance, RawConnection } from '../net/accept.js';
import type { ConnectionTotal } from '../shared/connection-total.js';
import type { RoomRequests } from '../shared/room-requests.js';

/** The most connections of a thread that wait at once, and for how many ms: a thread that hangs makes no room. */
const MOST = 256;
const PATIENCE_MS = 250;

interface WaitingConnection {
  readonly connection: RawConnection;
  /** Where it comes in. */
  readonly entrance: Entrance;
}

/**
 * New connections of one thread that found all places of `limits.connections` taken, and no idle connection in their
 * thread that could make room. They wait until another thread has closed an idle one, which takes well under a
 * millisecond, or until all have been asked and none had room; then they come in again, and are let in or turned away.
 */
export class RoomQueue implements DeadlineOwner {
  readonly #requests: RoomRequests;
  readonly #total: ConnectionTotal;
  /** Closes the longest idle connection of this thread; false: there is none. Its place stays with this thread. */
  readonly #closeIdle: () => boolean;
  readonly #deadline: Deadline;
  readonly #waiting: WaitingConnection[] = [];
  /** How many threads were asked since one has made room last, or since the first connection came. */
  #asked = 0;
  /** The index of the other thread that is asked next: one that had idle connections is asked again. */
  #next = 0;
  /** True while a connection comes in again: it does not wait a second time. */
  isComingIn = false;

  constructor(wheel: TimerWheel, requests: RoomRequests, total: ConnectionTotal, closeIdle: () => boolean) {
    this.#requests = requests;
    this.#total = total;
    this.#closeIdle = closeIdle;
    this.#deadline = new Deadline(wheel, this);
    requests.listen(() => this.#onCall());
  }

  /** Takes a connection in; false: too many wait. */
  push(connection: RawConnection, entrance: Entrance): boolean {
    if (this.#waiting.length >= MOST) return false;
    this.#waiting.push({ connection, entrance });
    if (this.#waiting.length > 1) return true;
    this.#asked = 0;
    this.#deadline.arm(PATIENCE_MS);
    this.#askNext();
    return true;
  }

  #onCall(): void {
    this.#makeRoom();
    while (this.#waiting.length > 0 && this.#total.hasGift) {
      this.#asked = 0;
      this.#letIn();
    }
    if (this.#waiting.length > 0) this.#askNext();
    else this.#total.returnGifts();
  }

  /** Closes idle connections of this thread for others that ask. */
  #makeRoom(): void {
    for (const thread of this.#requests.threads()) {
      let count = this.#requests.askedBy(thread);
      if (count === 0) continue;
      for (; count > 0 && this.#closeIdle(); count--) this.#total.giveTo(thread);
      this.#requests.answer(thread);
    }
  }

  #askNext(): void {
    if (this.#requests.isAsking) return;
    if (this.#asked === this.#requests.others) {
      this.giveUp();
      return;
    }
    if (this.#asked > 0) this.#next = (this.#next + 1) % this.#requests.others;
    this.#asked++;
    this.#requests.ask(this.#next, this.#waiting.length);
  }

  /** A thread that hangs or is being replaced does not answer: connections that come next ask another thread first. */
  onDeadline(): void {
    if (this.#requests.isAsking) {
      this.#requests.withdraw();
      this.#next = (this.#next + 1) % this.#requests.others;
    }
    this.giveUp();
  }

  /** All that wait come in now, whether there is room or not. */
  giveUp(): void {
    while (this.#waiting.length > 0) this.#letIn();
    this.#total.returnGifts();
  }

  #letIn(): void {
    const { connection, entrance } = this.#waiting.shift() as WaitingConnection;
    if (this.#waiting.length === 0) this.#deadline.disarm();
    this.isComingIn = true;
    entrance.enter(connection);
    this.isComingIn = false;
  }

  close(): void {
    this.giveUp();
    this.#deadline.release();
  }
}
