import type { Steps } from '../base/slices.js';
import { everyRoute } from './every-route.js';
import type { Config, FirewallConfig, MatchConfig, RouteConfig, ScopeConfig } from './types.js';

/**
 * Names, in lower case, of the fields that decisions depend on: those that guards refuse, conditions match, and clients
 * are counted or bound by. Host is left out because it depends on the request target too.
 */
export function* fieldsJudgedSteps(config: Config): Steps<readonly string[]> {
  const names = new Set<string>();
  const firewalls = new Set<FirewallConfig>(config.firewall === null ? [] : [config.firewall]);
  for (const route of everyRoute(config)) {
    for (const firewall of route.firewalls) firewalls.add(firewall);
    for (const name of keysOf(route)) names.add(name);
    yield;
  }
  for (const { headerReject, rateLimit } of firewalls) {
    for (const { name } of headerReject) names.add(name);
    if (rateLimit?.key.kind === 'header') names.add(rateLimit.key.name);
  }
  for (const match of matchesIn(config)) {
    for (const { name } of match.headers) names.add(name);
    yield;
  }
  names.delete('host');
  return [...names];
}

function keysOf({ action, sticky }: RouteConfig): readonly string[] {
  const on = action.kind === 'forward' ? action.group.algorithm.on : null;
  return [sticky, on].flatMap((key) => (key?.kind === 'header' ? [key.name.toLowerCase()] : []));
}

function* matchesIn({ hosts, rest }: Config): Generator<MatchConfig> {
  for (const { scope } of hosts) yield* matchesOf(scope);
  yield* matchesOf(rest);
}

function* matchesOf({ routes, paths }: ScopeConfig): Generator<MatchConfig> {
  for (const { match } of routes) yield match;
  for (const { scope } of paths) yield* matchesOf(scope);
}
