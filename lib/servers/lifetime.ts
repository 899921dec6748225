import { spread, type TimerWheel } from '../base/timer-wheel.js';
import { FIELD } from '../http/fields.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Pool } from './pool.js';

/** Ages differ by so much either way, lest connections that were opened together end together. */
const AGE_JITTER = 0.1;
/** Of a server that does not say how long it waits. */
const MOST_KEPT_MS = 600_000;

/** How often and how long one connection may be used, and how long it is kept unused. */
export class Lifetime {
  readonly #pool: Pool;
  readonly #wheel: TimerWheel;
  readonly #bornAt: number;
  /** Of `max_age`, which may be another one after a reload. */
  readonly #share = spread(1, AGE_JITTER);
  /** In the wheel's time. */
  #endsAt = 0;
  #isOver = false;
  /** That it has carried so far. */
  requests = 0;
  #idleSince = 0;
  /** Has the first response been asked for how long the server keeps its connections? */
  fieldRead = false;

  constructor(pool: Pool, wheel: TimerWheel) {
    this.#pool = pool;
    this.#wheel = wheel;
    this.#bornAt = wheel.now;
    this.followLimits();
  }

  /** `max_age` is another one. */
  followLimits(): void {
    if (this.#isOver) return;
    const { maxAge } = this.#pool.limits;
    this.#endsAt = maxAge > 0 ? this.#bornAt + maxAge * this.#share : Number.POSITIVE_INFINITY;
  }

  /** May it carry so many requests more? */
  hasRoomFor(requests: number): boolean {
    const { maxRequests } = this.#pool.limits;
    if (maxRequests > 0 && this.requests + requests > maxRequests) return false;
    return this.#wheel.now < this.#endsAt;
  }

  /** It carries none that it does not carry already. */
  end(): void {
    this.#isOver = true;
    this.#endsAt = 0;
  }

  /** What the first response says of it counts for all; only while it is not `fieldRead`. */
  noteKeepAlive(head: ResponseHead): void {
    this.fieldRead = true;
    this.#pool.idleLimit.noteField(head.valueOf(FIELD.keepAlive));
  }

  /** Nobody uses it from now on; gives for how many ms it is kept so. `kept`: for one client, as long as the server does. */
  rest(kept: boolean): number {
    const { now } = this.#wheel;
    const { idleLimit } = this.#pool;
    this.#idleSince = now;
    const limit = kept ? Math.min(idleLimit.ofServer(now), MOST_KEPT_MS) : idleLimit.at(now);
    return Math.max(1, Math.min(limit, this.#endsAt - now));
  }

  /** The server closed it while nobody used it, which tells how long the server waits. */
  noteIdleClose(): void {
    const { now } = this.#wheel;
    if (this.requests > 0) this.#pool.idleLimit.noteClose(now - this.#idleSince, now);
  }
}
