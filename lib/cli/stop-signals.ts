/** SIGINT is Ctrl-C, SIGTERM is sent by a service manager or `docker stop`. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The part of `process` that delivers signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** The exit code that a shell reports for a program ended by a signal: 128 plus the number of the signal. */
export const EXIT_CODE: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** The first signal asks for an orderly end, the second for a quicker end, and the last for an immediate end. */
export class StopSignals {
  readonly first: Promise<StopSignal>;
  readonly second: Promise<StopSignal>;
  readonly third: Promise<StopSignal>;
  readonly #source: SignalSource;
  readonly #onInterrupt = (): void => this.#receive('SIGINT');
  readonly #onTerminate = (): void => this.#receive('SIGTERM');
  readonly #waiting: ((signal: StopSignal) => void)[] = [];

  /**
   * `hangsUp`: there is a terminal that may close and nothing that SIGHUP could reload, so SIGHUP is treated like
   * SIGTERM.
   */
  constructor(source: SignalSource, hangsUp: boolean) {
    this.#source = source;
    this.first = new Promise((resolve) => this.#waiting.push(resolve));
    this.second = new Promise((resolve) => this.#waiting.push(resolve));
    this.third = new Promise((resolve) => this.#waiting.push(resolve));
    source.on('SIGINT', this.#onInterrupt);
    source.on('SIGTERM', this.#onTerminate);
    if (hangsUp) source.on('SIGHUP', this.#onTerminate);
  }

  detach(): void {
    this.#source.off('SIGINT', this.#onInterrupt);
    this.#source.off('SIGTERM', this.#onTerminate);
    this.#source.off('SIGHUP', this.#onTerminate);
  }

  #receive(signal: StopSignal): void {
    this.#waiting.shift()?.(signal);
  }
}
