import type { Deadline } from '../base/timer-wheel.js';
import type { Channel } from '../net/channel.js';

/** A server that was sent all there is behind a tunnel has so long to close its side. */
const RETIRE_MS = 5000;

/** The end of a tunnel's connection: what was written still goes out, as long as the server takes some of it. */
export class Farewell {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #patience: number;
  /** What the server had not taken when it was last looked at. */
  #unsent = 0;

  /** `patience`: ms in which it must take some. */
  constructor(channel: Channel, deadline: Deadline, patience: number) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#patience = patience;
    channel.end();
    this.#wait();
  }

  /** The deadline has passed: true when there is nothing more to wait for. */
  isOver(): boolean {
    if (this.#channel.backlog >= this.#unsent) return true;
    this.#wait();
    return false;
  }

  #wait(): void {
    this.#unsent = this.#channel.backlog;
    this.#deadline.arm(this.#unsent > 0 && this.#patience > 0 ? this.#patience : RETIRE_MS);
  }
}
