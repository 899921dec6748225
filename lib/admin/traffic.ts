import type { RequestRecord } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { isFailure } from '../observe/failures.js';
import type { RequestSummary } from '../observe/thread-reader.js';
import { Latencies } from './latencies.js';

/** Seconds kept: five minutes. */
const KEPT = 300;
/**
 * Percentiles are computed over this many seconds: within a single second of few requests, a percentile would be the
 * slowest of them.
 */
const SMOOTHED = 10;

/** One second. Times in ms; percentiles are null without requests. */
export interface TrafficPoint {
  /** ms since the epoch: when the second ended. */
  readonly at: number;
  readonly requests: number;
  /** Failed requests, without those that failed by a fault of the client. */
  readonly errors: number;
  /** Of the last ten seconds. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** Requests, errors and latencies of the last five minutes, second by second. */
export class Traffic {
  readonly #clock: Clock;
  readonly #points: TrafficPoint[] = [];
  readonly #seconds = Array.from({ length: SMOOTHED }, () => new Latencies());
  readonly #sum = new Latencies();
  #second = 0;
  #requests = 0;
  #errors = 0;
  #stop: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `collect`: has other threads report what belongs to a second before it ends; null: there are none. */
  start(collect: () => Promise<void> | null = () => null): void {
    this.#stop ??= this.#clock.every(1000, () => {
      const reported = collect();
      if (reported === null) this.#endSecond();
      else void reported.then(() => this.#endSecond());
    });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Called for every request: it only counts. */
  note(record: RequestRecord): void {
    this.#requests++;
    if (isFailure(record)) this.#errors++;
    // An upgraded connection may last for hours; that is not a latency.
    if (record.status !== 101) this.#seconds[this.#second]!.add(record.durationMs);
  }

  /** Adds the requests of another thread, as of now. */
  include({ requests, errors, latencies }: RequestSummary): void {
    this.#requests += requests;
    this.#errors += errors;
    for (let index = 0; index < latencies.length; index += 2)
      this.#seconds[this.#second]!.add(latencies[index] as number, latencies[index + 1]);
  }

  /** The seconds that ended after `since`, oldest first. */
  points(since: number): readonly TrafficPoint[] {
    return this.#points.filter(({ at }) => at > since);
  }

  #endSecond(): void {
    this.#sum.clear();
    for (const second of this.#seconds) this.#sum.include(second);
    const [p50, p90, p99] = this.#sum.percentiles([0.5, 0.9, 0.99]) ?? [null, null, null];
    const point = { at: this.#clock.wall(), requests: this.#requests, errors: this.#errors };
    this.#points.push(Object.freeze({ ...point, p50: p50 ?? null, p90: p90 ?? null, p99: p99 ?? null }));
    if (this.#points.length > KEPT) this.#points.shift();
    this.#requests = 0;
    this.#errors = 0;
    this.#second = (this.#second + 1) % SMOOTHED;
    this.#seconds[this.#second]!.clear();
  }
}
