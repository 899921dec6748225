import type { Clock } from '../base/timer-wheel.js';
import { VERSION } from '../base/version.js';
import type { Config } from '../config/types.js';
import type { ExpositionDeps } from '../observe/exposition.js';
import type { ObserverList } from '../observe/observer-list.js';
import type { LiveExports } from '../observe/otlp/export-families.js';
import type { ExportHealth } from '../observe/otlp/export-health.js';
import { MetricExport } from '../observe/otlp/metric-export.js';
import { type SpanCounts, SpanExport } from '../observe/otlp/span-export.js';
import { type SpanBlock, SpanWriter } from '../observe/otlp/span-writer.js';

/** What is counted outside of a balancer. */
export type OuterCounts = Pick<ExpositionDeps, 'droppedLines' | 'droppedEvents'>;

export interface TelemetryExportDeps {
  readonly clock: Clock;
  readonly observer: ObserverList;
  /** This thread serves requests. */
  readonly isAlone: boolean;
  readonly sources: ExpositionDeps;
  /** Has other threads report what they have counted; null: there are none. */
  readonly collect: () => Promise<void> | null;
}

/** What is sent to OpenTelemetry collectors: follows the configuration, and counts over all of them. */
export class TelemetryExport {
  readonly spans: SpanCounts = { sent: 0, rejected: 0, dropped: 0 };
  readonly #deps: TelemetryExportDeps;
  /** Writes the spans of requests that this thread serves; with several threads those have writers of their own. */
  readonly #writer: SpanWriter;
  readonly #since: number;
  readonly #traces = new CurrentExport<SpanExport>('traces');
  readonly #metrics = new CurrentExport<MetricExport>('metrics');

  constructor(deps: TelemetryExportDeps) {
    this.#deps = deps;
    this.#since = deps.clock.wall();
    this.#writer = new SpanWriter(deps.clock, (block) => this.take(block));
  }

  /** What was sent since the start, whatever the configuration was. */
  get figures(): LiveExports {
    return {
      spans: this.spans,
      waiting: this.#traces.now?.waiting ?? 0,
      requests: [this.#traces, this.#metrics].flatMap((one) => one.requests),
    };
  }

  /** Spans of this thread or of another one. */
  take(block: SpanBlock): void {
    if (this.#traces.now === null) this.spans.dropped += block.spans;
    else this.#traces.now.take(block);
  }

  applyConfig({ tracing, metrics }: Config): void {
    const { clock, observer, isAlone, sources, collect } = this.#deps;
    const userAgent = `lb/${VERSION}`;
    if (this.#traces.differs(tracing)) {
      this.#writer.flush();
      const counts = this.spans;
      const make = { clock, observer, userAgent, counts };
      this.#traces.replace(tracing, tracing && new SpanExport(tracing, make));
      observer.removeReader(this.#writer);
      if (tracing !== null && isAlone) observer.addReader(this.#writer);
    }
    if (this.#metrics.differs(metrics)) {
      const make = { clock, observer, userAgent, sources, collect, since: this.#since };
      this.#metrics.replace(metrics, metrics && new MetricExport(metrics, make));
    }
  }

  /**
   * Another process goes on under the same name (`service.instance.id`): sends figures once more and then no longer, as those
   * of two processes by turns would look like resets. Spans of requests in flight are still sent.
   */
  handOver(): void {
    void this.#metrics.end();
  }

  /** Sends what is left: a second at most. */
  async close(): Promise<void> {
    this.#deps.observer.removeReader(this.#writer);
    this.#writer.flush();
    await Promise.all([this.#traces.end(), this.#metrics.end()]);
  }
}

/** The export of one signal that the configuration in force wants, and what became of those before. */
class CurrentExport<T extends { readonly health: ExportHealth; close(): Promise<void> }> {
  now: T | null = null;
  readonly #signal: 'traces' | 'metrics';
  #wanted = 'null';
  /** Those that have ended. */
  readonly #ended = { ok: 0, failed: 0 };
  /** Those that send what is left. */
  readonly #ending = new Set<Promise<void>>();

  constructor(signal: 'traces' | 'metrics') {
    this.#signal = signal;
  }

  differs(config: object | null): boolean {
    return JSON.stringify(config) !== this.#wanted;
  }

  replace(config: object | null, next: T | null): void {
    void this.end();
    this.#wanted = JSON.stringify(config);
    this.now = next;
  }

  /** Requests to the collector; empty before there was one. */
  get requests(): LiveExports['requests'] {
    const { ok, failed } = this.now?.health.requests ?? { ok: 0, failed: 0 };
    const all = { ok: this.#ended.ok + ok, failed: this.#ended.failed + failed };
    return this.now === null && all.ok + all.failed === 0 ? [] : [{ signal: this.#signal, ...all }];
  }

  async end(): Promise<void> {
    const { now } = this;
    this.now = null;
    this.#wanted = 'null';
    if (now !== null) {
      const ended = now.close().then(() => {
        this.#ending.delete(ended);
        this.#ended.ok += now.health.requests.ok;
        this.#ended.failed += now.health.requests.failed;
      });
      this.#ending.add(ended);
    }
    await Promise.all(this.#ending);
  }
}
