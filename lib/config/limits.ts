import { camelKey } from './key-names.js';
import { duration, size } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { LimitsSettings, TimeoutsSettings } from './settings.js';
import type { Path } from './tree.js';
import type { LimitsConfig, TimeoutsConfig } from './types.js';

const DEFAULT_TIMEOUTS = defaultsOf<TimeoutsConfig>('timeouts');
export const DEFAULT_LIMITS = defaultsOf<LimitsConfig>('limits');

/** The timeouts of the file. */
export function compileTimeouts(settings: TimeoutsSettings | undefined, report: Report): TimeoutsConfig {
  return overrideTimeouts(DEFAULT_TIMEOUTS, settings, ['timeouts'], report);
}

/** The timeouts of the scope around, overridden by those that are set; the same object when none is set. */
export function overrideTimeouts(
  around: TimeoutsConfig,
  settings: TimeoutsSettings | undefined,
  path: Path,
  report: Report,
): TimeoutsConfig {
  if (!settings) return around;
  const timeouts: { -readonly [Key in keyof TimeoutsConfig]: number } = { ...around };
  for (const key of Object.keys(settings) as (keyof TimeoutsSettings)[]) {
    const name = camelKey(key);
    timeouts[name] = duration(settings[key], around[name], [...path, key], report);
  }
  return timeouts;
}

/** The body limit of a scope, in bytes. */
export function sizeOfBody(
  around: number,
  settings: Pick<LimitsSettings, 'body_bytes'> | undefined,
  path: Path,
  report: Report,
): number {
  return size(settings?.body_bytes, around, [...path, 'body_bytes'], report);
}

/** The minimum body rate of a scope, in bytes per second. */
export function rateOfBody(
  around: number,
  settings: Pick<LimitsSettings, 'body_rate'> | undefined,
  path: Path,
  report: Report,
): number {
  return size(settings?.body_rate, around, [...path, 'body_rate'], report);
}

/** The limits of the file. */
export function compileLimits(setting: LimitsSettings = {}, report: Report): LimitsConfig {
  return {
    headerBytes: size(
      setting.header_bytes,
      DEFAULT_LIMITS.headerBytes,
      ['limits', 'header_bytes'],
      report,
      1024,
    ),
    headers: setting.headers ?? DEFAULT_LIMITS.headers,
    uriBytes: size(setting.uri_bytes, DEFAULT_LIMITS.uriBytes, ['limits', 'uri_bytes'], report, 64),
    bodyBytes: sizeOfBody(DEFAULT_LIMITS.bodyBytes, setting, ['limits'], report),
    bodyRate: rateOfBody(DEFAULT_LIMITS.bodyRate, setting, ['limits'], report),
    connections: setting.connections ?? DEFAULT_LIMITS.connections,
    connectionsPerIp: setting.connections_per_ip ?? DEFAULT_LIMITS.connectionsPerIp,
    requestsPerConnection: setting.requests_per_connection ?? DEFAULT_LIMITS.requestsPerConnection,
  };
}
