import * as net from 'node:net';
import { HandleTransport, HandleWriter } from './handle-transport.js';
import type { ServerTls } from './server-tls.js';
import { READ_INTO, SocketTransport } from './socket-transport.js';
import {
  type PipeBinding,
  pipeBinding,
  type StreamHandle,
  systemError,
  type TcpBinding,
  tcpBinding,
} from './stream-binding.js';
import {
  HandleHandshake,
  type Handshake,
  type HandshakeListener,
  SocketHandshake,
} from './tls-connecting.js';
import { hasTlsHandles } from './tls-handle.js';
import type { SocketMode, SocketWriterOwner, Transport } from './transport.js';

/** A path, or an IP address and a port. */
export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Called once with the result, and never before `connect` has returned. */
export interface ConnectListener {
  /** `attempt.transport()` must be taken at once: there is nothing to cancel any more. */
  onConnected(attempt: Connecting): void;
  onRefused(attempt: Connecting, error: NodeJS.ErrnoException): void;
}

/** One connection that is being opened. */
export interface Connecting {
  /** The address, or the path. */
  readonly peer: string;
  /** Called at once, or `secure` instead. */
  transport(): Transport;
  /** Sends `text` (latin1) before everything else, before `transport`. */
  greet(text: string): void;
  /** Begins the TLS handshake. */
  secure(server: ServerTls, listener: HandshakeListener): Handshake;
  /** Gives up before the connection is open: the listener is not called. */
  cancel(): void;
}

/** Opens a connection to `place`, with TLS if `isSecure`; the caller keeps the deadline. */
export function connect(
  place: SocketAddress,
  listener: ConnectListener,
  means: SocketMode,
  isSecure = false,
): Connecting {
  return means === 'fast' && (!isSecure || hasTlsHandles())
    ? new HandleConnecting(place, listener)
    : new SocketConnecting(place, listener, isSecure);
}

/** A connect request for libuv. */
interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number) => void;
  attempt: HandleConnecting;
}

/** Without Node's socket, like accepted connections. */
class HandleConnecting implements Connecting {
  readonly peer: string;
  readonly #listener: ConnectListener;
  readonly #handle: StreamHandle;
  #over = false;

  /** Only after `loadBindings` has found them. */
  constructor(place: SocketAddress, listener: ConnectListener) {
    this.peer = 'path' in place ? place.path : place.host;
    this.#listener = listener;
    if ('path' in place) {
      const { Pipe, PipeConnectWrap, constants } = pipeBinding as PipeBinding;
      const handle = new Pipe(constants.SOCKET);
      this.#handle = handle;
      this.#begun(handle.connect(this.#request(PipeConnectWrap), place.path));
    } else {
      const { TCP, TCPConnectWrap, constants } = tcpBinding as TcpBinding;
      const handle = new TCP(constants.SOCKET);
      this.#handle = handle;
      const request = this.#request(TCPConnectWrap);
      const { host, port } = place;
      this.#begun(
        net.isIPv6(host) ? handle.connect6(request, host, port) : handle.connect(request, host, port),
      );
    }
  }

  #request(Request: new () => object): ConnectRequest {
    const request = new Request() as ConnectRequest;
    request.oncomplete = onComplete;
    request.attempt = this;
    return request;
  }

  #begun(status: number): void {
    if (status !== 0) setImmediate(completed, this, status);
  }

  transport(): Transport {
    return new HandleTransport(this.#handle);
  }

  /** A failure shows when the connection is read. */
  greet(text: string): void {
    new HandleWriter(this.#handle, { destroyed: false }, GREETER).writeText(text);
  }

  secure(server: ServerTls, listener: HandshakeListener): Handshake {
    return new HandleHandshake(this.#handle, server, listener);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handle.close();
  }

  completed(status: number): void {
    if (this.#over) return;
    this.#over = true;
    if (status === 0) {
      this.#handle.setNoDelay?.(true);
      this.#listener.onConnected(this);
    } else {
      this.#handle.close();
      const error = systemError(status, 'connect');
      this.#listener.onRefused(this, Object.assign(error, { address: this.peer }));
    }
  }
}

const GREETER: SocketWriterOwner = { drained() {}, broken() {} };

function onComplete(this: ConnectRequest, status: number): void {
  this.attempt.completed(status);
}

function completed(attempt: HandleConnecting, status: number): void {
  attempt.completed(status);
}

/** By documented means. */
class SocketConnecting implements Connecting {
  readonly peer: string;
  readonly #listener: ConnectListener;
  readonly #socket: net.Socket;
  #over = false;

  constructor(place: SocketAddress, listener: ConnectListener, isSecure: boolean) {
    this.peer = 'path' in place ? place.path : place.host;
    this.#listener = listener;
    const reading = isSecure ? {} : { onread: READ_INTO };
    const options = { ...place, noDelay: true, allowHalfOpen: true, ...reading };
    this.#socket = net.connect(options as net.NetConnectOpts);
    this.#socket.once('connect', () => this.#completed(null));
    this.#socket.once('error', (error) => this.#completed(error));
  }

  transport(): Transport {
    return new SocketTransport(this.#socket, 'buffers');
  }

  greet(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  secure(server: ServerTls, listener: HandshakeListener): Handshake {
    return new SocketHandshake(this.#socket, server, listener);
  }

  cancel(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #completed(error: NodeJS.ErrnoException | null): void {
    if (this.#over) return;
    this.#over = true;
    if (error === null) this.#listener.onConnected(this);
    else this.#listener.onRefused(this, error);
  }
}
