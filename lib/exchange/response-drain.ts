import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { BodyForm } from '../http/flow.js';
import type { ResponseHead } from '../http/head.js';
import type { Lease, ResponseListener } from '../servers/contracts.js';

/** Reading a longer answer costs more than opening another connection. */
const MAX_BYTES = 64 * 1024;
const MAX_MS = 1000;

/**
 * Reads the rest of an unwanted answer, so that its connection can carry another request. Closes the connection if that
 * takes too long.
 */
export class ResponseDrain implements ResponseListener, DeadlineOwner {
  readonly #connection: Lease;
  readonly #deadline: Deadline;
  #bytes = 0;

  /** Can the connection be used again soon after this answer? */
  static pays(head: ResponseHead): boolean {
    if (!head.keepsAlive || head.framing === 'close') return false;
    return head.framing !== 'length' || head.contentLength <= MAX_BYTES;
  }

  constructor(connection: Lease, wheel: TimerWheel) {
    this.#connection = connection;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.arm(MAX_MS);
    connection.handTo(this);
  }

  readonly droppedTrailers = null;

  onBodyBytes(_buffer: Buffer, start: number, end: number): void {
    const before = this.#bytes;
    this.#bytes += end - start;
    // Not at once: the connection is being read in this call. Once: moved by each read, the deadline might not pass while a
    // server sends without a pause.
    if (before <= MAX_BYTES && this.#bytes > MAX_BYTES) this.#deadline.arm(1);
  }

  onResponseEnd(): void {
    this.#deadline.release();
    this.#connection.release();
  }

  onDeadline(): void {
    this.#deadline.release();
    this.#connection.discard();
  }

  onFailed(): void {
    this.#deadline.release();
  }

  // Not needed here: this listener starts after the head, and never in a tunnel.

  onTrailers(): void {}

  onInterim(): void {}

  onResponseHead(): BodyForm {
    return 'wire';
  }

  onSwitch(): boolean {
    return false;
  }

  onTunnelBytes(): void {}

  onTunnelEnd(): void {}

  onServerBlocked(): void {}

  onServerDrain(): void {}
}
