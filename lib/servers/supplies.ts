import type { ObjectPool } from '../base/collections.js';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Resolver } from '../net/resolver.js';
import type { ShortageAlarm } from '../net/shortage.js';
import type { Sockets } from '../net/transport.js';

/** What all connections to servers need. */
export interface ConnectionDeps {
  readonly wheel: TimerWheel;
  readonly parsers: ObjectPool<ResponseParser>;
  readonly observer: Observer;
  /** Finds the addresses of servers that have names. */
  readonly resolver: Resolver;
  readonly shortages: ShortageAlarm;
  /** How they are opened. */
  readonly sockets: Sockets;
}
