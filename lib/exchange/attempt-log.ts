import type { AttemptRecord } from '../base/observer.js';

type Outcome = AttemptRecord['reason'];

/**
 * What was tried for one request and how long each part took. Used for one request after the other: as long as the
 * first attempt succeeds, nothing is allocated.
 */
export class AttemptLog {
  /** Those that are over, in order; the last is added when the list is asked for. */
  readonly #tries: AttemptRecord[] = [];
  readonly #current: { -readonly [Key in keyof AttemptRecord]: AttemptRecord[Key] } = {
    server: '',
    reason: '',
    status: 0,
    durationMs: 0,
    reused: false,
  };
  /** The list where there was but one: a log asks for it on every request. */
  readonly #only: readonly AttemptRecord[] = [this.#current];
  #isOpen = false;
  #startedAt = 0;
  /** When it had its connection, and the last of the request went out. */
  #askedAt = 0;
  /** -1: it goes on. */
  #stoppedAt = -1;
  /** -1: it doesn't. */
  #waitsSince = -1;
  #inLine = false;
  /** ms */
  queueMs = 0;
  /** ms */
  connectMs = 0;

  /** For another request. */
  reset(): void {
    if (this.#tries.length > 0) this.#tries.length = 0;
    this.#isOpen = false;
    this.#stoppedAt = -1;
    this.queueMs = 0;
    this.connectMs = 0;
  }

  /** A server was chosen, or a fresh connection to the same one, at `now`. */
  begin(server: string, now: number): void {
    const current = this.#current;
    current.server = server;
    current.reason = '';
    current.status = 0;
    current.reused = false;
    this.#startedAt = now;
    this.#askedAt = now;
    this.#stoppedAt = -1;
    this.#isOpen = true;
  }

  /** No connection was to be had at once: one is being opened, or it waits in line for one. */
  waits(inLine: boolean, now: number): void {
    this.#waitsSince = now;
    this.#inLine = inLine;
  }

  get isWaiting(): boolean {
    return this.#waitsSince !== -1;
  }

  /** That is over, with a connection or without. */
  waited(now: number): void {
    if (this.#inLine) this.queueMs += now - this.#waitsSince;
    else this.connectMs += now - this.#waitsSince;
    this.#waitsSince = -1;
    this.#askedAt = now;
  }

  /** The last of the request went out. */
  asked(now: number): void {
    this.#askedAt = now;
  }

  /** It has a connection; was that open before? */
  noteConnection(reused: boolean): void {
    this.#current.reused = reused;
  }

  get reused(): boolean {
    return this.#current.reused;
  }

  /** The server answered. */
  noteStatus(status: number): void {
    this.#current.status = status;
  }

  /** ms since the request, as far as it had come, went out to the current server. */
  sinceAsked(now: number): number {
    return now - this.#askedAt;
  }

  get status(): number {
    return this.#current.status;
  }

  /** When the attempt stopped; -1 while it goes on, and when there is none. */
  get stoppedAt(): number {
    return this.#stoppedAt;
  }

  /** The current attempt takes no more time. Gives what it took, ms. */
  stop(now: number): number {
    this.#stoppedAt = now;
    this.#current.durationMs = now - this.#startedAt;
    return this.#current.durationMs;
  }

  /** The current attempt was not the last. */
  fail(reason: Outcome): void {
    this.end(reason);
    this.#list();
    this.#stoppedAt = -1;
  }

  /** How the current attempt, if there is one, has ended. */
  end(reason: Outcome): void {
    this.#current.reason = reason;
  }

  /** Everything tried so far, in order. */
  get tries(): readonly AttemptRecord[] {
    if (this.#isOpen && this.#tries.length === 0) return this.#only;
    this.#list();
    return this.#tries;
  }

  #list(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tries.push({ ...this.#current });
  }
}
