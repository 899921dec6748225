import { HandleTransport } from './handle-transport.js';
import type { SocketTransport } from './socket-transport.js';
import { TlsClientTransport } from './tls-client-transport.js';
import { TlsSocketTransport } from './tls-socket-transport.js';
import type { RawTransport, SecuredTransport, TlsServerOptions } from './transport.js';

/**
 * Goes on with a detached transport over TLS, as a server, by the means it was made with. Throws what OpenSSL does not like of
 * the options. The listener may be told of a failure before this returns.
 */
export function secure(transport: RawTransport, options: TlsServerOptions): SecuredTransport {
  return transport instanceof HandleTransport
    ? new TlsClientTransport(transport.handle, options)
    : new TlsSocketTransport((transport as SocketTransport).socket, options);
}
