import type { CertificateIdentity } from './certificate-identity.js';

/** What a client speaks, as the scheme of its URL names it. */
export type Scheme = 'http' | 'https';

/**
 * What is known of how a connection is transported, from when it is accepted: all that
 * X-Forwarded-Proto, Forwarded, `{scheme}` and the Secure of a cookie depend on. null: there is no such thing, as in plain
 * TCP.
 */
export interface TransportInfo {
  /** What the client spoke; `https` without `tls` where a PROXY header said so. */
  readonly scheme: Scheme;
  /** The port that the client connected to; 0 for a Unix socket. */
  readonly port: number;
  /** The protocol that was agreed on (RFC 7301). */
  readonly alpn: string | null;
  /** The host name that the client asked for (RFC 6066, 3), in lower case. */
  readonly sni: string | null;
  /** null: the connection is not encrypted, or not by us. */
  readonly tls: TlsInfo | null;
}

/** What a handshake agreed on. */
export interface TlsInfo {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** The name that IANA has for it: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  /** Was the session of an earlier connection resumed? */
  readonly resumed: boolean;
  /** Stands for what was asked of client certificates: requests for a host with another policy get 421. */
  readonly policy: string;
  /** The policy that the listener has for a host (lower case) at this moment; null when it is the same for all and does not change. */
  readonly policyOf: ((host: string) => string) | null;
  /** null: the client showed none. */
  readonly clientCertificate: ClientCertificate | null;
}

/** A certificate that a client showed. */
export interface ClientCertificate extends CertificateIdentity {
  /** Empty when the certificate is valid, else the error word of OpenSSL, such as `CERT_HAS_EXPIRED`. */
  readonly error: string;
  /** The names in its subjectAltName, such as `DNS:alice.example.com`. */
  readonly names: readonly string[];
  readonly der: Buffer;
}

/** Whose certificate the client showed, or why it is not valid: `CN=alice`, `invalid: CERT_HAS_EXPIRED`. Empty without one. */
export function certificateText({ tls }: TransportInfo): string {
  const certificate = tls?.clientCertificate ?? null;
  if (certificate === null) return '';
  return certificate.error === '' ? certificate.subject : `invalid: ${certificate.error}`;
}

/** A connection of TCP, or of a Unix socket, without TLS. */
export const PLAIN_TRANSPORT: TransportInfo = Object.freeze({
  scheme: 'http',
  port: 0,
  alpn: null,
  sni: null,
  tls: null,
});
