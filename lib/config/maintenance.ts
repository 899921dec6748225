import { type Context, networks } from './context.js';
import { duration } from './quantities.js';
import { defaultsOf } from './schema.js';
import type { MaintenanceTermsSetting } from './settings.js';
import type { Path } from './tree.js';
import type { MaintenanceConfig } from './types.js';

const DEFAULTS = defaultsOf<Pick<MaintenanceConfig, 'retryAfter'>>('maintenanceTerms');

/** What Retry-After says while nobody knows when the work is done, in ms. */
export const USUAL_RETRY_AFTER = DEFAULTS.retryAfter;

/**
 * Compiles the maintenance of one place; false is null, and a place without it inherits that of the place around it.
 * `name`: of the place.
 */
export function compileMaintenance(
  setting: MaintenanceTermsSetting | undefined,
  { name, path }: { readonly name: string; readonly path: Path },
  context: Context,
  around: MaintenanceConfig | null,
): MaintenanceConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const { allow, retry_after: retryAfter } = setting === true ? {} : setting;
  const maintenance = {
    name,
    line: context.lineOf(path),
    allow: networks(allow, [...path, 'allow'], context.report).map(({ text }) => text),
    retryAfter: duration(retryAfter, DEFAULTS.retryAfter, [...path, 'retry_after'], context.report, 1),
  };
  context.maintenance.push(maintenance);
  return maintenance;
}
