import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFileAsync } from '../base/regular-file.js';
import { replaceFile } from '../base/replace-file.js';
import type { Clock } from '../base/timer-wheel.js';
import { certificateText, readCertificate } from './acme-certificate.js';
import { AcmeLock } from './acme-lock.js';
import type { AcmeCertificate } from './acme-source.js';
import {
  type AcmeStore,
  type OrderLock,
  readAccount,
  readFailures,
  type StoredAccount,
  type StoredFailure,
} from './acme-store.js';

/** A chain with its key is a few KiB long. */
const MAX_BYTES = 1024 * 1024;

export interface AcmeFolderDeps {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

/** The name of an authority in names of folders and keys. Another authority has another name, as it issues its own certificates. */
export function authorityName(directory: string): string {
  return encodeURIComponent(directory.replace(/^https?:\/\//, ''));
}

/**
 * The folder of one authority within `store`: its account, and a file for each certificate with chain and key, by its first
 * name. Only the owner may read them. A file is replaced as a whole; one that cannot be understood is renamed, with a warning,
 * and counts as missing. What cannot be read or written rejects with the system's error. Processes that have the folder in
 * common order in turns; challenges are answered by the one that orders.
 */
export class AcmeFolder implements AcmeStore {
  readonly #folder: string;
  readonly #root: string;
  readonly #warn: (message: string) => void;
  readonly #lock: AcmeLock;

  /** `directory` is the URL of the authority. */
  constructor(root: string, directory: string, { clock, warn }: AcmeFolderDeps) {
    this.#root = root;
    this.#folder = join(root, authorityName(directory));
    this.#warn = warn;
    this.#lock = new AcmeLock(this.#folder, clock);
  }

  /** Makes the folders. */
  async open(): Promise<void> {
    for (const folder of [this.#root, this.#folder]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // One that was there may be open to others. Of a folder with another owner that is not ours to change.
      if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
    }
  }

  async readAccount(): Promise<StoredAccount | null> {
    return this.#read('account.json', readAccount);
  }

  async writeAccount(account: StoredAccount): Promise<void> {
    await this.#write('account.json', `${JSON.stringify(account, null, 2)}\n`);
  }

  async readCertificate(hosts: readonly string[]): Promise<AcmeCertificate | null> {
    return this.#read(fileOf(hosts), readCertificate);
  }

  async writeCertificate(hosts: readonly string[], certificate: AcmeCertificate): Promise<void> {
    await this.#write(fileOf(hosts), certificateText(certificate));
  }

  async readFailures(): Promise<Map<string, StoredFailure>> {
    return (await this.#read('failures.json', readFailures)) ?? new Map<string, StoredFailure>();
  }

  async writeFailures(failures: ReadonlyMap<string, StoredFailure>): Promise<void> {
    await this.#write('failures.json', `${JSON.stringify(Object.fromEntries(failures), null, 2)}\n`);
  }

  async acquire(): Promise<OrderLock> {
    return (await this.#lock.acquire()) ? 'held' : 'taken';
  }

  refresh(): void {
    this.#lock.refresh();
  }

  async release(): Promise<void> {
    await this.#lock.release();
  }

  async publish(): Promise<void> {}

  async withdraw(): Promise<void> {}

  close(): void {
    void this.#lock.release().catch(() => {});
  }

  async #read<T>(name: string, understand: (text: string) => T): Promise<T | null> {
    const path = join(this.#folder, name);
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
    const path = join(this.#folder, name);
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
function fileOf([host = '']: readonly string[]): string {
  return `${host.replace(/^\*/, '_').replace(/[^a-z0-9._-]/g, '_')}.pem`;
}
