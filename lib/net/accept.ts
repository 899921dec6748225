import type * as net from 'node:net';
import { PLAIN_TRANSPORT, type TransportInfo } from '../base/transport-info.js';
import { Channel, type ChannelOwner } from './channel.js';
import { HandleTransport } from './handle-transport.js';
import { noteAccepted } from './loop-tick.js';
import { resetSocket, SocketTransport } from './socket-transport.js';
import { isStreamHandle, peerAddress, type StreamHandle } from './stream-binding.js';
import type { SocketMode } from './transport.js';

/** An accepted connection without an owner: take it or refuse it at once. */
export interface Incoming {
  /** The peer's address as text; empty for a unix socket. */
  readonly remoteAddress: string;
  /** How it is transported. What decrypts TLS in front of an acceptor fills it in. */
  readonly transport: TransportInfo;
  take(owner: ChannelOwner): Channel;
  /** Closes it with a reset. */
  refuse(): void;
}

/** Told of each connection. */
export interface Acceptor {
  onAccept(incoming: Incoming): void;
}

/** The undocumented part of a server. */
interface ServerHandle {
  onconnection?: unknown;
}

/**
 * Hands each connection of a listening `server` to `acceptor`.
 *
 * Node makes a socket for each connection, which costs more than all that a small request needs beside it: so the
 * handle is taken before Node wraps it, if it is one of those that can be used without that.
 */
export function acceptFrom(server: net.Server, acceptor: Acceptor, means: SocketMode): void {
  server.on('connection', (socket) => {
    noteAccepted();
    acceptor.onAccept(new IncomingSocket(socket));
  });
  if (means === 'documented') return;
  const handle = (server as unknown as { _handle: ServerHandle | null })._handle;
  if (typeof handle?.onconnection !== 'function') return;
  const wrap = handle.onconnection;
  handle.onconnection = function onConnection(this: ServerHandle, error: number, accepted: unknown): void {
    if (error === 0 && isStreamHandle(accepted)) {
      noteAccepted();
      acceptor.onAccept(new IncomingHandle(accepted));
    } else {
      Reflect.apply(wrap as (...args: unknown[]) => void, this, [error, accepted]);
    }
  };
}

class IncomingHandle implements Incoming {
  readonly transport = PLAIN_TRANSPORT;
  readonly #handle: StreamHandle;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  get remoteAddress(): string {
    return peerAddress(this.#handle);
  }

  take(owner: ChannelOwner): Channel {
    this.#handle.setNoDelay?.(true);
    return new Channel(new HandleTransport(this.#handle), owner);
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
  readonly transport = PLAIN_TRANSPORT;
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  take(owner: ChannelOwner): Channel {
    return new Channel(new SocketTransport(this.#socket, 'events'), owner);
  }

  refuse(): void {
    this.#socket.on('error', () => {});
    resetSocket(this.#socket);
  }
}
