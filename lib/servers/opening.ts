import { FAILURES, type Failure } from '../base/failure.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import { type Dial, type DialListener, dial, type Endpoint } from '../net/dial.js';
import { isShortage } from '../net/shortage.js';
import { detailOf, TlsError } from '../net/tls-failure.js';
import type { WholeListener } from './contracts.js';

/** Has a connection opened; called once, never during the constructor. */
export interface OpeningOwner {
  onOpened(opening: Opening, open: (owner: ChannelOwner) => Channel, peer: string): void;
  /** `detail` for the log: the system's error code. */
  onOpeningFailed(opening: Opening, failure: Failure, detail: string): void;
}

/** A connection that is being opened, for at most a given time. */
export class Opening implements DialListener, DeadlineOwner {
  /** The request that it is for; null: for the first one in the queue when it is open. */
  readonly requester: WholeListener | null;
  readonly #owner: OpeningOwner;
  readonly #deadline: Deadline;
  readonly #dial: Dial;

  /** `timeout` in ms, including resolution of the name. `greeting`: the first bytes of the connection. */
  constructor(
    endpoint: Endpoint,
    timeout: number,
    wheel: TimerWheel,
    owner: OpeningOwner,
    requester: WholeListener | null = null,
    greeting = '',
  ) {
    this.requester = requester;
    this.#owner = owner;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.arm(timeout);
    this.#dial = dial(endpoint, this, greeting);
  }

  /** Gives up; the owner is not called. */
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
    this.#owner.onOpeningFailed(this, failureOf(error), detailOf(error));
  }

  onDeadline(): void {
    const detail = this.#dial.isSecuring ? 'in the TLS handshake' : '';
    this.cancel();
    this.#owner.onOpeningFailed(this, FAILURES.connect_timeout, detail);
  }
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  if (isShortage(error)) return FAILURES.out_of_resources;
  if (error instanceof TlsError) return FAILURES.tls_failed;
  const { code } = error;
  if (code === 'ETIMEDOUT') return FAILURES.connect_timeout;
  return code === 'ECONNREFUSED' ? FAILURES.connect_refused : FAILURES.connect_failed;
}
