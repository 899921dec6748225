import type { Group } from '../backend/group.js';
import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observer.js';
import type { Shelf } from '../base/shelf.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Exchange } from './exchange.js';

/** What every exchange needs, the same for all of one balancer. */
export interface ExchangeServices {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly timeouts: TimeoutsConfig;
  readonly observer: Observer;
  readonly shelf: Shelf<Exchange>;
  /** Which servers may answer this request. */
  readonly group: Group;
  /** Servers tried for one request at most. */
  readonly maxAttempts: number;
  /** Bytes of request body kept for a retry. */
  readonly replayBytes: number;
}
