import { constants } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { systemAuthorities } from '../base/system-authorities.js';
import type { ServerConfig, ServerTlsConfig } from '../config/types.js';
import { ServerTls } from '../net/server-tls.js';

/**
 * Makes the TLS terms of connections to servers from settings, whose files have been read with them. Servers with equal
 * settings share a context: with the authorities of a system one takes 10 to 40 ms to make.
 */
export class ServerTlsMaker {
  /** By the digest of the settings. */
  readonly #contexts = new Map<string, WeakRef<SecureContext>>();
  /** The context for servers without further TLS settings; kept because any server that is added later may need it. */
  #usual: SecureContext | null = null;

  /** null: plain HTTP. */
  of({ address, tls }: Pick<ServerConfig, 'address' | 'tls'>): ServerTls | null {
    if (tls === null) return null;
    const host = address.kind === 'tcp' ? (address.name ?? address.host) : 'localhost';
    const { verify, serverName } = tls;
    return new ServerTls({
      context: this.#contextOf(tls),
      verify,
      ...namesOf(serverName ?? host),
      isNamed: serverName !== null,
    });
  }

  #contextOf(tls: ServerTlsConfig): SecureContext {
    const { digest } = tls;
    const known = this.#contexts.get(digest)?.deref();
    if (known !== undefined) return known;
    const context = this.#make(tls);
    this.#contexts.set(digest, new WeakRef(context));
    return context;
  }

  #make(tls: ServerTlsConfig): SecureContext {
    const { pem, passphrase, minVersion } = tls;
    const isUsual = pem.ca === null && pem.cert === null && tls.verify && minVersion === 'TLSv1.2';
    if (isUsual && this.#usual !== null) return this.#usual;
    const context = createSecureContext({
      // Authorities are needed only for verification.
      ca: tls.verify ? (pem.ca ?? systemAuthorities()) : [],
      ...(pem.cert === null ? {} : { cert: pem.cert, key: pem.key ?? pem.cert }),
      ...(passphrase === null ? {} : { passphrase }),
      minVersion,
      // After a renegotiation the server could show another certificate, which would not be checked.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    if (isUsual) this.#usual = context;
    return context;
  }
}

/** A name may end with the dot of the root, which certificates do not have. */
function namesOf(host: string): { readonly name: string; readonly sni: string | null } {
  const name = host.replace(/\.$/, '').toLowerCase();
  return { name, sni: isIP(name) === 0 ? name : null };
}
