import type { ObjectPool } from '../base/collections.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { LimitsConfig, TimeoutsConfig } from '../config/types.js';
import type { RequestHandler } from '../http/flow.js';
import type { ClientConnection } from './connection.js';
import type { ReadinessReply } from './readiness-reply.js';
import type { ClientRequest } from './request.js';
import type { RunQueue } from './run-queue.js';

/** What every client connection needs, the same for all of one balancer. */
export interface ClientDeps {
  readonly wheel: TimerWheel;
  /** These three change with a reload. */
  timeouts: TimeoutsConfig;
  limits: LimitsConfig;
  /** Null: nobody is told whether the balancer is ready. */
  readiness: ReadinessReply | null;
  /** What a connection holds from the first byte of a request until it is dealt with. */
  readonly requests: ObjectPool<ClientRequest>;
  readonly runQueue: RunQueue;
  /** Somebody to answer one request. */
  readonly handlers: { take(): RequestHandler };
  onClosed(connection: ClientConnection): void;
}
