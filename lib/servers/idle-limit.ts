/** Closed so much earlier than the server would do it: what is on its way then still arrives. */
const MARGIN_MS = 1000;
/** Idle connections the server closed at about the same age, one after the other, until that is believed to be its timeout. */
const WITNESSES = 3;
/** Those that close together tell of a restart, and count as one. */
const APART_MS = 1000;
/** How much the ages may differ, as a part of the greatest. */
const SPREAD = 0.2;
/** What was observed may have been changed since: connections are then kept as long as configured, and watched anew. */
const FORGET_MS = 600_000;

/**
 * How long an unused connection to one server is kept: as long as configured, or as the server says that it waits, but
 * closed before the server does it: a request that crosses with its close is the commonest cause of a 502. What the
 * server waits is learnt from its `Keep-Alive: timeout=`, and from when it closes connections that nobody uses.
 */
export class IdleLimit {
  /** ms, of a server that announces nothing. */
  configured: number;
  /** ms at most, of one that does. */
  most: number;
  #announced = Number.POSITIVE_INFINITY;
  #observed = Number.POSITIVE_INFINITY;
  #observedAt = 0;
  readonly #ages: number[] = [];
  #lastCloseAt = Number.NEGATIVE_INFINITY;

  constructor(configured: number, most: number = configured) {
    this.configured = configured;
    this.most = most;
  }

  /** ms, at `now` on the same clock as all other times here; 0 when it is not worth keeping one. */
  at(now: number): number {
    const isAnnounced = this.#announced !== Number.POSITIVE_INFINITY;
    const limit = isAnnounced ? this.most : this.configured;
    return isAnnounced || this.#observed !== Number.POSITIVE_INFINITY
      ? Math.min(limit, this.ofServer(now))
      : limit;
  }

  /** The same as far as the server is concerned: infinite as long as nothing is known. */
  ofServer(now: number): number {
    if (now - this.#observedAt > FORGET_MS) this.#observed = Number.POSITIVE_INFINITY;
    return Math.min(this.#announced, this.#observed);
  }

  /** The value of a Keep-Alive field; empty when there was none. */
  noteField(value: string): void {
    const seconds = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i.exec(value)?.[1];
    this.#announced = seconds === undefined ? Number.POSITIVE_INFINITY : below(Number(seconds) * 1000);
  }

  /** The server closed a connection that had been idle for `age` ms. */
  noteClose(age: number, now: number): void {
    if (now - this.#lastCloseAt < APART_MS) return;
    this.#lastCloseAt = now;
    this.#ages.push(age);
    if (this.#ages.length > WITNESSES) this.#ages.shift();
    const least = Math.min(...this.#ages);
    const most = Math.max(...this.#ages);
    if (this.#ages.length < WITNESSES || most - least > most * SPREAD) return;
    this.#observed = below(least);
    this.#observedAt = now;
    this.#ages.length = 0;
  }
}

function below(ms: number): number {
  return Math.max(ms - MARGIN_MS, ms / 2);
}
