import type { Steps } from '../base/slices.js';
import { hostText } from './inventory.js';
import { describeMatch } from './match.js';
import { pathText } from './pattern.js';
import type { Config, RouteConfig, ScopeConfig } from './types.js';

/** How each route is reached, for people: `www.example.com /img`, `any host when header user-agent`. */
export function* routeMatchSteps({ hosts, rest }: Config): Steps<ReadonlyMap<RouteConfig, string>> {
  const texts = new Map<RouteConfig, string>();
  for (const { names, scope } of hosts) {
    describeScope(scope, names.map(hostText).join(', '), texts);
    yield;
  }
  describeScope(rest, hosts.length === 0 ? 'any host' : 'any other host', texts);
  return texts;
}

function describeScope(scope: ScopeConfig, place: string, texts: Map<RouteConfig, string>): void {
  const { routes, paths, fallback } = scope;
  for (const { match, route } of routes) add(texts, route, `${place} ${describeMatch(match)}`.trim());
  for (const { path, scope: inner } of paths) describeScope(inner, `${place} ${pathText(path)}`, texts);
  if (fallback !== null) add(texts, fallback, place);
}

function add(texts: Map<RouteConfig, string>, route: RouteConfig, text: string): void {
  const other = texts.get(route);
  texts.set(route, other === undefined ? text : `${other}; ${text}`);
}
