import * as net from 'node:net';
import { Channel, type ChannelOwner } from './channel.js';
import { READ_INTO, readByEvents } from './socket-events.js';

/** A connection that was accepted and that nobody has taken yet: take it, or refuse it, at once. */
export interface Incoming {
  /** The peer's address as text; empty for a unix socket. */
  readonly remoteAddress: string;
  take(owner: ChannelOwner): Channel;
  /** Closes it with a reset. */
  refuse(): void;
}

/**
 * How the sockets of clients are read: into shared buffers, or by `data` events where Node offers no other way; those
 * are then written through their streams, too.
 */
export type Reading = 'buffers' | 'events';

/** Told of each connection. */
export interface Acceptor {
  onAccept(incoming: Incoming): void;
}

/**
 * The undocumented part of a server and its sockets: the handle that Node wrapped in them, the same in Node 20 to 26.
 * Where it looks different, connections are taken as Node hands them out.
 */
interface Handle {
  onconnection?: unknown;
  useUserBuffer?: unknown;
  setNoDelay?(on: boolean): unknown;
  getpeername?(out: { address?: string }): number;
  reset?(done: () => void): number;
  close(done?: () => void): void;
}

/**
 * Hands each connection of a listening `server` to `acceptor`.
 *
 * Node makes a socket for each connection, and gives it no `onread` option: reading by events costs an allocation of
 * 64 KiB per read, 13 % of the CPU time of a small request. So the handle is taken before Node wraps it, and put into
 * one socket that has the option.
 */
export function acceptFrom(server: net.Server, acceptor: Acceptor, reading: Reading): void {
  const handle = (server as unknown as { _handle: Handle | null })._handle;
  if (reading === 'events' || handle === null || typeof handle?.onconnection !== 'function') {
    server.on('connection', (socket) => acceptor.onAccept(new IncomingSocket(socket)));
    return;
  }
  const wrap = handle.onconnection;
  handle.onconnection = function onConnection(
    this: Handle,
    error: number,
    accepted: Handle | undefined,
  ): void {
    if (error === 0 && typeof accepted?.useUserBuffer === 'function')
      acceptor.onAccept(new IncomingHandle(accepted));
    else Reflect.apply(wrap as (...args: unknown[]) => void, this, [error, accepted]);
  };
}

class IncomingHandle implements Incoming {
  readonly #handle: Handle;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  get remoteAddress(): string {
    const out: { address?: string } = {};
    this.#handle.getpeername?.(out);
    return out.address ?? '';
  }

  take(owner: ChannelOwner): Channel {
    this.#handle.setNoDelay?.(true);
    const options = { handle: this.#handle, allowHalfOpen: true, onread: READ_INTO };
    const socket = new net.Socket(options as net.SocketConstructorOpts);
    const channel = new Channel(socket, owner);
    socket.resume();
    return channel;
  }

  refuse(): void {
    if (this.#handle.reset === undefined) this.#handle.close();
    else this.#handle.reset(() => {});
  }
}

/**
 * A connection as Node hands it out, served by documented means alone; the server must have been made with
 * `pauseOnConnect`.
 */
class IncomingSocket implements Incoming {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  take(owner: ChannelOwner): Channel {
    const channel = new Channel(this.#socket, owner, 'stream');
    readByEvents(this.#socket);
    this.#socket.resume();
    return channel;
  }

  refuse(): void {
    this.#socket.on('error', () => {});
    if (this.remoteAddress === '') this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}
