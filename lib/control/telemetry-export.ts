import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { VERSION } from '../base/version.js';
import type { Config, TracingConfig } from '../config/types.js';
import type { ObserverList } from '../observe/observer-list.js';
import type { LiveExports } from '../observe/otlp/export-families.js';
import { type SpanCounts, SpanExport } from '../observe/otlp/span-export.js';
import { type SpanBlock, SpanWriter } from '../observe/otlp/span-writer.js';

/** What is sent to OpenTelemetry collectors: follows the configuration, and counts over all of them. */
export class TelemetryExport {
  readonly spans: SpanCounts = { sent: 0, rejected: 0, dropped: 0 };
  readonly #clock: Clock;
  readonly #observer: ObserverList;
  /** Writes the spans of requests that this thread serves; with several threads those have writers of their own. */
  readonly #writer: SpanWriter;
  readonly #isAlone: boolean;
  #traces: { readonly wanted: string; readonly to: SpanExport } | null = null;
  /** Those of exports that have ended. */
  readonly #ended = { ok: 0, failed: 0 };
  /** Exports that send what is left. */
  readonly #ending = new Set<Promise<void>>();

  /** `isAlone`: this thread serves requests. */
  constructor(clock: Clock, observer: ObserverList, isAlone: boolean) {
    this.#clock = clock;
    this.#observer = observer;
    this.#isAlone = isAlone;
    this.#writer = new SpanWriter(clock, (block) => this.take(block));
  }

  /** What was sent since the start, whatever the configuration was. */
  get figures(): LiveExports {
    const { ok, failed } = this.#traces?.to.health.requests ?? { ok: 0, failed: 0 };
    const traces = { ok: this.#ended.ok + ok, failed: this.#ended.failed + failed };
    return {
      spans: this.spans,
      waiting: this.#traces?.to.waiting ?? 0,
      requests:
        traces.ok + traces.failed === 0 && this.#traces === null ? [] : [{ signal: 'traces', ...traces }],
    };
  }

  /** Spans of this thread or of another one. */
  take(block: SpanBlock): void {
    if (this.#traces === null) this.spans.dropped += block.spans;
    else this.#traces.to.take(block);
  }

  applyConfig({ tracing }: Config): void {
    const wanted = JSON.stringify(tracing);
    if (wanted === (this.#traces?.wanted ?? 'null')) return;
    this.#writer.flush();
    void this.#end();
    this.#observer.removeReader(this.#writer);
    if (tracing === null) return;
    this.#traces = { wanted, to: this.#exportTo(tracing) };
    if (this.#isAlone) this.#observer.addReader(this.#writer);
  }

  /** Sends what is left: a second at most. */
  async close(): Promise<void> {
    this.#observer.removeReader(this.#writer);
    this.#writer.flush();
    void this.#end();
    await Promise.all(this.#ending);
  }

  #exportTo(tracing: TracingConfig): SpanExport {
    const observer: Observer = this.#observer;
    return new SpanExport(tracing, {
      clock: this.#clock,
      observer,
      userAgent: `lb/${VERSION}`,
      counts: this.spans,
    });
  }

  async #end(): Promise<void> {
    const traces = this.#traces;
    if (traces === null) return;
    this.#traces = null;
    const ended = traces.to.close();
    this.#ending.add(ended);
    await ended;
    this.#ending.delete(ended);
    const { ok, failed } = traces.to.health.requests;
    this.#ended.ok += ok;
    this.#ended.failed += failed;
  }
}
