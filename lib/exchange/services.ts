import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observer.js';
import type { Shelf } from '../base/shelf.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Pipeline } from './context.js';
import type { Exchange } from './exchange.js';

/** What every exchange needs, the same for all of one balancer. */
export interface ExchangeServices {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Until a route says otherwise. */
  readonly timeouts: TimeoutsConfig;
  readonly observer: Observer;
  readonly shelf: Shelf<Exchange>;
  /** Decides what becomes of a request; another one after a reload. */
  pipeline: Pipeline;
}
