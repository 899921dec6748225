import { DEFAULT_ALGORITHM } from '../../lib/config/algorithm.js';
import { createConfig } from '../../lib/config/config.js';
import { isRegexConfig, regexText } from '../../lib/config/regex.js';
import { DEFAULT_RETRY } from '../../lib/config/retry.js';
import type {
  AlgorithmConfig,
  Config,
  FirewallConfig,
  GroupConfig,
  ListenerConfig,
  RouteConfig,
  ServerConfig,
} from '../../lib/config/types.js';

/**
 * A configuration as short, readable JSON: what has its default or asks nothing is left out; networks, patterns,
 * addresses and templates are texts; what routes share (groups, firewalls, timeouts) stands in one place. Of a check,
 * there is what is not as by default.
 */
export function meaning(config: Config): object {
  const defaults = createConfig();
  const firewalls = new Map<string, FirewallConfig>();
  const shorten = (key: string, value: unknown): unknown => {
    // What files hold is not what settings say.
    if (key === 'pem' || key === 'digest') return undefined;
    if (isRoute(value)) {
      for (const firewall of value.firewalls) firewalls.set(firewall.name, firewall);
      return shortRoute(value, config);
    }
    if (isServer(value)) return shortServer(value);
    if (isPlainListener(value)) return value.address.text;
    return isGroup(value) ? shortGroup(value, config, defaults) : shortValue(value);
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

function shortRoute(route: RouteConfig, { timeouts: defaults, limits }: Config): object {
  const timeouts = differing(route.timeouts, defaults);
  const { name, line, action, rules, sticky, retry, hold, maintenance, bodyBytes, bodyRate } = route;
  return {
    name,
    line,
    ...(action.kind === 'forward' ? { forward: action.group.name } : { [action.kind]: action }),
    firewalls: route.firewalls.map((firewall) => firewall.name),
    rules,
    ...(sticky && { sticky }),
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
    ...(write(retry) !== write(DEFAULT_RETRY) && { retry }),
    ...(hold && { hold }),
    ...(maintenance && { maintenance: maintenance.name }),
    ...(bodyBytes !== limits.bodyBytes && { bodyBytes }),
    ...(bodyRate !== limits.bodyRate && { bodyRate }),
  };
}

function shortGroup(
  {
    algorithm,
    slowStart,
    healthCheck,
    passiveHealth,
    pool,
    connectTimeout,
    providers,
    ...group
  }: GroupConfig,
  config: Config,
  defaults: Config,
): object {
  return {
    ...group,
    ...(providers.length > 0 && { providers: providers.map(({ key: _, ...provider }) => provider) }),
    ...(algorithm !== DEFAULT_ALGORITHM && { algorithm: shortAlgorithm(algorithm) }),
    ...(slowStart !== 0 && { slowStart }),
    ...changes('healthCheck', healthCheck, defaults.healthCheck),
    ...changes('passiveHealth', passiveHealth, defaults.passiveHealth),
    ...changes('pool', pool, defaults.pool),
    ...(connectTimeout !== config.timeouts.connect && { connectTimeout }),
  };
}

/** A name, unless there is more to it; a key as it is written. */
function shortAlgorithm({ name, on, ...others }: AlgorithmConfig): unknown {
  if (name !== 'hash' && others.balanceFactor === 0) return name;
  return { name, on: on && [on.kind, on.name].filter(Boolean).join('.'), ...others };
}

/** A server of weight 1 that is no backup is one that says nothing of it. */
function shortServer({ weight, backup, sendProxy, tls, ...server }: ServerConfig): object {
  return {
    ...server,
    ...(tls !== null && { tls }),
    ...(sendProxy !== null && { sendProxy }),
    ...(weight !== 1 && { weight }),
    ...(backup && { backup }),
  };
}

/** Is nothing but its address set? */
function isPlainListener(value: unknown): value is ListenerConfig {
  if (typeof value !== 'object' || value === null || !('proxyProtocol' in value)) return false;
  const { address, ...others } = value as ListenerConfig;
  return Object.values(others).every((setting) => setting === null);
}

/** What of a map is not as by default, under its name; nothing when all is. */
function changes(name: string, map: object | null, defaults: object | null): object {
  if (map === null) return { [name]: false };
  const changed = Object.entries(map).filter(
    ([key, value]) => write(value) !== write(defaults?.[key as keyof typeof defaults]),
  );
  return changed.length === 0 ? {} : { [name]: Object.fromEntries(changed) };
}

/** `kind` and the like make these shapes what they are; `key` of a header rule follows from its name. */
function shortValue(value: unknown): unknown {
  if (Array.isArray(value) && value.length > 0 && value.every(isPart)) return value.map(partText).join('');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if ('first' in value && 'text' in value) return value.text;
  if ('file' in value && 'ranges' in value) return `file ${value.file}`;
  if (isRegexConfig(value)) return regexText(value);
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

function isServer(value: unknown): value is ServerConfig {
  return typeof value === 'object' && value !== null && 'address' in value && 'backup' in value;
}

function isGroup(value: unknown): value is GroupConfig {
  return typeof value === 'object' && value !== null && 'servers' in value && 'connectTimeout' in value;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
