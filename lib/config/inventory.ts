import type { DescribedListener } from '../base/listener-text.js';
import type {
  Config,
  HostPattern,
  ListenerConfig,
  ProviderConfig,
  RouteConfig,
  ScopeConfig,
  ServerConfig,
} from './types.js';

/** Every server of a configuration once, in the order of the file. */
export function serversOf(config: Config): readonly ServerConfig[] {
  const byName = new Map<string, ServerConfig>();
  for (const server of config.groups.flatMap(({ servers }) => servers)) byName.set(server.name, server);
  return [...byName.values()];
}

/** Every source of servers of a configuration once, by its key, in the order of the file; before them that of routes. */
export function sourcesOf({ docker, groups }: Config): ReadonlyMap<string, ProviderConfig> {
  const sources = new Map<string, ProviderConfig>();
  if (docker !== null) sources.set(docker.key, docker);
  for (const { providers } of groups)
    for (const provider of providers) if (!sources.has(provider.key)) sources.set(provider.key, provider);
  return sources;
}

/**
 * An entry point of a configuration: what a request has to ask for, and the route it leads to without further
 * conditions.
 */
export interface Entrance {
  /** `www.mango.com`, `*.mango.com` or `/mango`; empty for all other requests. */
  readonly label: string;
  readonly route: RouteConfig | null;
}

/** The entry points of a configuration, one level deep: hosts, then paths, then the rest. */
export function entrancesOf({ hosts, rest }: Config): readonly Entrance[] {
  const entrances: Entrance[] = hosts.map(({ names, scope }) => ({
    label: names.map(hostText).join(', '),
    route: routeOfAll(scope),
  }));
  for (const { path, scope } of rest.paths) {
    entrances.push({
      label: path.kind === 'regex' ? `~ ${path.regex.source}` : path.path,
      route: scope.fallback,
    });
  }
  if (rest.fallback !== null) entrances.push({ label: '', route: rest.fallback });
  return entrances;
}

/** Where the requests end up for which there is nothing else. */
function routeOfAll({ paths, fallback }: ScopeConfig): RouteConfig | null {
  const all = paths.find(({ path }) => path.kind === 'prefix' && path.path === '/');
  return all?.scope.fallback ?? fallback;
}

/** `address`: where it listens, if the port in the file is 0. */
export function describeListener(
  { address, tls, redirect, proxyProtocol }: ListenerConfig,
  bound = address,
): DescribedListener {
  return { address: bound.text, scheme: tls === null ? 'http' : 'https', redirect, proxyProtocol };
}

/** `www.mango.com`, `*.mango.com`, `~ ^app-[0-9]+\.mango\.com$`. */
export function hostText(name: HostPattern): string {
  if (name.kind === 'regex') return `~${name.regex.ignoreCase ? '*' : ''} ${name.regex.source}`;
  return name.kind === 'exact' ? name.name : `*${name.suffix}`;
}
