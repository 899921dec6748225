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
  /** Requests that the end of the balancer cut short, tunnels not counted. */
  cut = 0;
  /** Tells its own parts first, so that whoever is told last finds them up to date. */
  readonly observer: Observer;

  constructor(clock: Clock, outer: Observer, onSettled: () => void) {
    this.journal = new Journal(clock);
    this.metrics = new Metrics(clock);
    const ends: Observer = {
      requestSettled: ({ reason, status }) => {
        if (reason === 'shutdown' && status !== 101) this.cut++;
        onSettled();
      },
    };
    this.observer = new ObserverList([this.metrics, this.journal, outer, ends]);
  }

  /** Forgets the routes and servers that are none of these. */
  keep(config: Config, servers: ReadonlyMap<string, unknown>): void {
    this.journal.keep(servers);
    this.metrics.retain(new Set(everyRoute(config).map(({ name }) => name)), servers);
  }
}
