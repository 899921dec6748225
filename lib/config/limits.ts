import { duration, size } from './quantities.js';
import type { Report } from './report.js';
import type { LimitsSettings, TimeoutsSettings } from './settings.js';
import type { Path } from './tree.js';
import type { LimitsConfig, TimeoutsConfig } from './types.js';

const DEFAULT_TIMEOUTS: TimeoutsConfig = {
  requestHeader: 10_000,
  requestBody: 30_000,
  keepAlive: 65_000,
  connectionAge: 3_600_000,
  connect: 3000,
  queue: 5000,
  responseHeader: 60_000,
  responseBody: 60_000,
  total: 0,
  tunnel: 3_600_000,
  drainDelay: 0,
  drain: 30_000,
};

const TIMEOUT_KEYS = [
  ['request_header', 'requestHeader'],
  ['request_body', 'requestBody'],
  ['keep_alive', 'keepAlive'],
  ['connection_age', 'connectionAge'],
  ['connect', 'connect'],
  ['queue', 'queue'],
  ['response_header', 'responseHeader'],
  ['response_body', 'responseBody'],
  ['total', 'total'],
  ['tunnel', 'tunnel'],
  ['drain_delay', 'drainDelay'],
  ['drain', 'drain'],
] as const satisfies readonly (readonly [keyof TimeoutsSettings, keyof TimeoutsConfig])[];

/** The timeouts of the file. */
export function compileTimeouts(settings: TimeoutsSettings | undefined, report: Report): TimeoutsConfig {
  return overrideTimeouts(DEFAULT_TIMEOUTS, settings, ['timeouts'], report);
}

/** The timeouts of the place around, with those that are given in place of them; the same object when none is. */
export function overrideTimeouts(
  around: TimeoutsConfig,
  settings: TimeoutsSettings | undefined,
  path: Path,
  report: Report,
): TimeoutsConfig {
  if (!settings) return around;
  const timeouts: { -readonly [Key in keyof TimeoutsConfig]: number } = { ...around };
  for (const [key, name] of TIMEOUT_KEYS) {
    timeouts[name] = duration(settings[key], around[name], [...path, key], report);
  }
  return timeouts;
}

/** The limit of a body at a place, in bytes. */
export function sizeOfBody(
  around: number,
  settings: Pick<LimitsSettings, 'body_bytes'> | undefined,
  path: Path,
  report: Report,
): number {
  return size(settings?.body_bytes, around, [...path, 'body_bytes'], report);
}

/** The least of a body that has to come in a second, in bytes. */
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
    headerBytes: size(setting.header_bytes, '32kb', ['limits', 'header_bytes'], report, 1024),
    headers: setting.headers ?? 100,
    uriBytes: size(setting.uri_bytes, '8kb', ['limits', 'uri_bytes'], report, 64),
    bodyBytes: sizeOfBody(0, setting, ['limits'], report),
    bodyRate: rateOfBody(0, setting, ['limits'], report),
    connections: setting.connections ?? 10_000,
    connectionsPerIp: setting.connections_per_ip ?? 0,
    requestsPerConnection: setting.requests_per_connection ?? 0,
  };
}
