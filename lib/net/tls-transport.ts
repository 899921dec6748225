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
import { explainTlsError } from './tls-failure.js';
import type { TlsHandle } from './tls-handle.js';
import { TlsWriter } from './tls-writer.js';
import type { SocketWriter, Transport, TransportOwner } from './transport.js';

/** libuv's end of file. */
const UV_EOF = -4095;

const TRANSPORT = Symbol('transport');
type WiredTls = TlsHandle & { [TRANSPORT]: TlsTransport };

interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest) => void;
  transport: TlsTransport | null;
}

/**
 * A TLS connection without Node's sockets, after its handshake.
 *
 * The TLS handle may deliver more than requested: what it has decrypted of one read of the socket, it passes on in pieces
 * of 16 KiB, even if reading was stopped after the first. Such pieces, at most 64 KiB, are kept until reading continues.
 */
export class TlsTransport implements Transport {
  protected readonly handle: TlsHandle;
  protected owner: TransportOwner | null = null;
  #writer: TlsWriter | null = null;
  #isReading: boolean;
  /** Is the handle being read? */
  #isStarted: boolean;
  /** Pieces that arrived while reading was stopped. */
  #kept: Buffer[] | null = null;
  /** Has the peer ended? Reported after the kept pieces. */
  #isEndKept = false;
  #readEnded = false;
  #truncated = false;
  /** no: not requested. wanted: it follows the current write. done: close_notify and FIN are sent. */
  #writeEnd: 'no' | 'wanted' | 'done' = 'no';
  /** Close both directions once our end is sent? */
  #closes = false;
  /** Changed only by this class. */
  destroyed = false;

  /** `isReading`: the handle is being read already. */
  constructor(handle: TlsHandle, isReading = false) {
    this.handle = handle;
    this.#isReading = isReading;
    this.#isStarted = isReading;
    (handle as WiredTls)[TRANSPORT] = this;
    handle.onread = onRead as StreamHandle['onread'];
    handle.onhandshakestart = onHandshakeStart;
    handle.onerror = onError;
    handle.useUserBuffer(sharedReadBuffer);
  }

  get ends(): ConnectionEnds {
    return endsOf(this.handle._parent);
  }

  get remoteAddress(): string {
    return peerAddress(this.handle._parent);
  }

  get readEnded(): boolean {
    return this.#readEnded;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  attach(owner: TransportOwner): void {
    this.owner = owner;
    if (this.#kept !== null || this.#isEndKept) setImmediate(readKept, this);
    else this.resume();
  }

  openWriter(): SocketWriter {
    this.#writer = new TlsWriter(this.handle, this, this.owner as TransportOwner);
    return this.#writer;
  }

  pause(): void {
    if (this.destroyed || !this.#isReading) return;
    this.#isReading = false;
    this.#isStarted = false;
    this.handle.readStop();
  }

  resume(): void {
    if (!this.#readEnded && !this.#isReading) this.readAnew();
  }

  readAnew(): void {
    if (this.destroyed) return;
    this.#isReading = true;
    if (this.#kept !== null || this.#isEndKept) setImmediate(readKept, this);
    else this.#start();
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const status = this.handle.readStart();
    if (status !== 0) this.fail(systemError(status, 'read'));
  }

  /** Called after the call that resumed, like a read. */
  readKept(): void {
    while (this.#isReading && !this.destroyed && this.#kept !== null) {
      const piece = this.#kept.shift() as Buffer;
      if (this.#kept.length === 0) this.#kept = null;
      this.owner?.received(piece);
    }
    if (!this.#isReading || this.destroyed) return;
    if (this.#isEndKept) this.#onEnd();
    else this.#start();
  }

  end(): void {
    if (this.destroyed || this.#writeEnd !== 'no') return;
    this.#writeEnd = 'wanted';
    // Bytes that OpenSSL sent itself, such as tickets, are being written until the end of the tick.
    if (this.#writer === null) setImmediate(shutDown, this);
    else this.shutDown();
  }

  /** Sends close_notify and FIN after everything that was written: called again when the kernel has taken that. */
  shutDown(): void {
    if (this.destroyed || this.#writeEnd !== 'wanted' || this.#writer?.isBusy === true) return;
    // The peer may be gone already, which reading will show.
    if (!this.sendEnd(this)) this.endIsOut();
  }

  /** False: the end can't be sent. */
  protected sendEnd(transport: TlsTransport | null): boolean {
    this.#writeEnd = 'done';
    const request = new (streamBinding as StreamBinding).ShutdownWrap() as ShutdownRequest;
    request.oncomplete = onShutdown;
    request.transport = transport;
    return this.handle.shutdown(request) === 0;
  }

  /** Has the end not been sent, and is nothing being written? */
  protected get maySendEnd(): boolean {
    return this.#writeEnd === 'no' && this.#writer?.isBusy !== true;
  }

  endIsOut(): void {
    if (this.#closes || this.#readEnded) this.destroy();
  }

  close(): void {
    if (this.destroyed) return;
    this.#closes = true;
    if (this.#writeEnd === 'no') this.end();
    else if (this.#writeEnd === 'done' && this.#writer?.isBusy !== true) this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#kept = null;
    this.handle.close(onClosed);
  }

  reset(): void {
    if (this.handle.reset === undefined || this.destroyed) {
      this.destroy();
    } else {
      this.destroyed = true;
      this.#kept = null;
      this.handle.reset(onClosed);
    }
  }

  probePeer(idleMs: number): void {
    if (!this.destroyed) this.handle._parent.setKeepAlive?.(true, Math.round(idleMs / 1000));
  }

  // Called by the handle.

  onRead(length: number): void {
    if (this.destroyed) return;
    if (length > 0) this.#onBytes(length);
    else if (length === UV_EOF) this.onEof();
    else if (length < 0) this.fail(systemError(length, 'read'));
  }

  #onBytes(length: number): void {
    if (this.#isReading && this.#kept === null && this.owner !== null) {
      // TLS has no pieces above 16 KiB: it keeps using the shared buffer.
      this.owner.read(length, sharedReadBuffer);
      return;
    }
    this.#kept ??= [];
    this.#kept.push(Buffer.from(sharedReadBuffer.subarray(0, length)));
  }

  protected onEof(): void {
    if (this.#readEnded || this.#isEndKept) return;
    this.#truncated = isBelowOver(this.handle._parent);
    if (this.#isReading && this.#kept === null && this.owner !== null) this.#onEnd();
    else this.#isEndKept = true;
  }

  #onEnd(): void {
    this.#isReading = false;
    this.#isStarted = false;
    this.#isEndKept = false;
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.peerEnded();
    if (this.destroyed) return;
    if (this.#writeEnd === 'done' && this.#writer?.isBusy !== true) this.destroy();
  }

  protected peerEnded(): void {
    this.owner?.peerEnded();
  }

  onHandshakeStart(): void {
    // A second handshake is a renegotiation: it costs a server ten times what it costs the client, and is not needed (RFC
    // 9325, 3.5).
    if (!this.destroyed) this.fail(Object.assign(new Error('renegotiation'), { code: 'RENEGOTIATION' }));
  }

  onTlsError(error: NodeJS.ErrnoException): void {
    if (!this.destroyed) this.fail(explainTlsError(error));
  }

  protected fail(error: NodeJS.ErrnoException): void {
    this.owner?.failed(error);
    this.destroy();
  }

  closed(): void {
    this.owner?.gone();
  }
}

/**
 * TLS reports both kinds of end alike. When the stream below has ended, it is not read any more, and reading can start again;
 * when the peer has sent close_notify, it is still being read, so that starting again is an error for libuv.
 */
function isBelowOver(below: StreamHandle): boolean {
  const isOver = below.readStart() === 0;
  below.readStop();
  return isOver;
}

function onRead(this: WiredTls): Buffer | undefined {
  const { streamBaseState, kReadBytesOrError } = streamBinding as StreamBinding;
  this[TRANSPORT].onRead(streamBaseState[kReadBytesOrError] as number);
  return undefined;
}

function onHandshakeStart(this: TlsHandle): void {
  (this as WiredTls)[TRANSPORT].onHandshakeStart();
}

function onError(this: TlsHandle, error: Error): void {
  (this as WiredTls)[TRANSPORT].onTlsError(error);
}

function readKept(transport: TlsTransport): void {
  transport.readKept();
}

function shutDown(transport: TlsTransport): void {
  transport.shutDown();
}

function onShutdown(this: ShutdownRequest): void {
  this.transport?.endIsOut();
}

function onClosed(this: StreamHandle): void {
  (this as unknown as WiredTls)[TRANSPORT].closed();
}

/** A TLS connection to a server. */
export class TlsServerConnection extends TlsTransport {
  /** Sends close_notify first (RFC 8446, 6.1), so that the server does not take the end for an attack. */
  override destroy(): void {
    if (!this.destroyed && this.maySendEnd) this.sendEnd(null);
    super.destroy();
  }

  override reset(): void {
    // Nothing is sent before a reset.
    if (this.handle.reset === undefined) super.destroy();
    else super.reset();
  }

  protected override fail(error: NodeJS.ErrnoException): void {
    this.owner?.failed(error);
    super.destroy();
  }
}
