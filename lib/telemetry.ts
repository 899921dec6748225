import type { Clock } from './base/clock.js';
import type { Observer } from './base/observer.js';
import { ObserverList } from './observe/observer-list.js';
import { Journal } from './status/journal.js';
import { RequestCounter } from './status/request-counts.js';

/** What a balancer remembers of itself, and whom it tells. */
export class Telemetry {
  readonly journal: Journal;
  readonly requests = new RequestCounter();
  /** Tells its own parts first, so that whoever is told last finds them up to date. */
  readonly observer: Observer;

  constructor(clock: Clock, outer: Observer, onSettled: () => void) {
    this.journal = new Journal(clock);
    const drains: Observer = { requestSettled: onSettled };
    this.observer = new ObserverList([this.requests, this.journal, outer, drains]);
  }
}
