import * as net from 'node:net';
import type { Address } from '../base/address.js';

/**
 * Binds an address for a moment, as one thread alone does. Threads that share a port bind it so that another program of
 * the same user could bind it too, unnoticed by both: this tells that it is in use. Rejects with the system's error.
 */
export function probePort(address: Address): Promise<void> {
  if (address.kind === 'unix' || address.port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, exclusive: true }, () =>
      server.close(() => resolve()),
    );
    // A client that connects in this moment is accepted by nobody.
    server.on('connection', (socket) => socket.destroy());
  });
}
