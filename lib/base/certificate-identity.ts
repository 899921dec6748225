import type { X509Certificate } from 'node:crypto';

/** The facts that distinguish one certificate from another, of a client or a server. */
export interface CertificateIdentity {
  /** RFC 4514: `CN=www.example.com,O=Example`; may be empty. */
  readonly subject: string;
  readonly issuer: string;
  /** In hex, in upper case. */
  readonly serial: string;
  /** SHA-256 of the certificate in hex, in lower case. */
  readonly fingerprint: string;
  /** Unix time in ms, as `notAfter`; NaN for a time that cannot be read. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export function identityOf(certificate: X509Certificate): CertificateIdentity {
  return {
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serial: certificate.serialNumber.toUpperCase(),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

/**
 * RFC 4514, 2.1: the last part comes first. Node returns a line for each part, in the order of the certificate, already
 * escaped; for an empty name it returns undefined, contrary to its types.
 */
export function distinguishedName(lines: string | undefined): string {
  return (lines ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .reverse()
    .join(',')
    .replaceAll(' + ', '+');
}
