import type * as net from 'node:net';

/** Closes with RST, so that the peer can't take what it got for the whole; a unix socket knows no such thing and just closes. */
export function resetSocket(socket: net.Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}
