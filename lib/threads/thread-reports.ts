import { MessageChannel } from 'node:worker_threads';
import type { BalancerEvent } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import type { HoldReport } from '../exchange/hold-counts.js';
import type { HoldLine } from '../exchange/hold-line.js';
import type { Firewall } from '../firewall/firewall.js';
import type { Metrics } from '../observe/metrics.js';
import type { ObserverList } from '../observe/observer-list.js';
import type { SpanBlock } from '../observe/otlp/span-writer.js';
import type { RequestSummary } from '../observe/thread-reader.js';
import type { ThreadFigures } from '../servers/engine-contract.js';
import { Credit } from './credit.js';
import { EngineSums, type ListenerReport } from './engine-tally.js';
import { GuardSums } from './guard-sums.js';
import { LineMemory } from './line-memory.js';
import { type RecordBatch, readRecords } from './record-batch.js';
import type { ReporterStart, ReportTerms } from './report-messages.js';
import { ServerSums } from './server-tally.js';
import { ThreadEvents } from './thread-events.js';
import { type LinkOwner, ThreadLink } from './thread-link.js';

/** How long `collect` waits for threads that are busy, in ms. */
const COLLECT_MS = 50;
/** Lost records are reported at most once in this time, in ms. */
const WARN_EVERY_MS = 10_000;

export interface ThreadReportsDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly observer: ObserverList;
  /** Those of the configuration in force. */
  readonly firewalls: () => readonly Firewall[];
  /** The line of a route in the main thread, where the counts of all threads are added up. */
  readonly holdLineOf: (route: string) => Pick<HoldLine, 'counts'> | undefined;
  /** Takes what threads write of recorded traces. */
  readonly spans: SpanTaker;
}

export interface SpanTaker {
  /** `tracing`: the settings that they were written under (`keyOf`). */
  take(block: SpanBlock, tracing: string): void;
  readonly spans: { dropped: number };
}

/** What is kept of a number after its thread has ended. */
interface Account {
  requests: number;
  since: number;
  restarts: number;
  link: ThreadLink | null;
}

/**
 * What the threads with engines report, added up: counters never fall, whatever becomes of a thread; what a thread held
 * open counts until it ends. The figures are a quarter of a second old at most; `collect` updates them.
 */
export class ThreadReports implements LinkOwner {
  readonly metrics: Metrics;
  readonly sums = new EngineSums();
  readonly servers = new ServerSums();
  readonly guards: GuardSums;
  readonly #clock: Clock;
  readonly #observer: ObserverList;
  readonly #spans: SpanTaker;
  readonly #events: ThreadEvents;
  readonly #holdLineOf: ThreadReportsDeps['holdLineOf'];
  readonly #accounts = new Map<number, Account>();
  /** Connections that listeners of ended threads had turned away, by address. */
  readonly #turnedAway = new Map<string, number>();
  #terms: ReportTerms;
  #lastOrder = 0;
  /** Calls of `collect` that wait, with the number of their order. */
  readonly #waiting = new Map<number, (isComplete: boolean) => void>();
  #lostRecords = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor({ clock, metrics, observer, firewalls, holdLineOf, spans }: ThreadReportsDeps) {
    this.#spans = spans;
    this.guards = new GuardSums(firewalls);
    this.#holdLineOf = holdLineOf;
    this.#clock = clock;
    this.metrics = metrics;
    this.#observer = observer;
    this.#events = new ThreadEvents(clock);
    this.#terms = this.#wanted;
  }

  /**
   * For a thread that is about to start, the first one of this number or the next: what its `ThreadReporter` needs. Its
   * `port` has to be transferred.
   */
  connect(thread: number): ReporterStart {
    const { port1, port2 } = new MessageChannel();
    const start: ReporterStart = {
      thread,
      port: port2,
      terms: this.#terms,
      credit: Credit.create(),
      lines: LineMemory.create(),
    };
    const account = this.#accounts.get(thread);
    if (account !== undefined) this.ended(thread);
    this.#accounts.set(thread, {
      requests: account?.requests ?? 0,
      since: this.#clock.wall(),
      restarts: account === undefined ? 0 : account.restarts + 1,
      link: new ThreadLink(port1, start, this),
    });
    return start;
  }

  /** The thread has ended: what it had posted is read, and it holds nothing open any more. */
  ended(thread: number): void {
    const account = this.#accounts.get(thread);
    if (account === undefined || account.link === null) return;
    const { link } = account;
    link.end();
    account.link = null;
    for (const { address, turnedAway } of link.state?.engine.listeners ?? [])
      this.#turnedAway.set(address, (this.#turnedAway.get(address) ?? 0) + turnedAway);
    this.#answerWaiting();
  }

  /** Another configuration is in force. */
  follow(): void {
    this.guards.renew();
    this.applyTerms();
  }

  /** Observers may read something else from now on. */
  applyTerms(): void {
    const wanted = this.#wanted;
    if (isSame(wanted, this.#terms)) return;
    this.#terms = wanted;
    for (const link of this.#links()) link.post({ kind: 'terms', terms: wanted });
  }

  /** Asks all threads for their figures. Resolves with true when they have come, with false after 50 ms. */
  collect(): Promise<boolean> {
    this.#lastOrder++;
    const number = this.#lastOrder;
    for (const link of this.#links()) link.post({ kind: 'report', number });
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(false), COLLECT_MS);
      const done = (isComplete: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        resolve(isComplete);
      };
      this.#waiting.set(number, done);
      this.#answerWaiting();
    });
  }

  /** In the order of their numbers. */
  get threads(): readonly ThreadFigures[] {
    const accounts = [...this.#accounts].sort(([one], [other]) => one - other);
    return accounts.map(([number, { requests, since, restarts, link }]) => {
      const { engine, load } = link?.state ?? { engine: null, load: null };
      return {
        number,
        requests,
        connections: engine?.clients ?? 0,
        loopDelayMs: load?.loopDelayMs ?? 0,
        busy: load?.busy ?? 0,
        since,
        restarts,
      };
    });
  }

  get clientCount(): number {
    return this.#sumOf(({ state }) => state?.engine.clients ?? 0);
  }

  /** Bytes of request bodies that the threads keep. */
  get replayBytes(): number {
    return this.#sumOf(({ state }) => state?.engine.replayBytes ?? 0);
  }

  /** The figures of the listener at an address, in all threads. */
  listenerAt(address: string): ListenerReport {
    let connections = 0;
    let turnedAway = this.#turnedAway.get(address) ?? 0;
    for (const { state } of this.#links()) {
      const listener = state?.engine.listeners.find((one) => one.address === address);
      connections += listener?.connections ?? 0;
      turnedAway += listener?.turnedAway ?? 0;
    }
    return { address, connections, turnedAway };
  }

  /** Reads no more. */
  close(): void {
    for (const thread of this.#accounts.keys()) this.ended(thread);
  }

  // Called by links.

  onRecords(batch: RecordBatch): void {
    readRecords(batch, this.#observer.recordReader());
  }

  onLines(lines: Buffer, count: number): void {
    this.#observer.linesSettled(lines, count);
  }

  onSpans(block: SpanBlock, tracing: string): void {
    this.#spans.take(block, tracing);
  }

  onDropped(records: number, lines: number, spans: number): void {
    if (spans > 0) this.#spans.spans.dropped += spans;
    if (lines > 0) this.#observer.linesDropped(lines);
    if (records === 0) return;
    this.metrics.lostRecords += records;
    this.#lostRecords += records;
    const now = this.#clock.now();
    if (now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    const message = `${this.#lostRecords} requests were not reported to observers, which are slower than requests arrive`;
    this.#observer.event({ what: 'warning', message });
  }

  onEvent(event: BalancerEvent, thread: number): void {
    if (this.#events.passes(event, thread)) this.#observer.event(event);
  }

  onSummary(summary: RequestSummary, thread: number): void {
    const account = this.#accounts.get(thread);
    if (account !== undefined) account.requests += summary.requests;
    this.#observer.requestsSummed(summary);
  }

  includeHolds(reports: readonly HoldReport[]): void {
    for (const report of reports) this.#holdLineOf(report.route)?.counts.include(report);
  }

  onFigures(): void {
    this.applyTerms();
    this.#answerWaiting();
  }

  #answerWaiting(): void {
    for (const [number, done] of this.#waiting)
      if (this.#links().every(({ answered }) => answered >= number)) done(true);
  }

  #links(): readonly ThreadLink[] {
    return [...this.#accounts.values()].flatMap(({ link }) => link ?? []);
  }

  #sumOf(value: (link: ThreadLink) => number): number {
    return this.#links().reduce((sum, link) => sum + value(link), 0);
  }

  get #wanted(): ReportTerms {
    const observer = this.#observer;
    return {
      records: observer.anyReads('records'),
      serverHeads: observer.readsServerHeads,
      failures: observer.anyReads('failures'),
      lines: observer.lineTerms,
    };
  }
}

/** Line terms are made anew only when they change. */
function isSame(one: ReportTerms, other: ReportTerms): boolean {
  return one.records === other.records && one.failures === other.failures && one.lines === other.lines;
}
