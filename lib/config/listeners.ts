import { type Address, addressKey, parseAddress } from '../base/address.js';
import { adviseChallenges } from './acme.js';
import { type Context, network } from './context.js';
import { each } from './report.js';
import { defaultOf } from './schema.js';
import type { ListenerSetting, ListenerSettings, Settings } from './settings.js';
import { compileListenerTls } from './tls.js';
import type { Path } from './tree.js';
import type { ListenerConfig, TlsConfig } from './types.js';

const LISTEN = defaultOf<number>('listen');

/** The settings of a listener of which nothing but the address is given. */
export function plainListener(address: Address): ListenerConfig {
  return { address, tls: null, redirect: null, proxyProtocol: null, mode: null, connections: null };
}

/** Compiles `listen`. `shared`: the terms of `tls` at the top of the file; null without it. */
export function compileListen(
  setting: Settings['listen'],
  shared: TlsConfig | null,
  context: Context,
): readonly ListenerConfig[] {
  const { report } = context;
  const isList = typeof setting === 'object';
  const list: readonly ListenerSetting[] = isList ? setting : [setting ?? LISTEN];
  const listeners: { config: ListenerConfig; path: Path }[] = [];
  for (const [item, itemPath] of each(list, ['listen'])) {
    const path = isList ? itemPath : ['listen'];
    const isMap = typeof item === 'object';
    const addressPath = isMap ? [...path, 'address'] : path;
    const written = isMap ? item.address : item;
    if (written === undefined) continue;
    const address = report.attempt(addressPath, () => parseAddress(written, { defaultHost: '' }));
    if (!address) continue;
    const other = listeners.find((listener) => overlap(listener.config.address, address));
    if (other)
      report.repeated(addressPath, `${address.text} is taken by ${other.config.address.text} in`, other.path);
    const config = isMap ? compileListener(address, item, path, shared, context) : plainListener(address);
    listeners.push({ config, path: addressPath });
  }
  const configs = listeners.map(({ config }) => config);
  const terms = new Map<TlsConfig, Path>(shared === null ? [] : [[shared, ['tls']]]);
  for (const { config, path } of listeners)
    if (config.tls !== null && !terms.has(config.tls)) terms.set(config.tls, [...path.slice(0, -1), 'tls']);
  adviseChallenges(configs, terms, context);
  for (const { config, path } of listeners) {
    if (config.redirect !== null && !configs.some(({ tls }) => tls !== null))
      report.problem(
        [...path.slice(0, -1), 'redirect'],
        'there is no listener with TLS to redirect to',
        'Add one, such as { address: 443, tls: true }.',
      );
  }
  return configs;
}

function compileListener(
  address: Address,
  item: ListenerSettings,
  path: Path,
  shared: TlsConfig | null,
  context: Context,
): ListenerConfig {
  const { report } = context;
  const { redirect = null, proxy_protocol: networks, mode, connections = null } = item;
  const tls = compileListenerTls(item.tls, [...path, 'tls'], shared, context);
  if (redirect !== null && tls !== null)
    report.problem([...path, 'redirect'], 'a listener with TLS has nothing to redirect to https');
  if (mode !== undefined && address.kind !== 'unix')
    report.problem([...path, 'mode'], 'only the file of a Unix socket has a mode');
  if (networks !== undefined && networks.length === 0)
    report.problem([...path, 'proxy_protocol'], 'without an address every connection would be closed');
  const proxies: string[] = [];
  for (const [text, itemPath] of each(networks, [...path, 'proxy_protocol'])) {
    const read = network(text, itemPath, report);
    if (read) proxies.push(read.text);
  }
  return {
    address,
    tls,
    redirect,
    proxyProtocol: networks === undefined ? null : proxies,
    mode: mode === undefined ? null : Number.parseInt(mode, 8),
    connections,
  };
}

/** True if both cannot be bound: the same address, or the same port with one of them on every interface. */
function overlap(a: Address, b: Address): boolean {
  if (addressKey(a) === addressKey(b)) return a.kind === 'unix' || a.port !== 0;
  if (a.kind === 'unix' || b.kind === 'unix' || a.port === 0) return false;
  return a.port === b.port && (a.host === '' || b.host === '');
}
