import type { MessagePort } from 'node:worker_threads';
import { NumberWriter } from '../base/number-stream.js';
import type { BalancerEvent, Observer, RequestRecord } from '../base/observer.js';
import { atOnce, Slice, type Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import type { MeasuredPath, TracingConfig } from '../config/types.js';
import { type HoldReport, takeHolds } from '../exchange/hold-counts.js';
import { takeRefusals } from '../firewall/verdict.js';
import { Failures } from '../observe/failures.js';
import type { Names } from '../observe/metrics.js';
import { keyOf, SpanWriter } from '../observe/otlp/span-writer.js';
import { Credit } from './credit.js';
import { EngineTally, NO_GAUGES, type ReportedEngine } from './engine-tally.js';
import type { GuardReport } from './guard-sums.js';
import type { FiguresReport, ReporterStart, ReportOrder, ThreadState } from './report-messages.js';
import { RequestForwarder } from './request-forwarder.js';
import { RequestTally } from './request-tally.js';
import { type LoggedServer, ServerTally } from './server-tally.js';
import { isOfEngine } from './thread-events.js';
import { ThreadLoad } from './thread-load.js';

/** How often the figures of a thread are reported, in ms. */
const REPORT_EVERY_MS = 250;
/** How long a report holds the thread at a time, in ms. */
const SLICE_MS = 1;
/** About the most numbers in a message: the main thread takes them in under a millisecond. */
const MESSAGE_NUMBERS = 8192;
const MESSAGE_GUARDS = 500;

/**
 * Reports what happens in the thread of an engine to the main thread: the figures as differences, a few times per second;
 * events at once; records and lines of requests if observers there read them. It is the observer of the engine.
 */
export class ThreadReporter implements Observer {
  readonly readsServerHeads: boolean;
  readonly #port: MessagePort;
  readonly #requests = new RequestTally();
  readonly #failures = new Failures();
  readonly #forwarder: RequestForwarder;
  readonly #spans: SpanWriter;
  /** The settings that spans are written under. */
  #tracing = keyOf(null);
  readonly #load: ThreadLoad;
  readonly #numbers = new NumberWriter();
  readonly #servers = new ServerTally();
  #guards: GuardReport[] = [];
  #holds: readonly HoldReport[] = [];
  readonly #stop: () => void;
  /** The numbers of orders to report. */
  #orders: number[] = [];
  #engine: EngineTally | null = null;
  #wantsFailures: boolean;
  #isReporting = false;
  #isClosed = false;
  #toldEngine = NO_GAUGES;

  constructor(start: ReporterStart, clock: Clock) {
    const { port, terms } = start;
    this.#port = port;
    this.readsServerHeads = terms.serverHeads;
    this.#wantsFailures = terms.failures;
    this.#load = new ThreadLoad(clock);
    takeRefusals();
    takeHolds();
    this.#forwarder = new RequestForwarder(start, (report) => port.postMessage(report));
    port.on('message', (order: ReportOrder) => this.#obey(order));
    const credit = new Credit(start.credit);
    this.#spans = new SpanWriter(clock, (block) => {
      const tracing = this.#tracing;
      if (credit.take(block.bytes.length))
        port.postMessage({ kind: 'spans', block, tracing }, [block.bytes.buffer]);
      else port.postMessage({ kind: 'dropped', records: 0, lines: 0, spans: block.spans });
    });
    // It is the engine that keeps the thread running.
    port.unref();
    this.#stop = clock.every(REPORT_EVERY_MS, () => void this.#report());
  }

  /** The engine whose figures are reported. */
  watch(engine: ReportedEngine): void {
    this.#engine = new EngineTally(engine);
  }

  /** A server of the engine; `number`: the one that it has in all threads. */
  watchServer(server: LoggedServer, number: number): void {
    this.#servers.watch(server, number);
  }

  unwatchServer(server: LoggedServer): void {
    this.#servers.unwatch(server);
  }

  requestSettled(record: RequestRecord): void {
    this.#requests.requestSettled(record);
    if (this.#wantsFailures) this.#failures.note(record);
    this.#spans.requestSettled(record);
    this.#forwarder.note(record);
  }

  event(event: BalancerEvent): void {
    if (isOfEngine(event)) this.#port.postMessage({ kind: 'event', event });
  }

  /** Goes by these settings from now on; spans that were written under others are passed on. */
  trace(tracing: TracingConfig | null): void {
    const key = keyOf(tracing);
    if (key === this.#tracing) return;
    this.#spans.flush();
    this.#tracing = key;
  }

  /** From now on requests are counted by these paths too. */
  measure(paths: readonly MeasuredPath[]): void {
    this.#requests.measure(paths);
  }

  /** Forgets all routes and servers except these. */
  retain(routes: Names, servers: Names): void {
    this.#requests.retain(routes, servers);
  }

  /** Reports everything now, without slices, for a thread that ends. */
  flush(): void {
    this.#spans.flush();
    atOnce(this.#steps());
    this.#postFigures(this.#state, this.#takeOrders());
  }

  /** Reports everything, and nothing after that. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop();
    this.flush();
    this.#load.close();
    this.#port.close();
  }

  #obey(order: ReportOrder): void {
    if (order.kind === 'terms') {
      this.#wantsFailures = order.terms.failures;
      this.#forwarder.applyTerms(order.terms);
      return;
    }
    this.#orders.push(order.number);
    void this.#report();
  }

  /** One report at a time: an order that comes meanwhile is for the next one. */
  async #report(): Promise<void> {
    if (this.#isReporting) return;
    this.#isReporting = true;
    do {
      const answers = this.#takeOrders();
      await this.#inSlices(this.#steps());
      const state = this.#state;
      const isNews =
        state.engine !== this.#toldEngine ||
        this.#numbers.length + this.#guards.length + this.#holds.length > 0 ||
        answers > 0;
      this.#postFigures(isNews ? state : null, answers);
    } while (this.#orders.length > 0);
    this.#isReporting = false;
  }

  async #inSlices(steps: Steps<void>): Promise<void> {
    const slice = new Slice(SLICE_MS);
    while (steps.next().done !== true) {
      if (this.#numbers.length >= MESSAGE_NUMBERS || this.#guards.length >= MESSAGE_GUARDS)
        this.#postFigures(null, 0);
      if (slice.isOver) await slice.rest();
      // Everything was reported meanwhile.
      if (this.#isClosed) return;
    }
  }

  *#steps(): Steps<void> {
    this.#forwarder.flush();
    yield* this.#requests.write(this.#numbers);
    yield* this.#servers.write(this.#numbers);
    this.#engine?.writeCounts(this.#numbers);
    this.#holds = [...this.#holds, ...takeHolds()];
    for (const [{ firewall, guard }, { refused, observed }] of takeRefusals()) {
      this.#guards.push({ firewall, guard, refused, observed });
      yield;
    }
  }

  get #state(): ThreadState {
    return { engine: this.#engine?.gauges ?? NO_GAUGES, load: this.#load.read() };
  }

  /** The number of the last order; 0: there is none. */
  #takeOrders(): number {
    const last = this.#orders.at(-1) ?? 0;
    this.#orders = [];
    return last;
  }

  #postFigures(state: ThreadState | null, answers: number): void {
    const failures = this.#failures.take();
    const guards = this.#guards;
    const holds = this.#holds;
    const news = this.#numbers.length + failures.length + guards.length + holds.length;
    if (news === 0 && state === null && answers === 0) return;
    this.#guards = [];
    this.#holds = [];
    const numbers = this.#numbers.take();
    const names = this.#requests.takeNames();
    if (state !== null) this.#toldEngine = state.engine;
    const figures = { numbers, names, failures, guards, holds, state, answers };
    const report: FiguresReport = { kind: 'figures', ...figures };
    this.#port.postMessage(report, [numbers.buffer]);
  }
}
