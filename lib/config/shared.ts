import { isIP } from 'node:net';
import { ValueError } from '../base/units.js';
import type { Context } from './context.js';
import { coversNetwork, parseNetwork } from './network.js';
import { type FileReader, readCertificates } from './pem-files.js';
import { duration } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { SharedSettings } from './settings.js';
import type { SharedConfig } from './types.js';

const DEFAULTS = defaultsOf<Pick<SharedConfig, 'prefix' | 'nodes' | 'timeout'>>('shared');

/** Addresses that packets do not reach from elsewhere: loopback, private, link-local and of a provider's own network. */
const NEARBY = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1',
  'fc00::/7',
  'fe80::/10',
].map(parseNetwork);

/** Compiles `shared:`; null without it. */
export function compileShared(
  setting: SharedSettings | undefined,
  context: Pick<Context, 'report' | keyof FileReader>,
): SharedConfig | null {
  const { report, resolveFile } = context;
  // The schema has refused the value and it was removed.
  if (setting?.redis === undefined) return null;
  const { redis, ca, sentinel = null, timeout } = setting;
  const texts = typeof redis === 'string' ? [redis] : redis;
  const urls = texts.map((text, index) => {
    const path = typeof redis === 'string' ? ['shared', 'redis'] : ['shared', 'redis', index];
    return report.attempt(path, () => readUrl(text)) ?? '';
  });
  const kind = sentinel !== null ? 'sentinel' : setting.cluster === true ? 'cluster' : 'single';
  checkKind(setting, urls, report);
  warnIfOpen(setting, urls, report);
  return {
    redis: urls,
    kind,
    sentinel,
    prefix: setting.prefix ?? DEFAULTS.prefix,
    node: setting.node ?? null,
    nodes: setting.nodes ?? DEFAULTS.nodes,
    user: setting.user ?? null,
    password: setting.password ?? null,
    ca: ca === undefined ? null : resolveFile(ca),
    pem:
      ca === undefined
        ? null
        : (report.attempt(['shared', 'ca'], () => readCertificates(ca, context)) ?? null),
    timeout: duration(timeout, DEFAULTS.timeout, ['shared', 'timeout'], report, 1),
  };
}

function checkKind({ sentinel, cluster }: SharedSettings, urls: readonly string[], report: Report): void {
  if (sentinel !== undefined && cluster === true)
    report.problem(['shared', 'cluster'], 'a cluster has no sentinels', 'Leave out cluster or sentinel.');
  if (urls.length > 1 && sentinel === undefined && cluster !== true)
    report.problem(
      ['shared', 'redis'],
      'several addresses need cluster or sentinel',
      'Add cluster: true, or sentinel: with the name of the group.',
    );
  if (cluster === true && urls.some((url) => url !== '' && new URL(url).pathname.length > 1))
    report.problem(['shared', 'redis'], 'a cluster has one database only', 'Leave out its number.');
}

/** What is at a public address can be read and changed by everybody who can reach it. */
function warnIfOpen({ redis, password }: SharedSettings, urls: readonly string[], report: Report): void {
  if (password !== undefined) return;
  for (const [index, text] of urls.entries()) {
    if (text === '') continue;
    const url = new URL(text);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // What a name stands for is not known here.
    if (url.protocol === 'rediss:' || url.password !== '' || isIP(host) === 0 || isNearby(host)) continue;
    report.warning(
      typeof redis === 'string' ? ['shared', 'redis'] : ['shared', 'redis', index],
      `${host} is a public address, without a password and without TLS: everyone who reaches it can lift bans and limits`,
      'Set a password, and write rediss:// where Redis has TLS.',
    );
  }
}

function isNearby(host: string): boolean {
  const address = parseNetwork(host);
  return NEARBY.some((network) => coversNetwork(network, address));
}

function readUrl(text: string): string {
  const wanted = 'Write redis://host:port or rediss://host:port.';
  if (!URL.canParse(text)) throw new ValueError('expected the URL of a Redis server', wanted);
  const url = new URL(text);
  if (!['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    throw new ValueError('expected a redis:// or rediss:// URL', wanted);
  if (!/^(\/\d{0,5})?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    throw new ValueError('only the number of a database may follow the port', wanted);
  for (const part of [url.username, url.password]) checkEncoded(part);
  return text;
}

/** A user or a password is decoded before it is used. */
function checkEncoded(part: string): void {
  try {
    decodeURIComponent(part);
  } catch {
    throw new ValueError(
      'the user or the password is not percent-encoded',
      'Write % as %25, or set user and password beside the URL.',
    );
  }
}
