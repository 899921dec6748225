import type { X509Certificate } from 'node:crypto';
import { distinguishedName } from '../base/certificate-identity.js';

/** A TLS failure, described in `message`. */
export class TlsError extends Error {
  readonly code: string;
  /**
   * Did the handshake fail? In TLS 1.3 the server may report this after the first request was written, of which it has
   * read nothing.
   */
  readonly inHandshake: boolean;

  constructor(message: string, code: string, inHandshake: boolean) {
    super(message);
    this.code = code;
    this.inHandshake = inHandshake;
  }
}

/** For the log: the text of a TLS error, else the code of the system. */
export function detailOf(error: NodeJS.ErrnoException): string {
  return error instanceof TlsError ? error.message : (error.code ?? 'closed');
}

/** Alerts (RFC 8446, 6.2) by which a server refuses the client's certificate or its absence. */
const CERTIFICATE_ALERTS: { readonly [alert: string]: string } = {
  CERTIFICATE_REQUIRED: 'the server requires a client certificate, and none is configured',
  BAD_CERTIFICATE: 'the server refused the client certificate as bad',
  UNSUPPORTED_CERTIFICATE: 'the server refused the client certificate as one of another kind',
  CERTIFICATE_REVOKED: 'the server refused the client certificate as revoked',
  CERTIFICATE_EXPIRED: 'the server refused the client certificate as expired',
  CERTIFICATE_UNKNOWN: 'the server refused the client certificate',
  UNKNOWN_CA: 'the server refused the client certificate: it does not know the authority that signed it',
  ACCESS_DENIED: 'the server refused the client certificate: access denied',
};

/** Further alerts, and OpenSSL's codes for faults that it finds itself. */
const ALERTS: { readonly [alert: string]: string } = {
  HANDSHAKE_FAILURE:
    'the server refused the handshake: no cipher in common, or a client certificate is missing',
  PROTOCOL_VERSION: 'no version of TLS in common: the server refuses those that are allowed (min_version)',
  INSUFFICIENT_SECURITY: 'the server asks for stronger ciphers',
  UNRECOGNIZED_NAME: 'the server has no certificate for the name that was sent (server_name)',
  NO_APPLICATION_PROTOCOL: 'the server does not speak HTTP/1.1 (ALPN)',
};

const REASONS: { readonly [code: string]: string } = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not speak TLS on this port: is it plain HTTP?',
  ERR_SSL_HTTP_REQUEST: 'the server does not speak TLS on this port: is it plain HTTP?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server does not speak TLS on this port',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'no version of TLS in common: that of the server is too old (min_version)',
  ERR_SSL_VERSION_TOO_LOW: 'no version of TLS in common: that of the server is too old (min_version)',
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 'bytes were changed on the way (bad record MAC)',
};

/** An error of OpenSSL in plain words. `inHandshake`: the handshake is not over. */
export function explainTlsError(error: NodeJS.ErrnoException, inHandshake = false): TlsError {
  const { code = 'ERR_SSL' } = error;
  const [, alert] = /ALERT_(\w+)$/.exec(code) ?? [];
  const certificate = alert === undefined ? undefined : CERTIFICATE_ALERTS[alert];
  if (certificate !== undefined) return new TlsError(certificate, code, true);
  const words = (alert === undefined ? undefined : ALERTS[alert]) ?? REASONS[code];
  if (words !== undefined) return new TlsError(words, code, inHandshake);
  const { reason } = error as { reason?: string };
  const plain = reason ?? code.toLowerCase().replace('err_ssl_', '').replaceAll('_', ' ');
  return new TlsError(`TLS failed: ${plain}`, code, inHandshake);
}

/** The connection ended, or failed with `code`, during the handshake. */
export function cutInHandshake(code: string): TlsError {
  const how = code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'closed';
  const words =
    how === 'closed' && code !== 'EOF'
      ? `the connection failed in the handshake (${code})`
      : `the server ${how} the connection in the handshake`;
  return new TlsError(words, code, true);
}

/** OpenSSL does not accept a certificate. `code`: its word for the fault. */
export function certificateRefused(code: string, certificate: X509Certificate | null): TlsError {
  return new TlsError(explainCertificate(code, certificate), code, true);
}

function explainCertificate(code: string, certificate: X509Certificate | null): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return expiryOf(certificate, 'validTo', 'expired');
    case 'CERT_NOT_YET_VALID':
      return expiryOf(certificate, 'validFrom', 'is not valid yet');
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'the certificate of the server is self-signed, and not trusted';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return `the certificate of the server is signed by an unknown authority${issuerOf(certificate)}`;
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `the certificate of the server is signed by an unknown authority${issuerOf(certificate)}, or the server does not send its whole chain`;
    case 'INVALID_PURPOSE':
      return 'the certificate of the server is not one for servers (extended key usage)';
    case 'CERT_REVOKED':
      return 'the certificate of the server is revoked';
    default:
      return `the certificate of the server is not accepted: ${code.toLowerCase().replaceAll('_', ' ')}`;
  }
}

/** The invalid certificate may be another one of the chain: then no date is known. */
function expiryOf(certificate: X509Certificate | null, which: 'validTo' | 'validFrom', what: string): string {
  const date = certificate === null ? Number.NaN : Date.parse(certificate[which]);
  const isThisOne = which === 'validTo' ? date < Date.now() : date > Date.now();
  if (!isThisOne) return `a certificate in the chain of the server ${what}`;
  const day = new Date(date).toISOString().slice(0, 10);
  const words = which === 'validTo' ? `expired on ${day}` : `is not valid before ${day}`;
  return `the certificate of the server ${words}`;
}

function issuerOf(certificate: X509Certificate | null): string {
  if (certificate === null) return '';
  const issuer = printable(distinguishedName(certificate.issuer));
  return issuer === '' ? '' : ` (${issuer})`;
}

/** The most names of a certificate listed to an operator. */
const MOST_NAMES = 5;

/** The certificate belongs to another server. */
export function wrongName(certificate: X509Certificate, name: string): TlsError {
  const names = namesOf(certificate);
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  const listed = names.length === 0 ? 'no name' : names.slice(0, MOST_NAMES).join(', ') + more;
  return new TlsError(
    `the certificate of the server is for ${listed}, not for ${name}`,
    'ERR_TLS_CERT_ALTNAME_INVALID',
    true,
  );
}

/** The host names and addresses of a certificate, else the name of its subject. */
function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const names = [...(subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):("[^"]*"|[^,]*)/g)];
  if (names.length > 0) return names.map(([, name = '']) => printable(name));
  const [, common] = /(?:^|\n)CN=(.*)/.exec(subject ?? '') ?? [];
  return common === undefined ? [] : [printable(common)];
}

/** Text of an untrusted peer, made safe for a log. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 100);
}
