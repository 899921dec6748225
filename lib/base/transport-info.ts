/** What a client speaks, as the scheme of its URL names it. */
export type Scheme = 'http' | 'https';

/**
 * What is known of how a connection is transported, from when it is accepted: all that X-Forwarded-Proto, Forwarded,
 * `{scheme}` and the Secure of a cookie go by. null: there is no such thing, as in plain TCP.
 */
export interface TransportInfo {
  readonly scheme: Scheme;
  /** The protocol that was agreed on (RFC 7301). */
  readonly alpn: string | null;
  /** The host name that the client asked for (RFC 6066, 3), in lower case. */
  readonly sni: string | null;
  /** The certificate that the client showed, as DER. */
  readonly peerCertificate: Buffer | null;
}

/** A connection of TCP, or of a Unix socket, without TLS. */
export const PLAIN_TRANSPORT: TransportInfo = Object.freeze({
  scheme: 'http',
  alpn: null,
  sni: null,
  peerCertificate: null,
});
