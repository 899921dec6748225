import { compileAccessLog } from './access-log.js';
import { compileAction } from './action.js';
import { compileAdmin } from './admin.js';
import { compileTests } from './cases.js';
import { type Context, network } from './context.js';
import { compileDns } from './dns.js';
import { compileDocker } from './docker.js';
import { compileEvents } from './events.js';
import { compileFirewall } from './firewall.js';
import { compileGroupTerms } from './group-terms.js';
import { compileHold } from './hold.js';
import { compileHosts } from './hosts.js';
import { compileLimits, compileTimeouts, DEFAULT_LIMITS, rateOfBody, sizeOfBody } from './limits.js';
import { compileListen } from './listeners.js';
import { compileMaintenance } from './maintenance.js';
import { compileLanguages } from './match.js';
import { isEverything } from './network.js';
import type { Finding } from './problems.js';
import { warnOfLoops } from './redirect-loop.js';
import { deepFreeze, each, Report } from './report.js';
import { compileRetry } from './retry.js';
import { type ConfigScope, compileScope, isWhole } from './routes.js';
import { compileRules } from './rules.js';
import { defaultOf } from './schema.js';
import { ServerBook } from './servers.js';
import type { Settings } from './settings.js';
import { compileShared } from './shared.js';
import type { IncludedFile } from './sources.js';
import { compileSticky } from './sticky.js';
import { compileTls, warnIfUnused } from './tls.js';
import { compileMeasuredPaths, compileMetrics, compileTracing } from './tracing.js';
import type { Config, HostConfig, ScopeConfig } from './types.js';

const FORWARDED = defaultOf<boolean>('forwarded');
const MASK_ADDRESSES = defaultOf<boolean>('mask_addresses');
const WORKERS = defaultOf<number>('workers');
const VIA = defaultOf<boolean>('via');
/** The name by which `via` and `CDN-Loop` call this program too. */
const PROXY_NAME = 'lb';

/** The result of compiling; `config` is complete only if `findings` is empty. */
export interface Compilation {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** Settings that work but are probably not meant. */
  readonly warnings: readonly Finding[];
}

/** What the compiler needs from outside: the line of a setting, and the content of files that settings name. */
export interface CompileDeps extends Pick<Context, 'lineOf' | 'readFile' | 'resolveFile'> {
  /** The files that were included. */
  readonly included: readonly IncludedFile[];
}

/**
 * Compiles settings that the schema has accepted: fills in defaults, converts units, passes settings on to inner
 * scopes, and checks what a schema can't, such as two settings that contradict each other.
 */
export function compile(settings: Settings, surroundings: CompileDeps): Compilation {
  const report = new Report();
  // Where settings are read from a file, it is taken out when the other files are read.
  if (settings.include !== undefined)
    report.problem(['include'], 'works in a settings file only', 'Read it with loadConfig.', 'key');
  const docker = compileDocker(settings.docker, { report, files: surroundings });
  const book = new ServerBook(report, surroundings, docker);
  const context: Context = {
    ...surroundings,
    report,
    book,
    groups: [],
    maintenance: [],
    lists: new Map(),
    bodies: new Map(),
  };
  const file = compileFile(settings, context);
  const hosts = compileHosts(settings.hosts, file, context);
  const rest = compileScope(settings, file, 'file', context);
  const { action } = file;
  const tls = compileTls(settings.tls, context);
  const listen = compileListen(settings.listen, tls, context);
  const admin = compileAdmin(settings.admin, tls, context);
  warnIfUnused(tls, admin === null ? listen : [...listen, admin], context);
  warnOfLoops(settings, listen, report);
  const config: Config = {
    listen,
    tls,
    admin,
    servers: action?.kind === 'forward' ? action.group.servers : [],
    healthCheck: file.terms.healthCheck,
    passiveHealth: file.terms.passiveHealth,
    pool: file.terms.pool,
    dns: compileDns(settings.dns, report),
    docker,
    timeouts: file.timeouts,
    limits: compileLimits(settings.limits, report),
    trustedProxies: compileTrustedProxies(settings.trusted_proxies, report),
    forwarded: settings.forwarded ?? FORWARDED,
    via: settings.via ?? VIA,
    instance: settings.instance ?? null,
    maskAddresses: settings.mask_addresses ?? MASK_ADDRESSES,
    proxyStatus: settings.proxy_status === true ? PROXY_NAME : settings.proxy_status || null,
    readinessPath: settings.readiness_path ?? null,
    accessLog: compileAccessLog(settings.access_log, report),
    events: compileEvents(settings.events, context),
    tracing: compileTracing(settings.tracing, settings.instance, context),
    metrics: compileMetrics(settings.metrics, settings.instance, context),
    measuredPaths: compileMeasuredPaths(settings.metrics, report),
    workers: settings.workers === undefined ? WORKERS : countOfWorkers(settings.workers),
    shared: compileShared(settings.shared, context),
    stateFile: settings.state_file ?? null,
    firewall: compileFirewall(settings.firewall_rules, ['firewall_rules'], ['firewall_rules'], context),
    hosts,
    rest,
    groups: context.groups,
    maintenance: context.maintenance,
    tests: compileTests(settings.tests, new Set(routeNames(hosts, rest)), context),
    included: surroundings.included,
  };
  context.book.nameServers();
  return { config: deepFreeze(config), findings: report.findings, warnings: report.warnings };
}

/** The outermost scope. Its firewall runs before routing and is not inherited. */
function compileFile(settings: Settings, context: Context): ConfigScope {
  const { report } = context;
  const timeouts = compileTimeouts(settings.timeouts, report);
  const terms = compileGroupTerms(settings, timeouts, [], report);
  return {
    name: 'default',
    identities: ['default'],
    path: [],
    action: compileAction(settings, 'servers', [], terms, { captures: 0 }, context),
    firewalls: [],
    rules: compileRules(settings, [], 0, context),
    defaultHost: 'client',
    terms,
    sticky: compileSticky(settings.sticky, ['sticky'], context, null),
    retry: compileRetry(settings.retry, ['retry'], report),
    hold: compileHold(settings.hold, ['hold'], context, null),
    maintenance: compileMaintenance(
      settings.maintenance,
      { name: '*', path: ['maintenance'] },
      context,
      null,
    ),
    timeouts,
    bodyBytes: sizeOfBody(DEFAULT_LIMITS.bodyBytes, settings.limits, ['limits'], report),
    bodyRate: rateOfBody(DEFAULT_LIMITS.bodyRate, settings.limits, ['limits'], report),
    captures: 0,
    languages: compileLanguages(settings.language, ['language'], context),
    doubtful: !isWhole(settings),
  };
}

/** The schema accepts no other text. */
function countOfWorkers(setting: number | string): Config['workers'] {
  return typeof setting === 'number' ? setting : 'auto';
}

/** The names of all routes. */
function* routeNames(hosts: readonly HostConfig[], rest: ScopeConfig): Generator<string> {
  for (const scope of [...hosts.map((host) => host.scope), rest]) {
    for (const inner of [scope, ...scope.paths.map((path) => path.scope)]) {
      for (const { route } of inner.routes) yield route.name;
      if (inner.fallback) yield inner.fallback.name;
    }
  }
}

function compileTrustedProxies(setting: readonly string[] | undefined, report: Report): string[] {
  const proxies: string[] = [];
  for (const [item, path] of each(setting, ['trusted_proxies'])) {
    const proxy = network(item, path, report);
    if (!proxy) continue;
    if (isEverything(proxy)) {
      report.warning(path, 'trusts everyone: any client can forge its address', 'List your own proxies.');
    }
    proxies.push(proxy.text);
  }
  return proxies;
}
