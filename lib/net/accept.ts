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
 * The stages of a new connection: it is accepted; if the listener expects a PROXY header, the header is read; the
 * acceptor admits the connection, or it is reset; if the listener has TLS, the handshake follows; then the acceptor takes
 * it. A plain connection passes all of these in one call.
 */

/** A connection as accepted. It must become a transport, be refused, or wait, during the call in which it is passed. */
export interface RawConnection {
  /** The peer's address as text; empty for a Unix socket, and when the peer has reset the connection already. */
  readonly remoteAddress: string;
  /** Knows the ends of the connection, if a PROXY header named them; else the transport does. */
  readonly source?: EndsSource;
  /** Makes the transport, once; an owner must be attached at once. */
  transport(): RawTransport;
  /** Closes the connection with a reset. */
  refuse(): void;
}

/** A connection whose bytes are HTTP, without an owner: it must be taken at once. */
export class Incoming {
  readonly #transport: Transport;
  /** How the connection is transported. */
  readonly transport: TransportInfo;
  /** Knows the ends of the connection: those that a PROXY header named, else those of the socket. */
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

/** An admitted connection that is not a client's yet, for example because of its handshake. */
export interface PendingConnection {
  /** When it began, in the wheel's time. */
  readonly idleSince: number;
  /** Has the client sent nothing yet? Then it loses nothing when the connection is closed. */
  readonly isSilent: boolean;
  /** Closes the connection because another one needs its place. */
  abandon(): void;
}

/** The place of an admitted connection. */
export interface Admission {
  /** The connection has ended before it was a client's: frees its place. */
  leave(): void;
}

/** Decides about connections, and owns them in the end. */
export interface Acceptor {
  /**
   * Does the connection have to wait until another thread has made room for it? Then nothing must be done with it: it is
   * passed to `entrance` once more. `client`: its address, null while it is not known.
   */
  waits?(
    connection: RawConnection,
    client: string | null,
    listener: ListenerState,
    entrance: Entrance,
  ): boolean;
  /**
   * May this client connect? null: no, and the connection is reset. `address` is the client's as text: the peer's, or the
   * one that a PROXY header names; empty for a Unix socket. `listener` is where it connected, `held` the place that it
   * has had since then. With `pending` the place can be taken from the connection until `onAccept`; null: `onAccept`
   * follows at once.
   */
  admit(
    address: string,
    listener: ListenerState,
    pending: PendingConnection | null,
    held?: Admission | null,
  ): Admission | null;
  /** An admitted connection is ready to be taken. */
  onAccept(incoming: Incoming, admission: Admission): void;
}

/** Called for each accepted connection. */
export interface Entrance {
  enter(connection: RawConnection): void;
}

/** The undocumented part of a server. */
interface ServerHandle {
  onconnection?: unknown;
  readonly fd?: unknown;
}

/** The descriptor on which a server listens; null when it does not listen, or when this Node does not report descriptors. */
export function descriptorOf(server: net.Server): number | null {
  const { _handle: handle = null } = server as unknown as { _handle?: ServerHandle | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}

/**
 * Passes each connection of a listening `server` to `entrance`.
 *
 * Node makes a socket for each connection, which costs more than everything else that a small request needs: so the
 * handle is taken before Node wraps it, if it can be used directly.
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
  #remoteAddress: string | null = null;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  get remoteAddress(): string {
    // Asked once: the peer may reset the connection meanwhile, and must not change from one address to none.
    this.#remoteAddress ??= peerAddress(this.#handle);
    return this.#remoteAddress;
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

/** A connection as Node provides it, used by documented means only; the server must have been made with `pauseOnConnect`. */
class RawSocket implements RawConnection {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    // It may fail while it waits.
    socket.on('error', () => {});
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  transport(): RawTransport {
    return new SocketTransport(this.#socket, 'events');
  }

  refuse(): void {
    resetSocket(this.#socket);
  }
}
