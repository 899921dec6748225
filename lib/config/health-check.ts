import { ValueError } from '../base/value-error.js';
import { duration } from './quantities.js';
import { each, type Report } from './report.js';
import type { HealthCheckSettings } from './settings.js';
import type { Path } from './tree.js';
import type { HealthCheckConfig, StatusRange } from './types.js';

/** `false` is null: no checks. `true` is every default. */
export function compileHealthCheck(
  setting: HealthCheckSettings | boolean = {},
  path: Path,
  report: Report,
): HealthCheckConfig | null {
  if (setting === false) return null;
  const check: HealthCheckSettings = setting === true ? {} : setting;
  return {
    path: check.path ?? '/',
    interval: duration(check.interval, '5s', [...path, 'interval'], report, 1),
    timeout: duration(check.timeout, '2s', [...path, 'timeout'], report, 1),
    rise: check.rise ?? 2,
    fall: check.fall ?? 3,
    expectStatus: statusRanges(check.expect_status ?? '200-399', [...path, 'expect_status'], report),
  };
}

function statusRanges(
  setting: NonNullable<HealthCheckSettings['expect_status']>,
  path: Path,
  report: Report,
): StatusRange[] {
  if (typeof setting !== 'object') {
    const range = report.attempt(path, () => parseStatusRange(setting));
    return range ? [range] : [];
  }
  const ranges: StatusRange[] = [];
  for (const [item, itemPath] of each(setting, path)) {
    const range = report.attempt(itemPath, () => parseStatusRange(item));
    if (range) ranges.push(range);
  }
  return ranges;
}

function parseStatusRange(value: string | number): StatusRange {
  const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(String(value)) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (range.from >= 100 && range.to <= 599 && range.from <= range.to) return range;
  throw new ValueError(
    `expected a status such as 200 or a range such as 200-399, got ${JSON.stringify(value)}`,
    range.from > range.to ? `Write ${to}-${from}.` : '',
  );
}
