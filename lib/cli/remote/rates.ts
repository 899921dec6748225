import type { ServerView, StatusView } from './view.js';

/** What went on between two looks, per second. */
export interface ServerRates {
  readonly server: ServerView;
  readonly requests: number;
  /** Attempts that did not end in an answer. */
  readonly failures: number;
}

export interface Rates {
  readonly requests: number;
  /** Answers with 5xx. */
  readonly errors: number;
  readonly servers: readonly ServerRates[];
}

/** Rates from totals that were looked at again and again. */
export class RateMeter {
  #before: StatusView | null = null;

  /** Since the look before; all zero at the first, and when another process has begun to count anew. */
  note(status: StatusView): Rates {
    const before = this.#before;
    this.#before = status;
    const known = before !== null && before.pid === status.pid && before.started_at === status.started_at;
    const seconds = known
      ? Math.max(0.001, (status.uptime_ms - before.uptime_ms) / 1000)
      : Number.POSITIVE_INFINITY;
    const per = (now: number, then: number | undefined): number => Math.max(0, now - (then ?? now)) / seconds;
    const earlier = new Map(before?.servers.map((server) => [server.name, server.totals]));
    return {
      requests: per(status.requests.total, before?.requests.total),
      errors: per(status.requests.by_status['5xx'], before?.requests.by_status['5xx']),
      servers: status.servers.map((server) => {
        const then = earlier.get(server.name);
        return {
          server,
          requests: per(server.totals.requests, then?.requests),
          failures: per(server.totals.failures, then?.failures),
        };
      }),
    };
  }
}
