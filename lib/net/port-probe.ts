import * as net from 'node:net';
import type { Address } from '../base/address.js';

/**
 * Binds an address for a moment, as one thread alone does. Threads that share a port bind it so that another program of
 * the same user could bind it too, unnoticed by both: this tells that it is in use. Resolves with the address to bind: for
 * port 0 with a port that the system has chosen, which all threads can bind. Rejects with the system's error.
 */
export function probePort(address: Address): Promise<Address> {
  if (address.kind === 'unix') return Promise.resolve(address);
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const free = withPort(address, (server.address() as net.AddressInfo).port);
      server.close(() => resolve(free));
    });
    // No program accepts a client that connects at this moment.
    server.on('connection', (socket) => socket.destroy());
  });
}

function withPort(address: Extract<Address, { kind: 'tcp' }>, port: number): Address {
  return address.port === port
    ? address
    : { ...address, port, text: address.text.replace(/0$/, String(port)) };
}
