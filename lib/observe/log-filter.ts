import type { RequestRecord } from '../base/observer.js';
import type { AccessLogFilter } from '../config/types.js';

/** Chooses the requests that are logged. */
export class LogFilter {
  readonly #statuses: ReadonlySet<number>;
  readonly #slowerThan: number;
  readonly #sample: number;
  readonly #random: () => number;

  /**
   * `random` returns a number from 0 up to, but not including, 1. Taking every n-th request would correlate with
   * round_robin.
   */
  constructor({ statuses, slowerThan, sample }: AccessLogFilter, random: () => number = Math.random) {
    const chosen = new Set<number>();
    for (const { from, to } of statuses) for (let status = from; status <= to; status++) chosen.add(status);
    this.#statuses = chosen;
    this.#slowerThan = slowerThan ?? Number.POSITIVE_INFINITY;
    this.#sample = sample;
    this.#random = random;
  }

  keeps(record: RequestRecord): boolean {
    if (record.durationMs > this.#slowerThan) return true;
    if (this.#statuses.size > 0) {
      const { status } = record;
      // A response that was cut off keeps the status it began with.
      if (this.#statuses.has(status) || (record.reason !== '' && status < 400)) return true;
    }
    return this.#sample > 0 && this.#random() < this.#sample;
  }
}
