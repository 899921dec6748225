import type { Clock } from './base/clock.js';
import type { Observer } from './base/observer.js';
import { everyRoute } from './config/every-route.js';
import type { Config } from './config/types.js';
import { Metrics } from './observe/metrics.js';
import { ObserverList } from './observe/observer-list.js';
import { Journal } from './status/journal.js';

/** What a balancer remembers of itself, and whom it tells. */
export class Telemetry {
  readonly journal: Journal;
  readonly metrics: Metrics;
  /** Tells its own parts first, so that whoever is told last finds them up to date. */
  readonly observer: Observer;

  constructor(clock: Clock, outer: Observer, onSettled: () => void) {
    this.journal = new Journal(clock);
    this.metrics = new Metrics(clock);
    const drains: Observer = { requestSettled: onSettled };
    this.observer = new ObserverList([this.metrics, this.journal, outer, drains]);
  }

  /** Forgets the routes and servers that are none of these. */
  keep(config: Config, servers: ReadonlyMap<string, unknown>): void {
    this.journal.keep(servers);
    this.metrics.retain(new Set(everyRoute(config).map(({ name }) => name)), servers);
  }
}
