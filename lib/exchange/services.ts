import type { Observer } from '../base/observer.js';
import type { Clock, TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { RequestHandler } from '../http/flow.js';
import type { RequestStages } from './context.js';

/** What every exchange needs, the same for all of one balancer. */
export interface ExchangeDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Until a route says otherwise. */
  readonly timeouts: TimeoutsConfig;
  readonly observer: Observer;
  /** Where an exchange goes when it is over. */
  readonly objectPool: { put(exchange: RequestHandler): void };
  /** Decides what becomes of a request; another one after a reload. */
  pipeline: RequestStages;
}
