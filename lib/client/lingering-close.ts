import type { Deadline } from '../base/timer-wheel.js';
import type { Channel } from '../net/channel.js';
import type { SlowReader } from './slow-reader.js';

/** How much of what a client still sends after its last answer is read and dropped. */
interface Allowance {
  /** Of silence. */
  readonly idleMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

/** For a client whose upload was answered early: it may look for the answer only when it has sent all of it. */
const ORDINARY: Allowance = { idleMs: 5000, totalMs: 30_000, bytes: Number.POSITIVE_INFINITY };
/** For one that is not let in, or sends what nobody can read. */
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

  /** Takes `length` bytes that nobody reads; who sends too many of them is cut off. */
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
