import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { NumberReader } from '../base/number-stream.js';
import type { BalancerEvent } from '../base/observer.js';
import type { HoldReport } from '../exchange/hold-counts.js';
import type { Metrics } from '../observe/metrics.js';
import type { SpanBlock } from '../observe/otlp/span-writer.js';
import type { RequestSummary } from '../observe/thread-reader.js';
import { Credit } from './credit.js';
import type { EngineSums } from './engine-tally.js';
import type { GuardSums } from './guard-sums.js';
import { type FilledBlock, LineMemory } from './line-memory.js';
import type { RecordBatch } from './record-batch.js';
import type { FiguresReport, Report, ReporterStart, ReportOrder, ThreadState } from './report-messages.js';
import { TallyReader } from './request-tally.js';
import type { ServerSums } from './server-tally.js';

/** Where the reports of a thread go. */
export interface LinkOwner {
  readonly metrics: Metrics;
  readonly sums: EngineSums;
  readonly servers: ServerSums;
  readonly guards: GuardSums;
  /** Adds what became of requests that waited for a server. */
  includeHolds(reports: readonly HoldReport[]): void;
  onRecords(batch: RecordBatch): void;
  /** The bytes are valid during the call. */
  onLines(lines: Buffer, count: number): void;
  onSpans(block: SpanBlock, tracing: string): void;
  onDropped(records: number, lines: number, spans: number): void;
  onEvent(event: BalancerEvent, thread: number): void;
  onSummary(summary: RequestSummary, thread: number): void;
  /** A part of a report has been read; `answers`: the number of the order that it completes, or 0. */
  onFigures(link: ThreadLink): void;
}

/** The main thread's end of what one thread reports, from its start to its end. */
export class ThreadLink {
  readonly thread: number;
  /** The number of the last order to report that was obeyed. */
  answered = 0;
  /** As last reported; null before the first report. */
  state: ThreadState | null = null;
  readonly #port: MessagePort;
  readonly #owner: LinkOwner;
  readonly #tally: TallyReader;
  readonly #credit: Credit;
  readonly #memory: LineMemory;
  readonly #onMessage = (report: Report): void => this.#read(report);

  /** `port`: this thread's end; `start` is for the other one. */
  constructor(port: MessagePort, { thread, credit, lines }: ReporterStart, owner: LinkOwner) {
    this.thread = thread;
    this.#port = port;
    this.#owner = owner;
    this.#tally = new TallyReader(owner.metrics);
    this.#credit = new Credit(credit);
    this.#memory = new LineMemory(lines);
    port.on('message', this.#onMessage);
    // It is the balancer that keeps the process running.
    port.unref();
  }

  post(order: ReportOrder): void {
    this.#port.postMessage(order);
  }

  /** The thread has ended: reads what it had posted. */
  end(): void {
    this.#port.off('message', this.#onMessage);
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: Report } | undefined;
      if (received === undefined) break;
      this.#read(received.message);
    }
    this.#port.close();
  }

  #read(report: Report): void {
    switch (report.kind) {
      case 'figures':
        this.#readFigures(report);
        break;
      case 'event':
        this.#owner.onEvent(report.event, this.thread);
        break;
      case 'records':
        this.#owner.onRecords(report.batch);
        this.#credit.giveBack(report.batch.bytes);
        break;
      case 'blocks':
        this.#readBlocks(report.blocks);
        break;
      case 'line':
        this.#owner.onLines(Buffer.from(report.bytes), 1);
        this.#credit.giveBack(report.bytes.length);
        break;
      case 'spans':
        this.#owner.onSpans(report.block, report.tracing);
        this.#credit.giveBack(report.block.bytes.length);
        break;
      case 'dropped':
        this.#owner.onDropped(report.records, report.lines, report.spans);
    }
  }

  #readBlocks(blocks: readonly FilledBlock[]): void {
    for (const { block, length, lines } of blocks) {
      this.#owner.onLines(this.#memory.bytesOf(block, length), lines);
      this.#memory.release(block);
    }
  }

  #readFigures({ numbers, names, failures, guards, holds, state, answers }: FiguresReport): void {
    this.#tally.learn(names);
    const reader = new NumberReader(numbers);
    while (!reader.isAtEnd) {
      const kind = reader.read();
      const isKnown =
        this.#tally.read(kind, reader) ||
        this.#owner.servers.read(kind, reader) ||
        this.#owner.sums.read(kind, reader);
      if (!isKnown)
        throw new Error(`a report of thread ${this.thread} has an entry of the unknown kind ${kind}`);
    }
    this.#owner.guards.include(guards);
    this.#owner.includeHolds(holds);
    if (state !== null) this.state = state;
    const { requests, errors, latencies } = this.#tally.takeTotals();
    if (requests > 0 || latencies.length > 0 || failures.length > 0)
      this.#owner.onSummary({ requests, errors, latencies, failures }, this.thread);
    if (answers > 0) this.answered = answers;
    this.#owner.onFigures(this);
  }
}
