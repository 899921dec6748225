import { inSlices, Slice } from '../../base/slices.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { MetricsConfig } from '../../config/types.js';
import { allFamilies, type ExpositionDeps } from '../exposition.js';
import type { Family } from '../families.js';
import type { ObserverList } from '../observer-list.js';
import { ProcessFigures } from '../process-figures.js';
import type { LiveBalancer } from '../server-families.js';
import { Collector } from './collector.js';
import { ExportHealth } from './export-health.js';
import { dataPoints, METRIC_END, metricStart } from './metric-json.js';
import { resourceText, SCOPE } from './resource.js';

/** How long `close` waits for the collector, in ms. */
const CLOSE_MS = 1000;
/** Data points of one request: about 2 MB. Collectors refuse bodies of more than 20 MiB, which 4,000 servers reach. */
const MOST_POINTS = 10_000;
/** Data points between two readings of the clock: about 0.2 ms. */
const POINTS_PER_STEP = 100;

export interface MetricExportDeps {
  readonly clock: Clock;
  readonly observer: ObserverList;
  /** `lb/1.2.3` */
  readonly userAgent: string;
  /** What is sent: all that is exposed to Prometheus. */
  readonly sources: ExpositionDeps;
  /** Has other threads report what they have counted; null: there are none. */
  readonly collect: () => Promise<void> | null;
  /** When counting began, in ms since the epoch. */
  readonly since: number;
}

/**
 * Sends all figures to a collector, again and again. They count since the start, so what could not be sent is not lost: the
 * next time has it too. They are written in slices, because those of 4,000 servers take half a second.
 */
export class MetricExport {
  readonly health: ExportHealth;
  readonly #deps: MetricExportDeps;
  readonly #collector: Collector;
  readonly #figures = new ProcessFigures();
  readonly #families: readonly Family[];
  readonly #prefix: Buffer;
  readonly #abort = new AbortController();
  readonly #stop: () => void;
  #live: LiveBalancer | null = null;
  #sending: Promise<void> | null = null;
  /** The collector wants no requests before that time of the clock. */
  #notBefore = 0;
  #closed = false;

  constructor(config: MetricsConfig, deps: MetricExportDeps) {
    const { clock, observer, userAgent, sources } = deps;
    this.#deps = deps;
    this.#collector = new Collector(config.collector, userAgent);
    this.health = new ExportHealth('metrics', clock, observer);
    this.#families = allFamilies(sources, () => this.#live as LiveBalancer, this.#figures);
    this.#prefix = Buffer.from(
      `{"resourceMetrics":[{${resourceText(config.collector)},"scopeMetrics":[{${SCOPE},"metrics":[`,
    );
    this.#stop = clock.every(config.every, () => this.#sendNow());
  }

  /** Sends the last figures, within a second. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    const timer = setTimeout(() => this.#abort.abort(), CLOSE_MS);
    await this.#sending;
    if (!this.health.isFailing) await this.#send();
    clearTimeout(timer);
    this.#figures.close();
    this.#collector.close();
  }

  #sendNow(): void {
    if (this.#sending !== null || this.#deps.clock.now() < this.#notBefore) return;
    this.#sending = this.#send().finally(() => {
      this.#sending = null;
    });
  }

  /** Reads and sends everything, or as much as the collector takes. Never rejects: that would end the process. */
  async #send(): Promise<void> {
    try {
      await this.#sendAll();
    } catch (error) {
      this.health.failed(`the figures cannot be read: ${String(error)}`, null);
    } finally {
      this.#live = null;
    }
  }

  async #sendAll(): Promise<void> {
    const { sources, collect, clock, since } = this.#deps;
    await collect();
    this.#live = await inSlices(sources.live());
    const period = { start: since, end: clock.wall() };
    for await (const parts of messages(this.#families, period, this.#prefix)) {
      if (!(await this.#deliver(parts))) return;
    }
  }

  async #deliver(parts: readonly Uint8Array[]): Promise<boolean> {
    const delivery = await this.#collector.send(parts, this.#abort.signal);
    if (delivery.kind === 'taken') {
      this.health.succeeded(0);
      return true;
    }
    const waitMs = delivery.kind === 'later' ? delivery.waitMs : null;
    this.health.failed(delivery.detail, waitMs);
    this.#notBefore = waitMs === null ? 0 : this.#deps.clock.now() + waitMs;
    return false;
  }
}

const SUFFIX = Buffer.from(']}]}]}');

/** All families, as the parts of whole messages. The event loop is held for 2 ms at a time. */
async function* messages(
  families: readonly Family[],
  period: { readonly start: number; readonly end: number },
  prefix: Uint8Array,
): AsyncGenerator<readonly Uint8Array[]> {
  const slice = new Slice();
  let parts: Uint8Array[] = [prefix];
  let points = 0;
  for (const { text, count } of pieces(families, period)) {
    // A piece is whole metrics.
    parts.push(Buffer.from(points === 0 ? text : `,${text}`));
    points += count;
    if (points >= MOST_POINTS) {
      yield [...parts, SUFFIX];
      parts = [prefix];
      points = 0;
    }
    if (slice.isOver) await slice.rest();
  }
  if (points > 0) yield [...parts, SUFFIX];
}

/** Metrics with some of their data points each, comma-separated where there are several. */
function* pieces(
  families: readonly Family[],
  period: { readonly start: number; readonly end: number },
): Generator<{ text: string; count: number }, void> {
  for (const family of families) {
    const start = metricStart(family);
    let points: string[] = [];
    for (const point of dataPoints(family, period)) {
      points.push(point);
      if (points.length < POINTS_PER_STEP) continue;
      yield { text: `${start}${points.join(',')}${METRIC_END}`, count: points.length };
      points = [];
    }
    if (points.length > 0) yield { text: `${start}${points.join(',')}${METRIC_END}`, count: points.length };
  }
}
