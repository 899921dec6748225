import * as net from 'node:net';
import { Channel, type ChannelOwner, READ_INTO, readByEvents } from './channel.js';

/** The undocumented part of an accepted socket: the handle that Node wrapped in it. */
interface WithHandle {
  _handle: { useUserBuffer?: unknown; readStart?: unknown } | null;
}

/** How the sockets of clients are read: into shared buffers, or by `data` events where Node offers no other way. */
export type Reading = 'buffers' | 'events';

/**
 * A channel for a socket that a server accepted with `pauseOnConnect`.
 *
 * Node gives accepted sockets no `onread` option, and reading by events costs an allocation of 64 KiB per read, 13 %
 * of the CPU time of a small request. So the handle is moved to a new socket that has it. This leans on the field
 * `_handle`, the same in Node 20 to 26; where it looks different, or when asked to, the socket is read by events.
 */
export function acceptChannel(accepted: net.Socket, owner: ChannelOwner, reading: Reading): Channel {
  const from = accepted as unknown as WithHandle;
  const handle = from._handle;
  if (
    reading === 'events' ||
    handle === null ||
    typeof handle !== 'object' ||
    typeof handle.useUserBuffer !== 'function'
  ) {
    const channel = new Channel(accepted, owner);
    readByEvents(accepted);
    accepted.resume();
    return channel;
  }
  from._handle = null;
  const socket = new net.Socket({
    handle,
    allowHalfOpen: true,
    onread: READ_INTO,
  } as net.SocketConstructorOpts);
  const channel = new Channel(socket, owner);
  socket.resume();
  return channel;
}
