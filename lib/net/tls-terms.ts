import type { SecureContext } from 'node:tls';

/**
 * The TLS terms of a listener. The control plane makes them and may replace them at any time; a handshake keeps the ones
 * that it began with.
 */
export interface TlsTerms {
  /**
   * Chooses the options of a handshake. `name` is the requested one (RFC 6066, 3), in lower case, without a final dot;
   * null when there is none. `protocols` are those offered by the client (RFC 7301). null: the handshake is refused with
   * the alert unrecognized_name. Called once per connection, when the ClientHello is read and before OpenSSL has seen a
   * byte of it, whether or not a session is resumed; must not throw.
   */
  choose(name: string | null, protocols: readonly string[]): TlsChoice | null;
  /** The protocols offered, in order of preference: `['http/1.1']`. */
  readonly protocols: readonly string[];
  /** The `policy` for a host name (lower case) at this moment; null when all names have the same and it will not change. */
  readonly policyOf: ((name: string) => string) | null;
}

/** The options of one handshake. */
export interface TlsChoice {
  /**
   * Everything that OpenSSL needs, since no other context takes part: certificate and key, versions, ciphers, ticket
   * keys, authorities for client certificates. Its `sessionIdContext` must differ between policies: a ticket must not
   * bypass client authentication.
   */
  readonly context: SecureContext;
  /** Is the client asked for a certificate? With `require`, a handshake without a valid one fails. */
  readonly clientAuth: 'none' | 'request' | 'require';
  /** `TlsInfo.policy`. */
  readonly policy: string;
  /** The OCSP response of the certificate, to be stapled (RFC 6066, 8); null: none. */
  readonly ocsp: Buffer | null;
  /** `acme-tls/1` for an ACME challenge (RFC 8737): the connection is closed after the handshake. Otherwise null. */
  readonly onlyProtocol: string | null;
}
