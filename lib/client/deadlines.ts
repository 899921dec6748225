import type { Deadline } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Channel } from '../net/channel.js';

/** How long a client may read nothing; changes with a reload. */
export interface SlowReaderTerms {
  readonly timeouts: Pick<TimeoutsConfig, 'responseBody'>;
}

/**
 * Watches a client that has unread bytes. The deadline is extended while its unsent bytes shrink. Created lazily; most
 * connections never need one.
 */
export class SlowReader {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #terms: SlowReaderTerms;
  /** The channel's unsent bytes when the client was last checked. */
  #backlog: number;

  constructor(channel: Channel, deadline: Deadline, terms: SlowReaderTerms) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#terms = terms;
    this.#backlog = channel.backlog;
  }

  /** From here on, bytes that the client reads count as progress. */
  note(): void {
    this.#backlog = this.#channel.backlog;
  }

  /** Has the client read anything since it was last checked? */
  takesAnswers(): boolean {
    const before = this.#backlog;
    this.note();
    return this.#backlog < before;
  }

  /** Starts the time in which the client must read something. */
  wait(): void {
    this.note();
    this.#deadline.arm(this.#terms.timeouts.responseBody);
  }

  /** The time is over: the client gets more, or is cut. */
  judge(): void {
    if (this.takesAnswers()) this.#deadline.arm(this.#terms.timeouts.responseBody);
    else this.#channel.destroy();
  }
}

/** How much of a client's input after its last answer is read and dropped. */
interface Allowance {
  /** The longest silence. */
  readonly idleMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

/** For a client whose upload was answered early: it may read the answer only when it has sent the whole upload. */
const ORDINARY: Allowance = { idleMs: 5000, totalMs: 30_000, bytes: Number.POSITIVE_INFINITY };
/** For a client that is refused, or whose input can't be parsed. */
const UNWANTED: Allowance = { idleMs: 5000, totalMs: 5000, bytes: 1024 * 1024 };

/**
 * Ends a connection so that the client gets its last answer (RFC 9112, 9.6): input is read and dropped for a while,
 * because a reset would erase an answer that the client has not read yet.
 */
export class LingeringClose {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #reader: SlowReader;
  readonly #allowance: Allowance;
  /** Bytes received after the end. */
  #dropped = 0;
  /** In the clock's time; 0 until the FIN is sent. */
  #endsAt = 0;

  constructor(channel: Channel, deadline: Deadline, reader: SlowReader, isUnwanted = false) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#reader = reader;
    this.#allowance = isUnwanted ? UNWANTED : ORDINARY;
  }

  /** Sends what is unsent, then FIN, and reads on for a while. */
  begin(): void {
    // After the FIN of a tunnel `flush` always returns true, although some bytes may be unsent.
    if (this.#channel.flush() && this.#channel.backlog === 0) this.finish();
    else this.#reader.wait();
  }

  /** Sends what is unsent, then closes both directions: for a client that sends nothing more. */
  closeAtOnce(): void {
    this.#reader.wait();
    this.#channel.close();
  }

  /** Everything is sent: sends the FIN. */
  finish(): void {
    this.#channel.end();
    this.#reader.note();
    const now = this.#deadline.wheel.clock.now();
    this.#endsAt = now + this.#allowance.totalMs;
    this.#deadline.armFrom(now, this.#allowance.idleMs);
  }

  /** Drops `length` bytes; a client that sends too many of them is cut. */
  drop(length: number): void {
    const { bytes, idleMs } = this.#allowance;
    this.#dropped += length;
    if (this.#dropped > bytes) {
      this.#channel.destroy();
    } else if (this.#endsAt !== 0) {
      const now = this.#deadline.wheel.clock.now();
      const left = this.#endsAt - now;
      // When the time is over, the deadline stays: moved by each read, it might not pass while a client sends without a pause.
      if (left > 0) this.#deadline.armFrom(now, Math.min(idleMs, left));
    }
  }

  deadlinePassed(): void {
    this.#reader.judge();
  }
}

/** ms until a body is given up that is too late already. */
export const OVERDUE_MS = 1;
/** The rate is not checked before this: a client may begin slowly. */
const GRACE_MS = 10_000;

/**
 * The time that a client has for a request body: a limit for each next piece, and for the whole body the time that
 * `body_rate` allows; otherwise a byte now and then would hold a server's connection for ever. It does not run while the
 * server is waited for.
 */
export class BodyPace {
  #timeout = 0;
  #rate = 0;
  /** When the first byte could be sent, moved later by all pauses; -1 while none could. */
  #since = -1;
  #heldAt = 0;

  /** A body is expected, with these limits until `use`. */
  begin(timeout: number, rate: number): void {
    this.#since = -1;
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** `timeout`: ms for the next piece, `rate`: bytes per second; 0 is no limit. */
  use(timeout: number, rate: number): void {
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** After `bytes` of the body: ms from `now` until more must arrive; 0 is no limit, `OVERDUE_MS` the least. */
  patience(now: number, bytes: number): number {
    if (this.#rate === 0) return this.#timeout;
    if (this.#since === -1) this.#since = now;
    const left = this.#since + GRACE_MS + (bytes * 1000) / this.#rate - now;
    return Math.max(OVERDUE_MS, this.#timeout === 0 ? left : Math.min(left, this.#timeout));
  }

  /** Reading is paused from `now` on (ms): the server reads no more. */
  hold(now: number): void {
    this.#heldAt = now;
  }

  /** Reading continues at `now`; only after `hold`. */
  goOn(now: number): void {
    if (this.#since !== -1) this.#since += now - this.#heldAt;
  }
}
