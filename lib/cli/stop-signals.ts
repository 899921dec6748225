/** SIGINT is Ctrl-C, SIGTERM what a service manager or `docker stop` sends. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The part of `process` that delivers signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** What a shell reports for a program that a signal ended: 128 and the number of the signal. */
export const EXIT_CODE: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** The first request to stop is a wish for an orderly end, the second one for a sooner end, and the last one for an end at once. */
export class StopSignals {
  readonly first: Promise<StopSignal>;
  readonly second: Promise<StopSignal>;
  readonly third: Promise<StopSignal>;
  readonly #source: SignalSource;
  readonly #onInterrupt = (): void => this.#receive('SIGINT');
  readonly #onTerminate = (): void => this.#receive('SIGTERM');
  readonly #waiting: ((signal: StopSignal) => void)[] = [];

  /** `hangsUp`: there is a terminal to close and nothing that SIGHUP could reload, so it is a wish like SIGTERM. */
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
