import { HandleTransport } from './handle-transport.js';
import type { SocketTransport } from './socket-transport.js';
import { TlsHandleTransport } from './tls-handle-transport.js';
import { TlsSocketTransport } from './tls-socket-transport.js';
import type { RawTransport, TlsServerOptions, TlsTransport } from './transport.js';

/**
 * Goes on with a detached transport over TLS, as a server, by the means it was made with. Throws what OpenSSL does not like of
 * the options. The listener may be told of a failure before this returns.
 */
export function secure(transport: RawTransport, options: TlsServerOptions): TlsTransport {
  return transport instanceof HandleTransport
    ? new TlsHandleTransport(transport.handle, options)
    : new TlsSocketTransport((transport as SocketTransport).socket, options);
}
