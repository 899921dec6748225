import { writeSync, writevSync } from 'node:fs';
import { writeLatin1 } from '../base/latin1.js';
import { type StreamBinding, type StreamHandle, streamBinding, systemError } from './stream-binding.js';

/** Puts bytes on a socket, in the order of the calls. Errors reach its owner, or the socket's own listeners. */
export interface SocketWriter {
  /** latin1 */
  writeText(text: string): void;
  /** The bytes must not change until `pending` is 0. */
  writeBytes(bytes: Buffer): void;
  /** Both in one system call. */
  writeBoth(text: string, bytes: Buffer): void;
  /**
   * Writes of `text` and `buffer[start, end)` what the kernel takes at once, and gives how many bytes that were: none
   * while something is pending, or where it can not be done. The bytes may change behind the call.
   */
  writeNow(text: string, buffer: Buffer, start: number, end: number): number;
  /** A measure of what the kernel has not taken yet; falls with every byte that it takes. */
  readonly pending: number;
  /** Is that so much that the writer should wait until it is drained? */
  readonly isFull: boolean;
}

/** Told when all that was pending is with the kernel. */
export interface SocketWriterOwner {
  drained(): void;
  /** The peer takes nothing more, and the writer drops what is written from here on. */
  broken(error: NodeJS.ErrnoException): void;
}

/** A write in the terms of libuv. `oncomplete` is called only for one that did not complete at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  writer: HandleWriter | null;
  /** Keeps the bytes of an unfinished write alive. */
  bytes: Buffer | null;
}

/** Where a text lies while it is written in front of bytes. */
const textBuffer = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Writes to the handle below a socket. Writing through Node's stream costs a request object, a dozen calls and a tick
 * per write, and most of the garbage of a small request; here one request object serves again and again as long as
 * writes complete at once, which nearly all do.
 */
export class HandleWriter implements SocketWriter {
  readonly #handle: StreamHandle;
  readonly #transport: { readonly destroyed: boolean };
  readonly #owner: SocketWriterOwner;
  /** Writes that did not complete at once and have not yet. */
  #unfinished = 0;
  #broken = false;

  /** Only where there is a `streamBinding`. */
  constructor(handle: StreamHandle, transport: { readonly destroyed: boolean }, owner: SocketWriterOwner) {
    this.#handle = handle;
    this.#transport = transport;
    this.#owner = owner;
  }

  /** What was pending when the socket was destroyed is gone with it. */
  get pending(): number {
    // The handle is asked only where there may be something: a call into Node is not free.
    return this.#unfinished === 0 || this.#isDead() ? 0 : this.#handle.writeQueueSize;
  }

  #isDead(): boolean {
    return this.#broken || this.#transport.destroyed;
  }

  get isFull(): boolean {
    return this.#unfinished > 0 && this.pending > 0;
  }

  writeText(text: string): void {
    if (this.#broken || this.#transport.destroyed) return;
    const request = spare ?? makeRequest();
    const status = this.#handle.writeLatin1String(request, text);
    const { streamBaseState, kLastWriteWasAsync } = streamBinding as StreamBinding;
    if (status !== 0 || streamBaseState[kLastWriteWasAsync] !== 0) this.#written(request, null, status);
  }

  writeBytes(bytes: Buffer): void {
    if (this.#isDead()) return;
    const request = spare ?? makeRequest();
    this.#written(request, bytes, this.#handle.writeBuffer(request, bytes));
  }

  writeBoth(text: string, bytes: Buffer): void {
    if (this.#isDead()) return;
    const request = spare ?? makeRequest();
    this.#written(request, bytes, this.#handle.writev(request, [text, 'latin1', bytes, 'buffer'], false));
  }

  /**
   * libuv can only be given bytes to keep, so this goes round it, to the file below the socket, which does not block.
   * With a buffer for each stream instead, which nobody overwrites, a body of 100 KiB cost 1.15 times as much.
   */
  writeNow(text: string, buffer: Buffer, start: number, end: number): number {
    if (this.#isDead() || this.#unfinished > 0 || text.length > textBuffer.length) return 0;
    const { fd } = this.#handle;
    if (fd === undefined || fd < 0) return 0;
    try {
      if (text === '') return writeSync(fd, buffer, start, end - start);
      const head = textBuffer.subarray(0, writeLatin1(textBuffer, text, 0));
      return writevSync(fd, [head, buffer.subarray(start, end)]);
    } catch {
      // Full, or broken: the write that follows tells which.
      return 0;
    }
  }

  #written(request: WriteRequest, bytes: Buffer | null, status: number): void {
    // Not by the queue's size: what libuv could not write at the first try may be gone at the second, in the same
    // call, and still be completed later. To give such a request to another write aborts the process.
    const { streamBaseState, kLastWriteWasAsync } = streamBinding as StreamBinding;
    if (streamBaseState[kLastWriteWasAsync] !== 0) {
      this.#unfinished++;
      request.writer = this;
      request.bytes = bytes;
      spare = null;
    }
    if (status !== 0) this.#fail(status);
  }

  /** An unfinished write is finished, or failed. */
  completed(status: number): void {
    this.#unfinished--;
    if (this.#isDead()) return;
    if (status < 0) this.#fail(status);
    else if (this.#handle.writeQueueSize === 0) this.#owner.drained();
  }

  #fail(status: number): void {
    this.#broken = true;
    this.#owner.broken(systemError(status, 'write'));
  }
}

function onComplete(this: WriteRequest, status: number): void {
  const { writer } = this;
  this.writer = null;
  this.bytes = null;
  writer?.completed(status);
}

/** The request of the last write that completed at once. */
let spare: WriteRequest | null = null;

function makeRequest(): WriteRequest {
  const request = new (streamBinding as StreamBinding).WriteWrap() as WriteRequest;
  request.oncomplete = onComplete;
  request.writer = null;
  request.bytes = null;
  spare = request;
  return request;
}
