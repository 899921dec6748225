import type * as net from 'node:net';
import type { EndsSource } from '../base/connection-ends.js';
import type { ListenerState } from '../base/listener-state.js';
import type { TransportInfo } from '../base/transport-info.js';
import { Channel, type ChannelOwner } from './channel.js';
import { HandleTransport } from './handle-transport.js';
import { noteAccepted } from './loop-tick.js';
import { resetSocket, SocketTransport } from './socket-transport.js';
import { isStreamHandle, peerAddress, type StreamHandle } from './stream-binding.js';
import type { RawTransport, SocketMode, Transport } from './transport.js';

/**
 * What becomes of a connection, stage by stage: it is accepted; where the listener expects one, a PROXY header is read; the
 * acceptor admits it or it is reset; where the listener has TLS, the handshake follows; then the acceptor takes it. A plain
 * connection goes through all of that in one call.
 */

/** A connection as it was accepted. It is made a transport, or refused, before the call is over in which it came. */
export interface RawConnection {
  /** The peer's address as text; empty for a Unix socket. */
  readonly remoteAddress: string;
  /** Knows between which places it is, where a PROXY header told; else the transport does. */
  readonly source?: EndsSource;
  /** Once; to be attached at once. */
  transport(): RawTransport;
  /** Closes it with a reset. */
  refuse(): void;
}

/** A connection whose bytes are HTTP, without an owner: to be taken at once. */
export class Incoming {
  readonly #transport: Transport;
  /** How it is transported. */
  readonly transport: TransportInfo;
  /** Knows between which places it is: those that a PROXY header told, else those of the socket. */
  readonly source: EndsSource;

  constructor(transport: Transport, info: TransportInfo, source: EndsSource = transport) {
    this.#transport = transport;
    this.transport = info;
    this.source = source;
  }

  take(owner: ChannelOwner): Channel {
    return new Channel(this.#transport, owner);
  }
}

/** A connection that is admitted and has something to do before it is a client's, such as a handshake. */
export interface PendingConnection {
  /** Since when, in the wheel's time. */
  readonly idleSince: number;
  /** Another connection needs its place: closes it. */
  abandon(): void;
}

/** The place of an admitted connection. */
export interface Admission {
  /** The connection is gone before it was a client's: the place is free. */
  leave(): void;
}

/** Who decides about connections, and owns them in the end. */
export interface Acceptor {
  /**
   * May this client connect? null: no, and the connection is reset. `address` is the client's, as text: the peer's, or
   * what a PROXY header names; empty for a Unix socket. `listener` is where it connected, `held` the place that it has had since then. With `pending` the place can be taken from it until `onAccept`;
   * null: `onAccept` follows at once.
   */
  admit(
    address: string,
    listener: ListenerState,
    pending: PendingConnection | null,
    held?: Admission | null,
  ): Admission | null;
  /** What was admitted may be taken. */
  onAccept(incoming: Incoming, admission: Admission): void;
}

/** Told of each connection that was accepted. */
export interface Entrance {
  enter(connection: RawConnection): void;
}

/** The undocumented part of a server. */
interface ServerHandle {
  onconnection?: unknown;
}

/**
 * Hands each connection of a listening `server` to `entrance`.
 *
 * Node makes a socket for each connection, which costs more than all that a small request needs beside it: so the
 * handle is taken before Node wraps it, if it is one of those that can be used without that.
 */
export function acceptFrom(server: net.Server, entrance: Entrance, means: SocketMode): void {
  server.on('connection', (socket) => {
    noteAccepted();
    entrance.enter(new RawSocket(socket));
  });
  if (means === 'documented') return;
  const handle = (server as unknown as { _handle: ServerHandle | null })._handle;
  if (typeof handle?.onconnection !== 'function') return;
  const wrap = handle.onconnection;
  handle.onconnection = function onConnection(this: ServerHandle, error: number, accepted: unknown): void {
    if (error === 0 && isStreamHandle(accepted)) {
      noteAccepted();
      entrance.enter(new RawHandle(accepted));
    } else {
      Reflect.apply(wrap as (...args: unknown[]) => void, this, [error, accepted]);
    }
  };
}

class RawHandle implements RawConnection {
  readonly #handle: StreamHandle;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  get remoteAddress(): string {
    return peerAddress(this.#handle);
  }

  transport(): RawTransport {
    this.#handle.setNoDelay?.(true);
    return new HandleTransport(this.#handle);
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
class RawSocket implements RawConnection {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  transport(): RawTransport {
    return new SocketTransport(this.#socket, 'events');
  }

  refuse(): void {
    this.#socket.on('error', () => {});
    resetSocket(this.#socket);
  }
}
