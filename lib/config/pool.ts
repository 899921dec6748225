import { duration } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { PoolSettings } from './settings.js';
import type { Path } from './tree.js';
import type { PoolConfig } from './types.js';

/** `maxIdleTimeout` is not a setting: it limits the time that a server may announce while `idle_timeout` is not set. */
export const DEFAULT_POOL: PoolConfig = {
  ...defaultsOf<Omit<PoolConfig, 'maxIdleTimeout'>>('pool'),
  maxIdleTimeout: 600_000,
};

/** Compiles a pool; settings that are left out are inherited. The same object when nothing is set. */
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
    // A time that is set takes precedence over what servers announce.
    maxIdleTimeout: idle === undefined ? around.maxIdleTimeout : idleTimeout,
    maxConnections: setting.max_connections ?? around.maxConnections,
    maxWaiting: setting.max_waiting ?? around.maxWaiting,
    maxAge: duration(setting.max_age, around.maxAge, [...path, 'max_age'], report),
    maxRequests: setting.max_requests ?? around.maxRequests,
    pipelining: setting.pipelining ?? around.pipelining,
  };
}
