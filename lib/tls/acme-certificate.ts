import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { AcmeCertificate, PemPair } from './acme-source.js';

/** Reads a text that has a chain and its key. Throws when it does not. */
export function readCertificate(text: string): AcmeCertificate {
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/.exec(text)?.[0];
  if (certificates.length === 0 || key === undefined) throw new Error('it has no certificate or no key');
  return describe({ cert: `${certificates.join('\n')}\n`, key: `${key}\n` }, false);
}

/** The text that `readCertificate` reads. */
export function certificateText({ cert, key }: PemPair): string {
  return `${cert.trimEnd()}\n${key.trimEnd()}\n`;
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

/**
 * Was the first one issued after the other? An authority that shortens lives, or has revoked one, issues some that end
 * earlier than those before. Of two that begin in the same second it is the one that ends later.
 */
export function isNewer(one: AcmeCertificate, other: AcmeCertificate): boolean {
  if (one.notBefore !== other.notBefore) return one.notBefore > other.notBefore;
  return one.notAfter > other.notAfter;
}

/** Has the certificate all of these names? */
export function isFor(certificate: AcmeCertificate, hosts: readonly string[]): boolean {
  return hosts.every((host) => certificate.hosts.includes(host));
}
