import { formatDuration } from '../base/units.js';
import { duration, share } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { PassiveHealthSettings } from './settings.js';
import { compileStatuses, parseStatusRange } from './statuses.js';
import type { Path } from './tree.js';
import type { PassiveHealthConfig } from './types.js';

const WRITTEN = defaultsOf<PassiveDefaults>('passiveHealth');
const DEFAULT_PASSIVE: PassiveHealthConfig = {
  ...WRITTEN,
  errorStatus: [parseStatusRange(WRITTEN.errorStatus)],
};

type PassiveDefaults = Omit<PassiveHealthConfig, 'errorStatus'> & { readonly errorStatus: string };

/** Settings that are left out are inherited. `false` is null: live requests never eject a server. */
export function compilePassiveHealth(
  setting: PassiveHealthSettings | boolean | undefined,
  path: Path,
  report: Report,
  around: PassiveHealthConfig | null = DEFAULT_PASSIVE,
): PassiveHealthConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const base = around ?? DEFAULT_PASSIVE;
  if (setting === true) return base;
  const ejectFor = duration(setting.eject_for, base.ejectFor, [...path, 'eject_for'], report, 1);
  return {
    consecutiveFailures: setting.consecutive_failures ?? base.consecutiveFailures,
    consecutiveErrors: setting.consecutive_errors ?? base.consecutiveErrors,
    errorStatus: compileErrorStatus(setting.error_status, path, report, base),
    window: duration(setting.window, base.window, [...path, 'window'], report, 1),
    failureShare: share(setting.failure_share, base.failureShare, [...path, 'failure_share'], report),
    minimumRequests: setting.minimum_requests ?? base.minimumRequests,
    ejectFor,
    maxEjectFor: compileMaximum(setting, ejectFor, path, report, base),
    maxEjected: share(setting.max_ejected, base.maxEjected, [...path, 'max_ejected'], report),
    trialRequests: setting.trial_requests ?? base.trialRequests,
  };
}

function compileErrorStatus(
  setting: PassiveHealthSettings['error_status'],
  path: Path,
  report: Report,
  base: PassiveHealthConfig,
): PassiveHealthConfig['errorStatus'] {
  if (setting === undefined) return base.errorStatus;
  return setting === false ? [] : compileStatuses(setting, [...path, 'error_status'], report);
}

/** A longer `eject_for` alone raises the maximum; if both are set, they must agree. */
function compileMaximum(
  { max_eject_for: setting }: PassiveHealthSettings,
  ejectFor: number,
  path: Path,
  report: Report,
  base: PassiveHealthConfig,
): number {
  if (setting === undefined) return Math.max(base.maxEjectFor, ejectFor);
  const at = [...path, 'max_eject_for'];
  const maximum = duration(setting, 0, at, report);
  if (maximum < ejectFor)
    report.problem(at, `expected eject_for (${formatDuration(ejectFor)}) or longer, got ${setting}`);
  return maximum;
}
