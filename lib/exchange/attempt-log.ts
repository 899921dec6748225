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
  #isOpen = false;
  #startedAt = 0;
  #waitsSince = 0;
  #inLine = false;
  /** ms */
  queueMs = 0;
  /** ms */
  connectMs = 0;

  /** For another request. */
  reset(): void {
    if (this.#tries.length > 0) this.#tries.length = 0;
    this.#isOpen = false;
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
    this.#isOpen = true;
  }

  /** No connection was to be had at once: one is being opened, or it waits in line for one. */
  waits(inLine: boolean, now: number): void {
    this.#waitsSince = now;
    this.#inLine = inLine;
  }

  /** That is over, with a connection or without. */
  waited(now: number): void {
    if (this.#inLine) this.queueMs += now - this.#waitsSince;
    else this.connectMs += now - this.#waitsSince;
  }

  /** It has a connection; was that open before? */
  noteConnection(reused: boolean): void {
    this.#current.reused = reused;
  }

  /** The server answered. */
  noteStatus(status: number): void {
    this.#current.status = status;
  }

  /** ms since the current attempt began. */
  elapsed(now: number): number {
    return now - this.#startedAt;
  }

  /** The current attempt is over, and not the last. */
  fail(reason: Outcome, now: number): void {
    this.end(reason, now);
    this.#list();
  }

  /** The current attempt, if there is one, is over. */
  end(reason: Outcome, now: number): void {
    if (!this.#isOpen) return;
    this.#current.reason = reason;
    this.#current.durationMs = this.elapsed(now);
  }

  /** Everything tried so far, in order. */
  get tries(): readonly AttemptRecord[] {
    this.#list();
    return this.#tries;
  }

  #list(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tries.push({ ...this.#current });
  }
}
