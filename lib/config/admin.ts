import { type Address, parseAddress } from '../base/address.js';
import { ValueError } from '../base/units.js';
import { type Context, oneOrMore } from './context.js';
import { parseHostName } from './host-name.js';
import { defaultsOf } from './schema.js';
import type { AdminSettings, Settings } from './settings.js';
import { compileListenerTls } from './tls.js';
import type { Path } from './tree.js';
import type { AdminConfig, TlsConfig } from './types.js';
import { adviseSwitch } from './value-advice.js';

/** The address of `admin: true`, and the one that commands for a running balancer use by default. */
export const { listen: ADMIN_LISTEN } = defaultsOf<{ readonly listen: string }>('admin');

/** The listener for operators; null when it is not configured. */
export function compileAdmin(
  setting: Settings['admin'],
  shared: TlsConfig | null,
  context: Context,
): AdminConfig | null {
  if (setting === undefined || setting === false) return null;
  const path: Path = ['admin'];
  const isMap = typeof setting === 'object';
  const {
    listen = ADMIN_LISTEN,
    token,
    read_token: readToken,
    hosts,
  }: AdminSettings = isMap ? setting : setting === true ? {} : { listen: setting };
  const at = isMap ? [...path, 'listen'] : path;
  const address = context.report.attempt(at, () => adminAddress(listen));
  // A token that was refused was at least given: one message is enough.
  if (address && !(isMap && 'token' in setting) && !isLocal(address)) {
    context.report.problem(
      at,
      `other machines reach ${address.text}: it needs a token`,
      'Write { listen: ..., token: ... }, or listen on 127.0.0.1.',
    );
  }
  if (readToken !== undefined && (token === undefined ? !(isMap && 'token' in setting) : token === readToken))
    context.report.problem(
      [...path, 'read_token'],
      token === undefined ? 'without token, every caller may change everything' : 'it is the same as token',
      'Set token to another value, for callers who may change things.',
    );
  const names: string[] = [];
  for (const [text, itemPath] of oneOrMore(hosts, [...path, 'hosts'])) {
    const name = context.report.attempt(itemPath, () => exactName(text));
    if (name !== undefined) names.push(name);
  }
  if (address === undefined) return null;
  const tls = compileListenerTls(isMap ? setting.tls : undefined, [...path, 'tls'], shared, context);
  return { listen: address, tls, token: token ?? null, readToken: readToken ?? null, hosts: names };
}

/** True if only this machine can reach the address: a Unix socket or a loopback address. */
export function isLocal(address: Address): boolean {
  if (address.kind === 'unix') return true;
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(address.host);
}

function adminAddress(setting: string | number): Address {
  const advice = adviseSwitch(String(setting));
  if (advice !== '') throw new ValueError(`expected host:port, got ${JSON.stringify(setting)}`, advice);
  const address = parseAddress(setting, { defaultHost: '127.0.0.1' });
  return address.kind === 'tcp' && address.host === '' ? { ...address, text: `*:${address.port}` } : address;
}

function exactName(text: string): string {
  const name = parseHostName(text);
  if (name.kind === 'exact') return name.name;
  throw new ValueError(`expected a host such as admin.example.com, got ${JSON.stringify(text)}`);
}
