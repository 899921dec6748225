import { type StreamBinding, streamBinding, systemError } from './stream-binding.js';
import type { TlsHandle } from './tls-handle.js';
import type { SocketWriter, SocketWriterOwner } from './transport.js';

/** The most bytes passed to OpenSSL at once: of more, a part would wait where `pending` does not count it. */
const PIECE_BYTES = 128 * 1024;

/** The transport of the writer. */
interface TlsWriterOwner {
  readonly destroyed: boolean;
  /** No write is in progress any more: the end may be sent, if wanted. */
  shutDown(): void;
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  writer: TlsWriter;
}

/**
 * Writes to a TLS handle, which encrypts at once what it gets: the bytes may change afterwards. The handle accepts one
 * write at a time, and reports its end in the next tick of the event loop at the earliest, even if the kernel has taken
 * everything. Bytes written meanwhile wait here and are sent together.
 */
export class TlsWriter implements SocketWriter {
  readonly #tls: TlsHandle;
  readonly #transport: TlsWriterOwner;
  readonly #owner: SocketWriterOwner;
  #isWriting = false;
  #queue: (string | Buffer)[] = [];
  #queuedBytes = 0;
  #wasFull = false;
  #broken = false;

  constructor(tls: TlsHandle, transport: TlsWriterOwner, owner: SocketWriterOwner) {
    this.#tls = tls;
    this.#transport = transport;
    this.#owner = owner;
  }

  get #isDead(): boolean {
    return this.#broken || this.#transport.destroyed;
  }

  /** Is a write in progress? */
  get isBusy(): boolean {
    return this.#isWriting && !this.#isDead;
  }

  get pending(): number {
    return this.isBusy ? this.#queuedBytes + this.#tls._parent.writeQueueSize : 0;
  }

  /** Stays true until the drain: a writer that was told to wait waits for that. */
  get isFull(): boolean {
    if (!this.isBusy) return false;
    this.#wasFull ||= this.pending > 0;
    return this.#wasFull;
  }

  writeText(text: string): void {
    if (this.#isDead) return;
    if (this.#isWriting) this.#enqueue(text);
    else this.#check(this.#tls.writeLatin1String(this.#begin(), text));
  }

  writeBytes(bytes: Buffer): void {
    if (this.#isDead || bytes.length === 0) return;
    if (this.#isWriting) {
      this.#enqueue(bytes);
      return;
    }
    const piece = bytes.length > PIECE_BYTES ? bytes.subarray(0, PIECE_BYTES) : bytes;
    this.#check(this.#tls.writeBuffer(this.#begin(), piece));
    if (piece !== bytes && !this.#isDead) this.#enqueue(bytes.subarray(PIECE_BYTES));
  }

  writeBoth(text: string, bytes: Buffer): void {
    if (this.#isDead) return;
    if (this.#isWriting || bytes.length > PIECE_BYTES) {
      this.writeText(text);
      this.writeBytes(bytes);
    } else {
      this.#check(this.#tls.writev(this.#begin(), [text, 'latin1', bytes, 'buffer'], false));
    }
  }

  /**
   * The handle's file descriptor is that of the socket, which must not be written to past TLS. But OpenSSL takes bytes at
   * once.
   */
  writeNow(text: string, buffer: Buffer, start: number, end: number): number {
    if (this.#isDead || this.#isWriting || text.length > PIECE_BYTES) return 0;
    const bytes = buffer.subarray(start, Math.min(end, start + PIECE_BYTES));
    if (text === '') this.#check(this.#tls.writeBuffer(this.#begin(), bytes));
    else this.#check(this.#tls.writev(this.#begin(), [text, 'latin1', bytes, 'buffer'], false));
    return text.length + bytes.length;
  }

  #enqueue(chunk: string | Buffer): void {
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
  }

  #begin(): WriteRequest {
    const request = new (streamBinding as StreamBinding).WriteWrap() as WriteRequest;
    request.oncomplete = onWritten;
    request.writer = this;
    this.#isWriting = true;
    return request;
  }

  #check(status: number): void {
    const { streamBaseState, kLastWriteWasAsync } = streamBinding as StreamBinding;
    if (status !== 0) this.#fail(status);
    else if (streamBaseState[kLastWriteWasAsync] === 0) this.#isWriting = false;
  }

  /** The kernel has taken the previous write, or it failed. */
  completed(status: number): void {
    this.#isWriting = false;
    if (this.#isDead) return;
    if (status < 0) {
      this.#fail(status);
      return;
    }
    if (this.#queue.length > 0) this.#writeQueue();
    if (this.#isDead || this.#isWriting) return;
    this.#wasFull = false;
    this.#owner.drained();
    this.#transport.shutDown();
  }

  /** Writes one piece of the waiting bytes. */
  #writeQueue(): void {
    const chunks: unknown[] = [];
    let bytes = 0;
    while (this.#queue.length > 0 && bytes < PIECE_BYTES) {
      const chunk = this.#queue[0] as string | Buffer;
      const piece = chunk.length > PIECE_BYTES - bytes ? chunk.slice(0, PIECE_BYTES - bytes) : chunk;
      if (piece.length === chunk.length) this.#queue.shift();
      else this.#queue[0] = chunk.slice(piece.length);
      chunks.push(piece, typeof piece === 'string' ? 'latin1' : 'buffer');
      bytes += piece.length;
    }
    this.#queuedBytes -= bytes;
    if (chunks.length > 2) this.#check(this.#tls.writev(this.#begin(), chunks, false));
    else if (typeof chunks[0] === 'string')
      this.#check(this.#tls.writeLatin1String(this.#begin(), chunks[0]));
    else this.#check(this.#tls.writeBuffer(this.#begin(), chunks[0] as Buffer));
  }

  #fail(status: number): void {
    this.#broken = true;
    this.#queue = [];
    this.#owner.broken(systemError(status, 'write'));
  }
}

function onWritten(this: WriteRequest, status: number): void {
  this.writer.completed(status);
}
