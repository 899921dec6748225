import type { TransportInfo } from '../../base/transport-info.js';

/** Whose certificate the client showed, or why it is not valid: `CN=alice`, `invalid: CERT_HAS_EXPIRED`. Empty without one. */
export function certificateText({ tls }: TransportInfo): string {
  const certificate = tls?.clientCertificate ?? null;
  if (certificate === null) return '';
  return certificate.error === '' ? certificate.subject : `invalid: ${certificate.error}`;
}
