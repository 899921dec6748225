import { createSecureContext, getCiphers } from 'node:tls';
import { didYouMean, nearest } from '../base/nearest.js';
import { ValueError } from '../base/units.js';
import { compileAcme } from './acme.js';
import type { Context } from './context.js';
import { each } from './report.js';
import { defaultsOf } from './schema.js';
import type { CertificateSetting, ClientAuthSetting, ListenerTlsSetting, TlsSettings } from './settings.js';
import type { Path } from './tree.js';
import type { CertificateConfig, ClientAuthConfig, TlsConfig } from './types.js';

const { minVersion: MIN_VERSION, strictSni: STRICT_SNI } =
  defaultsOf<Pick<TlsConfig, 'minVersion' | 'strictSni'>>('tls');
const { mode: MODE } = defaultsOf<Pick<ClientAuthConfig, 'mode'>>('clientAuth');

/** A certificate of the local certificate authority, with all else by default. */
export const INTERNAL_TLS: TlsConfig = {
  certificates: [],
  internal: true,
  acme: null,
  minVersion: MIN_VERSION,
  ciphers: null,
  strictSni: false,
  clientAuth: null,
};

/** Compiles the terms at the top of the file; null without any. */
export function compileTls(setting: TlsSettings | undefined, context: Context): TlsConfig | null {
  return setting === undefined ? null : compileTerms(setting, ['tls'], context);
}

/** Warns of terms at the top of the file that no listener has: everybody is served without TLS. */
export function warnIfUnused(
  shared: TlsConfig | null,
  listeners: readonly { readonly tls: TlsConfig | null }[],
  { report }: Context,
): void {
  if (shared === null || listeners.some(({ tls }) => tls === shared)) return;
  report.warning(['tls'], 'no listener uses it', 'Say so in listen: listen: [{ address: 8443, tls: true }].');
}

/** Compiles `tls` of a listener; null: plain HTTP. `shared`: the terms at the top of the file. */
export function compileListenerTls(
  setting: ListenerTlsSetting | undefined,
  path: Path,
  shared: TlsConfig | null,
  context: Context,
): TlsConfig | null {
  if (setting === undefined || setting === false) return null;
  if (setting === 'internal') return INTERNAL_TLS;
  if (typeof setting === 'object') return compileTerms(setting, path, context);
  if (shared !== null) return shared;
  context.report.problem(
    path,
    'there is no tls: at the top of the file that says which certificates to use',
    'Add tls: with certificates, or write internal for a certificate made for development.',
  );
  return INTERNAL_TLS;
}

function compileTerms(setting: TlsSettings, path: Path, context: Context): TlsConfig {
  const {
    min_version: minVersion = MIN_VERSION,
    ciphers = null,
    strict_sni: strictSni = STRICT_SNI,
  } = setting;
  if (ciphers !== null) context.report.attempt([...path, 'ciphers'], () => checkCiphers(ciphers));
  const certificates: CertificateConfig[] = [];
  for (const [item, itemPath] of each(setting.certificates, [...path, 'certificates']))
    certificates.push(compileCertificate(item, itemPath, context));
  const acme = compileAcme(setting.acme, [...path, 'acme'], context);
  if (setting.certificates === undefined && setting.acme === undefined)
    context.report.problem(
      path,
      'neither certificates nor acme is set, so there is no certificate to show to clients',
      'Add certificates: [{ cert: www.pem, key: www.key }], or write internal for a certificate made for development.',
    );
  const clientAuth = compileClientAuth(setting.client_auth, context) ?? null;
  return { certificates, internal: false, acme, minVersion, ciphers, strictSni, clientAuth };
}

/** OpenSSL ignores words that it does not know as long as it knows one. */
function checkCiphers(ciphers: string): void {
  const known = getCiphers();
  for (const word of ciphers.split(':')) {
    // Others are classes such as HIGH, or are put together with signs: !aNULL, ECDHE+AESGCM.
    if (!/^[A-Z0-9]+([-_][A-Z0-9]+)+$/.test(word) || known.includes(word.toLowerCase())) continue;
    const close = nearest(word.toLowerCase(), known);
    throw new ValueError(`${word} is not a cipher that OpenSSL knows`, didYouMean(close?.toUpperCase()));
  }
  try {
    createSecureContext({ ciphers, ca: [] });
  } catch {
    throw new ValueError(
      `${JSON.stringify(ciphers)} has no cipher that OpenSSL knows`,
      'openssl ciphers lists their names.',
    );
  }
}

function compileCertificate(setting: CertificateSetting, path: Path, context: Context): CertificateConfig {
  const {
    cert,
    key,
    passphrase = null,
    client_auth: auth,
  } = typeof setting === 'string' ? { cert: setting } : setting;
  return {
    cert: context.resolveFile(cert ?? ''),
    key: key === undefined ? null : context.resolveFile(key),
    passphrase,
    clientAuth: compileClientAuth(auth, context),
    line: context.lineOf(path),
  };
}

/** undefined: it is not set; null: no certificate is asked for. */
function compileClientAuth(
  setting: ClientAuthSetting | undefined,
  context: Context,
): ClientAuthConfig | null | undefined {
  if (setting === undefined || setting === false) return setting === false ? null : undefined;
  const { ca, crl, mode = MODE } = setting;
  return {
    ca: context.resolveFile(ca ?? ''),
    crl: crl === undefined ? null : context.resolveFile(crl),
    mode,
  };
}
