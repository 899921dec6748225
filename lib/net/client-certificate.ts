import { X509Certificate } from 'node:crypto';
import type { ClientCertificate } from '../base/transport-info.js';

/** What is told of a certificate, `der`, that a client showed. `error`: empty when it is valid, else the error word of OpenSSL. */
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

/** RFC 4514, 2.1: the last part first. Node has a line for each, in the order of the certificate, and what is special is escaped. */
function distinguishedName(lines: string): string {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .reverse()
    .join(',')
    .replaceAll(' + ', '+');
}

/** `DNS:a.example, DNS:"b, c"`: Node puts a name with special characters into quotes, as JSON. */
function namesOf(text: string): readonly string[] {
  return text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((name) => name.trim()) ?? [];
}
