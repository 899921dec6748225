import { FAILURES, type Failure } from '../base/failure.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import { type Dial, type DialListener, dial, type Endpoint } from '../net/dial.js';
import { isShortage } from '../net/shortage.js';

/** Whoever has a connection opened: told once, never before it is opened by `new`. */
export interface OpeningOwner {
  onOpened(opening: Opening, open: (owner: ChannelOwner) => Channel, peer: string): void;
  /** `detail` for the log: the system's error code. */
  onOpeningFailed(opening: Opening, failure: Failure, detail: string): void;
}

/** A connection that is being opened, for so long at most. */
export class Opening implements DialListener, DeadlineOwner {
  readonly #owner: OpeningOwner;
  readonly #deadline: Deadline;
  readonly #dial: Dial;

  /** `timeout` in ms, the question for its address included. */
  constructor(endpoint: Endpoint, timeout: number, wheel: TimerWheel, owner: OpeningOwner) {
    this.#owner = owner;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.arm(timeout);
    this.#dial = dial(endpoint, this);
  }

  /** Breaks it off; the owner hears nothing. */
  cancel(): void {
    this.#deadline.release();
    this.#dial.cancel();
  }

  onConnect(open: (owner: ChannelOwner) => Channel, peer: string): void {
    this.#deadline.release();
    this.#owner.onOpened(this, open, peer);
  }

  onDialFailed(error: NodeJS.ErrnoException): void {
    this.#deadline.release();
    this.#owner.onOpeningFailed(this, failureOf(error), error.code ?? 'closed');
  }

  onDeadline(): void {
    this.cancel();
    this.#owner.onOpeningFailed(this, FAILURES.connect_timeout, '');
  }
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  if (isShortage(error)) return FAILURES.out_of_resources;
  const { code } = error;
  if (code === 'ETIMEDOUT') return FAILURES.connect_timeout;
  return code === 'ECONNREFUSED' ? FAILURES.connect_refused : FAILURES.connect_failed;
}
