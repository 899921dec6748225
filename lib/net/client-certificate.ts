import { X509Certificate } from 'node:crypto';
import { identityOf } from '../base/certificate-identity.js';
import type { ClientCertificate } from '../base/transport-info.js';

/**
 * The facts about a certificate, `der`, that a client showed. `error`: empty when it is valid, else the error word of
 * OpenSSL.
 */
export function clientCertificate(der: Buffer, error: string): ClientCertificate {
  const certificate = new X509Certificate(der);
  return {
    ...identityOf(certificate),
    error,
    names: namesOf(certificate.subjectAltName ?? ''),
    der,
  };
}

/** `DNS:a.example, DNS:"b, c"`: Node quotes names with special characters, like JSON. */
function namesOf(text: string): readonly string[] {
  return text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((name) => name.trim()) ?? [];
}
