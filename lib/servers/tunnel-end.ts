import type { Deadline } from '../base/timer-wheel.js';
import type { Channel } from '../net/channel.js';

/** ms that a server has to close its side once it has taken all it was sent. */
const CLOSE_MS = 5000;

/** The end of a tunnel: the server gets what is on its way to it and a FIN, and time for both as long as it takes some. */
export class TunnelEnd {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #patience: number;
  /** What the server had not taken when it was last looked at, bytes. */
  #unsent = 0;

  /** `patience`: ms in which the server has to take something, as long as there is something to take; 0 is the least. */
  constructor(channel: Channel, deadline: Deadline, patience: number) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#patience = patience;
    channel.end();
    this.#wait();
  }

  /** The deadline has passed: true if the server has taken something meanwhile, and has more time. */
  goesOn(): boolean {
    if (this.#channel.backlog >= this.#unsent) return false;
    this.#wait();
    return true;
  }

  #wait(): void {
    this.#unsent = this.#channel.backlog;
    this.#deadline.arm(this.#unsent > 0 && this.#patience > 0 ? this.#patience : CLOSE_MS);
  }
}
