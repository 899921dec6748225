import type { Address } from '../base/address.js';
import { isReadableByAll } from '../base/file-access.js';
import { ValueError } from '../base/units.js';
import { parseHostName } from './host-name.js';
import { digestOf, type FileReader, readCertificates, readKey } from './pem-files.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { ServerTlsSetting, ServerTlsSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ServerTlsConfig } from './types.js';

const { verify: VERIFY, minVersion: MIN_VERSION } =
  defaultsOf<Pick<ServerTlsConfig, 'verify' | 'minVersion'>>('serverTls');

/** Compiles `tls` of servers. Equal settings compile to one object, and their files are read once. */
export class ServerTlsCompiler {
  readonly #report: Report;
  readonly #files: FileReader;
  /** By the settings, as JSON. Of those with a problem there is none. */
  readonly #known = new Map<string, ServerTlsConfig>();
  /** Files of keys whose mode has been looked at. */
  readonly #looked = new Set<string>();

  constructor(report: Report, files: FileReader) {
    this.#report = report;
    this.#files = files;
  }

  /** null: plain HTTP. `address`: that of the server. */
  compile(setting: ServerTlsSetting | undefined, path: Path, address: Address): ServerTlsConfig | null {
    if (setting === undefined || setting === false) return null;
    const settings = setting === true ? {} : setting;
    if (address.kind === 'unix' && settings.server_name === undefined && settings.verify !== false)
      this.#report.problem(
        path,
        'a Unix socket has no host name to find in the certificate of the server',
        'Add tls: { server_name: api.internal }.',
      );
    if (settings.verify === false)
      this.#report.warning(
        [...path, 'verify'],
        `the certificate of ${address.text} is not verified: whoever answers at this address can read and change everything`,
        'Name the authority that signed the certificate: ca: internal-ca.pem.',
      );
    this.#warnOfReaders(settings, path);
    const key = JSON.stringify(settings);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const before = this.#report.findings.length;
    const config = this.#terms(settings, path);
    if (this.#report.findings.length === before) this.#known.set(key, config);
    return config;
  }

  /** Once for each file, however many servers use it. */
  #warnOfReaders({ cert, key, passphrase }: ServerTlsSettings, path: Path): void {
    const file = key ?? cert;
    if (file === undefined || passphrase !== undefined || this.#looked.has(file)) return;
    this.#looked.add(file);
    if (isReadableByAll(this.#files.resolveFile(file)))
      this.#report.warning(
        [...path, key === undefined ? 'cert' : 'key'],
        `every user of this machine may read the private key in ${file}`,
        `Only its owner and group should: chmod o= ${file}.`,
      );
  }

  #terms(settings: ServerTlsSettings, path: Path): ServerTlsConfig {
    const { server_name, ca, cert, key, passphrase = null, verify = VERIFY } = settings;
    const { min_version: minVersion = MIN_VERSION } = settings;
    const report = this.#report;
    const serverName =
      server_name === undefined
        ? null
        : (report.attempt([...path, 'server_name'], () => serverNameOf(server_name)) ?? null);
    if (key !== undefined && cert === undefined)
      report.problem([...path, 'key'], 'there is no cert that the key belongs to');
    const resolve = (name: string | undefined): string | null =>
      name === undefined ? null : this.#files.resolveFile(name);
    const pem = this.#read(settings, path);
    const digest = digestOf(serverName, verify, minVersion, passphrase, pem);
    const names = { ca: resolve(ca), cert: resolve(cert), key: resolve(key) };
    return { serverName, verify, ...names, passphrase, minVersion, pem, digest };
  }

  #read({ ca, cert, key, passphrase }: ServerTlsSettings, path: Path): ServerTlsConfig['pem'] {
    const report = this.#report;
    const files = this.#files;
    const certificatesAt = (name: string | undefined, which: string): string | null =>
      name === undefined
        ? null
        : (report.attempt([...path, which], () => readCertificates(name, files)) ?? null);
    const pem = { ca: certificatesAt(ca, 'ca'), cert: certificatesAt(cert, 'cert') };
    const own = pem.cert;
    if (cert === undefined || own === null) return { ...pem, key: null };
    const place = [...path, key === undefined ? 'cert' : 'key'];
    return { ...pem, key: report.attempt(place, () => readKey(key ?? cert, own, passphrase, files)) ?? null };
  }
}

function serverNameOf(text: string): string {
  const name = parseHostName(text);
  if (name.kind === 'exact') return name.name;
  throw new ValueError(`expected a host such as api.internal, got ${JSON.stringify(text)}`);
}
