import type { Report } from './report.js';
import { parseRequestKey } from './request-key.js';
import { defaultOf, defaultsOf } from './schema.js';
import type { AlgorithmSetting, AlgorithmSettings } from './settings.js';
import type { Path } from './tree.js';
import type { AlgorithmConfig } from './types.js';

const { fallback: FALLBACK } = defaultsOf<Pick<AlgorithmConfig, 'fallback'>>('algorithm');

export const DEFAULT_ALGORITHM: AlgorithmConfig = {
  name: defaultOf('algorithm'),
  on: null,
  fallback: FALLBACK,
  balanceFactor: 0,
};

/** How a server is chosen. A scope without this setting inherits it as a whole. */
export function compileAlgorithm(
  setting: AlgorithmSetting | undefined,
  path: Path,
  report: Report,
  around: AlgorithmConfig = DEFAULT_ALGORITHM,
): AlgorithmConfig {
  if (setting === undefined) return around;
  const settings: AlgorithmSettings = typeof setting === 'string' ? { name: setting } : setting;
  const { name = DEFAULT_ALGORITHM.name } = settings;
  refuseStray(settings, path, report);
  return {
    name,
    on: compileKey(settings, path, report),
    fallback: settings.fallback ?? FALLBACK,
    balanceFactor: settings.balance_factor ?? 0,
  };
}

function compileKey(settings: AlgorithmSettings, path: Path, report: Report): AlgorithmConfig['on'] {
  const { name, on } = settings;
  if (name === 'ip_hash') return { kind: 'client_ip', name: '' };
  if (name !== 'hash') return null;
  if (on !== undefined) return report.attempt([...path, 'on'], () => parseRequestKey(on)) ?? null;
  // A value that was refused was at least given: one message is enough.
  if (!Object.hasOwn(settings, 'on'))
    report.problem(
      path,
      'hash needs a key to distribute by',
      'Write { name: hash, on: uri }, or on: header.NAME.',
    );
  return null;
}

/** Reports settings that have no effect with the chosen algorithm. */
function refuseStray(settings: AlgorithmSettings, path: Path, report: Report): void {
  const { name } = settings;
  if (name === undefined) return;
  for (const key of ['on', 'fallback'] as const) {
    if (settings[key] !== undefined && name !== 'hash')
      report.problem([...path, key], 'only for the algorithm hash', '', 'key');
  }
  if (settings.balance_factor !== undefined && name !== 'hash' && name !== 'ip_hash')
    report.problem([...path, 'balance_factor'], 'only for hash and ip_hash', '', 'key');
}
