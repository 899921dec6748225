import { connect, type Socket } from 'node:net';
import * as tls from 'node:tls';
import type { RunningPeer } from './peer.js';
import type { IdleLoad } from './row.js';

const AT_ONCE = 64;

/** Opens the connections, a few at a time; each has had one whole response and stays open. */
export async function openIdle(
  load: IdleLoad,
  peer: Pick<RunningPeer, 'port' | 'secure'>,
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let left = load.connections;
  const open = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      sockets.push(await askOnce(peer, load.path));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
  return sockets;
}

/** How many of them the balancer has closed meanwhile: these would make its memory look small. */
export function closedOf(sockets: readonly Socket[]): number {
  return sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
}

function askOnce({ port, secure }: Pick<RunningPeer, 'port' | 'secure'>, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false };
    const socket = secure ? tls.connect(options) : connect(options);
    let text = '';
    socket.on('error', reject);
    socket.on(secure ? 'secureConnect' : 'connect', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
    );
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
      if (end >= 0 && text.length >= end + 4 + length) resolve(socket);
    });
    socket.on('close', () => reject(new Error('closed before a response')));
  });
}
