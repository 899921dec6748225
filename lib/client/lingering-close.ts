import type { Deadline } from '../base/timer-wheel.js';
import type { Channel } from '../net/channel.js';
import type { SlowReader } from './slow-reader.js';

/** Behind the last answer, input is read and dropped for so long, lest a reset erase that answer. */
const LINGER_MS = 5000;
const LINGER_BYTES = 4 * 1024 * 1024;

/** The end of a connection, in such a way that the client gets to see its last answer (RFC 9112, 9.6). */
export class LingeringClose {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #reader: SlowReader;
  /** Bytes that came after the end. */
  #dropped = 0;

  constructor(channel: Channel, deadline: Deadline, reader: SlowReader) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#reader = reader;
  }

  /** Sends what there is to send, then FIN, and reads on for a while. */
  begin(): void {
    // Behind the FIN of a tunnel a flush is always done, and still not all may have gone out.
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
    this.#deadline.arm(LINGER_MS);
  }

  /** Takes `length` bytes that nobody reads; who sends too many of them is cut off. */
  drop(length: number): void {
    this.#dropped += length;
    if (this.#dropped > LINGER_BYTES) this.#channel.destroy();
  }

  deadlinePassed(): void {
    this.#reader.judge();
  }
}
