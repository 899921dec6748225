import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { formatDuration } from '../base/units.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Telemetry } from './telemetry.js';

/** The parts of a balancer that a shutdown ends. */
export interface ShutdownDeps {
  readonly wheel: TimerWheel;
  readonly engine: {
    announceEnd(): void;
    /** Accepts no more connections; resolves when the last one has ended. */
    drain(): Promise<void>;
  };
  readonly telemetry: Telemetry;
}

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
    const { engine, telemetry } = this.#parts;
    telemetry.journal.note('draining', '', `in ${formatDuration(delay)}`);
    engine.announceEnd();
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
    const { engine, telemetry } = this.#parts;
    this.#patience.arm(timeouts.drain);
    telemetry.journal.note('draining', '', '');
    const drained = new Promise<boolean>((resolve) => {
      this.#endDrain = resolve;
    });
    void engine.drain().then(() => this.#endDrain(true));
    return drained;
  }

  /** Everything has been cut. */
  stop(): void {
    this.#endDelay();
    this.#endDrain(false);
  }
}
