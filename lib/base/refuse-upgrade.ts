import type { ClientRequest } from 'node:http';

/**
 * Has a request fail whose answer switches protocols, which it did not ask for (RFC 9110, 7.8). Without it Node closes
 * the connection and tells of neither a response nor an error, so that whoever waits does so for ever, past every deadline.
 */
export function refuseUpgrade(request: ClientRequest): void {
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    request.emit('error', new Error('it switches protocols without being asked'));
  });
}
