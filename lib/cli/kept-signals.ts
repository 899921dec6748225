import type { SignalSource } from './stop-signals.js';

type Kept = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/** What the launcher has done with signals since its first line. */
export interface Launch {
  /** Those that came, each once, oldest first. */
  readonly kept: NodeJS.Signals[];
  /** The listeners that keep them. */
  readonly keepers: { readonly [signal in Kept]: () => void };
}

/** Signals whose default action ends the process: what a shell reports then is 128 and the number. */
const ENDS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const ignore = (): void => {};

/**
 * The signals of the process, those included that came while the program was loading: they are handed to the first
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

  /** A signal to stop has its default action again. The others never have: a reload that comes too late is no end. */
  off(signal: NodeJS.Signals, listener: () => void): void {
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') process.on(signal, ignore);
    process.off(signal, listener);
  }

  /**
   * For commands that serve nobody: what ends a process by default does so again, and has if it came already. A signal is
   * heard when the event loop next looks for input, which Node 26 has not done yet when all is loaded.
   */
  async release(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    const { kept, keepers } = this.#launch;
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, ignore);
    for (const [signal, keeper] of Object.entries(keepers)) process.off(signal, keeper);
    for (const signal of kept) if (signal in ENDS) process.exit(ENDS[signal as keyof typeof ENDS]);
  }
}
