import type { Reason } from '../base/observer.js';
import { digitOfIndex } from './status-codes.js';

/** The name that further names share, where there are too many, and paths that no pattern matches. */
export const OTHER_NAME = 'other';

/** Requests by the class of their status; `none`: nothing was sent. */
export interface StatusClasses {
  readonly '1xx': number;
  readonly '2xx': number;
  readonly '3xx': number;
  readonly '4xx': number;
  readonly '5xx': number;
  readonly none: number;
}

/** Plain data for a status page; latencies in ms over about the last minute, null without requests. */
export interface MetricsSnapshot {
  readonly requests: {
    readonly total: number;
    readonly byStatus: StatusClasses;
    /** Requests that failed. */
    readonly byReason: { readonly [reason in Reason]?: number };
  };
  readonly routes: readonly RouteSummary[];
  readonly servers: readonly ServerSummary[];
}

export interface RouteSummary {
  readonly name: string;
  readonly requests: number;
  readonly byStatus: StatusClasses;
  /** From the head of a request to the end of its response. */
  readonly latency: Percentiles | null;
}

export interface ServerSummary {
  readonly name: string;
  /** To the first byte of the response, without the time spent waiting for a connection. */
  readonly latency: Percentiles | null;
  /** The share of the requests of the last minute, from 0 to 1. */
  readonly share: number;
}

/** The 50th, 90th and 99th percentiles, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** The total of the last minute. */
export interface Summary {
  readonly count: number;
  /** Null without requests. */
  readonly percentiles: Percentiles | null;
}

export function classesOf(responses: Float64Array): StatusClasses {
  const byDigit = new Float64Array(10);
  for (const [index, count] of responses.entries()) byDigit[digitOfIndex(index)]! += count;
  return statusClasses(byDigit);
}

/** From counts by the first digit of the status; index 0 counts requests without a status. */
export function statusClasses(byDigit: ArrayLike<number>): StatusClasses {
  const at = (digit: number): number => byDigit[digit] ?? 0;
  return { '1xx': at(1), '2xx': at(2), '3xx': at(3), '4xx': at(4), '5xx': at(5), none: at(0) };
}

export function summaryOf(name: string, { count, percentiles }: Summary, answered: number): ServerSummary {
  return { name, latency: percentiles, share: answered === 0 ? 0 : count / answered };
}
