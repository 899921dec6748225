import type { Test } from 'tap';
import type { PathSettings } from '../../lib/config/settings.js';
import { type Started, startBalancer } from './balancer.js';

type StartOptions = NonNullable<Parameters<typeof startBalancer>[2]>;

/**
 * Starts one balancer for the cases of a table: the settings of each case are those of a path, `/0` for the first. With several
 * threads a balancer takes a second of processor time to start, which a table need not pay for each of its cases.
 */
export function startPaths(
  t: Test,
  cases: readonly Omit<PathSettings, 'path'>[],
  options: StartOptions = {},
): Promise<Started> {
  return startBalancer(
    t,
    { paths: cases.map((settings, index) => ({ ...settings, path: `/${index}` })) },
    options,
  );
}
