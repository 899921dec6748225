import type { Steps } from '../../base/slices.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { Metrics, RouteFigures } from '../../observe/metrics.js';
import { digitOfIndex } from '../../observe/status-codes.js';
import type { ManagedServer } from '../managed-server.js';
import type { ManagedServers } from '../managed-servers.js';
import type { HistoryPoint } from './view.js';

/** How often routes and servers are sampled, in ms. */
export const SAMPLE_MS = 10_000;
/** Five minutes, and what was there before them. */
const KEPT = 31;
/** Samples back to what was there a minute ago. */
const MINUTE = 6;

/** Requests and errors since the start. */
export interface Counts {
  readonly requests: number;
  readonly errors: number;
}

/** Requests and errors of about the last minute. */
export interface RecentCounts extends Counts {
  /** Requests per second. */
  readonly rate: number;
}

/** The samples of one route or server, 1.5 KiB; those that have no request have none. */
class Samples {
  readonly requests = new Float64Array(KEPT);
  readonly errors = new Float64Array(KEPT);
  /** NaN: no requests. */
  readonly p50 = new Float64Array(KEPT).fill(Number.NaN);
  readonly p99 = new Float64Array(KEPT).fill(Number.NaN);
}

/**
 * The last five minutes of each route and server in steps of ten seconds, by samples of what is counted anyway: requests
 * cost nothing more.
 */
export class Histories {
  readonly #clock: Clock;
  readonly #routes = new Map<string, Samples>();
  readonly #servers = new Map<string, Samples>();
  /** When each sample was taken; 0: not yet. */
  readonly #times = new Float64Array(KEPT);
  /** Samples taken so far. */
  #taken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#times[0] = clock.wall();
    this.#taken = 1;
  }

  /** Takes a sample; to be called every ten seconds. */
  *sampleSteps(metrics: Metrics, servers: ManagedServers): Steps<void> {
    const place = this.#taken % KEPT;
    for (const figures of metrics.routes) {
      this.#note(this.#routes, figures.name, place, countsOfRoute(figures));
      const { p50 = Number.NaN, p99 = Number.NaN } = metrics.lastSlot('route', figures.name) ?? {};
      setLatency(this.#routes.get(figures.name), place, p50, p99);
      yield;
    }
    for (const name of servers.names) {
      this.#note(this.#servers, name, place, countsOfServers(servers.named(name)));
      const { p50 = Number.NaN, p99 = Number.NaN } = metrics.lastSlot('server', name) ?? {};
      setLatency(this.#servers.get(name), place, p50, p99);
      yield;
    }
    this.#times[place] = this.#clock.wall();
    this.#taken++;
    yield* forget(this.#routes, (name) => metrics.routeFigures(name) !== undefined);
    yield* forget(this.#servers, (name) => servers.named(name).length > 0);
  }

  #note(list: Map<string, Samples>, name: string, place: number, { requests, errors }: Counts): void {
    let samples = list.get(name);
    if (samples === undefined) {
      if (requests === 0 && errors === 0) return;
      samples = new Samples();
      list.set(name, samples);
    }
    samples.requests[place] = requests;
    samples.errors[place] = errors;
  }

  /** `now`: what is counted until now. */
  recentOfRoute(name: string, now: Counts): RecentCounts {
    return this.#recent(this.#routes.get(name), now);
  }

  recentOfServer(name: string, now: Counts): RecentCounts {
    return this.#recent(this.#servers.get(name), now);
  }

  #recent(samples: Samples | undefined, now: Counts): RecentCounts {
    const place = Math.max(this.#taken - MINUTE, 0) % KEPT;
    const seconds = Math.max(1, (this.#clock.wall() - (this.#times[place] as number)) / 1000);
    // Counted from 0 again: a server that was removed and has come back.
    const requests = Math.max(0, now.requests - (samples?.requests[place] ?? 0));
    const errors = Math.max(0, now.errors - (samples?.errors[place] ?? 0));
    return { requests, errors, rate: rounded(requests / seconds) };
  }

  /** Oldest first; empty in the first ten seconds. */
  of(kind: 'route' | 'server', name: string): readonly HistoryPoint[] {
    const samples = (kind === 'route' ? this.#routes : this.#servers).get(name);
    const points: HistoryPoint[] = [];
    for (let sample = Math.max(1, this.#taken - KEPT + 1); sample < this.#taken; sample++) {
      const [before, place] = [(sample - 1) % KEPT, sample % KEPT];
      const since = (list: Float64Array | undefined): number =>
        list === undefined ? 0 : Math.max(0, (list[place] as number) - (list[before] as number));
      points.push({
        at: this.#times[place] as number,
        requests: since(samples?.requests),
        errors: since(samples?.errors),
        p50: known(samples?.p50[place]),
        p99: known(samples?.p99[place]),
      });
    }
    return points;
  }
}

export function countsOfRoute({ requests, responses }: RouteFigures): Counts {
  let errors = 0;
  for (let index = 0; index < responses.length; index++)
    if (digitOfIndex(index) === 5) errors += responses[index] as number;
  return { requests, errors };
}

/** Of the servers of one name. */
export function countsOfServers(members: readonly ManagedServer[]): Counts {
  let requests = 0;
  let errors = 0;
  for (const { server } of members) {
    requests += server.totals.requests;
    errors += (server.totals.responses[5] as number) + server.totals.failures;
  }
  return { requests, errors };
}

/** Three significant digits: further digits would only make the status larger. */
export function rounded(value: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(3));
}

function setLatency(samples: Samples | undefined, place: number, p50: number, p99: number): void {
  if (samples === undefined) return;
  samples.p50[place] = p50;
  samples.p99[place] = p99;
}

function known(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : rounded(value);
}

function* forget(list: Map<string, Samples>, isKnown: (name: string) => boolean): Steps<void> {
  for (const name of list.keys()) {
    if (!isKnown(name)) list.delete(name);
    yield;
  }
}
