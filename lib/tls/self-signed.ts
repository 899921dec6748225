import { createHash, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { PemPair } from './acme-source.js';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** id-pe-acmeIdentifier (RFC 8737, 6.1). */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const DAY = 24 * 60 * 60 * 1000;

cryptoProvider.set(webcrypto);

/** A certificate for these names that no authority signed, with a new key; valid for 90 days from an hour ago. */
export function selfSigned(names: readonly string[]): Promise<PemPair> {
  return generate(names, 90 * DAY, [new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth])]);
}

/** The certificate that answers a challenge of tls-alpn-01: its extension has the hash of the key authorization (RFC 8737, 3). */
export function challengeCertificate(host: string, keyAuthorization: string): Promise<PemPair> {
  const hash = createHash('sha256').update(keyAuthorization).digest();
  // An OCTET STRING of 32 bytes in DER.
  const value = Buffer.concat([Buffer.from([0x04, hash.length]), hash]);
  return generate([host], DAY, [new Extension(ACME_IDENTIFIER, true, value)]);
}

async function generate(
  names: readonly string[],
  lifeMs: number,
  more: readonly Extension[],
): Promise<PemPair> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const now = Date.now();
  const cert = await X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: P256,
    // A common name is at most 64 characters long; clients read the subjectAltName.
    name: [{ CN: [(names[0] as string).slice(0, 64)] }],
    notBefore: new Date(now - DAY / 24),
    notAfter: new Date(now + lifeMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      ...more,
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: `${cert.toString('pem')}\n`, key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n` };
}

/**
 * How a directory names a certificate when it is asked when to renew it (RFC 9773, 4.1): the key identifier of its issuer
 * and its serial number, both base64url. null: the certificate does not name the key of its issuer.
 */
export function renewalId(pem: string): string | null {
  const cert = new X509Certificate(PemConverter.decodeFirst(pem));
  const keyId = cert.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
  return `${base64url(keyId)}.${base64url(cert.serialNumber)}`;
}
