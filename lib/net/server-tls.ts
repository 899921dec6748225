import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';

/** How connections to a server are encrypted, and what its certificate must show. Connections go by what they began with. */
export interface ServerTlsTerms {
  /** Certificate authorities, our own certificate, versions. */
  readonly context: SecureContext;
  /** The host name or IP address that its certificate must have. */
  readonly name: string;
  /** The name that is sent to it (RFC 6066, 3), which is never an address; null: none. */
  readonly sni: string | null;
  /** Is `name` set, in place of the host of the address? */
  readonly isNamed: boolean;
  /** Is its certificate looked at? Without it anybody on the way can read and change everything. */
  readonly verify: boolean;
}

/** So long after a certificate was looked at, in ms, a session stands for it: who resumes one does not look again. */
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

  /** The session of an earlier connection; null: there is none. */
  get session(): Buffer | null {
    // OpenSSL asks the machine for the time too, when it looks at a certificate.
    if (this.#session !== null && Date.now() >= this.#goodUntil) this.#session = null;
    return this.#session;
  }

  /** The same at another host, whose own name its certificate must have unless a name is set. */
  at(host: string): ServerTls {
    const { terms } = this;
    if (terms.isNamed || host === '') return new ServerTls(terms);
    const name = host.toLowerCase();
    return new ServerTls({ ...terms, name, sni: isIP(name) === 0 ? name : null });
  }

  /** A whole handshake found the certificate good, which is valid until `endsAt` (wall time in ms). */
  noteVerified(endsAt: number): void {
    this.#goodUntil = Math.min(Date.now() + SESSION_MS, endsAt);
  }

  /** Only of a connection whose certificate was found good. */
  keepSession(session: Buffer): void {
    this.#session = session;
  }

  /** A handshake failed, perhaps because of it. */
  forgetSession(): void {
    this.#session = null;
  }
}
