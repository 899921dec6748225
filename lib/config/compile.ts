import { type Address, addressKey, parseAddress } from '../base/address.js';
import { compileHealthCheck } from './health-check.js';
import { compileLimits, compileTimeouts } from './limits.js';
import { isEverything, parseNetwork } from './network.js';
import type { Finding } from './problems.js';
import { deepFreeze, each, Report } from './report.js';
import { ServerBook } from './servers.js';
import type { AddressSetting, Settings } from './settings.js';
import type { Path } from './tree.js';
import type { Config } from './types.js';

/** The configuration, whole only when there are no findings. */
export interface Compilation {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** What works but is hardly meant. */
  readonly warnings: readonly Finding[];
}

/**
 * Settings the schema has accepted to a frozen configuration: defaults, units, and the checks between settings
 * that a schema can't make.
 */
export function compile(settings: Settings): Compilation {
  const report = new Report();
  const book = new ServerBook(report);
  const config: Config = {
    listen: compileListen(settings.listen, report),
    servers: book.compile(settings.servers, ['servers']),
    healthCheck: compileHealthCheck(settings.health_check, ['health_check'], report),
    timeouts: compileTimeouts(settings.timeouts, report),
    limits: compileLimits(settings.limits, report),
    trustedProxies: compileTrustedProxies(settings.trusted_proxies, report),
    accessLog: settings.access_log,
  };
  book.nameServers();
  return { config: deepFreeze(config), findings: report.findings, warnings: report.warnings };
}

function compileListen(setting: Settings['listen'] = 8080, report: Report): Address[] {
  const single = typeof setting !== 'object';
  const list: readonly AddressSetting[] = single ? [setting] : setting;
  const listeners: { address: Address; path: Path }[] = [];
  for (const [item, itemPath] of each(list, ['listen'])) {
    const path = single ? ['listen'] : itemPath;
    const address = report.attempt(path, () => parseAddress(item, { defaultHost: '' }));
    if (!address) continue;
    const other = listeners.find((listener) => overlap(listener.address, address));
    if (other) report.repeated(path, `${address.text} is taken by ${other.address.text} in`, other.path);
    listeners.push({ address, path });
  }
  return listeners.map(({ address }) => address);
}

/** Whether both cannot be bound: the same place, or the same port with one of them on every interface. */
function overlap(a: Address, b: Address): boolean {
  if (addressKey(a) === addressKey(b)) return a.kind === 'unix' || a.port !== 0;
  if (a.kind === 'unix' || b.kind === 'unix' || a.port === 0) return false;
  return a.port === b.port && (a.host === '' || b.host === '');
}

function compileTrustedProxies(setting: readonly string[] | undefined, report: Report): string[] {
  const proxies: string[] = [];
  for (const [item, path] of each(setting, ['trusted_proxies'])) {
    const network = report.attempt(path, () => parseNetwork(item));
    if (!network) continue;
    if (isEverything(network)) {
      report.warning(path, 'trusts everyone: any client can forge its address', 'List your own proxies.');
    }
    proxies.push(network.text);
  }
  return proxies;
}
