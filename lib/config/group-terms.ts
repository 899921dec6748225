import { compileAlgorithm } from './algorithm.js';
import { compileHealthCheck } from './health-check.js';
import { compilePassiveHealth } from './passive-health.js';
import { compilePool } from './pool.js';
import { duration } from './quantities.js';
import type { Report } from './report.js';
import type { RouteSettings } from './settings.js';
import type { Path } from './tree.js';
import type { GroupConfig, TimeoutsConfig } from './types.js';

/** What is said of a group besides who is in it; handed down to the places inside. */
export type GroupTerms = Omit<GroupConfig, 'name' | 'servers'>;

/** The settings it is written in. */
const KEYS = [
  'algorithm',
  'slow_start',
  'health_check',
  'passive_health',
  'pool',
] as const satisfies readonly (keyof RouteSettings)[];

/** What a place says of its servers, with what it leaves out taken from the place around. */
export function compileGroupTerms(
  settings: RouteSettings,
  timeouts: TimeoutsConfig,
  path: Path,
  report: Report,
  around?: GroupTerms,
): GroupTerms {
  const { health_check: check, passive_health: passive, pool } = settings;
  return {
    algorithm: compileAlgorithm(settings.algorithm, [...path, 'algorithm'], report, around?.algorithm),
    slowStart: duration(settings.slow_start, around?.slowStart ?? 0, [...path, 'slow_start'], report),
    healthCheck: compileHealthCheck(check, [...path, 'health_check'], report, around?.healthCheck),
    passiveHealth: compilePassiveHealth(passive, [...path, 'passive_health'], report, around?.passiveHealth),
    pool: compilePool(pool, [...path, 'pool'], report, around?.pool),
    connectTimeout: timeouts.connect,
  };
}

/** Below the top of the file it is said of servers, and those must be there. */
export function refuseStrayTerms(settings: RouteSettings, path: Path, report: Report): void {
  if (Object.hasOwn(settings, 'servers')) return;
  for (const key of KEYS) {
    if (settings[key] !== undefined)
      report.problem([...path, key], `${article(key)} ${key} goes with servers of its own`, '', 'key');
  }
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? 'an' : 'a';
}
