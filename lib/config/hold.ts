import type { Context } from './context.js';
import { duration } from './quantities.js';
import { defaultsOf } from './schema.js';
import type { HoldTermsSetting } from './settings.js';
import type { Path } from './tree.js';
import type { HoldConfig } from './types.js';

const { maxRequests: MAX_REQUESTS } = defaultsOf<Pick<HoldConfig, 'maxRequests'>>('holdTerms');

/** Clients and proxies in front give up before. */
const LONGEST_MS = 600_000;

/** Compiles how long requests wait for a server to come back; false is null, and a scope without it inherits it. */
export function compileHold(
  setting: HoldTermsSetting | false | undefined,
  path: Path,
  { report }: Context,
  around: HoldConfig | null,
): HoldConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const isMap = typeof setting === 'object';
  const time = isMap ? setting.for : setting;
  const at = isMap ? [...path, 'for'] : path;
  const ms = duration(time, around?.for ?? 1, at, report, 1);
  if (ms > LONGEST_MS) report.problem(at, `expected at most 10m, got ${time}`);
  const asked = isMap ? setting.max_requests : undefined;
  return { for: ms, maxRequests: asked ?? around?.maxRequests ?? MAX_REQUESTS };
}
