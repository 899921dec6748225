import { createPrivateKey, type KeyObject } from 'node:crypto';
import { ValueError } from '../base/units.js';
import { sharedText } from '../shared/shared-text.js';
import {
  type Certificate,
  isIssuedBy,
  keyFamily,
  readCertificate,
  titleOf,
  weaknessOf,
} from './certificate.js';
import type { Findings } from './finding.js';
import { certificateBlocks, keyBlocks, otherwise, type PemBlock, pemBlocks } from './pem.js';
import type { PublishedPair } from './published-certificates.js';

/** A certificate with the chain to its authority, and its key. */
export interface KeyPair {
  /** Where the certificate is; empty when it comes from no file. */
  readonly file: string;
  readonly leaf: Certificate;
  /** The certificates that lead to the authority, the issuer of the leaf first. */
  readonly chain: readonly Certificate[];
  readonly published: PublishedPair;
}

interface PrivateKey {
  readonly object: KeyObject;
  /** Without a passphrase. */
  readonly pem: string;
}

/** The text of the files of one pair. */
export interface PairFiles {
  readonly certFile: string;
  readonly certText: string;
  readonly keyFile: string;
  readonly keyText: string;
  readonly passphrase: string | null;
}

/** Puts a pair together; null when it cannot be used, and the findings say why. */
export function readKeyPair(files: PairFiles, findings: Findings): KeyPair | null {
  const { certFile } = files;
  const certificates = readCertificates(files, findings);
  const keys = readKeys(files, findings);
  const [first] = certificates ?? [];
  if (certificates === null || first === undefined || keys === null) return null;
  for (const key of keys) {
    const leaf = certificates.find(({ x509 }) => x509.checkPrivateKey(key.object));
    if (leaf === undefined) continue;
    const chain = chainOf(leaf, certificates, certFile, findings);
    warnOf(leaf, chain, certFile, findings);
    return { file: certFile, leaf, chain, published: publish([leaf, ...chain], key) };
  }
  const where = files.keyFile === certFile ? 'the key in it' : `the key in ${files.keyFile}`;
  findings.error(
    certFile,
    `${where} does not fit the certificate (${titleOf(first.facts)}, ${first.facts.keyType})`,
    'Certificate and key must come from the same order.',
  );
  return null;
}

function publish(certificates: readonly Certificate[], key: PrivateKey): PublishedPair {
  return {
    certPem: sharedText(certificates.map(({ pem }) => pem).join('')),
    keyPem: sharedText(key.pem),
    fingerprints: certificates.map(({ facts }) => facts.fingerprint).join(','),
  };
}

/** The certificates of a text, in its order; null when there are none or one is damaged. */
function readCertificates({ certFile, certText }: PairFiles, findings: Findings): Certificate[] | null {
  const blocks = pemBlocks(certText);
  const pems = certificateBlocks(blocks);
  if (pems.length === 0) {
    const { message, hint } = otherwise(certText, blocks);
    findings.error(certFile, `no certificate: ${message}`, hint);
    return null;
  }
  try {
    return pems.map(readCertificate);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    findings.error(certFile, error.message);
    return null;
  }
}

function readKeys(files: PairFiles, findings: Findings): PrivateKey[] | null {
  const { keyFile, keyText, certFile } = files;
  const blocks = pemBlocks(keyText);
  const found = keyBlocks(blocks);
  if (found.length === 0) {
    const { message, hint } = otherwise(keyText, blocks);
    const advice = keyFile === certFile ? 'Name the file of the key: { cert: ..., key: ... }.' : hint;
    findings.error(keyFile, `no private key: ${message}`, advice);
    return null;
  }
  const keys: PrivateKey[] = [];
  for (const block of found) {
    const key = readKey(block, files, findings);
    if (key === null) return null;
    keys.push(key);
  }
  return keys;
}

function readKey(block: PemBlock, { keyFile, passphrase }: PairFiles, findings: Findings): PrivateKey | null {
  if (block.isEncrypted && passphrase === null) {
    findings.error(
      keyFile,
      'the key is encrypted, and no passphrase is set',
      'Set passphrase, from a variable of the environment.',
    );
    return null;
  }
  try {
    if (!block.isEncrypted || passphrase === null)
      return { object: createPrivateKey(block.text), pem: block.text };
    const object = createPrivateKey({ key: block.text, passphrase });
    // Deriving a key from a passphrase is meant to be slow, so it is done once.
    return { object, pem: object.export({ type: 'pkcs8', format: 'pem' }).toString() };
  } catch {
    if (block.isEncrypted) findings.error(keyFile, 'the key cannot be decrypted: the passphrase is wrong');
    else findings.error(keyFile, 'the key is damaged, or of a kind that OpenSSL does not read');
    return null;
  }
}

/** The way from the leaf to its authority, through the certificates of the file. */
function chainOf(
  leaf: Certificate,
  all: readonly Certificate[],
  file: string,
  findings: Findings,
): Certificate[] {
  const chain: Certificate[] = [];
  const left = all.filter((other) => other.facts.fingerprint !== leaf.facts.fingerprint);
  let last = leaf;
  for (;;) {
    const at = left.findIndex((other) => isIssuedBy(last, other));
    const issuer = left[at];
    if (issuer === undefined) break;
    left.splice(at, 1);
    chain.push(issuer);
    last = issuer;
  }
  const right = [leaf, ...chain];
  const used = new Set(right);
  const asWritten = all.filter((certificate) => used.has(certificate));
  if (asWritten.some((certificate, at) => certificate !== right[at]))
    findings.warning(
      file,
      `the chain is out of order: the file has ${namesOf(asWritten)}`,
      `The order is: ${namesOf(right)}. It is sent in this order.`,
    );
  if (left.length > 0)
    findings.warning(
      file,
      `${namesOf(left)}: not part of the chain of ${titleOf(leaf.facts)}`,
      'It is not sent.',
    );
  return chain;
}

function namesOf(certificates: readonly Certificate[]): string {
  return certificates.map(({ facts }) => facts.subject || titleOf(facts)).join(', then ');
}

function warnOf(leaf: Certificate, chain: readonly Certificate[], file: string, findings: Findings): void {
  const { facts } = leaf;
  const isSelfSigned = facts.subject === facts.issuer;
  for (const one of [leaf, ...chain]) {
    const weakness = weaknessOf(one);
    if (weakness !== null) findings.warning(file, `${roleOf(one, leaf)} has ${weakness}`);
  }
  if (leaf.x509.ca && !isSelfSigned)
    findings.warning(file, 'the certificate is that of an authority, not of a host');
  if (facts.names.length === 0 && facts.addresses.length === 0)
    findings.warning(file, 'the certificate names no host', 'Clients that verify names refuse it.');
  if (chain.length === 0 && leaf.issuerUrl !== null && !isSelfSigned)
    findings.warning(
      file,
      `the chain is incomplete: the certificate of its issuer, ${facts.issuer}, is missing`,
      'Use the file with the full chain; many clients refuse the certificate alone.',
    );
}

/** Finds what depends on the time: `now`, Unix time in ms. */
export function warnOfDates({ file, leaf, chain }: KeyPair, findings: Findings, now: number): void {
  for (const one of [leaf, ...chain]) {
    const { notBefore, notAfter } = one.facts;
    const what = roleOf(one, leaf);
    if (notAfter <= now)
      findings.warning(file, `${what} expired on ${dateOf(notAfter)}`, 'Clients refuse it.');
    if (notBefore > now)
      findings.warning(
        file,
        `${what} is not valid before ${dateOf(notBefore)}`,
        'Clients refuse it until then.',
      );
  }
}

function roleOf(one: Certificate, leaf: Certificate): string {
  return one === leaf ? 'the certificate' : `the certificate of the authority ${one.facts.subject}`;
}

/** `2026-12-30`. */
export function dateOf(time: number): string {
  return Number.isFinite(time) ? new Date(time).toISOString().slice(0, 10) : 'an unknown day';
}

/** Do both have keys of one kind? One handshake can choose between kinds only. */
export function isSameFamily(one: KeyPair, other: KeyPair): boolean {
  return keyFamily(one.leaf) === keyFamily(other.leaf);
}
