import { HandleTransport } from './handle-transport.js';
import type { SocketTransport } from './socket-transport.js';
import { TlsClientTransport } from './tls-client-transport.js';
import { TlsSocketTransport } from './tls-socket-transport.js';
import type { RawTransport, SecuredTransport, TlsServerOptions } from './transport.js';

/**
 * Begins TLS on a detached transport, as a server, in the same mode. Throws when OpenSSL rejects the options. The
 * listener may be called with a failure before this returns.
 */
export function secure(transport: RawTransport, options: TlsServerOptions): SecuredTransport {
  return transport instanceof HandleTransport
    ? new TlsClientTransport(transport.handle, options)
    : new TlsSocketTransport((transport as SocketTransport).socket, options);
}
