import { Histogram } from '../base/collections.js';
import type { NumberReader } from '../base/number-stream.js';
import type { BalancerEvent, Reason, RequestRecord } from '../base/observer.js';
import { atOnce, type Steps } from '../base/slices.js';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import type { MeasuredPath } from '../config/types.js';
import type { CallbackFailures } from './callback-failures.js';
import { MeasuredPaths } from './measured-paths.js';
import {
  classesOf,
  type MetricsSnapshot,
  OTHER_NAME,
  type Percentiles,
  type RouteSummary,
  type ServerSummary,
  type Summary,
  statusClasses,
  summaryOf,
} from './metrics-snapshot.js';
import { CODES, digitOfIndex, STATUS_INDEXES } from './status-codes.js';
import type { ThreadReader } from './thread-reader.js';

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

/** What is counted for a path of `metrics.paths`, since the start. */
export class PathFigures {
  /** As written in the settings, or `other`. */
  readonly path: string;
  /** By the first digit of the status. */
  readonly classes = new Float64Array(10);
  readonly duration = new Histogram();

  constructor(path: string) {
    this.path = path;
  }
}

/** A set, a map, or another object that knows names. */
export interface Names {
  has(name: string): boolean;
}

/** Names come from the configuration only; beyond this many, further names share one entry. */
export const MOST_NAMES = 10_000;
/** The name under which requests without a route are counted. */
export const NO_ROUTE = 'none';

/**
 * Counts settled requests in plain numbers: 0.1 µs for each request, and memory for each route and server only.
 * `snapshot` and `reads` return the numbers.
 */
export class Metrics implements ThreadReader {
  /** What other threads have counted is included number by number. */
  readonly reads = 'nothing';
  readonly #clock: Clock;
  readonly #failures: Pick<CallbackFailures, 'count'>;
  readonly #routes = new Map<string, RouteFigures>();
  readonly #servers = new Map<string, RecentLatency>();
  readonly #paths = new Map<string, PathFigures>();
  /** null: requests are not counted by path. */
  #measured: MeasuredPaths | null = null;
  /** Over all servers. */
  readonly #answered = new RecentCount();
  readonly #reasons = new Map<Reason, number>();
  /** By the first digit of the status. */
  readonly #classes = new Float64Array(10);
  readonly #orders = { ok: 0, failed: 0 };
  readonly #reloads = { good: 0, refused: 0, lastIsGood: true, lastGoodAt: 0 };
  /** The slot of the recent latencies that is being filled, and when it ends by the wall clock. */
  #slot = 0;
  #slotEnds: number;

  /** Requests that the end of the balancer cut short, tunnels not counted. */
  cut = 0;
  /** Requests of other threads that were not reported to observers, because the observers took too long. */
  lostRecords = 0;

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
    route.responses[STATUS_INDEXES[status] as number]!++;
    route.bytesIn += record.bytesIn;
    route.bytesOut += record.bytesOut;
    this.#classes[(status / 100) | 0]!++;
    if (this.#measured !== null) this.#notePath(record, this.#measured);
    if (reason !== '') {
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      if (reason === 'shutdown' && status !== 101) this.cut++;
    }
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

  #notePath({ target, status, durationMs }: RequestRecord, measured: MeasuredPaths): void {
    const path = this.#pathFigures(measured.labelOf(target));
    path.classes[(status / 100) | 0]!++;
    if (status !== 101) path.duration.observe(durationMs);
  }

  /** Adds what another thread has counted for a path of the settings. */
  includePath(name: string, numbers: NumberReader): void {
    // It may have been counted before a reload.
    const path = this.#isMeasured(name) ? this.#pathFigures(name) : new PathFigures(name);
    path.duration.sum += numbers.read();
    numbers.addSparse(path.classes);
    numbers.addSparse(path.duration.counts);
  }

  /** From now on requests are counted by these paths, and what was counted for others is forgotten. */
  measure(paths: readonly MeasuredPath[]): void {
    this.#measured = MeasuredPaths.of(paths);
    for (const name of this.#paths.keys()) if (!this.#isMeasured(name)) this.#paths.delete(name);
  }

  #isMeasured(path: string): boolean {
    return this.#measured?.labels.has(path) === true;
  }

  get paths(): Iterable<PathFigures> {
    return this.#paths.values();
  }

  /**
   * Adds what another thread has counted for a route; `latencies` gets its latencies too, by bucket. Durations of the last
   * minute count as of now: the thread reported them within a second.
   */
  includeRoute(name: string, numbers: NumberReader, latencies: Uint32Array): void {
    const slot = this.#slotNow();
    const route = this.#routes.get(name) ?? this.#addRoute(name);
    route.requests += numbers.read();
    route.bytesIn += numbers.read();
    route.bytesOut += numbers.read();
    route.duration.sum += numbers.read();
    for (let left = numbers.read(); left > 0; left--) {
      const index = numbers.read();
      const count = numbers.read();
      route.responses[index]! += count;
      this.#classes[digitOfIndex(index)]! += count;
    }
    numbers.addSparse(route.duration.counts);
    for (let left = numbers.read(); left > 0; left--) {
      const bucket = numbers.read();
      const count = numbers.read();
      route.recent.add(bucket, count, slot);
      latencies[bucket]! += count;
    }
  }

  /** Adds the latencies of a server that another thread has noted. */
  includeServer(name: string, numbers: NumberReader): void {
    const slot = this.#slotNow();
    const recent = this.#servers.get(name) ?? this.#addServer(name);
    for (let left = numbers.read(); left > 0; left--) {
      const bucket = numbers.read();
      const count = numbers.read();
      recent.add(bucket, count, slot);
      this.#answered.add(count, slot);
    }
  }

  /** Adds requests of another thread that failed. */
  includeReason(reason: Reason, requests: number): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + requests);
  }

  event({ what }: BalancerEvent): void {
    if (what === 'reloaded') this.reloaded(true);
    else if (what === 'reload_refused') this.reloaded(false);
    else if (what === 'certificate_ordered') this.#orders.ok++;
    else if (what === 'certificate_failed') this.#orders.failed++;
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

  /** Orders of certificates by ACME that ended. */
  get orders(): Readonly<{ ok: number; failed: number }> {
    return this.#orders;
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
    this.#slotNow();
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
    return { requests: this.requestCounts, routes, servers };
  }

  /** Of all requests. The cost does not grow with the number of routes. */
  get requestCounts(): MetricsSnapshot['requests'] {
    return {
      total: this.#classes.reduce((sum, count) => sum + count, 0),
      byStatus: statusClasses(this.#classes),
      byReason: Object.fromEntries(this.#reasons),
    };
  }

  /** What is counted for one route; undefined if it had no request since the start. */
  routeFigures(name: string): RouteFigures | undefined {
    return this.#routes.get(name);
  }

  /** Latencies of one route over about the last minute; null without requests. */
  routeLatency(name: string): Percentiles | null {
    return this.#routes.get(name)?.recent.summary(this.#slotNow()).percentiles ?? null;
  }

  /** Latencies of the last ten seconds that are over (`SLOT_MS`), of a route or a server; null without requests. */
  lastSlot(what: 'route' | 'server', name: string): Percentiles | null {
    const recent = what === 'route' ? this.#routes.get(name)?.recent : this.#servers.get(name);
    const slot = this.#slotNow();
    return recent?.slotSummary(slot, slot - 1).percentiles ?? null;
  }

  /** The latency of one server; undefined if it has answered nothing since the start. */
  serverSummary(name: string): ServerSummary | undefined {
    const recent = this.#servers.get(name);
    if (recent === undefined) return undefined;
    const slot = this.#slotNow();
    return summaryOf(name, recent.summary(slot), this.#answered.count(slot));
  }

  #slotNow(): number {
    this.#passTime(this.#clock.wall());
    return this.#slot;
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

  #pathFigures(name: string): PathFigures {
    const known = this.#paths.get(name);
    if (known !== undefined) return known;
    const path = new PathFigures(name);
    this.#paths.set(name, path);
    return path;
  }

  #addServer(wanted: string): RecentLatency {
    const name = this.#servers.size < MOST_NAMES ? wanted : OTHER_NAME;
    const recent = this.#servers.get(name) ?? new RecentLatency();
    this.#servers.set(name, recent);
    return recent;
  }
}

/** The duration of the attempt that was answered, if there were several. */
export function lastAttemptMs({ tries, durationMs }: RequestRecord): number {
  return tries.at(-1)?.durationMs ?? durationMs;
}

/** For a duration in µs: the position of its first bit and the next three bits, which is within 1/16 of the value. */
export const BUCKETS = 240;
const LONGEST = 2 ** 32 - 1;
const SLOTS = 7;

/** How long a slot is filled, in ms: six full slots and the current one make up the last minute. */
export const SLOT_MS = 10_000;

/** The number of requests in about the last minute. Each call names the current slot, as below. */
export class RecentCount {
  readonly #totals = new Float64Array(SLOTS);
  #slot = 0;

  note(slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    this.#totals[slot % SLOTS]!++;
  }

  add(requests: number, slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    this.#totals[slot % SLOTS]! += requests;
  }

  count(slot: number): number {
    if (slot !== this.#slot) this.#moveTo(slot);
    return this.#totals.reduce((sum, total) => sum + total, 0);
  }

  #moveTo(slot: number): void {
    for (let left = Math.min(slot - this.#slot, SLOTS); left > 0; left--)
      this.#totals[(slot - left + 1) % SLOTS] = 0;
    this.#slot = slot;
  }
}

/**
 * The distribution of the durations of about the last minute, in 7 KiB however many requests there were. Each call
 * names the current slot; slots are numbered in ascending order.
 */
export class RecentLatency {
  readonly #counts = new Uint32Array(SLOTS * BUCKETS);
  #slot = 0;

  note(ms: number, slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    this.#counts[(slot % SLOTS) * BUCKETS + bucketOf(ms)]!++;
  }

  /** Counts `requests` that lasted as long as `bucket` says. */
  add(bucket: number, requests: number, slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    this.#counts[(slot % SLOTS) * BUCKETS + bucket]! += requests;
  }

  summary(slot: number): Summary {
    if (slot !== this.#slot) this.#moveTo(slot);
    return this.#summaryOf(0, SLOTS * BUCKETS);
  }

  /** Of `wanted` alone, which is `slot` or one of the six before it. */
  slotSummary(slot: number, wanted: number): Summary {
    if (slot !== this.#slot) this.#moveTo(slot);
    if (wanted < 0) return { count: 0, percentiles: null };
    const start = (wanted % SLOTS) * BUCKETS;
    return this.#summaryOf(start, start + BUCKETS);
  }

  #summaryOf(from: number, to: number): Summary {
    const sums = new Float64Array(BUCKETS);
    let count = 0;
    for (let index = from; index < to; index++) {
      const amount = this.#counts[index] as number;
      sums[index % BUCKETS]! += amount;
      count += amount;
    }
    if (count === 0) return { count, percentiles: null };
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => quantile(sums, count * share));
    return { count, percentiles: { p50: p50 as number, p90: p90 as number, p99: p99 as number } };
  }

  /** Slots older than the last minute are cleared. */
  #moveTo(slot: number): void {
    for (let left = Math.min(slot - this.#slot, SLOTS); left > 0; left--) {
      const index = (slot - left + 1) % SLOTS;
      this.#counts.fill(0, index * BUCKETS, (index + 1) * BUCKETS);
    }
    this.#slot = slot;
  }
}

function quantile(sums: Float64Array, rank: number): number {
  let below = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    below += sums[bucket] as number;
    if (below >= rank) return middleOf(bucket);
  }
  return middleOf(BUCKETS - 1);
}

/** The bucket of a duration in ms. */
export function bucketOf(ms: number): number {
  const micros = Math.min(LONGEST, Math.max(0, ms * 1000)) >>> 0;
  if (micros < 8) return micros;
  const exponent = 31 - Math.clz32(micros);
  return ((exponent - 2) << 3) + ((micros >>> (exponent - 3)) & 7);
}

/** The middle of a bucket, in ms. */
export function middleOf(bucket: number): number {
  if (bucket < 8) return bucket / 1000;
  const width = 2 ** ((bucket >> 3) - 1);
  return ((8 + (bucket & 7)) * width + width / 2) / 1000;
}
