import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { formatDuration } from '../base/units.js';
import type { ClientAcceptor } from '../client/acceptor.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Listeners } from '../net/listeners.js';
import type { Telemetry } from './telemetry.js';

/** What a balancer takes leave of. */
export interface ShutdownDeps {
  readonly wheel: TimerWheel;
  readonly acceptor: ClientAcceptor;
  readonly listeners: Listeners;
  readonly telemetry: Telemetry;
}

/** Turns of the event loop without a new connection until all is read that came before a drain: accepted, then read. */
const QUIET_TURNS = 3;
/** As many as a backlog holds: one connection is accepted per turn. */
const MAX_TURNS = 4096;

/**
 * The orderly end of a balancer. First it is said, for as long as `timeouts.drain_delay`, that it goes: readiness turns, every
 * answer says `Connection: close`, and all is served as before until those in front have noticed. Then no client is let in,
 * and what is in flight may take as long as `timeouts.drain`.
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

  /** Has it been announced? */
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

  /** Accepts no more connections. Resolves with true if everything in flight came to its end. */
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

  /** What the kernel holds for us came before the drain: connections in its backlog, requests on those that are open. */
  async #takeIn(): Promise<void> {
    const { acceptor } = this.#parts;
    let accepted = acceptor.accepted;
    for (let turn = 0, quiet = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++, quiet++) {
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
