import type { SignalSource } from './stop-signals.js';

type Kept = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/** What the launcher has recorded of signals since its first line. */
export interface Launch {
  /** The signals received, each once, oldest first. */
  readonly kept: NodeJS.Signals[];
  /** The listeners that record them. */
  readonly keepers: { readonly [signal in Kept]: () => void };
}

/** Signals whose default action ends the process: a shell then reports 128 plus the number. */
const ENDS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const ignore = (): void => {};

/**
 * The signals of the process, including those received while the program was loading: they are passed to the first
 * listener for them.
 */
export class KeptSignals implements SignalSource {
  readonly #launch: Launch;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  on(signal: NodeJS.Signals, listener: () => void): void {
    // In this order: a signal without any listener would end the process, or open a debugger.
    process.on(signal, listener);
    process.off(signal, this.#launch.keepers[signal as Kept]);
    const { kept } = this.#launch;
    const index = kept.indexOf(signal);
    if (index === -1) return;
    kept.splice(index, 1);
    setImmediate(listener);
  }

  /**
   * Signals to stop get their default action back. The others never do: a reload that comes too late must not end the
   * process.
   */
  off(signal: NodeJS.Signals, listener: () => void): void {
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') process.on(signal, ignore);
    process.off(signal, listener);
  }

  /**
   * For commands that serve no requests: signals that end a process by default do so again, or at once if they were
   * received already. A signal is delivered when the event loop next polls, which Node 26 has not done yet when
   * everything is loaded.
   */
  async release(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    const { kept, keepers } = this.#launch;
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, ignore);
    for (const [signal, keeper] of Object.entries(keepers)) process.off(signal, keeper);
    for (const signal of kept) if (signal in ENDS) process.exit(ENDS[signal as keyof typeof ENDS]);
  }
}
