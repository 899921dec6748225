import type { Deadline } from '../base/timer-wheel.js';
import type { Channel } from '../net/channel.js';
import type { ClientDeps } from './services.js';

/**
 * A client that has not taken all it was sent. As long as it takes something it gets more time: that the
 * backlog falls is how it shows. Most clients never get to be one.
 */
export class SlowReader {
  readonly #channel: Channel;
  readonly #deadline: Deadline;
  readonly #services: ClientDeps;
  /** The channel's backlog when the client was last looked at. */
  #backlog: number;

  constructor(channel: Channel, deadline: Deadline, services: ClientDeps) {
    this.#channel = channel;
    this.#deadline = deadline;
    this.#services = services;
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
    this.#deadline.arm(this.#services.timeouts.responseBody);
  }

  /** Its time is up: it gets more, or is cut off. */
  judge(): void {
    if (this.takesAnswers()) this.#deadline.arm(this.#services.timeouts.responseBody);
    else this.#channel.destroy();
  }
}
