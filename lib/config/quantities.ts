import { formatSize, parseDuration, parseSize } from '../base/units.js';
import type { Report } from './report.js';
import type { DurationSetting, SizeSetting } from './settings.js';
import type { Path } from './tree.js';

/** Milliseconds; what is below `least` or can't be read is a problem. */
export function duration(
  setting: DurationSetting | undefined,
  fallback: DurationSetting,
  path: Path,
  report: Report,
  least = 0,
): number {
  const ms = report.attempt(path, () => parseDuration(setting ?? fallback));
  if (ms !== undefined && ms < least) report.problem(path, `expected more than 0, got ${setting}`);
  return ms ?? least;
}

/** Bytes; what is below `least` or can't be read is a problem. */
export function size(
  setting: SizeSetting | undefined,
  fallback: SizeSetting,
  path: Path,
  report: Report,
  least = 0,
): number {
  const bytes = report.attempt(path, () => parseSize(setting ?? fallback));
  if (bytes !== undefined && bytes < least)
    report.problem(path, `expected at least ${formatSize(least)}, got ${setting}`);
  return bytes ?? least;
}
