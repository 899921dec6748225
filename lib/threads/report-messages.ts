import type { MessagePort } from 'node:worker_threads';
import type { BalancerEvent } from '../base/observer.js';
import type { HoldReport } from '../exchange/hold-counts.js';
import type { NewFailures } from '../observe/failures.js';
import type { LineTerms } from '../observe/line-format.js';
import type { SpanBlock } from '../observe/otlp/span-writer.js';
import type { EngineGauges } from './engine-tally.js';
import type { GuardReport } from './guard-sums.js';
import type { FilledBlock, LineMemoryHandle } from './line-memory.js';
import type { RecordBatch } from './record-batch.js';
import type { NewNames } from './request-tally.js';
import type { ThreadBusyness } from './thread-load.js';

/** What a thread needs to report, as plain data and one port, which is to be transferred. */
export interface ReporterStart {
  /** The number of the thread. */
  readonly thread: number;
  readonly port: MessagePort;
  readonly terms: ReportTerms;
  /** Of records, long lines and spans. */
  readonly credit: SharedArrayBuffer;
  readonly lines: LineMemoryHandle;
}

/** What the observers of the main thread read of requests besides their figures. */
export interface ReportTerms {
  readonly records: boolean;
  /** Do records have the heads that servers get? It holds for as long as the thread lives. */
  readonly serverHeads: boolean;
  readonly failures: boolean;
  /** null: no lines. */
  readonly lines: LineTerms | null;
}

/** From the main thread. */
export type ReportOrder =
  /** Report at once; the last message of that report has this number. */
  | { readonly kind: 'report'; readonly number: number }
  | { readonly kind: 'terms'; readonly terms: ReportTerms };

/** To the main thread, in this order: what a message says happened before what the next one says. */
export type Report =
  | FiguresReport
  | { readonly kind: 'event'; readonly event: BalancerEvent }
  | { readonly kind: 'records'; readonly batch: RecordBatch }
  | { readonly kind: 'blocks'; readonly blocks: readonly FilledBlock[] }
  /** A line that is longer than a block. */
  | { readonly kind: 'line'; readonly bytes: Uint8Array }
  /** Spans of recorded traces; `tracing`: the settings that the thread went by (`keyOf`). */
  | { readonly kind: 'spans'; readonly block: SpanBlock; readonly tracing: string }
  /** Records, lines and spans that were not posted, because too many wait. */
  | {
      readonly kind: 'dropped';
      readonly records: number;
      readonly lines: number;
      readonly spans: number;
    };

/** What a thread is doing now. */
export interface ThreadState {
  readonly engine: EngineGauges;
  readonly load: ThreadBusyness;
}

/** Differences from what was reported before, and the present values of gauges. */
export interface FiguresReport {
  readonly kind: 'figures';
  /** Entries, each of which begins with the number of its kind. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly names: NewNames;
  readonly failures: readonly NewFailures[];
  readonly guards: readonly GuardReport[];
  readonly holds: readonly HoldReport[];
  /** Only with the last message of a report. */
  readonly state: ThreadState | null;
  /** The number of the order that is complete with this message; 0: none. */
  readonly answers: number;
}
