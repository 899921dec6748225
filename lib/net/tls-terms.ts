import type { SecureContext } from 'node:tls';

/**
 * What a listener with TLS goes by. The control plane makes it and may replace it at any time; a handshake goes by
 * what it found when it asked.
 */
export interface TlsTerms {
  /**
   * What a handshake goes on with. `name` is what the client asked for (RFC 6066, 3), in lower case, without a dot at its end; null
   * when it named none. `protocols` are those that it offered (RFC 7301). null: the handshake is refused with the alert
   * unrecognized_name. Called once per connection, when the ClientHello is read and before OpenSSL has seen a byte of it, whether
   * or not a session is resumed; must not throw.
   */
  choose(name: string | null, protocols: readonly string[]): TlsChoice | null;
  /** The protocols that are offered, in order of preference: `['http/1.1']`. */
  readonly protocols: readonly string[];
  /** The `policy` for a host name (lower case), for `TlsInfo.policyOf`; null when all names have the same. */
  readonly policyOf: ((name: string) => string) | null;
}

/** What one handshake goes on with. */
export interface TlsChoice {
  /**
   * All that OpenSSL needs, since no other context takes part: certificate and key, versions, ciphers, the keys of tickets, who signs
   * certificates of clients. Its `sessionIdContext` must differ between policies: a ticket must not bypass client authentication.
   */
  readonly context: SecureContext;
  /** Is the client asked for a certificate? With `require`, a handshake without a valid one fails. */
  readonly clientAuth: 'none' | 'request' | 'require';
  /** `TlsInfo.policy`. */
  readonly policy: string;
  /** The response of the certificate's OCSP responder, to be stapled (RFC 6066, 8); null: none. */
  readonly ocsp: Buffer | null;
  /** `acme-tls/1` for the answer to an ACME challenge (RFC 8737): the connection is closed after the handshake. null otherwise. */
  readonly onlyProtocol: string | null;
}
