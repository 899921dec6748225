import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Address } from '../base/address.js';
import { FileError } from '../base/regular-file.js';
import { ValueError } from '../base/units.js';
import type { Context } from './context.js';
import { parseHostName } from './host-name.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { ServerTlsSetting, ServerTlsSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ServerTlsConfig, ServerTlsFiles } from './types.js';

const { verify: VERIFY, minVersion: MIN_VERSION } =
  defaultsOf<Pick<ServerTlsConfig, 'verify' | 'minVersion'>>('serverTls');

/** Files that the configuration names: their absolute paths, and what they hold. */
export type FileReader = Pick<Context, 'resolveFile' | 'readFile'>;

/** All certificate authorities that a system knows are a quarter of that. */
const MAX_PEM_BYTES = 1024 * 1024;

/** Compiles `tls` of servers. Equal terms are one object, whose files are read once. */
export class ServerTlsCompiler {
  readonly #report: Report;
  readonly #files: FileReader;
  /** By the settings, as JSON. Of terms with a problem there is none. */
  readonly #known = new Map<string, ServerTlsConfig>();

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
        `a socket has no name that the certificate of the server could have`,
        'Add tls: { server_name: api.internal }.',
      );
    if (settings.verify === false)
      this.#report.warning(
        [...path, 'verify'],
        'the certificate of this server is not verified: whoever answers at its address can read and change everything',
        'Name the authority that signed it: ca: internal-ca.pem.',
      );
    const key = JSON.stringify(settings);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const before = this.#report.findings.length;
    const config = this.#terms(settings, path);
    if (this.#report.findings.length === before) this.#known.set(key, config);
    return config;
  }

  #terms(settings: ServerTlsSettings, path: Path): ServerTlsConfig {
    const { server_name, ca, cert, key, passphrase = null, verify = VERIFY, min_version } = settings;
    const report = this.#report;
    const serverName =
      server_name === undefined
        ? null
        : (report.attempt([...path, 'server_name'], () => serverNameOf(server_name)) ?? null);
    if (key !== undefined && cert === undefined)
      report.problem([...path, 'key'], 'there is no cert that the key belongs to');
    const resolve = (name: string | undefined): string | null =>
      name === undefined ? null : this.#files.resolveFile(name);
    return {
      serverName,
      verify,
      ca: resolve(ca),
      cert: resolve(cert),
      key: resolve(key),
      passphrase,
      minVersion: min_version ?? MIN_VERSION,
      files: this.#read(settings, path),
    };
  }

  #read({ ca, cert, key, passphrase }: ServerTlsSettings, path: Path): ServerTlsFiles {
    const report = this.#report;
    const authorities =
      ca === undefined ? null : (report.attempt([...path, 'ca'], () => this.#authorities(ca)) ?? null);
    const own =
      cert === undefined ? null : (report.attempt([...path, 'cert'], () => this.#certificate(cert)) ?? null);
    if (cert === undefined || own === null) return new ReadFiles(authorities, own, null);
    const keyFile = key ?? cert;
    const keyPath = [...path, key === undefined ? 'cert' : 'key'];
    const ownKey =
      report.attempt(keyPath, () => this.#key(keyFile, passphrase, own, key === undefined)) ?? null;
    return new ReadFiles(authorities, own, ownKey);
  }

  #authorities(name: string): string {
    const text = this.#text(name);
    certificatesOf(name, text);
    return text;
  }

  #certificate(name: string): string {
    const text = this.#text(name);
    certificatesOf(name, text);
    return text;
  }

  #key(name: string, passphrase: string | undefined, cert: string, isInCert: boolean): string {
    const text = isInCert ? cert : this.#text(name);
    const key = keyOf(name, text, passphrase, isInCert);
    if (!new X509Certificate(cert).checkPrivateKey(key))
      throw new ValueError(`${name}: the key does not belong to the certificate`);
    try {
      createSecureContext({ cert, key: text, ...(passphrase === undefined ? {} : { passphrase }) });
    } catch (error) {
      throw new ValueError(`${name}: OpenSSL does not take it: ${reasonOf(error)}`);
    }
    return text;
  }

  #text(name: string): string {
    try {
      return this.#files.readFile(name, MAX_PEM_BYTES);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        error instanceof FileError
          ? message
          : code === 'ENOENT'
            ? 'there is no such file'
            : (code ?? message);
      throw new ValueError(`${name} cannot be read: ${why}`);
    }
  }
}

class ReadFiles implements ServerTlsFiles {
  readonly #texts: readonly [ca: string | null, cert: string | null, key: string | null];
  #digest = '';

  constructor(ca: string | null, cert: string | null, key: string | null) {
    this.#texts = [ca, cert, key];
  }

  get ca(): string | null {
    return this.#texts[0];
  }

  get cert(): string | null {
    return this.#texts[1];
  }

  get key(): string | null {
    return this.#texts[2];
  }

  toJSON(): string {
    this.#digest ||= createHash('sha256').update(JSON.stringify(this.#texts)).digest('base64');
    return this.#digest;
  }
}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** Throws a ValueError where there is none, or one that can't be read. */
function certificatesOf(name: string, text: string): void {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0)
    throw new ValueError(
      `${name} holds no certificate in PEM`,
      `It is to have a line -----BEGIN CERTIFICATE-----.`,
    );
  for (const [index, pem] of found.entries()) {
    try {
      new X509Certificate(pem);
    } catch (error) {
      const which = found.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
      throw new ValueError(`${name}: ${which} cannot be read: ${reasonOf(error)}`);
    }
  }
}

function keyOf(name: string, text: string, passphrase: string | undefined, isInCert: boolean): KeyObject {
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text))
    throw new ValueError(
      `${name} holds no private key in PEM`,
      isInCert ? 'Name the file of the key: key: lb.key.' : '',
    );
  const isEncrypted = /ENCRYPTED/.test(text);
  if (isEncrypted && passphrase === undefined)
    throw new ValueError(`${name}: the key is encrypted`, `Add passphrase: ${'$'}{LB_KEY_PASSPHRASE}.`);
  try {
    return createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    if (isEncrypted) throw new ValueError(`${name}: the passphrase does not open the key`);
    throw new ValueError(`${name}: the key cannot be read: ${reasonOf(error)}`);
  }
}

/** Of an error of OpenSSL: `unsupported`, `wrong tag`. */
function reasonOf(error: unknown): string {
  const { reason, message } = error as { reason?: string; message: string };
  return reason ?? message.split('\n', 1)[0] ?? '';
}

function serverNameOf(text: string): string {
  const name = parseHostName(text);
  if (name.kind === 'exact') return name.name;
  throw new ValueError(`expected a host such as api.internal, got ${JSON.stringify(text)}`);
}
