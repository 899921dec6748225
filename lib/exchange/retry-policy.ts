import type { RetryConfig } from '../config/types.js';
import type { RequestHead } from '../http/request-head.js';
import { indexOfField } from './named-field.js';
import type { RetryTerms } from './retry.js';
import type { RetryBudget } from './retry-budget.js';

/** What a route says of retries, made ready. Made once per configuration. */
export class RetryPolicy implements RetryTerms {
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  /** Bytes of a request body kept to be sent again. */
  readonly buffer: number;
  /** Null: no limit. */
  readonly budget: RetryBudget | null;
  readonly #statuses: RetryConfig['statuses'];
  readonly #idempotencyKey: boolean;

  constructor(config: RetryConfig, budget: RetryBudget | null) {
    this.attempts = config.attempts;
    this.onConnect = config.causes.includes('connect');
    this.onStale = config.causes.includes('stale');
    this.onReset = config.causes.includes('reset');
    this.onTimeout = config.causes.includes('timeout');
    this.buffer = config.buffer;
    this.budget = budget;
    this.#statuses = config.statuses;
    this.#idempotencyKey = config.idempotencyKey;
  }

  retriesStatus(status: number): boolean {
    for (let i = 0; i < this.#statuses.length; i++) {
      const range = this.#statuses[i] as RetryConfig['statuses'][number];
      if (status >= range.from && status <= range.to) return true;
    }
    return false;
  }

  /** Does sending this request twice do no more than sending it once? */
  isRepeatable(head: RequestHead): boolean {
    if (head.isIdempotent) return true;
    return this.#idempotencyKey && indexOfField(head, 'idempotency-key') !== -1;
  }
}
