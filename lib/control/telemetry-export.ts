import type { Clock } from '../base/timer-wheel.js';
import { VERSION } from '../base/version.js';
import type { Config } from '../config/types.js';
import type { ExpositionDeps } from '../observe/exposition.js';
import type { ObserverList } from '../observe/observer-list.js';
import type { LiveExports } from '../observe/otlp/export-families.js';
import type { ExportHealth } from '../observe/otlp/export-health.js';
import { MetricExport } from '../observe/otlp/metric-export.js';
import { type SpanCounts, SpanExport } from '../observe/otlp/span-export.js';
import { keyOf, type SpanBlock, SpanWriter } from '../observe/otlp/span-writer.js';

/** What is counted outside of a balancer. */
export type OuterCounts = Pick<ExpositionDeps, 'droppedLines' | 'droppedEvents'>;

export interface TelemetryExportDeps {
  readonly clock: Clock;
  readonly observer: ObserverList;
  /** This thread serves requests. */
  readonly isAlone: boolean;
  /** Resolves when all threads use the configuration in force, and what they had written before has arrived. */
  readonly settled: () => Promise<void>;
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
    this.#writer = new SpanWriter(deps.clock, (block) => this.take(block, this.#traces.wanted));
  }

  /** What was sent since the start, whatever the configuration was. */
  get figures(): LiveExports {
    return {
      spans: this.spans,
      waiting: this.#traces.open.reduce((sum, { waiting }) => sum + waiting, 0),
      requests: [this.#traces, this.#metrics].flatMap((one) => one.requests),
    };
  }

  /** Spans of this thread or of another one; `tracing`: the settings that its configuration had (`keyOf`). */
  take(block: SpanBlock, tracing: string): void {
    const taker = this.#traces.takerOf(tracing);
    if (taker === null) this.spans.dropped += block.spans;
    else taker.take(block);
  }

  applyConfig({ tracing, metrics }: Config): void {
    const { clock, observer, isAlone, settled, sources, collect } = this.#deps;
    const userAgent = `lb/${VERSION}`;
    if (this.#traces.differs(tracing)) {
      this.#writer.flush();
      const counts = this.spans;
      const make = { clock, observer, userAgent, counts };
      this.#traces.replace(tracing, tracing && new SpanExport(tracing, make), isAlone ? null : settled());
      observer.removeReader(this.#writer);
      if (tracing !== null && isAlone) observer.addReader(this.#writer);
    }
    if (this.#metrics.differs(metrics)) {
      const make = { clock, observer, userAgent, sources, collect, since: this.#since };
      this.#metrics.replace(metrics, metrics && new MetricExport(metrics, make), null);
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
  readonly #signal: 'traces' | 'metrics';
  #now: T | null = null;
  /** The settings of `now` (`keyOf`). */
  wanted = keyOf(null);
  /** Exports of an earlier configuration for which other threads still have something, by their settings. */
  readonly #former = new Map<string, T>();
  /** Those that send what is left. */
  readonly #ending = new Map<T, Promise<void>>();
  /** Requests of those that have ended. */
  readonly #ended = { ok: 0, failed: 0 };

  constructor(signal: 'traces' | 'metrics') {
    this.#signal = signal;
  }

  differs(config: object | null): boolean {
    return keyOf(config) !== this.wanted;
  }

  /** The export that takes what was written under these settings; null: nothing is exported any more. */
  takerOf(settings: string): T | null {
    return settings === this.wanted ? this.#now : (this.#former.get(settings) ?? this.#now);
  }

  /** `rest`: settled when all has come that the former one is to send; null: it has. */
  replace(config: object | null, next: T | null, rest: Promise<void> | null): void {
    const [former, settings] = [this.#now, this.wanted];
    this.#now = next;
    this.wanted = keyOf(config);
    if (former === null) return;
    if (rest === null) {
      void this.#end(former);
      return;
    }
    const earlier = this.#former.get(settings);
    if (earlier !== undefined) void this.#end(earlier);
    this.#former.set(settings, former);
    const end = (): void => {
      if (this.#former.get(settings) !== former) return;
      this.#former.delete(settings);
      void this.#end(former);
    };
    void rest.then(end, end);
  }

  /** All that have not ended. */
  get open(): readonly T[] {
    const now = this.#now === null ? [] : [this.#now];
    return [...now, ...this.#former.values(), ...this.#ending.keys()];
  }

  /** Requests to the collector; empty before there was one. */
  get requests(): LiveExports['requests'] {
    const all = { ...this.#ended };
    for (const { health } of this.open) {
      all.ok += health.requests.ok;
      all.failed += health.requests.failed;
    }
    return this.#now === null && all.ok + all.failed === 0 ? [] : [{ signal: this.#signal, ...all }];
  }

  /** Resolves when all have sent what is left. */
  async end(): Promise<void> {
    const now = this.#now === null ? [] : [this.#now];
    const left = [...now, ...this.#former.values()];
    this.#now = null;
    this.wanted = keyOf(null);
    this.#former.clear();
    for (const one of left) void this.#end(one);
    await Promise.all(this.#ending.values());
  }

  #end(one: T): Promise<void> {
    const ended = one.close().then(() => {
      this.#ending.delete(one);
      this.#ended.ok += one.health.requests.ok;
      this.#ended.failed += one.health.requests.failed;
    });
    this.#ending.set(one, ended);
    return ended;
  }
}
