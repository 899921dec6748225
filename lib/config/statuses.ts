import { ValueError } from '../base/units.js';
import { each, type Report } from './report.js';
import type { StatusesSetting } from './settings.js';
import type { Path } from './tree.js';
import type { StatusRange } from './types.js';

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

/** Is the status in one of the ranges? */
export function statusIn(ranges: readonly StatusRange[], status: number): boolean {
  for (let i = 0; i < ranges.length; i++) {
    const { from, to } = ranges[i] as StatusRange;
    if (status >= from && status <= to) return true;
  }
  return false;
}

/** Reads `200` or `200-399`. Throws a ValueError. */
export function parseStatusRange(value: string | number): StatusRange {
  const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(String(value)) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (range.from >= 100 && range.to <= 599 && range.from <= range.to) return range;
  throw new ValueError(
    `expected a status such as 200 or a range such as 200-399, got ${JSON.stringify(value)}`,
    range.from > range.to ? `Write ${to}-${from}.` : '',
  );
}
