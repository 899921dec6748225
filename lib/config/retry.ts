import { suggest } from '../base/nearest.js';
import { parseShare, ValueError } from '../base/units.js';
import { size } from './quantities.js';
import { each, type Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { RetrySettings, SizeSetting } from './settings.js';
import { parseStatusRange } from './statuses.js';
import type { Path } from './tree.js';
import type { RetryCause, RetryConfig, StatusRange } from './types.js';

const { on: CAUSES_BY_DEFAULT, budget: BUDGET, ...OTHERS } = defaultsOf<RetryDefaults>('retry');

export const DEFAULT_RETRY: RetryConfig = {
  ...OTHERS,
  causes: CAUSES_BY_DEFAULT,
  statuses: [],
  budget: parseShare(BUDGET),
};

type RetryDefaults = Pick<RetryConfig, 'attempts' | 'buffer' | 'idempotencyKey'> & {
  readonly on: readonly RetryCause[];
  readonly budget: string;
};

const NO_RETRY: RetryConfig = { ...DEFAULT_RETRY, attempts: 0, causes: [], buffer: 0 };

const CAUSES: readonly RetryCause[] = ['connect', 'stale', 'reset', 'timeout'];

/** Every request in flight may hold this much. */
const MAX_BUFFER = 16 * 1024 * 1024;

/** Compiles the retries of a scope; settings that are left out are inherited. `false`: no retries. */
export function compileRetry(
  setting: RetrySettings | boolean | undefined,
  path: Path,
  report: Report,
  around: RetryConfig = DEFAULT_RETRY,
): RetryConfig {
  if (setting === undefined) return around;
  if (setting === false) return NO_RETRY;
  if (setting === true) return around === NO_RETRY ? DEFAULT_RETRY : around;
  const base = around === NO_RETRY ? DEFAULT_RETRY : around;
  return {
    attempts: setting.attempts ?? base.attempts,
    ...(setting.on === undefined
      ? { causes: base.causes, statuses: base.statuses }
      : compileOn(setting.on, path, report)),
    budget: setting.budget === undefined ? base.budget : shareOf(setting.budget),
    buffer: compileBuffer(setting.buffer, base.buffer, [...path, 'buffer'], report),
    idempotencyKey: setting.idempotency_key ?? base.idempotencyKey,
  };
}

/** Compiles `on`: words and statuses in one list. */
function compileOn(
  setting: readonly (string | number)[],
  path: Path,
  report: Report,
): Pick<RetryConfig, 'causes' | 'statuses'> {
  const causes: RetryCause[] = [];
  const statuses: StatusRange[] = [];
  for (const [item, itemPath] of each(setting, [...path, 'on'])) {
    const cause = CAUSES.find((known) => known === item);
    if (cause !== undefined) causes.push(cause);
    else {
      const range = report.attempt(itemPath, () => statusesOf(item));
      if (range) statuses.push(range);
    }
  }
  return { causes, statuses };
}

function statusesOf(item: string | number): StatusRange {
  const expected = 'expected connect, stale, reset, timeout, or a status from 400 to 599 such as 503';
  if (/^[1-5]\d\d(-[1-5]\d\d)?$/.test(String(item))) {
    const range = parseStatusRange(item);
    if (range.from >= 400) return range;
  }
  throw new ValueError(`${expected}, got ${JSON.stringify(item)}`, suggest(String(item), CAUSES));
}

/** `20%` as 0.2; null for false. */
function shareOf(setting: string | boolean): number | null {
  if (setting === true) return DEFAULT_RETRY.budget;
  return typeof setting === 'string' ? parseShare(setting) : null;
}

function compileBuffer(setting: SizeSetting | undefined, around: number, path: Path, report: Report): number {
  const bytes = size(setting, around, path, report);
  if (bytes <= MAX_BUFFER) return bytes;
  report.problem(
    path,
    `expected at most 16mb, because each request may take that much memory, got ${setting}`,
  );
  return around;
}
