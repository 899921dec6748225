import { createConfig } from '../../lib/config/config.js';

import { DEFAULT_RETRY } from '../../lib/config/retry.js';
import type { Config, FirewallConfig, GroupConfig, RouteConfig } from '../../lib/config/types.js';

/**
 * A configuration as short, readable JSON: what has its default or asks nothing is left out; networks, patterns,
 * addresses and templates are texts; what routes share (groups, firewalls, timeouts) stands in one place.
 */
export function meaning(config: Config): object {
  const defaults = createConfig();
  const firewalls = new Map<string, FirewallConfig>();
  const shorten = (_key: string, value: unknown): unknown => {
    if (isRoute(value)) {
      for (const firewall of value.firewalls) firewalls.set(firewall.name, firewall);
      return shortRoute(value, config);
    }
    if (isGroup(value)) return shortGroup(value, config);
    return shortValue(value);
  };
  const changed = Object.entries(config).filter(
    ([key, value]) => write(value) !== write(defaults[key as keyof Config]),
  );
  const plain = JSON.parse(JSON.stringify(Object.fromEntries(changed), shorten)) as object;
  const guards = JSON.parse(JSON.stringify([...firewalls.values()], shorten)) as object[];
  return guards.length > 0 ? { ...plain, firewalls: guards } : plain;
}

/** JSON with everything on one line that fits there. */
export function write(value: unknown, indent = ''): string {
  const line = JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item)) ?? '';
  if (line.length + indent.length <= 110 || typeof value !== 'object' || value === null) return line;
  const inner = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => write(item, inner))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${write(item, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${indent}${close}`;
}

/** What of `settings` differs from the file's. */
function differing<T extends object>(settings: T, defaults: T): object {
  const differs = ([key, value]: [string, unknown]): boolean => value !== defaults[key as keyof T];
  return Object.fromEntries(Object.entries(settings).filter(differs));
}

function shortGroup({ pool, connectTimeout, ...others }: GroupConfig, config: Config): object {
  return {
    ...others,
    ...(pool !== config.pool && { pool: differing(pool, config.pool) }),
    ...(connectTimeout !== config.timeouts.connect && { connectTimeout }),
  };
}

function shortRoute(route: RouteConfig, { timeouts: defaults, limits }: Config): object {
  const timeouts = differing(route.timeouts, defaults);
  const { name, line, action, rules, retry, bodyBytes } = route;
  return {
    name,
    line,
    ...(action.kind === 'forward' ? { forward: action.group.name } : { [action.kind]: action }),
    firewalls: route.firewalls.map((firewall) => firewall.name),
    rules,
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
    ...(write(retry) !== write(DEFAULT_RETRY) && { retry }),
    ...(bodyBytes !== limits.bodyBytes && { bodyBytes }),
  };
}

/** `kind` and the like make these shapes what they are; `key` of a header rule follows from its name. */
function shortValue(value: unknown): unknown {
  if (value instanceof RegExp) return String(value);
  if (Array.isArray(value) && value.length > 0 && value.every(isPart)) return value.map(partText).join('');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if ('first' in value && 'text' in value) return value.text;
  if ('port' in value || ('kind' in value && value.kind === 'unix'))
    return (value as unknown as { text: string }).text;
  if ('from' in value && 'to' in value && typeof value.from === 'number') return `${value.from}-${value.to}`;
  const { key, ...others } = value as Record<string, unknown>;
  const kept = typeof key === 'string' ? others : value;
  return Object.fromEntries(
    Object.entries(kept).filter(
      ([name, item]) => item !== null && (name === 'ipAllow' || !isEmptyList(item)),
    ),
  );
}

function isPart(value: unknown): value is Readonly<Record<string, unknown>> {
  const kinds = ['text', 'variable', 'header', 'cookie', 'param', 'capture', 'group'];
  if (typeof value !== 'object' || value === null || !('kind' in value) || 'value' in value) return false;
  return kinds.includes(String(value.kind));
}

function partText({ kind, text, name, group }: Readonly<Record<string, unknown>>): unknown {
  if (kind === 'text') return text;
  return kind === 'variable' ? `<${name}>` : `<${kind} ${name ?? group}>`;
}

function isRoute(value: unknown): value is RouteConfig {
  return typeof value === 'object' && value !== null && 'action' in value && 'rules' in value;
}

function isGroup(value: unknown): value is GroupConfig {
  return typeof value === 'object' && value !== null && 'servers' in value && 'connectTimeout' in value;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
