import * as net from 'node:net';
import { HandleWire } from './handle-wire.js';
import { READ_INTO, SocketWire } from './socket-wire.js';
import type { SocketMeans } from './sockets.js';
import {
  type PipeBinding,
  pipeBinding,
  type StreamHandle,
  systemError,
  type TcpBinding,
  tcpBinding,
} from './stream-binding.js';
import type { Wire } from './wire.js';

/** A path, or an IP address and a port. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

/** Told how it went, once, and never before `connect` has returned. */
export interface ConnectWitness {
  /** `attempt.wire()` is to be taken at once, or the attempt cancelled. */
  onConnected(attempt: Connecting): void;
  onRefused(attempt: Connecting, error: NodeJS.ErrnoException): void;
}

/** One connection that is being opened. */
export interface Connecting {
  /** The address, or the path. */
  readonly peer: string;
  wire(): Wire;
  /** Breaks it off: the witness hears nothing. */
  cancel(): void;
}

/** Opens a connection to `place`; the caller keeps the deadline. */
export function connect(place: Place, witness: ConnectWitness, means: SocketMeans): Connecting {
  return means === 'fast' ? new HandleConnecting(place, witness) : new SocketConnecting(place, witness);
}

/** A connect in the terms of libuv. */
interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number) => void;
  attempt: HandleConnecting;
}

/** Without Node's socket, as connections that are accepted are taken. */
class HandleConnecting implements Connecting {
  readonly peer: string;
  readonly #witness: ConnectWitness;
  readonly #handle: StreamHandle;
  #over = false;

  /** Only after `loadBindings` has found them. */
  constructor(place: Place, witness: ConnectWitness) {
    this.peer = 'path' in place ? place.path : place.host;
    this.#witness = witness;
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

  wire(): Wire {
    return new HandleWire(this.#handle);
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
      this.#witness.onConnected(this);
    } else {
      this.#handle.close();
      const error = systemError(status, 'connect');
      this.#witness.onRefused(this, Object.assign(error, { address: this.peer }));
    }
  }
}

function onComplete(this: ConnectRequest, status: number): void {
  this.attempt.completed(status);
}

function completed(attempt: HandleConnecting, status: number): void {
  attempt.completed(status);
}

/** By documented means. */
class SocketConnecting implements Connecting {
  readonly peer: string;
  readonly #witness: ConnectWitness;
  readonly #socket: net.Socket;
  #over = false;

  constructor(place: Place, witness: ConnectWitness) {
    this.peer = 'path' in place ? place.path : place.host;
    this.#witness = witness;
    const options = { ...place, noDelay: true, allowHalfOpen: true, onread: READ_INTO };
    this.#socket = net.connect(options as net.NetConnectOpts);
    this.#socket.once('connect', () => this.#completed(null));
    this.#socket.once('error', (error) => this.#completed(error));
  }

  wire(): Wire {
    return new SocketWire(this.#socket, 'buffers');
  }

  cancel(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #completed(error: NodeJS.ErrnoException | null): void {
    if (this.#over) return;
    this.#over = true;
    if (error === null) this.#witness.onConnected(this);
    else this.#witness.onRefused(this, error);
  }
}
