import type { Test } from 'tap';
import type { BalancerEvent, Observer } from '../../lib/base/observer.js';
import { systemClock } from '../../lib/base/timer-wheel.js';
import type { HoldCounts } from '../../lib/exchange/hold-counts.js';
import type { Firewall } from '../../lib/firewall/firewall.js';
import { Metrics } from '../../lib/observe/metrics.js';
import { ObserverList } from '../../lib/observe/observer-list.js';
import type { ReportedEngine } from '../../lib/threads/engine-tally.js';
import { ThreadReporter } from '../../lib/threads/thread-reporter.js';
import { ThreadReports } from '../../lib/threads/thread-reports.js';
import { until } from '../support/loop-ticks.js';

/** The main thread's part of reporting, and as many reporters as are started: here all in one thread. */
export class Reporting {
  readonly metrics = new Metrics();
  readonly events: BalancerEvent[] = [];
  firewalls: readonly Firewall[] = [];
  readonly holdLines = new Map<string, { readonly counts: HoldCounts }>();
  readonly reports: ThreadReports;
  /** Those of threads that were replaced too: each takes the refusals of this process until it is closed. */
  readonly #reporters: ThreadReporter[] = [];

  constructor(t: Test, observers: readonly Observer[] = []) {
    const events: Observer = { event: (event) => void this.events.push(event) };
    const observer = new ObserverList([this.metrics, events, ...observers]);
    this.reports = new ThreadReports({
      clock: systemClock,
      metrics: this.metrics,
      observer,
      firewalls: () => this.firewalls,
      holdLineOf: (route) => this.holdLines.get(route),
      spans: { take: () => {}, spans: { dropped: 0 } },
    });
    t.teardown(() => this.close());
  }

  start(thread: number, engine?: ReportedEngine): ThreadReporter {
    const reporter = new ThreadReporter(this.reports.connect(thread), systemClock);
    if (engine !== undefined) reporter.watch(engine);
    this.#reporters.push(reporter);
    return reporter;
  }

  /** Resolves when all reporters have reported, however busy this machine is. */
  async collect(): Promise<void> {
    await until(() => this.reports.collect(), 'all reporters have reported');
  }

  close(): void {
    for (const reporter of this.#reporters) reporter.close();
    this.reports.close();
  }
}

/** An engine whose figures are what a test sets. */
export class FakeEngine implements ReportedEngine {
  clientCount = 0;
  readonly handshakes = new Map<string, number>();
  readonly proxyHeaders = new Map<string, number>();
  listenerFigures: ReportedEngine['listenerFigures'] = [];
}

export function listenerOf(
  address: string,
  connections: number,
  turnedAway: number,
): ReportedEngine['listenerFigures'][number] {
  return {
    address,
    scheme: 'http',
    redirect: null,
    proxyProtocol: null,
    connections,
    limit: null,
    turnedAway,
  };
}
