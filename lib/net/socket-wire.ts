import type * as net from 'node:net';
import { HandleOutlet, type Outlet } from './outlet.js';
import { sharedReadBuffer } from './read-buffer.js';
import { isStreamHandle, streamBinding } from './stream-binding.js';
import type { Wire, WireOwner } from './wire.js';

/** How a socket is read and written: with buffers and its handle below the stream, or by documented means alone. */
export type Means = 'handle' | 'stream';

const WIRE = Symbol('wire');
type WiredSocket = net.Socket & { [WIRE]: SocketWire };

let afterRead = false;
let nextBuffer: Buffer | undefined;

/**
 * The `onread` option of a socket that becomes a wire. `buffer` is asked once when the socket gets its handle, and
 * again behind every read; `callback` runs before that. One pair serves all sockets.
 */
export const READ_INTO = {
  buffer(): Buffer {
    if (!afterRead) return sharedReadBuffer;
    afterRead = false;
    const next = nextBuffer;
    nextBuffer = undefined;
    // Node keeps the buffer it has when it is given none, which its types do not know.
    return next as Buffer;
  },
  callback(this: WiredSocket, length: number, buffer: Uint8Array): boolean {
    nextBuffer = this[WIRE].read(length, buffer as Buffer);
    afterRead = true;
    return true;
  },
};

/**
 * One of Node's sockets. The listeners are named functions that find the wire through the socket, so that a connection
 * costs no closures.
 */
export class SocketWire implements Wire {
  readonly #socket: net.Socket;
  readonly #means: Means;
  #owner: WireOwner | null = null;

  /** `handle`: the socket was made with `READ_INTO`. */
  constructor(socket: net.Socket, means: Means = 'handle') {
    this.#socket = socket;
    this.#means = means;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get readEnded(): boolean {
    return this.#socket.readableEnded;
  }

  attach(owner: WireOwner): void {
    this.#owner = owner;
    const socket = this.#socket;
    (socket as WiredSocket)[WIRE] = this;
    if (this.#means === 'stream') socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('drain', onDrain);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.resume();
  }

  /** The owner; there is one before anything is told. */
  get owner(): WireOwner {
    return this.#owner as WireOwner;
  }

  read(length: number, buffer: Buffer): Buffer | undefined {
    return this.owner.read(length, buffer);
  }

  openOutlet(): Outlet {
    const handle = (this.#socket as unknown as { _handle: unknown })._handle;
    if (this.#means === 'stream' || streamBinding === null || !isStreamHandle(handle))
      return new StreamOutlet(this.#socket);
    return new HandleOutlet(handle, this.#socket, this.owner);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  readAnew(): void {
    // Starts reading on the handle anew.
    this.#socket.pause();
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    // A unix socket knows no RST.
    if (this.remoteAddress === '') this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  probePeer(idleMs: number): void {
    this.#socket.setKeepAlive(true, idleMs);
  }
}

function onData(this: WiredSocket, chunk: Buffer): void {
  this[WIRE].owner.received(chunk);
}

function onEnd(this: WiredSocket): void {
  this[WIRE].owner.peerEnded();
}

function onDrain(this: WiredSocket): void {
  this[WIRE].owner.drained();
}

function onError(this: WiredSocket, error: NodeJS.ErrnoException): void {
  this[WIRE].owner.failed(error);
}

function onClose(this: WiredSocket): void {
  this[WIRE].owner.gone();
}

/** Writes through Node's stream. */
class StreamOutlet implements Outlet {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /** The stream counts a write as a whole until it is done; libuv's own queue shows what has gone of it. */
  get pending(): number {
    const { _handle: handle } = this.#socket as unknown as { _handle: { writeQueueSize?: number } | null };
    return this.#socket.writableLength + (handle?.writeQueueSize ?? 0);
  }

  /** Only then does the stream tell of its drain. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  writeText(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  writeBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  writeBoth(text: string, bytes: Buffer): void {
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    this.#socket.write(bytes);
    this.#socket.uncork();
  }

  writeNow(): number {
    return 0;
  }
}
