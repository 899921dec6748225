import { duration } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { PoolSettings } from './settings.js';
import type { Path } from './tree.js';
import type { PoolConfig } from './types.js';

/** `maxIdleTimeout` is no setting: how long a server may ask for while `idle_timeout` is not set. */
export const DEFAULT_POOL: PoolConfig = {
  ...defaultsOf<Omit<PoolConfig, 'maxIdleTimeout'>>('pool'),
  maxIdleTimeout: 600_000,
};

/** A pool with what is left out taken from the one of the place around; the same object when nothing is given. */
export function compilePool(
  setting: PoolSettings | undefined,
  path: Path,
  report: Report,
  around: PoolConfig = DEFAULT_POOL,
): PoolConfig {
  if (setting === undefined) return around;
  const { idle_timeout: idle } = setting;
  const idleTimeout =
    idle === undefined ? around.idleTimeout : duration(idle, 0, [...path, 'idle_timeout'], report, 1);
  return {
    maxIdle: setting.max_idle ?? around.maxIdle,
    idleTimeout,
    // Who gives a time means it, whatever servers say.
    maxIdleTimeout: idle === undefined ? around.maxIdleTimeout : idleTimeout,
    maxConnections: setting.max_connections ?? around.maxConnections,
    maxWaiting: setting.max_waiting ?? around.maxWaiting,
    maxAge: duration(setting.max_age, around.maxAge, [...path, 'max_age'], report),
    maxRequests: setting.max_requests ?? around.maxRequests,
    pipelining: setting.pipelining ?? around.pipelining,
  };
}
