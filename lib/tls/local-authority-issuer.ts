import { randomBytes, webcrypto } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { FileError, readRegularFile } from '../base/regular-file.js';
import { type AuthorityAnswer, type AuthorityRequest, authorityFile } from './local-authority.js';
import { certificateBlocks, keyBlocks, pemBlocks } from './pem.js';

const DAY = 24 * 3_600_000;
const AUTHORITY_LIFE = 3650 * DAY;
/** Apple refuses more than 825 days, also from authorities that people have added. */
const LEAF_LIFE = 90 * DAY;
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Authority {
  readonly cert: x509.X509Certificate;
  readonly key: CryptoKey;
}

type CryptoKey = webcrypto.CryptoKey;

x509.cryptoProvider.set(webcrypto);

/** Issues what is asked for; the authority is made when there is none. */
export async function answerRequest({ folder, names, now }: AuthorityRequest): Promise<AuthorityAnswer> {
  try {
    const authority = await openAuthority(folder, now);
    const pairs = [];
    for (const list of names) pairs.push(await issue(authority, list, now));
    return { kind: 'issued', pairs };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const advice = `XDG_DATA_HOME names another place`;
    return { kind: 'failed', message: `the local certificate authority in ${folder}: ${why}; ${advice}` };
  }
}

/** Reads the authority, or makes it. Of several processes that make it at once, all take what the first has made. */
async function openAuthority(folder: string, now: number): Promise<Authority> {
  // The key is in one file with its certificate, so that the two never disagree.
  const file = join(folder, 'ca.key');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const known = read(file);
  if (known === null || (await authorityOf(known, file)).cert.notAfter.getTime() <= now + LEAF_LIFE)
    await make(file, now, known !== null);
  const authority = await authorityOf(read(file) ?? '', file);
  publish(authorityFile(folder), authority.cert);
  return authority;
}

function read(file: string): string | null {
  try {
    return readRegularFile(file, 1024 * 1024);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error instanceof FileError ? new Error(`${file}: ${error.message}`) : error;
  }
}

async function authorityOf(text: string, file: string): Promise<Authority> {
  try {
    const blocks = pemBlocks(text);
    const [cert = ''] = certificateBlocks(blocks);
    const [key] = keyBlocks(blocks);
    const der = x509.PemConverter.decodeFirst(key?.text ?? '');
    return {
      cert: new x509.X509Certificate(cert),
      key: await webcrypto.subtle.importKey('pkcs8', der, ECDSA, false, ['sign']),
    };
  } catch {
    throw new Error(`${file} is damaged: remove it to have a new one made`);
  }
}

/** `isOld`: there is one that ends soon. */
async function make(file: string, now: number, isOld: boolean): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [`lb local authority (${owner()})`.slice(0, 64)] }, { O: ['lb development'] }],
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + AUTHORITY_LIFE),
    signingAlgorithm: ECDSA,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const beside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(beside, `${cert.toString('pem')}\n${await keyPem(keys.privateKey)}`, {
    mode: 0o600,
    flag: 'wx',
  });
  try {
    if (isOld) unlinkSync(file);
    linkSync(beside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(beside);
  }
}

/** What people trust: without the key, for everybody to read. */
function publish(file: string, cert: x509.X509Certificate): void {
  const text = `${cert.toString('pem')}\n`;
  if (read(file) === text) return;
  writeFileSync(file, text);
  chmodSync(file, 0o644);
}

async function issue(
  authority: Authority,
  names: readonly string[],
  now: number,
): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [(names[0] ?? 'localhost').slice(0, 64)] }, { O: ['lb development'] }],
    issuer: authority.cert.subject,
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + LEAF_LIFE),
    signingAlgorithm: ECDSA,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map(generalName)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.cert.publicKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: await keyPem(keys.privateKey) };
}

function generalName(name: string): { type: 'dns' | 'ip'; value: string } {
  return { type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', value: name };
}

async function keyPem(key: CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

/** Positive, and of the length that RFC 5280 permits. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

/** Who trusts it should see whose it is. */
function owner(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}
