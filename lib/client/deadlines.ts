import type { Deadline } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Channel } from '../net/channel.js';

/** How long a client may take nothing; changes with a reload. */
export interface SlowReaderTerms {
  readonly timeouts: Pick<TimeoutsConfig, 'responseBody'>;
}

/**
 * A client that has not taken all it was sent. As long as it takes something it gets more time: that the
 * backlog falls is how it shows. Most clients never get to be one.
 */
export class SlowReader {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #terms: SlowReaderTerms;
  /** The channel's backlog when the client was last looked at. */
  #backlog: number;

  constructor(channel: Channel, deadline: Deadline, terms: SlowReaderTerms) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#terms = terms;
    this.#backlog = channel.backlog;
  }

  /** What it has taken from here on counts. */
  note(): void {
    this.#backlog = this.#channel.backlog;
  }

  /** Has it taken anything since it was last looked at? */
  takesAnswers(): boolean {
    const before = this.#backlog;
    this.note();
    return this.#backlog < before;
  }

  /** Its time to take something begins. */
  wait(): void {
    this.note();
    this.#deadline.arm(this.#terms.timeouts.responseBody);
  }

  /** Its time is up: it gets more, or is cut off. */
  judge(): void {
    if (this.takesAnswers()) this.#deadline.arm(this.#terms.timeouts.responseBody);
    else this.#channel.destroy();
  }
}

/** How much of what a client still sends after its last answer is read and dropped. */
interface Allowance {
  /** Of silence. */
  readonly idleMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

/** For a client whose upload was answered early: it may look for the answer only when it has sent all of it. */
const ORDINARY: Allowance = { idleMs: 5000, totalMs: 30_000, bytes: Number.POSITIVE_INFINITY };
/** For a client that is not let in, or sends what cannot be parsed. */
const UNWANTED: Allowance = { idleMs: 5000, totalMs: 5000, bytes: 1024 * 1024 };

/**
 * The end of a connection, in such a way that the client gets to see its last answer (RFC 9112, 9.6): input is read and
 * dropped for a while, since a reset would erase that answer where the client has not read it yet.
 */
export class LingeringClose {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #reader: SlowReader;
  readonly #allowance: Allowance;
  /** Bytes that came after the end. */
  #dropped = 0;
  /** In the clock's time; 0 as long as the FIN is not out. */
  #endsAt = 0;

  constructor(channel: Channel, deadline: Deadline, reader: SlowReader, isUnwanted = false) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#reader = reader;
    this.#allowance = isUnwanted ? UNWANTED : ORDINARY;
  }

  /** Sends what there is to send, then FIN, and reads on for a while. */
  begin(): void {
    // After the FIN of a tunnel a flush is always done, and still not all may have gone out.
    if (this.#channel.flush() && this.#channel.backlog === 0) this.finish();
    else this.#reader.wait();
  }

  /** Sends what there is to send, then closes both ways: for a client that has nothing more to say. */
  closeAtOnce(): void {
    this.#reader.wait();
    this.#channel.close();
  }

  /** All was sent: the FIN goes out. */
  finish(): void {
    this.#channel.end();
    this.#reader.note();
    const now = this.#deadline.wheel.clock.now();
    this.#endsAt = now + this.#allowance.totalMs;
    this.#deadline.armFrom(now, this.#allowance.idleMs);
  }

  /** Drops `length` bytes; a client that sends too many of them is cut off. */
  drop(length: number): void {
    const { bytes, idleMs } = this.#allowance;
    this.#dropped += length;
    if (this.#dropped > bytes) {
      this.#channel.destroy();
    } else if (this.#endsAt !== 0) {
      const now = this.#deadline.wheel.clock.now();
      this.#deadline.armFrom(now, Math.max(1, Math.min(idleMs, this.#endsAt - now)));
    }
  }

  deadlinePassed(): void {
    this.#reader.judge();
  }
}

/** No rate is asked for before this: a client may begin slowly. */
const GRACE_MS = 10_000;

/**
 * The time a client has for a request body: so long for each next piece, and no longer for all of it than `body_rate`
 * allows, or one byte now and then would hold a server's connection for ever. It does not run while it is the server
 * that is waited for.
 */
export class BodyPace {
  #timeout = 0;
  #rate = 0;
  /** When its first byte could come, later by all the time that it was held back; -1 as long as none could. */
  #since = -1;
  #heldAt = 0;

  /** A body is about to come, with these limits until others are used. */
  begin(timeout: number, rate: number): void {
    this.#since = -1;
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** `timeout`: ms for the next piece, `rate`: bytes a second; 0 is no limit. */
  use(timeout: number, rate: number): void {
    this.#timeout = timeout;
    this.#rate = rate;
  }

  /** Of the body, `bytes` are there: ms from `now` until more must be; 0 when it may take as long as it likes. */
  patience(now: number, bytes: number): number {
    if (this.#rate === 0) return this.#timeout;
    if (this.#since === -1) this.#since = now;
    const left = this.#since + GRACE_MS + (bytes * 1000) / this.#rate - now;
    return Math.max(1, this.#timeout === 0 ? left : Math.min(left, this.#timeout));
  }

  /** From `now` on (ms) nothing is read: the server takes no more. */
  hold(now: number): void {
    this.#heldAt = now;
  }

  /** Reading goes on at `now`; only after `hold`. */
  goOn(now: number): void {
    if (this.#since !== -1) this.#since += now - this.#heldAt;
  }
}
