import type { Config, GroupConfig, RouteConfig, ScopeConfig } from './types.js';

/** By the configuration, which never changes: a readiness check asks every second or two, of 10,000 hosts too. */
const found = new WeakMap<Config, readonly RouteConfig[]>();

/** Every route of a configuration, once each, in the order of the file. */
export function everyRoute(config: Config): readonly RouteConfig[] {
  let routes = found.get(config);
  if (routes === undefined) {
    routes = collect(config);
    found.set(config, routes);
  }
  return routes;
}

function collect({ hosts, rest }: Config): readonly RouteConfig[] {
  const routes = new Set<RouteConfig>();
  for (const { scope } of hosts) for (const route of everyRouteOf(scope)) routes.add(route);
  for (const route of everyRouteOf(rest)) routes.add(route);
  return [...routes].sort((a, b) => a.line - b.line);
}

/** Every route that a request in this scope may end up on. */
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
