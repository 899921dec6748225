import type * as net from 'node:net';
import { latin1 } from '../base/latin1.js';
import { giveReadBuffer, SHARED_BYTES, sharedReadBuffer, takeReadBuffer } from './read-buffer.js';
import { resetSocket } from './reset.js';

/** Whoever owns a channel: told what the wire did. `onClose` is the last call, and comes exactly once. */
export interface ChannelOwner {
  /** Bytes came, `buffer[0, length)`: valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends nothing more (FIN). */
  onEnd(): void;
  /** All that was written is with the kernel; called only after `write` or `flush` said false. */
  onDrain(): void;
  /** Gone, for whatever reason; `error` when it was not a polite one. */
  onClose(error: NodeJS.ErrnoException | null): void;
}

/** Up to here a write is made of one string: Node copies it to the kernel without allocating. */
const TEXT_BYTES = 16 * 1024;
/** Full reads in a row after which a stream is given large buffers. */
const LARGE_AFTER = 4;

const CHANNEL = Symbol('channel');
type ChannelSocket = net.Socket & { [CHANNEL]: Channel };

/**
 * One socket: reading with backpressure, gathered writes, half-close, and one teardown. Listeners are named functions
 * at the end of this file that find their channel through the socket, so that a connection costs no closures.
 */
export class Channel {
  readonly #socket: ChannelSocket;
  #owner: ChannelOwner;
  /** Text waiting for what belongs behind it. */
  #held = '';
  /** The buffer this socket reads into, when it is not the shared one. */
  #ownBuffer: Buffer | null = null;
  /** Read buffers of other channels that an unfinished write still refers to. */
  #lent: Buffer[] | null = null;
  #fullReads = 0;
  #paused = false;
  #ended = false;
  #closed = false;
  #error: NodeJS.ErrnoException | null = null;
  bytesWritten = 0;

  constructor(socket: net.Socket, owner: ChannelOwner) {
    this.#socket = socket as ChannelSocket;
    this.#socket[CHANNEL] = this;
    this.#owner = owner;
    socket.on('end', onEnd);
    socket.on('drain', onDrain);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Is everything that was written with the kernel? */
  get flushed(): boolean {
    return this.#socket.writableLength === 0 && this.#held === '';
  }

  /** From now on somebody else is told. */
  handOver(owner: ChannelOwner): void {
    this.#owner = owner;
  }

  /** Keeps `text` (latin1) back for what is written next, or for `flush`: a head and its small body are one write. */
  hold(text: string): void {
    this.#held += text;
  }

  /**
   * Writes `buffer[start, end)` behind what is held. The bytes may lie in a read buffer: they are copied or the buffer
   * is kept until they are gone. False asks to wait for `onDrain`.
   */
  write(buffer: Buffer, start: number, end: number): boolean {
    const socket = this.#socket;
    if (this.#closed || this.#ended) return true;
    const bytes = end - start;
    this.bytesWritten += bytes;
    if (bytes + this.#held.length <= TEXT_BYTES) {
      const text = this.#held + latin1(buffer, start, end);
      this.#held = '';
      socket.write(text, 'latin1');
      return !this.#mustWait();
    }
    if (this.#held === '') {
      this.#afterWrite(this.#writeBytes(buffer, start, end));
    } else {
      socket.cork();
      socket.write(this.#held, 'latin1');
      this.#held = '';
      const written = this.#writeBytes(buffer, start, end);
      socket.uncork();
      this.#afterWrite(written);
    }
    return !this.#mustWait();
  }

  /** Writes what is held. False asks to wait for `onDrain`. */
  flush(): boolean {
    if (this.#held !== '') {
      const text = this.#held;
      this.#held = '';
      if (!this.#closed && !this.#ended) this.#socket.write(text, 'latin1');
    }
    return !this.#mustWait();
  }

  /** Stops reading; the kernel's buffer fills, and the peer has to wait. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Half-close: flushes, then FIN. Reading goes on. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.flush();
    this.#ended = true;
    this.#socket.end();
  }

  /** Closes at once, both ways. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes with RST: the peer must not take what it got for the whole. */
  reset(): void {
    resetSocket(this.#socket);
  }

  #mustWait(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** Gives the read buffer that the write reads from; null when the bytes lie in memory of their own. */
  #writeBytes(buffer: Buffer, start: number, end: number): Buffer | null {
    if (buffer === sharedReadBuffer) {
      // The next read of any socket overwrites what lies in the shared buffer.
      const copy = takeReadBuffer(false);
      buffer.copy(copy, 0, start, end);
      this.#socket.write(copy.subarray(0, end - start));
      return copy;
    }
    this.#socket.write(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end));
    return buffer === currentRead ? buffer : null;
  }

  /** A write that did not complete at once still reads from its buffer: that must stay as it is until the drain. */
  #afterWrite(buffer: Buffer | null): void {
    if (buffer === null) return;
    if (this.#socket.writableLength > 0) {
      if (buffer === currentRead) currentReadKept = true;
      this.#lent ??= [];
      if (!this.#lent.includes(buffer)) this.#lent.push(buffer);
    } else {
      // Less than the high-water mark may have been waiting, and then there is no drain to tell of its end.
      this.#giveBackLent();
      if (buffer !== currentRead) giveReadBuffer(buffer);
    }
  }

  #giveBackLent(): void {
    if (this.#lent === null) return;
    for (const buffer of this.#lent) giveReadBuffer(buffer);
    this.#lent = null;
  }

  /** From the socket's read callback. Gives the buffer for the next read if it is to be another one. */
  read(length: number, buffer: Buffer): Buffer | undefined {
    if (length === buffer.length) this.#fullReads++;
    else if (length < SHARED_BYTES) this.#fullReads = 0;
    currentRead = buffer;
    currentReadKept = false;
    this.#owner.onBytes(buffer, length);
    currentRead = null;
    return this.#nextBuffer(currentReadKept);
  }

  /** `kept`: a write of the last read is not finished, so its buffer belongs to the writing channel now. */
  #nextBuffer(kept: boolean): Buffer | undefined {
    const streams = this.#fullReads > 0;
    const large = this.#fullReads > LARGE_AFTER;
    const own = this.#ownBuffer;
    if (own === null && !streams) return undefined;
    if (own !== null && !kept && streams && !(large && own.length === SHARED_BYTES)) return undefined;
    if (own !== null && !kept) giveReadBuffer(own);
    this.#ownBuffer = streams ? takeReadBuffer(large) : null;
    return this.#ownBuffer ?? sharedReadBuffer;
  }

  /** From the socket's listeners. */
  received(chunk: Buffer): void {
    this.#owner.onBytes(chunk, chunk.length);
  }

  peerEnded(): void {
    this.#owner.onEnd();
  }

  drained(): void {
    this.#giveBackLent();
    this.#owner.onDrain();
  }

  /** An error is always followed by the close, which tells of it. */
  failed(error: NodeJS.ErrnoException): void {
    this.#error = error;
  }

  gone(): void {
    this.#closed = true;
    this.#held = '';
    this.#giveBackLent();
    if (this.#ownBuffer !== null) giveReadBuffer(this.#ownBuffer);
    this.#ownBuffer = null;
    this.#owner.onClose(this.#error);
  }
}

/** The buffer being read from right now, and whether a write took it over. */
let currentRead: Buffer | null = null;
let currentReadKept = false;
let afterRead = false;
let nextBuffer: Buffer | undefined;

/**
 * The `onread` option of a socket that belongs to a channel. `buffer` is asked once when the socket gets its handle,
 * and again behind every read; `callback` runs before that. One pair serves all sockets.
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
  callback(this: ChannelSocket, length: number, buffer: Uint8Array): boolean {
    nextBuffer = this[CHANNEL].read(length, buffer as Buffer);
    afterRead = true;
    return true;
  },
};

/** For a socket that could not be given `READ_INTO`. */
export function readByEvents(socket: net.Socket): void {
  socket.on('data', onData);
}

function onData(this: ChannelSocket, chunk: Buffer): void {
  this[CHANNEL].received(chunk);
}

function onEnd(this: ChannelSocket): void {
  this[CHANNEL].peerEnded();
}

function onDrain(this: ChannelSocket): void {
  this[CHANNEL].drained();
}

function onError(this: ChannelSocket, error: NodeJS.ErrnoException): void {
  this[CHANNEL].failed(error);
}

function onClose(this: ChannelSocket): void {
  this[CHANNEL].gone();
}
