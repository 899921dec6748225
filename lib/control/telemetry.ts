import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { everyRoute } from '../config/every-route.js';
import type { Config } from '../config/types.js';
import { CallbackFailures } from '../observe/callback-failures.js';
import { Metrics, type Names } from '../observe/metrics.js';
import { ObserverList } from '../observe/observer-list.js';
import { Journal } from './status/journal.js';

const written = new Set<string>();

/** The events that a balancer keeps, and the observers that it notifies. */
export class Telemetry {
  readonly journal: Journal;
  readonly metrics: Metrics;
  /** Notifies the balancer's own parts first, so that external observers find them up to date. */
  readonly observer: ObserverList;
  /** Failures of the callbacks that the embedder passed in. */
  readonly failures = new CallbackFailures((line) => this.warn(line));
  /** Does an external observer receive events, including warnings? */
  readonly #isHeard: boolean;

  /** `inner`: a part of the balancer that is notified too, and acts on it. */
  constructor(clock: Clock, outer: Observer, inner: Observer = {}) {
    this.journal = new Journal(clock, this.failures);
    this.metrics = new Metrics(clock, this.failures);
    this.observer = new ObserverList([this.metrics, this.journal, inner, outer], this.failures);
    this.observer.addressReader = inner;
    this.#isHeard = outer.event !== undefined;
  }

  /** Warns the operator: by an event or, if no observer receives events, on stderr, each line once per process. */
  warn(line: string): void {
    this.observer.event({ what: 'warning', message: line });
    if (this.#isHeard || written.has(line)) return;
    written.add(line);
    process.stderr.write(`lb: ${line}\n`);
  }

  /** Forgets all routes and servers except these. */
  keep(config: Config, servers: Names): void {
    this.journal.keep(servers);
    this.metrics.retain(new Set(everyRoute(config).map(({ name }) => name)), servers);
  }

  /** Forgets a server. */
  forget(server: string): void {
    this.journal.forget(server);
    this.metrics.forgetServer(server);
  }
}
