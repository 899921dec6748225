import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFileAsync } from '../base/regular-file.js';
import { replaceFile } from '../base/replace-file.js';
import type { AccountKey } from './acme-protocol.js';
import type { AcmeCertificate, PemPair } from './acme-source.js';

/** A chain with its key is a few KiB long. */
const MAX_BYTES = 1024 * 1024;

/** What is kept of an account, besides its key. */
export interface StoredAccount extends AccountKey {
  /** The address that the authority was given; null: none. */
  readonly email: string | null;
}

/** Why the last orders of a certificate failed. */
export interface StoredFailure {
  readonly failures: number;
  /** Unix time in ms, as `retryAt`. */
  readonly at: number;
  readonly retryAt: number;
  readonly error: string;
  readonly isRateLimit: boolean;
}

/**
 * The folder of one authority within `store`: its account, and a file for each certificate with chain and key. Only the
 * owner may read them. A file is replaced as a whole; one that cannot be understood is renamed, with a warning, and
 * counts as missing. What cannot be read or written rejects with the system's error.
 */
export class AcmeStore {
  readonly folder: string;
  readonly #root: string;
  readonly #warn: (message: string) => void;

  /** `directory` is the URL of the authority. Another authority has another folder, so that it issues its own certificates. */
  constructor(root: string, directory: string, warn: (message: string) => void) {
    this.#root = root;
    this.folder = join(root, encodeURIComponent(directory.replace(/^https?:\/\//, '')));
    this.#warn = warn;
  }

  /** Makes the folders. */
  async open(): Promise<void> {
    for (const folder of [this.#root, this.folder]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // One that was there may be open to others. Of a folder with another owner that is not ours to change.
      if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
    }
  }

  async readAccount(): Promise<StoredAccount | null> {
    return this.#read('account.json', (text) => {
      const { key, url, email } = JSON.parse(text) as { [name: string]: unknown };
      if (typeof key !== 'string' || typeof url !== 'string') throw new Error('it has no key or no url');
      createPrivateKey(key);
      return { key, url, email: typeof email === 'string' ? email : null };
    });
  }

  async writeAccount(account: StoredAccount): Promise<void> {
    await this.#write('account.json', `${JSON.stringify(account, null, 2)}\n`);
  }

  /** The certificate whose first name this is. */
  async readCertificate(host: string): Promise<AcmeCertificate | null> {
    return this.#read(fileOf(host), readCertificate);
  }

  async writeCertificate(host: string, { cert, key }: PemPair): Promise<void> {
    await this.#write(fileOf(host), `${cert.trimEnd()}\n${key.trimEnd()}\n`);
  }

  /** By the first name of the certificate. */
  async readFailures(): Promise<Map<string, StoredFailure>> {
    const found = await this.#read('failures.json', (text) => {
      const entries = Object.entries(JSON.parse(text) as { [host: string]: StoredFailure });
      return new Map(
        entries.filter(([, { failures, at, retryAt }]) => failures > 0 && at > 0 && retryAt > 0),
      );
    });
    return found ?? new Map<string, StoredFailure>();
  }

  async writeFailures(failures: ReadonlyMap<string, StoredFailure>): Promise<void> {
    await this.#write('failures.json', `${JSON.stringify(Object.fromEntries(failures), null, 2)}\n`);
  }

  async #read<T>(name: string, understand: (text: string) => T): Promise<T | null> {
    const path = join(this.folder, name);
    try {
      return understand(await readRegularFileAsync(path, MAX_BYTES));
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return null;
      // What the system refuses, such as reading what another user owns, is not damaged.
      if (syscall !== undefined) throw error;
      await rename(path, `${path}.bad`);
      const { message } = error as Error;
      this.#warn(`acme: ${path} cannot be understood (${message}); it is ${name}.bad now, and is made anew`);
      return null;
    }
  }

  async #write(name: string, text: string): Promise<void> {
    const path = join(this.folder, name);
    try {
      await replaceFile(path, text, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody removed the folder while it was in use.
      await this.open();
      await replaceFile(path, text, 0o600);
    }
  }
}

/** A host name has no character that could lead to another folder. */
function fileOf(host: string): string {
  return `${host.replace(/^\*/, '_').replace(/[^a-z0-9._-]/g, '_')}.pem`;
}

/** Throws when the text has no certificate with its key. */
export function readCertificate(text: string): AcmeCertificate {
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/.exec(text)?.[0];
  if (certificates.length === 0 || key === undefined) throw new Error('it has no certificate or no key');
  return describe({ cert: `${certificates.join('\n')}\n`, key: `${key}\n` }, false);
}

/** Throws when the key is that of another certificate. */
export function describe({ cert, key }: PemPair, isSelfSigned: boolean): AcmeCertificate {
  const parsed = new X509Certificate(cert);
  if (!parsed.checkPrivateKey(createPrivateKey(key)))
    throw new Error('its key is that of another certificate');
  const hosts = (parsed.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice(4).toLowerCase());
  const notBefore = Date.parse(parsed.validFrom);
  const notAfter = Date.parse(parsed.validTo);
  return { cert, key, hosts, isSelfSigned, notBefore, notAfter };
}
