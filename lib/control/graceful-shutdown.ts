import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { formatDuration } from '../base/units.js';
import type { ClientAcceptor } from '../client/acceptor.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Listeners } from '../net/listeners.js';
import type { Telemetry } from './telemetry.js';

/** The parts of a balancer that a shutdown ends. */
export interface ShutdownDeps {
  readonly wheel: TimerWheel;
  readonly acceptor: ClientAcceptor;
  readonly listeners: Listeners;
  readonly telemetry: Telemetry;
}

/** Ticks of the event loop without a new connection after which everything sent before a drain is accepted and read. */
const QUIET_TICKS = 3;
/** As many as the accept queue holds: one connection is accepted per tick. */
const MAX_TICKS = 4096;

/**
 * Graceful shutdown. For `timeouts.drain_delay` it is only announced: readiness fails, every answer says `Connection:
 * close`, and requests are served as before until load balancers in front have noticed. Then no connection is accepted,
 * and requests in flight have `timeouts.drain` to finish.
 */
export class GracefulShutdown {
  readonly #parts: ShutdownDeps;
  readonly #delay: Deadline;
  readonly #patience: Deadline;
  #announced: Promise<void> | null = null;
  #endDelay: () => void = () => {};
  #endDrain: (clean: boolean) => void = () => {};

  constructor(parts: ShutdownDeps) {
    this.#parts = parts;
    this.#delay = new Deadline(parts.wheel, { onDeadline: () => this.#endDelay() });
    this.#patience = new Deadline(parts.wheel, { onDeadline: () => this.#endDrain(false) });
  }

  /** Has the shutdown been announced? */
  get hasBegun(): boolean {
    return this.#announced !== null;
  }

  /** Announces the shutdown; resolves when load balancers in front have had time to notice. */
  announce({ drainDelay }: TimeoutsConfig): Promise<void> {
    this.#announced ??= this.#announce(drainDelay);
    return this.#announced;
  }

  async #announce(delay: number): Promise<void> {
    if (delay === 0) return;
    const { acceptor, telemetry } = this.#parts;
    telemetry.journal.note('draining', '', `in ${formatDuration(delay)}`);
    acceptor.announceEnd();
    await new Promise<void>((resolve) => {
      this.#endDelay = resolve;
      this.#delay.arm(delay);
    });
    this.#delay.release();
  }

  /** Accepts no more connections. Resolves with true if everything in flight has finished. */
  async drain(timeouts: TimeoutsConfig): Promise<boolean> {
    this.#announced ??= Promise.resolve();
    this.#endDelay();
    const { acceptor, listeners, telemetry } = this.#parts;
    this.#patience.arm(timeouts.drain);
    telemetry.journal.note('draining', '', '');
    const drained = new Promise<boolean>((resolve) => {
      this.#endDrain = resolve;
    });
    acceptor.announceEnd();
    await this.#takeIn();
    listeners.close();
    acceptor.drain(() => this.#endDrain(true));
    return drained;
  }

  /** Accepts and reads what the kernel already holds: connections in the accept queue, and requests on open connections. */
  async #takeIn(): Promise<void> {
    const { acceptor } = this.#parts;
    let accepted = acceptor.accepted;
    for (let tick = 0, quiet = 0; tick < MAX_TICKS && quiet < QUIET_TICKS; tick++, quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (acceptor.accepted !== accepted) quiet = 0;
      accepted = acceptor.accepted;
    }
  }

  /** Everything has been cut. */
  stop(): void {
    this.#endDelay();
    this.#endDrain(false);
  }
}
