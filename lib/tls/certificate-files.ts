import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isReadableByAll } from '../base/file-access.js';
import { FileError, readRegularFile } from '../base/regular-file.js';
import type { Steps } from '../base/slices.js';
import type { CertificateConfig } from '../config/types.js';
import { type CertificateFinding, Findings } from './finding.js';
import { type KeyPair, readKeyPair } from './key-pair.js';
import { certificateBlocks, keyBlocks, pemBlocks } from './pem.js';

/** Chains and keys take some 10 KB; a bundle of all authorities 300. */
const MAX_PEM_BYTES = 4 * 1024 * 1024;

/** One pair of files as it was read, so that what has not changed need not be parsed again. */
export interface ReadPair {
  /** Its place: certificate file and key file. */
  readonly id: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Of the content of both and the passphrase. */
  readonly hash: string;
  /** null: it cannot be used. */
  readonly pair: KeyPair | null;
  /** What was found in the two, but for what depends on the time. */
  readonly findings: readonly CertificateFinding[];
}

/** Where one pair is. */
interface PairPlace {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Reads the text of a PEM file; null when it cannot be read, and the findings say why. */
export function readPem(file: string, findings: Findings): string | null {
  try {
    return readRegularFile(file, MAX_PEM_BYTES).replace(/^\uFEFF/, '');
  } catch (error) {
    findings.error(file, unreadable(error));
    return null;
  }
}

function unreadable(error: unknown): string {
  if (error instanceof FileError) return error.message;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'the file does not exist';
  if (code === 'EACCES' || code === 'EPERM') return `the file may not be read by the user that lb runs as`;
  return `the file cannot be read: ${code === '' ? message : code}`;
}

/** What one entry of `certificates` leads to. */
export interface ReadEntry {
  readonly pairs: readonly ReadPair[];
  /** What was found outside of the pairs: the folder cannot be read, … */
  readonly findings: readonly CertificateFinding[];
}

/**
 * Reads the pairs that one entry of `certificates` names: of a file one, of a folder those of all its files. `known` finds what
 * was read before. `watch` is called with each path whose change matters.
 */
export function* readEntry(
  config: CertificateConfig,
  known: (id: string) => ReadPair | undefined,
  watch: (path: string) => void,
): Steps<ReadEntry> {
  watch(config.cert);
  const findings = new Findings(config.line);
  const pairs: ReadPair[] = [];
  for (const place of isFolder(config.cert) ? placesIn(config.cert, findings) : [placeOf(config)]) {
    yield;
    watch(place.certFile);
    watch(place.keyFile);
    pairs.push(readPair(place, config, known));
  }
  return { pairs, findings: findings.all };
}

function placeOf({ cert, key }: CertificateConfig): PairPlace {
  return { certFile: cert, keyFile: key ?? cert };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Each `*.pem` in the folder that has a certificate; its key is in the same file, or in NAME.key beside it. */
function placesIn(folder: string, findings: Findings): PairPlace[] {
  const places: PairPlace[] = [];
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.pem') && !name.startsWith('.'));
  } catch (error) {
    findings.error(folder, unreadable(error));
    return [];
  }
  for (const name of names.sort()) {
    const certFile = join(folder, name);
    const text = isFolder(certFile) ? '' : readPem(certFile, findings);
    if (text === null || text === '') continue;
    const blocks = pemBlocks(text);
    // A file of keys or parameters alone may lie beside the certificates.
    if (certificateBlocks(blocks).length === 0) continue;
    const beside = join(folder, name.replace(/\.pem$/, '.key'));
    places.push({
      certFile,
      keyFile: keyBlocks(blocks).length === 0 && existsSync(beside) ? beside : certFile,
    });
  }
  if (places.length === 0 && !findings.hasError)
    findings.error(folder, 'no file *.pem in the folder has a certificate');
  return places;
}

function readPair(
  { certFile, keyFile }: PairPlace,
  { passphrase, line }: CertificateConfig,
  known: (id: string) => ReadPair | undefined,
): ReadPair {
  const id = `${certFile}\n${keyFile}`;
  const findings = new Findings(line);
  const certText = readPem(certFile, findings);
  const keyText = keyFile === certFile ? certText : readPem(keyFile, findings);
  if (certText === null || keyText === null)
    return { id, certFile, keyFile, hash: '', pair: null, findings: findings.all };
  const hash = createHash('sha256')
    .update(JSON.stringify([certText, keyText, passphrase]))
    .digest('hex');
  const before = known(id);
  if (before?.hash === hash)
    return { ...before, findings: before.findings.map((finding) => ({ ...finding, line })) };
  const pair = readKeyPair({ certFile, certText, keyFile, keyText, passphrase }, findings);
  return { id, certFile, keyFile, hash, pair, findings: findings.all };
}

/** Warns of a private key that others than its owner and group may read. */
export function warnOfReaders(keyFile: string, findings: Findings): void {
  if (isReadableByAll(keyFile))
    findings.warning(
      keyFile,
      'every user of this machine may read the private key in it',
      `Only its owner and group should: chmod o= ${keyFile}.`,
    );
}
