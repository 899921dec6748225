import { writeSync, writevSync } from 'node:fs';
import { writeLatin1 } from '../base/bytes.js';
import type { ConnectionEnds } from '../base/connection-ends.js';
import { sharedReadBuffer } from './read-buffer.js';
import {
  endsOf,
  peerAddress,
  type StreamBinding,
  type StreamHandle,
  streamBinding,
  systemError,
} from './stream-binding.js';
import type { RawTransport, SocketWriter, SocketWriterOwner, TransportOwner } from './transport.js';

/** libuv's end of file. */
const UV_EOF = -4095;

const TRANSPORT = Symbol('transport');
type WiredHandle = StreamHandle & { [TRANSPORT]: HandleTransport };

/** A FIN request for libuv. */
interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest) => void;
  transport: HandleTransport;
}

/**
 * A socket without Node's stream: a connection that is accepted, carries one request and is closed takes a quarter less
 * time in user space. Reads go into buffers that the owner names, at first into the shared one.
 */
export class HandleTransport implements RawTransport {
  readonly #handle: StreamHandle;
  #owner: TransportOwner | null = null;
  /** The buffer of the next read; libuv knows only its address. */
  #buffer: Buffer = sharedReadBuffer;
  #isReading = false;
  /** Bytes that a previous owner read. */
  #first: Buffer | null = null;
  #readEnded = false;
  #writeEnded = false;
  /** Changed only by this class. */
  destroyed = false;

  /** Only if there is a `streamBinding`. */
  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  /** For the successor after `detach`. */
  get handle(): StreamHandle {
    return this.#handle;
  }

  get remoteAddress(): string {
    return peerAddress(this.#handle);
  }

  get ends(): ConnectionEnds {
    return endsOf(this.#handle);
  }

  get readEnded(): boolean {
    return this.#readEnded;
  }

  get truncated(): boolean {
    return false;
  }

  attach(owner: TransportOwner): void {
    this.#owner = owner;
    const handle = this.#handle as WiredHandle;
    handle[TRANSPORT] = this;
    handle.onread = HandleTransport.onRead as StreamHandle['onread'];
    handle.useUserBuffer(this.#buffer);
    this.resume();
  }

  detach(rest: Buffer | null): void {
    this.pause();
    this.#owner = null;
    this.#first = rest;
  }

  /** Passes on bytes that were read before, not within the call that attaches an owner. */
  readFirst(): void {
    const first = this.#first;
    if (first === null || !this.#isReading) return;
    this.#first = null;
    this.readAnew();
    if (!this.destroyed) this.#owner?.received(first);
  }

  openWriter(): SocketWriter {
    return new HandleWriter(this.#handle, this, this.#owner as TransportOwner);
  }

  pause(): void {
    if (this.destroyed || !this.#isReading) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (!this.#readEnded && !this.#isReading) this.readAnew();
  }

  readAnew(): void {
    if (this.destroyed) return;
    this.#isReading = true;
    if (this.#first !== null) {
      setImmediate(readFirst, this);
      return;
    }
    const status = this.#handle.readStart();
    if (status !== 0) this.#fail(status);
  }

  end(): void {
    if (this.destroyed) return;
    const request = new (streamBinding as StreamBinding).ShutdownWrap() as ShutdownRequest;
    request.oncomplete = onShutdown;
    request.transport = this;
    // The peer may be gone already, which reading will show.
    if (this.#handle.shutdown(request) !== 0) this.ended();
  }

  close(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#handle.close(onClosed);
  }

  reset(): void {
    if (this.destroyed) return;
    if (this.#handle.reset === undefined) {
      this.destroy();
    } else {
      this.destroyed = true;
      this.#handle.reset(onClosed);
    }
  }

  probePeer(idleMs: number): void {
    if (!this.destroyed) this.#handle.setKeepAlive?.(true, Math.round(idleMs / 1000));
  }

  // Called by the handle.

  /** Called by a handle for every read; returns the buffer for the next one if it is a different one. */
  static readonly onRead = function (this: WiredHandle): Buffer | undefined {
    const transport = this[TRANSPORT];
    if (transport.destroyed) return undefined;
    const owner = transport.#owner as TransportOwner;
    const { streamBaseState, kReadBytesOrError } = streamBinding as StreamBinding;
    const length = streamBaseState[kReadBytesOrError] as number;
    if (length > 0) {
      const next = owner.read(length, transport.#buffer);
      if (next !== undefined) transport.#buffer = next;
      return next;
    }
    if (length === UV_EOF) transport.#onEnd(owner);
    else if (length < 0) transport.#fail(length);
    return undefined;
  };

  #onEnd(owner: TransportOwner): void {
    const wasReading = this.#isReading;
    this.#isReading = false;
    // When reading starts again, the end is reported again.
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.noteEnd(wasReading);
    owner.peerEnded();
    this.#closeIfOver();
  }

  /** The peer has ended. `wasReading`: reading was not paused. */
  protected noteEnd(_wasReading: boolean): void {}

  #fail(status: number): void {
    this.fail(systemError(status, 'read'));
  }

  protected fail(error: NodeJS.ErrnoException): void {
    this.#owner?.failed(error);
    this.destroy();
  }

  /** The FIN is sent. */
  ended(): void {
    this.#writeEnded = true;
    this.#closeIfOver();
  }

  #closeIfOver(): void {
    if (this.#readEnded && this.#writeEnded) this.destroy();
  }

  closed(): void {
    this.#owner?.gone();
  }
}

function readFirst(transport: HandleTransport): void {
  transport.readFirst();
}

function onShutdown(this: ShutdownRequest): void {
  this.transport.ended();
}

function onClosed(this: WiredHandle): void {
  this[TRANSPORT].closed();
}

/** A write request for libuv. `oncomplete` is called only for a write that did not complete at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  writer: HandleWriter | null;
  /** Keeps the bytes of an unfinished write alive. */
  bytes: Buffer | null;
}

/** Holds a text while it is written before bytes. */
const textBuffer = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Writes to the handle below a socket. Writing through Node's stream costs a request object, a dozen calls and a tick per
 * write, and most of the garbage of a small request; here one request object is reused while writes complete at once, as
 * nearly all do.
 */
export class HandleWriter implements SocketWriter {
  readonly #handle: StreamHandle;
  readonly #transport: { readonly destroyed: boolean };
  readonly #owner: SocketWriterOwner;
  /** Writes that have not completed yet. */
  #unfinished = 0;
  #broken = false;

  /** Only if there is a `streamBinding`. */
  constructor(handle: StreamHandle, transport: { readonly destroyed: boolean }, owner: SocketWriterOwner) {
    this.#handle = handle;
    this.#transport = transport;
    this.#owner = owner;
  }

  /** Bytes pending when the socket was destroyed are dropped. */
  get pending(): number {
    // The handle is read only if something may be pending: a call into Node is not free.
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
   * libuv can only be given bytes to keep, so this writes directly to the file descriptor of the socket, which does not
   * block. With a buffer for each stream instead, which no other stream overwrites, a body of 100 KiB cost 1.15 times as
   * much.
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
      // Full or broken: the next write shows which.
      return 0;
    }
  }

  #written(request: WriteRequest, bytes: Buffer | null, status: number): void {
    // The queue's size is no measure: bytes that libuv could not write at the first try may be written at the second,
    // within the same call, and still be completed later. Reusing such a request for another write aborts the process.
    const { streamBaseState, kLastWriteWasAsync } = streamBinding as StreamBinding;
    if (streamBaseState[kLastWriteWasAsync] !== 0) {
      this.#unfinished++;
      request.writer = this;
      request.bytes = bytes;
      spare = null;
    }
    if (status !== 0) this.#fail(status);
  }

  /** An unfinished write has completed or failed. */
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
