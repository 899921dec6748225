import { nearest } from '../../base/nearest.js';
import { everyRouteOf } from '../../config/every-route.js';
import { hostText } from '../../config/inventory.js';
import { pathText } from '../../config/pattern.js';
import { compileRegex } from '../../config/regex.js';
import type { Config, HostConfig, HostPattern, RouteConfig, ScopeConfig } from '../../config/types.js';
import type { RequestView } from '../../http/request-view.js';
import { Conditions } from '../../rules/match.js';
import { HostTable } from '../host-table.js';

/** A conditional route that was tried before the one taken, and its condition that was not met. */
export interface PassedOver {
  readonly route: RouteConfig;
  readonly unmet: string;
}

/** Why no route was found for a request. */
export interface Absence {
  /** As in the request, without the port. */
  readonly host: string;
  /** Is the host in `hosts`? Then the path has no route. */
  readonly hostKnown: boolean;
  /** The names of hosts, or the paths of this host, as written in the file. */
  readonly known: readonly string[];
  /** The name or path that was probably meant. */
  readonly nearest: string | null;
  /** The paths for hosts that are not in `hosts`; empty when `hostKnown`. */
  readonly paths: readonly string[];
}

/** The conditional routes whose conditions `view` did not meet before `taken`, or before the end. */
export function passedOver(config: Config, view: RequestView, taken: RouteConfig | null): PassedOver[] {
  return passedIn(scopeOf(config, view)?.scope ?? config.rest, view, taken);
}

/** For a request that was answered 404 because no route matches it. */
export function explainAbsence(config: Config, view: RequestView): Absence {
  const { host } = view;
  const found = scopeOf(config, view);
  const paths = (found?.scope ?? config.rest).paths.map(({ path }) => pathText(path));
  const known = found === undefined ? config.hosts.flatMap(({ names }) => names.map(hostText)) : paths;
  return {
    host,
    hostKnown: found !== undefined,
    known,
    nearest: nearest(found === undefined ? host : view.path, known) ?? null,
    paths: found === undefined ? paths : [],
  };
}

function scopeOf({ hosts }: Config, { host, budget }: RequestView): HostConfig | undefined {
  const table = new HostTable<HostConfig>();
  for (const entry of hosts)
    for (const name of entry.names) if (name.kind !== 'regex') table.add(name, entry);
  const isMatch = (name: HostPattern): boolean =>
    name.kind === 'regex' && compileRegex(name.regex).test(host, budget);
  return table.find(host) ?? hosts.find(({ names }) => names.some(isMatch));
}

function passedIn(scope: ScopeConfig, view: RequestView, taken: RouteConfig | null): PassedOver[] {
  const passed: PassedOver[] = [];
  for (const { match, route } of scope.routes) {
    if (route === taken) return passed;
    passed.push({ route, unmet: new Conditions(match).unmet(view) ?? 'language' });
  }
  const inner = taken === null ? undefined : scope.paths.find((path) => everyRouteOf(path.scope).has(taken));
  return inner === undefined ? passed : [...passed, ...passedIn(inner.scope, view, taken)];
}
