import { type AddressEntry, readAddressFile } from './address-file.js';
import { type Context, network, type OneOrMore, oneOrMore } from './context.js';
import { checkToken, compileFields } from './fields.js';
import { type PathPattern, parsePath } from './pattern.js';
import { duration } from './quantities.js';
import { each } from './report.js';
import { defaultsOf } from './schema.js';
import type {
  BanSettings,
  FirewallRulesSettings,
  NetworkSetting,
  NetworksSetting,
  RateLimitSettings,
} from './settings.js';
import { compileStatuses } from './statuses.js';
import type { Path } from './tree.js';
import type { BanConfig, FirewallConfig, RateLimitConfig, RateLimitKey } from './types.js';

const DEFAULTS = defaultsOf<Pick<FirewallConfig, 'mode' | 'maxConnectionsPerIp'>>('firewallRules');
const RATE = defaultsOf<Pick<RateLimitConfig, 'per' | 'status'> & { readonly key: string }>('rateLimit');
const BAN = defaultsOf<Pick<BanConfig, 'within' | 'for'>>('ban');

/**
 * Compiles the firewall of one scope; null when it has none. `names` are the names of the scope, one for each name of
 * its host. They don't depend on its place in the file, so that counts, bans and buckets survive a reload that moves
 * it.
 */
export function compileFirewall(
  settings: FirewallRulesSettings | undefined,
  [name = '', ...aliases]: readonly string[],
  path: Path,
  context: Context,
): FirewallConfig | null {
  if (!settings) return null;
  const { report } = context;
  return {
    name,
    aliases,
    line: context.lineOf(path),
    mode: settings.mode ?? DEFAULTS.mode,
    ipReject: compileAddresses(settings.ip_reject, [...path, 'ip_reject'], context),
    ipAllow: isGiven(settings.ip_allow)
      ? compileAddresses(settings.ip_allow, [...path, 'ip_allow'], context)
      : null,
    maxConnectionsPerIp: settings.max_connections_per_ip ?? DEFAULTS.maxConnectionsPerIp,
    ban: settings.ban ? compileBan(settings.ban, [...path, 'ban'], context) : null,
    methodReject: compileMethods(settings.method_reject, [...path, 'method_reject'], context),
    pathReject: compilePaths(settings.path_reject, [...path, 'path_reject'], context),
    headerReject: compileFields(settings.header_reject, [...path, 'header_reject'], context, 'header'),
    rateLimit: settings.rate_limit
      ? compileRateLimit(settings.rate_limit, [...path, 'rate_limit'], report)
      : null,
  };
}

/** Methods are case-sensitive (RFC 9110, 9.1): no client sends `get`. */
export function compileMethods(setting: OneOrMore | undefined, path: Path, { report }: Context): string[] {
  const methods: string[] = [];
  for (const [method, at] of oneOrMore(setting, path)) {
    report.attempt(at, () => checkToken(method, 'a method such as GET'));
    if (method !== method.toUpperCase()) {
      report.problem(
        at,
        `expected a method such as GET, got ${JSON.stringify(method)}`,
        `Write ${method.toUpperCase()}.`,
      );
    }
    methods.push(method);
  }
  return methods;
}

/** An empty list in the settings means no list; an address file that turns out empty lets no client in. */
function isGiven(setting: FirewallRulesSettings['ip_allow']): boolean {
  return setting !== undefined && setting.length > 0;
}

function compileAddresses(
  setting: NetworksSetting | undefined,
  path: Path,
  context: Context,
): AddressEntry[] {
  const entries: AddressEntry[] = [];
  const single = typeof setting === 'string';
  for (const [item, itemPath] of each<NetworkSetting>(single ? [setting] : setting, path)) {
    const at = single ? path : itemPath;
    if (typeof item === 'object') {
      if (item.file !== undefined) entries.push(readAddressFile(item.file, [...at, 'file'], context));
    } else {
      const read = network(item, at, context.report);
      if (read) entries.push(read);
    }
  }
  return entries;
}

function compilePaths(setting: OneOrMore | undefined, path: Path, { report }: Context): PathPattern[] {
  const patterns: PathPattern[] = [];
  for (const [item, at] of oneOrMore(setting, path)) {
    const pattern = report.attempt(at, () => parsePath(item));
    if (pattern) patterns.push(pattern);
  }
  return patterns;
}

function compileRateLimit(
  settings: RateLimitSettings,
  path: Path,
  report: Context['report'],
): RateLimitConfig {
  return {
    requests: settings.requests ?? 1,
    per: duration(settings.per, RATE.per, [...path, 'per'], report, 1),
    burst: settings.burst ?? settings.requests,
    key: parseKey(settings.key ?? RATE.key),
    status: settings.status ?? RATE.status,
  };
}

function parseKey(key: string): RateLimitKey {
  const [, kind, name = ''] = /^(header|cookie)\.(.*)$/.exec(key) ?? [];
  if (kind === 'header') return { kind, name: name.toLowerCase() };
  return kind === 'cookie' ? { kind, name } : { kind: 'client_ip' };
}

function compileBan(settings: BanSettings, path: Path, { report }: Context): BanConfig {
  return {
    status: compileStatuses(settings.status ?? [], [...path, 'status'], report),
    count: settings.count ?? 1,
    within: duration(settings.within, BAN.within, [...path, 'within'], report, 1),
    for: duration(settings.for, BAN.for, [...path, 'for'], report, 1),
  };
}
