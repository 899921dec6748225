import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';

/**
 * How connections to a server use TLS, and what its certificate must show. An open connection keeps the terms that it
 * began with.
 */
export interface ServerTlsTerms {
  /** Certificate authorities, our own certificate, versions. */
  readonly context: SecureContext;
  /** The host name or IP address that the server's certificate must have. */
  readonly name: string;
  /** The name sent to the server in SNI (RFC 6066, 3), never an address; null: none. */
  readonly sni: string | null;
  /** Is `name` configured, instead of taken from the address? */
  readonly isNamed: boolean;
  /** Is the server's certificate verified? If not, anybody on the path can read and change everything. */
  readonly verify: boolean;
}

/** For this many ms after a certificate was verified, sessions may be resumed, which does not verify it again. */
const SESSION_MS = 3_600_000;

/** TLS to one server: its terms, and the session that the next connection resumes. */
export class ServerTls {
  readonly terms: ServerTlsTerms;
  #session: Buffer | null = null;
  /** Wall time in ms. */
  #goodUntil = 0;

  constructor(terms: ServerTlsTerms) {
    this.terms = terms;
  }

  /** The session of an earlier connection; null: none. */
  get session(): Buffer | null {
    // OpenSSL also uses the machine's clock when it verifies certificates.
    if (this.#session !== null && Date.now() >= this.#goodUntil) this.#session = null;
    return this.#session;
  }

  /** The same for another host, whose own name its certificate must have unless a name is configured. */
  at(host: string): ServerTls {
    const { terms } = this;
    if (terms.isNamed || host === '') return new ServerTls(terms);
    const name = host.toLowerCase();
    return new ServerTls({ ...terms, name, sni: isIP(name) === 0 ? name : null });
  }

  /** A full handshake has verified the certificate, which is valid until `endsAt` (wall time in ms). */
  noteVerified(endsAt: number): void {
    this.#goodUntil = Math.min(Date.now() + SESSION_MS, endsAt);
  }

  /** Only for a connection whose certificate was verified. */
  keepSession(session: Buffer): void {
    this.#session = session;
  }

  /** A handshake has failed, perhaps because of the session. */
  forgetSession(): void {
    this.#session = null;
  }
}
