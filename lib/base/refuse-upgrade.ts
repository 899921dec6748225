import type { ClientRequest } from 'node:http';

/**
 * Has a request fail whose answer switches protocols, which the request did not ask for (RFC 9110, 7.8). Without this listener Node
 * closes the connection and reports neither a response nor an error, so that the caller would wait for ever.
 */
export function refuseUpgrade(request: ClientRequest): void {
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    request.emit('error', new Error('it switches protocols without being asked'));
  });
}
