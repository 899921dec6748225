import { Histogram } from '../base/collections.js';
import { FAILURES } from '../base/failure.js';
import type { NumberReader, NumberWriter } from '../base/number-stream.js';
import type { Observer, Reason, RequestRecord } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import type { MeasuredPath } from '../config/types.js';
import { isFailure } from '../observe/failures.js';
import { MeasuredPaths } from '../observe/measured-paths.js';
import {
  BUCKETS,
  bucketOf,
  lastAttemptMs,
  type Metrics,
  MOST_NAMES,
  middleOf,
  type Names,
  NO_ROUTE,
} from '../observe/metrics.js';
import { OTHER_NAME } from '../observe/metrics-snapshot.js';
import { CODES, STATUS_INDEXES } from '../observe/status-codes.js';

/** The kinds of entries of a report about requests. */
const ROUTE = 1;
const SERVER = 2;
const REASON = 3;
const TOTALS = 4;
const FORGET_ROUTE = 5;
const FORGET_SERVER = 6;
const PATH = 7;
const FORGET_PATH = 8;

const REASONS = Object.keys(FAILURES) as readonly Reason[];
const indexes: ReadonlyMap<Reason, number> = new Map(REASONS.map((reason, index) => [reason, index]));

/** Names that were not reported before; their numbers follow those reported before. */
export interface NewNames {
  readonly routes: readonly string[];
  readonly servers: readonly string[];
  /** Of `metrics.paths`. */
  readonly paths: readonly string[];
}

/** What was counted under one name since the last report. */
class Entry {
  readonly index: number;
  isChanged = false;
  /** The name is in no configuration any more. */
  isForgotten = false;
  readonly recent = new Uint32Array(BUCKETS);

  constructor(index: number) {
    this.index = index;
  }
}

class RouteEntry extends Entry {
  readonly responses = new Float64Array(CODES.length);
  readonly duration = new Histogram();
  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
}

class PathEntry extends Entry {
  /** By the first digit of the status. */
  readonly classes = new Float64Array(10);
  readonly duration = new Histogram();
}

/** The entries of one kind, by name, and those that have changed. */
class Entries<E extends Entry> {
  readonly #make: new (
    index: number,
  ) => E;
  readonly #byName = new Map<string, E>();
  #newNames: string[] = [];
  #changed: E[] = [];
  #nextIndex = 0;

  constructor(make: new (index: number) => E) {
    this.#make = make;
  }

  /** The entry of a name, which will be reported. */
  changed(name: string): E {
    const entry = this.#byName.get(name) ?? this.#add(name);
    if (!entry.isChanged) {
      entry.isChanged = true;
      this.#changed.push(entry);
    }
    return entry;
  }

  get hasChanges(): boolean {
    return this.#changed.length > 0;
  }

  /** Returns the changed ones: what changes from now on belongs to the next report. */
  takeChanged(): readonly E[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }

  takeNames(): readonly string[] {
    const names = this.#newNames;
    this.#newNames = [];
    return names;
  }

  retain(names: Names): void {
    for (const [name, entry] of this.#byName) {
      if (names.has(name) || name === NO_ROUTE || name === OTHER_NAME) continue;
      this.#byName.delete(name);
      entry.isForgotten = true;
      if (entry.isChanged) continue;
      entry.isChanged = true;
      this.#changed.push(entry);
    }
  }

  #add(wanted: string): E {
    const name = this.#byName.size < MOST_NAMES ? wanted : OTHER_NAME;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const entry = new this.#make(this.#nextIndex++);
    this.#byName.set(name, entry);
    this.#newNames.push(name);
    return entry;
  }
}

/**
 * Counts the requests of a thread until they are reported: `Metrics` of the main thread adds up the differences. It costs
 * 0.1 µs per request, and a route without requests costs nothing.
 */
export class RequestTally implements Observer {
  readonly #routes = new Entries(RouteEntry);
  readonly #servers = new Entries(Entry);
  readonly #paths = new Entries(PathEntry);
  #measured: MeasuredPaths | null = null;
  readonly #reasons = new Float64Array(REASONS.length);
  readonly #totals = { requests: 0, errors: 0, cut: 0 };

  requestSettled(record: RequestRecord): void {
    const { status, durationMs, reason, server } = record;
    const route = this.#routes.changed(record.route || NO_ROUTE);
    this.#totals.requests++;
    route.requests++;
    route.responses[STATUS_INDEXES[status] as number]!++;
    route.bytesIn += record.bytesIn;
    route.bytesOut += record.bytesOut;
    if (reason !== '') {
      this.#reasons[indexes.get(reason) as number]!++;
      if (reason === 'shutdown' && status !== 101) this.#totals.cut++;
    }
    if (isFailure(record)) this.#totals.errors++;
    if (this.#measured !== null) {
      const path = this.#paths.changed(this.#measured.labelOf(record.target));
      path.classes[(status / 100) | 0]!++;
      if (status !== 101) path.duration.observe(durationMs);
    }
    // An upgraded connection may last for hours; that is not a latency.
    if (status !== 101) {
      route.duration.observe(durationMs);
      route.recent[bucketOf(durationMs)]!++;
    }
    if (server !== '' && record.firstByteMs >= 0) {
      const answeredMs =
        record.attempts > 1 ? lastAttemptMs(record) : record.firstByteMs - record.queueMs - record.connectMs;
      this.#servers.changed(server).recent[bucketOf(answeredMs)]!++;
    }
  }

  /** From now on requests are counted by these paths. */
  measure(paths: readonly MeasuredPath[]): void {
    this.#measured = MeasuredPaths.of(paths);
    this.#paths.retain(this.#measured?.labels ?? new Set());
  }

  /** Forgets all routes and servers except these. */
  retain(routes: Names, servers: Names): void {
    this.#routes.retain(routes);
    this.#servers.retain(servers);
  }

  get hasChanges(): boolean {
    return this.#routes.hasChanges || this.#servers.hasChanges || this.#paths.hasChanges;
  }

  /** The names of what was written so far. */
  takeNames(): NewNames {
    return {
      routes: this.#routes.takeNames(),
      servers: this.#servers.takeNames(),
      paths: this.#paths.takeNames(),
    };
  }

  /** Writes what was counted since the last report. */
  *write(numbers: NumberWriter): Steps<void> {
    for (const route of this.#routes.takeChanged()) {
      writeRoute(route, numbers);
      yield;
    }
    for (const server of this.#servers.takeChanged()) {
      writeServer(server, numbers);
      yield;
    }
    for (const path of this.#paths.takeChanged()) writePath(path, numbers);
    this.#writeTotals(numbers);
  }

  #writeTotals(numbers: NumberWriter): void {
    const totals = this.#totals;
    if (totals.requests === 0) return;
    for (let index = 0; index < REASONS.length; index++) {
      const count = this.#reasons[index] as number;
      if (count === 0) continue;
      this.#reasons[index] = 0;
      numbers.write(REASON);
      numbers.write(index);
      numbers.write(count);
    }
    numbers.write(TOTALS);
    numbers.write(totals.requests);
    numbers.write(totals.errors);
    numbers.write(totals.cut);
    totals.requests = 0;
    totals.errors = 0;
    totals.cut = 0;
  }
}

function writeRoute(route: RouteEntry, numbers: NumberWriter): void {
  route.isChanged = false;
  if (route.requests > 0) {
    numbers.write(ROUTE);
    numbers.write(route.index);
    numbers.write(route.requests);
    numbers.write(route.bytesIn);
    numbers.write(route.bytesOut);
    numbers.write(route.duration.sum);
    numbers.takeSparse(route.responses);
    numbers.takeSparse(route.duration.counts);
    numbers.takeSparse(route.recent);
    route.requests = 0;
    route.bytesIn = 0;
    route.bytesOut = 0;
    route.duration.sum = 0;
  }
  if (!route.isForgotten) return;
  numbers.write(FORGET_ROUTE);
  numbers.write(route.index);
}

function writePath(path: PathEntry, numbers: NumberWriter): void {
  path.isChanged = false;
  numbers.write(PATH);
  numbers.write(path.index);
  numbers.write(path.duration.sum);
  numbers.takeSparse(path.classes);
  numbers.takeSparse(path.duration.counts);
  path.duration.sum = 0;
  if (!path.isForgotten) return;
  numbers.write(FORGET_PATH);
  numbers.write(path.index);
}

function writeServer(server: Entry, numbers: NumberWriter): void {
  server.isChanged = false;
  numbers.write(SERVER);
  numbers.write(server.index);
  numbers.takeSparse(server.recent);
  if (!server.isForgotten) return;
  numbers.write(FORGET_SERVER);
  numbers.write(server.index);
}

/** What one report says of all requests of its thread. */
export interface RequestTotals {
  readonly requests: number;
  readonly errors: number;
  /** Pairs of a duration in ms and how many requests lasted so long. */
  readonly latencies: readonly number[];
}

/** Adds what the `RequestTally` of one thread has written to the metrics of the main thread. */
export class TallyReader {
  readonly #metrics: Metrics;
  readonly #routes = new NameTable();
  readonly #servers = new NameTable();
  readonly #paths = new NameTable();
  readonly #latencies = new Uint32Array(BUCKETS);
  #requests = 0;
  #errors = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  learn({ routes, servers, paths }: NewNames): void {
    this.#paths.add(paths);
    this.#routes.add(routes);
    this.#servers.add(servers);
  }

  /** Reads one entry; false when it is of a kind that the tally does not write. */
  read(kind: number, numbers: NumberReader): boolean {
    const metrics = this.#metrics;
    switch (kind) {
      case ROUTE:
        metrics.includeRoute(this.#routes.of(numbers.read()), numbers, this.#latencies);
        return true;
      case SERVER:
        metrics.includeServer(this.#servers.of(numbers.read()), numbers);
        return true;
      case PATH:
        metrics.includePath(this.#paths.of(numbers.read()), numbers);
        return true;
      case REASON:
        metrics.includeReason(REASONS[numbers.read()] as Reason, numbers.read());
        return true;
      case TOTALS:
        this.#requests += numbers.read();
        this.#errors += numbers.read();
        metrics.cut += numbers.read();
        return true;
      case FORGET_ROUTE:
        this.#routes.forget(numbers.read());
        return true;
      case FORGET_PATH:
        this.#paths.forget(numbers.read());
        return true;
      case FORGET_SERVER:
        this.#servers.forget(numbers.read());
        return true;
      default:
        return false;
    }
  }

  /** What was read since the last call. */
  takeTotals(): RequestTotals {
    const latencies: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#latencies[bucket] as number;
      if (count > 0) latencies.push(middleOf(bucket), count);
    }
    this.#latencies.fill(0);
    const totals = { requests: this.#requests, errors: this.#errors, latencies };
    this.#requests = 0;
    this.#errors = 0;
    return totals;
  }
}

/** The names of a thread's numbers. */
class NameTable {
  readonly #names = new Map<number, string>();
  #next = 0;

  add(names: readonly string[]): void {
    for (const name of names) this.#names.set(this.#next++, name);
  }

  of(index: number): string {
    return this.#names.get(index) ?? OTHER_NAME;
  }

  forget(index: number): void {
    this.#names.delete(index);
  }
}
