import { X509Certificate } from 'node:crypto';
import type { ClientCertificate } from '../base/transport-info.js';

/**
 * The facts about a certificate, `der`, that a client showed. `error`: empty when it is valid, else the error word of
 * OpenSSL.
 */
export function clientCertificate(der: Buffer, error: string): ClientCertificate {
  const certificate = new X509Certificate(der);
  return {
    error,
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serial: certificate.serialNumber.toUpperCase(),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    names: namesOf(certificate.subjectAltName ?? ''),
    der,
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

/** `DNS:a.example, DNS:"b, c"`: Node quotes names with special characters, like JSON. */
function namesOf(text: string): readonly string[] {
  return text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((name) => name.trim()) ?? [];
}
