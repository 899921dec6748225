import { formatSize, parseDuration, parseShare, parseSize } from '../base/units.js';
import type { Report } from './report.js';
import type { DurationSetting, PercentSetting, SizeSetting } from './settings.js';
import type { Path } from './tree.js';

/** Reads milliseconds; `fallback` is in ms. A value below `least`, or one that can't be read, is reported. */
export function duration(
  setting: DurationSetting | undefined,
  fallback: number,
  path: Path,
  report: Report,
  least = 0,
): number {
  if (setting === undefined) return fallback;
  const ms = report.attempt(path, () => parseDuration(setting));
  if (ms !== undefined && ms < least) report.problem(path, `expected more than 0, got ${setting}`);
  return ms ?? least;
}

/** Reads bytes. A value below `least`, or one that can't be read, is reported. */
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

/** Reads a share from 0 to 1, written as `20%`. A value above `most`, or one that can't be read, is reported. */
export function share(
  setting: PercentSetting | undefined,
  fallback: number,
  path: Path,
  report: Report,
  most = 1,
): number {
  if (setting === undefined) return fallback;
  const value = report.attempt(path, () => parseShare(setting));
  if (value !== undefined && value > most)
    report.problem(path, `expected at most ${most * 100}%, got ${setting}`);
  return value ?? fallback;
}
