import { duration, size } from './quantities.js';
import type { Report } from './report.js';
import type { DurationSetting, LimitsSettings, TimeoutsSettings } from './settings.js';
import type { LimitsConfig, TimeoutsConfig } from './types.js';

export function compileTimeouts(setting: TimeoutsSettings = {}, report: Report): TimeoutsConfig {
  const read = (key: keyof TimeoutsSettings, fallback: DurationSetting): number =>
    duration(setting[key], fallback, ['timeouts', key], report);
  return {
    requestHeader: read('request_header', '10s'),
    requestBody: read('request_body', '30s'),
    keepAlive: read('keep_alive', '65s'),
    connect: read('connect', '3s'),
    queue: read('queue', '5s'),
    responseHeader: read('response_header', '30s'),
    responseBody: read('response_body', '60s'),
    tunnel: read('tunnel', '1h'),
    drain: read('drain', '30s'),
  };
}

export function compileLimits(setting: LimitsSettings = {}, report: Report): LimitsConfig {
  return {
    headerBytes: size(setting.header_bytes, '32kb', ['limits', 'header_bytes'], report, 1024),
    headers: setting.headers ?? 100,
    uriBytes: size(setting.uri_bytes, '8kb', ['limits', 'uri_bytes'], report, 64),
    bodyBytes: size(setting.body_bytes, 0, ['limits', 'body_bytes'], report),
    connections: setting.connections ?? 10_000,
    connectionsPerIp: setting.connections_per_ip ?? 0,
  };
}
