import { createHash, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const HOUR_MS = 3_600_000;

/** How a certificate is to differ from the usual: ECDSA P-256, valid from an hour ago for a day. */
export interface CertificateOptions {
  /** Its common name; by default the first of `names`. Empty: the subject has no name at all. */
  readonly commonName?: string;
  /** `www.example.com`, `*.example.com` or IP addresses. */
  readonly names?: readonly string[];
  readonly key?: 'ecdsa' | 'rsa';
  /** Unix time in ms. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Further extensions. */
  readonly extensions?: readonly x509.Extension[];
}

/** A certificate with its key, in PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  /** PKCS#8. */
  readonly key: string;
  /** In hex. */
  readonly serial: string;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
}

const ALGORITHMS = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
} as const;

const USAGE = new x509.ExtendedKeyUsageExtension([
  x509.ExtendedKeyUsage.serverAuth,
  x509.ExtendedKeyUsage.clientAuth,
]);

type Key = Awaited<ReturnType<typeof makeKeys>>;

let lastSerial = 0x1000;

/** A certificate authority that is made for one test. */
export class TestAuthority {
  readonly name: string;
  /** Its own certificate, in PEM. */
  readonly cert: string;
  /** Its key, in PEM (PKCS#8). */
  readonly key: string;
  readonly #keys: Key;
  readonly #issuer: string;

  private constructor(name: string, issuer: string, keys: Key, cert: string, key: string) {
    this.name = name;
    this.#issuer = issuer;
    this.#keys = keys;
    this.cert = cert;
    this.key = key;
  }

  /** One that signs itself, or is signed by `parent`. */
  static async create(name = 'Test CA', parent?: TestAuthority): Promise<TestAuthority> {
    const keys = await makeKeys('ecdsa');
    const subject = name === '' ? '' : `CN=${name}`;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: nextSerial(),
      subject,
      issuer: parent?.issuer ?? subject,
      notBefore: new Date(Date.now() - 24 * HOUR_MS),
      notAfter: new Date(Date.now() + 10 * 365 * 24 * HOUR_MS),
      signingAlgorithm: ALGORITHMS.ecdsa,
      publicKey: keys.publicKey,
      signingKey: (parent?.keys ?? keys).privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new TestAuthority(name, subject, keys, pem(certificate), await keyPem(keys));
  }

  get issuer(): string {
    return this.#issuer;
  }

  get keys(): Key {
    return this.#keys;
  }

  /** Signs a certificate for a server or a client. */
  async issue(options: CertificateOptions = {}): Promise<IssuedCertificate> {
    const { names = ['localhost'], key = 'ecdsa', extensions = [] } = options;
    const keys = await makeKeys(key);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: nextSerial(),
      subject: options.commonName === '' ? '' : `CN=${options.commonName ?? names[0]}`,
      issuer: this.#issuer,
      notBefore: new Date(options.notBefore ?? Date.now() - HOUR_MS),
      notAfter: new Date(options.notAfter ?? Date.now() + 24 * HOUR_MS),
      signingAlgorithm: ALGORITHMS.ecdsa,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        ...(extensions.some((one) => one instanceof x509.ExtendedKeyUsageExtension) ? [] : [USAGE]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names.map(generalName))]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
        ...extensions,
      ],
    });
    return {
      cert: pem(certificate),
      key: await keyPem(keys),
      serial: certificate.serialNumber,
      fingerprint: createHash('sha256').update(Buffer.from(certificate.rawData)).digest('hex'),
    };
  }

  /** A list of revoked serials (hex), in PEM. */
  async revoke(...serials: readonly string[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.#issuer,
      thisUpdate: new Date(Date.now() - HOUR_MS),
      nextUpdate: new Date(Date.now() + 24 * HOUR_MS),
      signingAlgorithm: ALGORITHMS.ecdsa,
      signingKey: this.#keys.privateKey,
      entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
      extensions: [await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey)],
    });
    return `${x509.PemConverter.encode(crl.rawData, 'X509 CRL')}\n`;
  }
}

function generalName(name: string): { type: 'dns' | 'ip'; value: string } {
  return { type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', value: name };
}

async function makeKeys(kind: keyof typeof ALGORITHMS): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHMS[kind], true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
}

async function keyPem(keys: Key): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

function nextSerial(): string {
  return (lastSerial++).toString(16).padStart(4, '0');
}

/** Writes a certificate and its key into a folder as NAME.pem and NAME.key; returns their paths. */
export function writeCertificate(
  folder: string,
  name: string,
  { cert, key }: IssuedCertificate,
): { readonly cert: string; readonly key: string } {
  const paths = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(paths.cert, cert);
  writeFileSync(paths.key, key, { mode: 0o600 });
  return paths;
}
