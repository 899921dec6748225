import { ValueError } from '../base/value-error.js';
import { duration } from './quantities.js';
import { each, type Report } from './report.js';
import type { HealthCheckSettings, StatusesSetting } from './settings.js';
import type { Path } from './tree.js';
import type { HealthCheckConfig, StatusRange } from './types.js';

const DEFAULT_CHECK: HealthCheckConfig = {
  path: '/',
  interval: 5000,
  timeout: 2000,
  rise: 2,
  fall: 3,
  expectStatus: [{ from: 200, to: 399 }],
};

/** A check with what is left out taken from the one of the place around. `false` is null: no checks. */
export function compileHealthCheck(
  setting: HealthCheckSettings | boolean | undefined,
  path: Path,
  report: Report,
  around: HealthCheckConfig | null = DEFAULT_CHECK,
): HealthCheckConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const base = around ?? DEFAULT_CHECK;
  if (setting === true) return base;
  return {
    path: setting.path ?? base.path,
    interval: duration(setting.interval, base.interval, [...path, 'interval'], report, 1),
    timeout: duration(setting.timeout, base.timeout, [...path, 'timeout'], report, 1),
    rise: setting.rise ?? base.rise,
    fall: setting.fall ?? base.fall,
    expectStatus: setting.expect_status
      ? compileStatuses(setting.expect_status, [...path, 'expect_status'], report)
      : base.expectStatus,
  };
}

/** A status, a range, or a list of both. */
export function compileStatuses(setting: StatusesSetting, path: Path, report: Report): StatusRange[] {
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

/** `200` or `200-399`. Throws a ValueError that names what it got. */
export function parseStatusRange(value: string | number): StatusRange {
  const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(String(value)) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (range.from >= 100 && range.to <= 599 && range.from <= range.to) return range;
  throw new ValueError(
    `expected a status such as 200 or a range such as 200-399, got ${JSON.stringify(value)}`,
    range.from > range.to ? `Write ${to}-${from}.` : '',
  );
}
