import { compileAlgorithm } from './algorithm.js';
import type { CommonSettings } from './context.js';
import { compileHealthCheck } from './health-check.js';
import { compilePassiveHealth } from './passive-health.js';
import { compilePool } from './pool.js';
import { duration } from './quantities.js';
import type { Report } from './report.js';
import { defaultOf } from './schema.js';
import type { Path } from './tree.js';
import type { GroupConfig, TimeoutsConfig } from './types.js';

/**
 * How the servers of a group are chosen, checked and connected to: everything but the list of servers. Inner scopes
 * inherit it.
 */
export type GroupTerms = Omit<GroupConfig, 'name' | 'servers' | 'providers'>;

const SLOW_START = defaultOf<number>('slow_start');

/** The settings that belong to it. */
const KEYS = [
  'algorithm',
  'slow_start',
  'health_check',
  'passive_health',
  'pool',
] as const satisfies readonly (keyof CommonSettings)[];

/** Compiles these settings of one scope; what it leaves out is inherited from the scope around it. */
export function compileGroupTerms(
  settings: CommonSettings,
  timeouts: TimeoutsConfig,
  path: Path,
  report: Report,
  around?: GroupTerms,
): GroupTerms {
  const { health_check: check, passive_health: passive, pool } = settings;
  return {
    algorithm: compileAlgorithm(settings.algorithm, [...path, 'algorithm'], report, around?.algorithm),
    slowStart: duration(
      settings.slow_start,
      around?.slowStart ?? SLOW_START,
      [...path, 'slow_start'],
      report,
    ),
    healthCheck: compileHealthCheck(check, [...path, 'health_check'], report, around?.healthCheck),
    passiveHealth: compilePassiveHealth(passive, [...path, 'passive_health'], report, around?.passiveHealth),
    pool: compilePool(pool, [...path, 'pool'], report, around?.pool),
    connectTimeout: timeouts.connect,
  };
}

/** Reports these settings in a host or route without `servers`: they would have no effect there. */
export function refuseStrayTerms(settings: CommonSettings, path: Path, report: Report): void {
  if (Object.hasOwn(settings, 'servers')) return;
  for (const key of KEYS) {
    if (settings[key] !== undefined)
      report.problem([...path, key], 'no effect here: set it beside servers', '', 'key');
  }
}
