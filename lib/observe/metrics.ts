import { Histogram } from '../base/histogram.js';
import type { BalancerEvent, Observer, Reason, RequestRecord } from '../base/observer.js';
import { atOnce, type Steps } from '../base/slices.js';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import type { CallbackFailures } from './callback-failures.js';
import { type Percentiles, RecentCount, RecentLatency, SLOT_MS, type Summary } from './recent-latency.js';
import { CODES, indexOfCode } from './status-codes.js';

/** What is counted for a route, since the start. */
export class RouteFigures {
  readonly name: string;
  /** Indexed by the index of the status in `CODES`. */
  readonly responses = new Float64Array(CODES.length);
  readonly duration = new Histogram();
  readonly recent = new RecentLatency();
  requests = 0;
  /** Bytes of bodies. */
  bytesIn = 0;
  bytesOut = 0;

  constructor(name: string) {
    this.name = name;
  }
}

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

/** A set, a map, or whatever knows names. */
export interface Names {
  has(name: string): boolean;
}

/** Names come from the configuration only; beyond this many, further names share one entry. */
const MOST_NAMES = 10_000;
export const OTHER_NAME = 'other';
/** The name under which requests without a route are counted. */
export const NO_ROUTE = 'none';

/**
 * Counts settled requests in plain numbers: 0.1 µs for each request, and memory for each route and server only.
 * `snapshot` and `reads` return the numbers.
 */
export class Metrics implements Observer {
  readonly #clock: Clock;
  readonly #failures: Pick<CallbackFailures, 'count'>;
  readonly #routes = new Map<string, RouteFigures>();
  readonly #servers = new Map<string, RecentLatency>();
  /** Over all servers. */
  readonly #answered = new RecentCount();
  readonly #reasons = new Map<Reason, number>();
  /** By the first digit of the status. */
  readonly #classes = new Float64Array(10);
  readonly #reloads = { good: 0, refused: 0, lastIsGood: true, lastGoodAt: 0 };
  /** The slot of the recent latencies that is being filled, and when it ends by the wall clock. */
  #slot = 0;
  #slotEnds: number;

  /** `failures` of the object that calls observers. */
  constructor(clock: Clock = systemClock, failures: Pick<CallbackFailures, 'count'> = { count: 0 }) {
    this.#clock = clock;
    this.#failures = failures;
    this.#slotEnds = clock.wall() + SLOT_MS;
    this.#reloads.lastGoodAt = clock.wall();
  }

  requestSettled(record: RequestRecord): void {
    const { status, durationMs, reason, server } = record;
    const endedAt = record.startedAt + durationMs;
    if (endedAt >= this.#slotEnds || endedAt < this.#slotEnds - 2 * SLOT_MS) this.#passTime(endedAt);
    const route = this.#routes.get(record.route || NO_ROUTE) ?? this.#addRoute(record.route || NO_ROUTE);
    route.requests++;
    route.responses[indexOfCode(status)]!++;
    route.bytesIn += record.bytesIn;
    route.bytesOut += record.bytesOut;
    this.#classes[(status / 100) | 0]!++;
    if (reason !== '') this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    // An upgraded connection may last for hours; that is not a latency.
    if (status !== 101) {
      route.duration.observe(durationMs);
      route.recent.note(durationMs, this.#slot);
    }
    if (server !== '' && record.firstByteMs >= 0) {
      this.#answered.note(this.#slot);
      const recent = this.#servers.get(server) ?? this.#addServer(server);
      recent.note(
        record.attempts > 1 ? lastAttemptMs(record) : record.firstByteMs - record.queueMs - record.connectMs,
        this.#slot,
      );
    }
  }

  event({ what }: BalancerEvent): void {
    if (what === 'reloaded') this.reloaded(true);
    else if (what === 'reload_refused') this.reloaded(false);
  }

  reloaded(ok: boolean): void {
    this.#reloads.lastIsGood = ok;
    if (!ok) {
      this.#reloads.refused++;
      return;
    }
    this.#reloads.good++;
    this.#reloads.lastGoodAt = this.#clock.wall();
  }

  get routes(): Iterable<RouteFigures> {
    return this.#routes.values();
  }

  get reasons(): ReadonlyMap<Reason, number> {
    return this.#reasons;
  }

  /** `lastGoodAt` is in ms since the epoch; the start counts as the first. */
  get reloads(): Readonly<{ good: number; refused: number; lastIsGood: boolean; lastGoodAt: number }> {
    return this.#reloads;
  }

  /** Calls of observers, event listeners and the store for changes that threw. */
  get callbackFailures(): number {
    return this.#failures.count;
  }

  /** Keeps only these routes: those of an earlier configuration are forgotten. */
  retain(routes: Names, servers: Names): void {
    for (const name of this.#routes.keys())
      if (!routes.has(name) && name !== NO_ROUTE && name !== OTHER_NAME) this.#routes.delete(name);
    for (const name of this.#servers.keys())
      if (!servers.has(name) && name !== OTHER_NAME) this.#servers.delete(name);
  }

  forgetServer(name: string): void {
    this.#servers.delete(name);
  }

  snapshot(): MetricsSnapshot {
    return atOnce(this.snapshotSteps());
  }

  *snapshotSteps(): Steps<MetricsSnapshot> {
    this.#passTime(this.#clock.wall());
    const routes: RouteSummary[] = [];
    for (const { name, requests, responses, recent } of this.#routes.values()) {
      const { percentiles } = recent.summary(this.#slot);
      routes.push({ name, requests, byStatus: classesOf(responses), latency: percentiles });
      yield;
    }
    const answered = this.#answered.count(this.#slot);
    const servers: ServerSummary[] = [];
    for (const [name, recent] of this.#servers) {
      servers.push(summaryOf(name, recent.summary(this.#slot), answered));
      yield;
    }
    return {
      requests: {
        total: this.#classes.reduce((sum, count) => sum + count, 0),
        byStatus: statusClasses(this.#classes),
        byReason: Object.fromEntries(this.#reasons),
      },
      routes,
      servers,
    };
  }

  /** The latency of one server; undefined if it has answered nothing since the start. */
  serverSummary(name: string): ServerSummary | undefined {
    const recent = this.#servers.get(name);
    if (recent === undefined) return undefined;
    this.#passTime(this.#clock.wall());
    return summaryOf(name, recent.summary(this.#slot), this.#answered.count(this.#slot));
  }

  /** Copes with a wall clock that was set back. */
  #passTime(now: number): void {
    if (now >= this.#slotEnds) {
      const slots = Math.floor((now - this.#slotEnds) / SLOT_MS) + 1;
      this.#slot += slots;
      this.#slotEnds += slots * SLOT_MS;
    } else if (now < this.#slotEnds - 2 * SLOT_MS) {
      this.#slot++;
      this.#slotEnds = now + SLOT_MS;
    }
  }

  #addRoute(wanted: string): RouteFigures {
    const name = this.#routes.size < MOST_NAMES ? wanted : OTHER_NAME;
    const route = this.#routes.get(name) ?? new RouteFigures(name);
    this.#routes.set(name, route);
    return route;
  }

  #addServer(wanted: string): RecentLatency {
    const name = this.#servers.size < MOST_NAMES ? wanted : OTHER_NAME;
    const recent = this.#servers.get(name) ?? new RecentLatency();
    this.#servers.set(name, recent);
    return recent;
  }
}

function lastAttemptMs({ tries, durationMs }: RequestRecord): number {
  return tries.at(-1)?.durationMs ?? durationMs;
}

function classesOf(responses: Float64Array): StatusClasses {
  const byDigit = new Float64Array(10);
  for (const [index, count] of responses.entries()) byDigit[Number(CODES[index]?.[0])]! += count;
  return statusClasses(byDigit);
}

/** From counts by the first digit of the status; index 0 counts requests without a status. */
export function statusClasses(byDigit: ArrayLike<number>): StatusClasses {
  const at = (digit: number): number => byDigit[digit] ?? 0;
  return { '1xx': at(1), '2xx': at(2), '3xx': at(3), '4xx': at(4), '5xx': at(5), none: at(0) };
}

function summaryOf(name: string, { count, percentiles }: Summary, answered: number): ServerSummary {
  return { name, latency: percentiles, share: answered === 0 ? 0 : count / answered };
}
