import type { Observer } from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { TracingConfig } from '../../config/types.js';
import { Collector, type Delivery } from './collector.js';
import { ExportHealth } from './export-health.js';
import { resourceText, SCOPE } from './resource.js';
import type { SpanBlock } from './span-writer.js';

/** How long `close` waits for the collector, in ms. */
const CLOSE_MS = 1000;
/** Of all spans that the queue holds, on average: a long URL or User-Agent makes one many times as long. */
const SPAN_BYTES = 4096;
/** What a small queue holds, in bytes. */
const LEAST_BYTES = 1024 * 1024;

/** Spans, by what became of them. */
export interface SpanCounts {
  sent: number;
  /** The collector took the request, and not these. */
  rejected: number;
  /** There were too many, or the collector was away or refused the request. */
  dropped: number;
}

export interface SpanExportDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  /** `lb/1.2.3` */
  readonly userAgent: string;
  /** Counted by all that had been before, too. */
  readonly counts: SpanCounts;
}

/**
 * Sends spans to a collector, one request at a time. A failed request is repeated until it is taken; meanwhile spans wait,
 * as many as the queue holds, and those that come then are dropped and counted. No request of a client waits for it.
 */
export class SpanExport {
  readonly #config: TracingConfig;
  readonly #clock: Clock;
  readonly #collector: Collector;
  readonly #counts: SpanCounts;
  readonly health: ExportHealth;
  readonly #abort = new AbortController();
  readonly #prefix: Buffer;
  #waiting: SpanBlock[] = [];
  /** Of what waits. */
  #spans = 0;
  #bytes = 0;
  #sending: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  /** `counts.dropped` when it failed for the first time. */
  #droppedBefore = 0;
  #closed = false;

  constructor(config: TracingConfig, { clock, observer, userAgent, counts }: SpanExportDeps) {
    this.#config = config;
    this.#clock = clock;
    this.#counts = counts;
    this.#collector = new Collector(config.collector, userAgent);
    this.health = new ExportHealth('traces', clock, observer);
    this.#prefix = Buffer.from(
      `{"resourceSpans":[{${resourceText(config.collector)},"scopeSpans":[{${SCOPE},"spans":[`,
    );
  }

  /** Spans that wait. */
  get waiting(): number {
    return this.#spans;
  }

  /** Takes spans, or drops them. */
  take(block: SpanBlock): void {
    if (this.#closed || this.#isTooMuch(block)) {
      this.#counts.dropped += block.spans;
      return;
    }
    this.#waiting.push(block);
    this.#spans += block.spans;
    this.#bytes += block.bytes.length;
    if (this.#sending !== null) return;
    // While it fails, the timer of the next attempt runs, unless what failed was dropped and nothing waited.
    if (this.#spans >= this.#config.batch && !this.health.isFailing) this.#sendNow();
    else this.#wakeIn(this.#config.interval);
  }

  #isTooMuch({ spans, bytes }: SpanBlock): boolean {
    const { queue } = this.#config;
    // Under load one block has about 100 spans: a smaller queue would never take one.
    if (this.#spans === 0) return false;
    return (
      this.#spans + spans > queue || this.#bytes + bytes.length > Math.max(LEAST_BYTES, queue * SPAN_BYTES)
    );
  }

  /** Sends what waits, within a second; the rest is dropped. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const timer = setTimeout(() => this.#abort.abort(), CLOSE_MS);
    await this.#sending;
    while (this.#waiting.length > 0 && !this.health.isFailing) await this.#send();
    clearTimeout(timer);
    this.#counts.dropped += this.#spans;
    this.#waiting = [];
    this.#spans = 0;
    this.#bytes = 0;
    this.#collector.close();
  }

  #wakeIn(ms: number): void {
    if (this.#cancelTimer !== null || this.#closed) return;
    this.#cancelTimer = this.#clock.every(Math.max(1, ms), () => this.#sendNow());
  }

  #sendNow(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#sending !== null) return;
    this.#sending = this.#send().then((pause) => {
      this.#sending = null;
      if (this.#closed || this.#waiting.length === 0) return;
      if (pause === 0 && this.#spans >= this.#config.batch) this.#sendNow();
      else this.#wakeIn(pause === 0 ? this.#config.interval : pause);
    });
  }

  /** Resolves with the ms that have to pass before the next request; 0: none have to. */
  async #send(): Promise<number> {
    const blocks = this.#nextBatch();
    if (blocks.length === 0) return 0;
    const spans = blocks.reduce((sum, block) => sum + block.spans, 0);
    const parts: Uint8Array[] = [this.#prefix];
    for (const { bytes } of blocks) {
      if (parts.length > 1) parts.push(COMMA);
      parts.push(bytes);
    }
    parts.push(SUFFIX);
    const delivery = await this.#collector.send(parts, this.#abort.signal);
    return this.#settle(delivery, blocks.length, spans);
  }

  #settle(delivery: Delivery, blocks: number, spans: number): number {
    if (!this.health.isFailing) this.#droppedBefore = this.#counts.dropped;
    if (delivery.kind === 'later') return this.health.failed(delivery.detail, delivery.waitMs);
    // What waits is only added to at the end.
    for (const { bytes } of this.#waiting.splice(0, blocks)) this.#bytes -= bytes.length;
    this.#spans -= spans;
    if (delivery.kind === 'never') {
      this.#counts.dropped += spans;
      return this.health.failed(`${delivery.detail}; its spans are dropped`, null);
    }
    const rejected = Math.min(delivery.rejected, spans);
    this.#counts.sent += spans - rejected;
    this.#counts.rejected += rejected;
    this.health.succeeded(this.#counts.dropped - this.#droppedBefore);
    return 0;
  }

  /** Whole blocks, at least one. */
  #nextBatch(): readonly SpanBlock[] {
    let spans = 0;
    let count = 0;
    for (const block of this.#waiting) {
      if (count > 0 && spans + block.spans > this.#config.batch) break;
      spans += block.spans;
      count++;
    }
    return this.#waiting.slice(0, count);
  }
}

const COMMA = Buffer.from(',');
const SUFFIX = Buffer.from(']}]}]}');
