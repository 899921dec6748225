import type * as net from 'node:net';
import { type ConnectionEnds, connectionEnds } from '../base/connection-ends.js';
import { sharedReadBuffer } from './read-buffer.js';
import { explainTlsError } from './tls-failure.js';
import type { RawTransport, SocketWriter, TransportOwner } from './transport.js';

/** How a socket is read: into our buffers, if it was made with `READ_INTO`, or by the events of its stream. */
export type Reading = 'buffers' | 'events';

const TRANSPORT = Symbol('transport');
type WiredSocket = net.Socket & { [TRANSPORT]: SocketTransport };

let afterRead = false;
let nextBuffer: Buffer = sharedReadBuffer;

/**
 * The `onread` option for sockets that become transports. `buffer` is called once when the socket gets its handle, and
 * again after every read; `callback` runs before that. One pair serves all sockets.
 */
export const READ_INTO = {
  buffer(): Buffer {
    if (!afterRead) return sharedReadBuffer;
    afterRead = false;
    return nextBuffer;
  },
  callback(this: WiredSocket, length: number, buffer: Uint8Array): boolean {
    nextBuffer = this[TRANSPORT].read(length, buffer as Buffer) ?? (buffer as Buffer);
    afterRead = true;
    return true;
  },
};

/**
 * One of Node's sockets, by documented means only: a TCP, Unix or TLS connection. The listeners are named functions that
 * find the transport through the socket, so that a connection costs no closures.
 */
export class SocketTransport implements RawTransport {
  readonly #socket: net.Socket;
  readonly #reading: Reading;
  #owner: TransportOwner | null = null;

  constructor(socket: net.Socket, reading: Reading) {
    this.#socket = socket;
    this.#reading = reading;
  }

  /** For the successor after `detach`. */
  get socket(): net.Socket {
    return this.#socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get ends(): ConnectionEnds {
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    return connectionEnds(
      { address: remoteAddress, port: remotePort },
      { address: localAddress, port: localPort },
    );
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get readEnded(): boolean {
    return this.#socket.readableEnded;
  }

  /** Not available by documented means. */
  get truncated(): boolean {
    return false;
  }

  attach(owner: TransportOwner): void {
    this.#owner = owner;
    const socket = this.#socket;
    (socket as WiredSocket)[TRANSPORT] = this;
    if (this.#reading === 'events') socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.resume();
  }

  detach(rest: Buffer | null): void {
    const socket = this.#socket;
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('error', onError);
    socket.off('close', onClose);
    // No owner will attach again, and an error without a listener would end the process.
    socket.on('error', ignore);
    socket.pause();
    if (rest !== null) socket.unshift(rest);
    this.#owner = null;
  }

  /** The owner; set before any event. */
  get owner(): TransportOwner {
    return this.#owner as TransportOwner;
  }

  read(length: number, buffer: Buffer): Buffer | undefined {
    return this.owner.read(length, buffer);
  }

  openWriter(): SocketWriter {
    return new StreamWriter(this.#socket, this.owner);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  readAnew(): void {
    // Starts reading the handle again.
    this.#socket.pause();
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    resetSocket(this.#socket);
  }

  probePeer(idleMs: number): void {
    this.#socket.setKeepAlive(true, idleMs);
  }
}

/** Closes with RST if the socket supports it. */
export function resetSocket(socket: net.Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // Only TCP supports it: Node throws for a Unix socket and for TLS.
    socket.destroy();
  }
}

function onData(this: WiredSocket, chunk: Buffer): void {
  this[TRANSPORT].owner.received(chunk);
}

function onEnd(this: WiredSocket): void {
  this[TRANSPORT].owner.peerEnded();
}

function ignore(): void {}

function onError(this: WiredSocket, error: NodeJS.ErrnoException): void {
  const { owner } = this[TRANSPORT];
  if (error.code?.startsWith('ERR_SSL_') !== true) {
    owner.failed(error);
    return;
  }
  // Node would report an end after the error, and does not close the socket.
  this.off('end', onEnd);
  owner.failed(explainTlsError(error));
  this.destroy();
}

function onClose(this: WiredSocket): void {
  this[TRANSPORT].owner.gone();
}

/** The longest piece passed to the stream in one write: a write counts as pending until the kernel has all of it. */
const PIECE_BYTES = 64 * 1024;

type Written = (error?: Error | null) => void;

/**
 * Writes through Node's stream, which would destroy its socket when a write fails, and lose bytes that the peer sent
 * before: the answer of a server that resets an upload. So the stream does not see failures: its `_write`, which is
 * documented for derived classes, is replaced here, and a failure goes to the owner, which reads on to the end.
 */
class StreamWriter implements SocketWriter {
  readonly #socket: net.Socket;
  readonly #owner: TransportOwner;
  readonly #write: net.Socket['_write'];
  #isBroken = false;
  /** Is a write being made? Completion during it is not a drain. */
  #isWriting = false;

  constructor(socket: net.Socket, owner: TransportOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#write = socket._write;
    socket._write = (chunk, encoding, written) => this.#passOn(chunk, encoding, written);
    // Without `_writev` the stream writes one piece after the other, and `pending` falls with each.
    (socket as { _writev?: unknown })._writev = undefined;
  }

  #passOn(chunk: unknown, encoding: BufferEncoding, written: Written): void {
    if (this.#isBroken) {
      written(null);
      return;
    }
    const before = this.#isWriting;
    this.#isWriting = true;
    this.#write.call(this.#socket, chunk, encoding, (error) => this.#completed(error ?? null, written));
    this.#isWriting = before;
  }

  #completed(error: NodeJS.ErrnoException | null, written: Written): void {
    if (error !== null) this.#isBroken = true;
    written(null);
    // A destroyed socket completes its write too, and drops it.
    if (this.#socket.destroyed) return;
    if (error !== null) this.#owner.broken(error);
    else if (!this.#isWriting && this.pending === 0) this.#owner.drained();
  }

  get pending(): number {
    return this.#isBroken || this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  get isFull(): boolean {
    return this.pending > 0;
  }

  writeText(text: string): void {
    if (!this.#isDead) this.#socket.write(text, 'latin1');
  }

  writeBytes(bytes: Buffer): void {
    for (let start = 0; start < bytes.length && !this.#isDead; start += PIECE_BYTES)
      this.#socket.write(bytes.subarray(start, start + PIECE_BYTES));
  }

  writeBoth(text: string, bytes: Buffer): void {
    const first = bytes.subarray(0, PIECE_BYTES);
    if (!this.#isDead) this.#socket.write(Buffer.concat([Buffer.from(text, 'latin1'), first]));
    this.writeBytes(bytes.subarray(first.length));
  }

  get #isDead(): boolean {
    return this.#isBroken || this.#socket.destroyed;
  }

  writeNow(): number {
    return 0;
  }
}
