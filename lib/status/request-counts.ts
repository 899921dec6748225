import type { Observer, Reason, RequestRecord } from '../base/observer.js';
import type { RequestCounts, StatusCounts } from './status.js';

/** Counts requests as they settle: a few additions each, and nothing kept of them. */
export class RequestCounter implements Observer {
  readonly #responses = [0, 0, 0, 0, 0, 0];
  readonly #reasons = new Map<Reason, number>();
  #total = 0;

  requestSettled({ status, reason }: RequestRecord): void {
    this.#total++;
    const index = Math.floor(status / 100);
    this.#responses[index] = (this.#responses[index] ?? 0) + 1;
    if (reason !== '') this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  counts(inFlight: number): RequestCounts {
    return {
      total: this.#total,
      inFlight,
      byStatus: statusCounts(this.#responses),
      byReason: Object.fromEntries(this.#reasons),
    };
  }
}

/** `responses`: by the first digit of the status; at 0 those without one. */
export function statusCounts(responses: readonly number[]): StatusCounts {
  const [none = 0, interim = 0, ok = 0, redirected = 0, refused = 0, failed = 0] = responses;
  return { '1xx': interim, '2xx': ok, '3xx': redirected, '4xx': refused, '5xx': failed, none };
}
