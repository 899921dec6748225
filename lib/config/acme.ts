import { isIP } from 'node:net';
import { ValueError } from '../base/units.js';
import type { Context } from './context.js';
import { parseHostName } from './host-name.js';
import { each } from './report.js';
import { defaultsOf } from './schema.js';
import type { AcmeSettings } from './settings.js';
import type { Path } from './tree.js';
import type { AcmeConfig, ListenerConfig, TlsConfig } from './types.js';

const { challenge: CHALLENGE, directory: DIRECTORY } =
  defaultsOf<Pick<AcmeConfig, 'challenge' | 'directory'>>('acme');

/** The directories of Let's Encrypt, by the words that stand for them. */
const DIRECTORIES: Readonly<Record<string, string>> = {
  production: 'https://acme-v02.api.letsencrypt.org/directory',
  staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
};

/** Let's Encrypt issues no certificate for more. */
const MOST_NAMES = 100;

/** Where authorities ask for the answers to challenges (RFC 8555, 8.3; RFC 8737, 3). */
const PORTS = { 'http-01': 80, 'tls-alpn-01': 443 } as const;

/** Compiles `tls.acme`; null without it. */
export function compileAcme(
  setting: AcmeSettings | undefined,
  path: Path,
  context: Context,
): AcmeConfig | null {
  if (setting === undefined) return null;
  const {
    directory = DIRECTORY,
    email = null,
    store,
    challenge = CHALLENGE,
    external_account: account,
  } = setting;
  const groups = compileGroups(setting.hosts, [...path, 'hosts'], context);
  return {
    directory: DIRECTORIES[directory] ?? directory,
    email,
    hosts: groups.flat(),
    groups,
    store: context.resolveFile(store ?? ''),
    challenge,
    externalAccount: account === undefined ? null : { kid: account.kid, hmacKey: account.hmac_key },
    ca: setting.ca === undefined ? null : context.resolveFile(setting.ca),
  };
}

function compileGroups(setting: AcmeSettings['hosts'], path: Path, { report }: Context): string[][] {
  const seen = new Set<string>();
  const groups: string[][] = [];
  for (const [item, itemPath] of each(setting, path)) {
    const group: string[] = [];
    const isList = typeof item === 'object';
    for (const [text, namePath] of each(isList ? item : [item], itemPath)) {
      const place = isList ? namePath : itemPath;
      const host = report.attempt(place, () => orderableName(text));
      if (host === undefined) continue;
      if (seen.has(host)) report.problem(place, `${host} is listed twice`);
      else group.push(host);
      seen.add(host);
    }
    if (group.length > MOST_NAMES)
      report.problem(
        itemPath,
        `a certificate can have ${MOST_NAMES} names at most, and these are ${group.length}`,
      );
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

function orderableName(text: string): string {
  if (text.startsWith('~'))
    throw new ValueError(
      `${text}: certificates are ordered for names, not for regular expressions`,
      'List the names one by one.',
    );
  const name = parseHostName(text);
  if (name.kind === 'wildcard')
    throw new ValueError(
      `${text}: certificates for wildcards need a challenge by DNS, which lb does not do`,
      'List the names one by one, or get the certificate by another program and name it in certificates.',
    );
  if (isIP(name.name.replace(/^\[|\]$/g, '')) !== 0)
    throw new ValueError(`${text}: certificates are ordered for names, not for IP addresses`);
  return name.name;
}

/** Warns where nothing listens on the port that the authority connects to. Another program may forward it. */
export function adviseChallenges(
  listeners: readonly ListenerConfig[],
  terms: ReadonlyMap<TlsConfig, Path>,
  { report }: Context,
): void {
  for (const [tls, path] of terms) {
    if (tls.acme === null || !listeners.some((listener) => listener.tls === tls)) continue;
    const { challenge } = tls.acme;
    const port = PORTS[challenge];
    const isThere = listeners.some(
      ({ address, tls: other }) =>
        address.kind === 'tcp' && address.port === port && other === (challenge === 'http-01' ? null : tls),
    );
    if (isThere) continue;
    const listener = challenge === 'http-01' ? 'plain listener' : 'listener with these terms';
    report.warning(
      [...path, 'acme'],
      `the authority checks names by ${challenge} on port ${port}, and no ${listener} is there`,
      challenge === 'http-01'
        ? 'Add one, such as { address: 80, redirect: https }, unless the port is forwarded to another listener.'
        : 'Listen on 443, unless the port is forwarded to another listener.',
    );
  }
}
