import type { ServerView, StatusView } from './view.js';

/** Rates between two readings, per second. */
export interface ServerRates {
  readonly server: ServerView;
  readonly requests: number;
  /** Attempts that got no response. */
  readonly failures: number;
}

export interface Rates {
  readonly requests: number;
  /** Responses with 5xx. */
  readonly errors: number;
  readonly servers: readonly ServerRates[];
}

/** Computes rates from totals that are read repeatedly. */
export class RateMeter {
  #before: StatusView | null = null;

  /** Since the previous reading; all zero at the first one, and after a restart of the balancer. */
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
