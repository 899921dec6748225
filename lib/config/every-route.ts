import { atOnce, type Steps } from '../base/slices.js';
import type { Config, GroupConfig, RouteConfig, ScopeConfig } from './types.js';

/**
 * Cached by configuration, which never changes: a readiness check asks for the routes every second or two, even with
 * 10,000 hosts.
 */
const found = new WeakMap<Config, readonly RouteConfig[]>();

/** Every route of a configuration, once each, in the order of the file. */
export function everyRoute(config: Config): readonly RouteConfig[] {
  return found.get(config) ?? atOnce(everyRouteSteps(config));
}

/** The same in steps, for a configuration whose routes were not collected yet. */
export function* everyRouteSteps(config: Config): Steps<readonly RouteConfig[]> {
  const routes = new Set<RouteConfig>();
  for (const { scope } of config.hosts) {
    for (const route of everyRouteOf(scope)) routes.add(route);
    yield;
  }
  for (const route of everyRouteOf(config.rest)) routes.add(route);
  const sorted = [...routes].sort((a, b) => a.line - b.line);
  found.set(config, sorted);
  return sorted;
}

/** Every route that a request of this scope may take. */
export function everyRouteOf({ routes, paths, fallback }: ScopeConfig): Set<RouteConfig> {
  return new Set([
    ...routes.map(({ route }) => route),
    ...paths.flatMap(({ scope }) => [...everyRouteOf(scope)]),
    ...(fallback === null ? [] : [fallback]),
  ]);
}

/** Every route that has servers, in the order of the file. */
export function forwardingRoutes(
  config: Config,
): readonly { readonly name: string; readonly group: GroupConfig }[] {
  return everyRoute(config).flatMap(({ name, action }) =>
    action.kind === 'forward' ? [{ name, group: action.group }] : [],
  );
}
