import { sharedReadBuffer } from './read-buffer.js';
import { HandleWriter, type SocketWriter } from './socket-writer.js';
import {
  peerAddress,
  type StreamBinding,
  type StreamHandle,
  streamBinding,
  systemError,
} from './stream-binding.js';
import type { Transport, TransportOwner } from './transport.js';

/** libuv's end of file. */
const UV_EOF = -4095;

const TRANSPORT = Symbol('transport');
type WiredHandle = StreamHandle & { [TRANSPORT]: HandleTransport };

/** A FIN in the terms of libuv. */
interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest) => void;
  transport: HandleTransport;
}

/**
 * A socket without Node's stream around it: a connection that is accepted, asks once and is closed takes a quarter
 * less time in user space. Reads go into the buffers that the owner names, the shared one first.
 */
export class HandleTransport implements Transport {
  readonly #handle: StreamHandle;
  #owner: TransportOwner | null = null;
  /** Where the next read goes; libuv knows only its address. */
  #buffer: Buffer = sharedReadBuffer;
  #isReading = false;
  #readEnded = false;
  #writeEnded = false;
  /** Changed by itself alone. */
  destroyed = false;

  /** Only where there is a `streamBinding`. */
  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  get remoteAddress(): string {
    return peerAddress(this.#handle);
  }

  get readEnded(): boolean {
    return this.#readEnded;
  }

  attach(owner: TransportOwner): void {
    this.#owner = owner;
    const handle = this.#handle as WiredHandle;
    handle[TRANSPORT] = this;
    handle.onread = HandleTransport.onRead as StreamHandle['onread'];
    handle.useUserBuffer(this.#buffer);
    this.resume();
  }

  openOutlet(): SocketWriter {
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
    const status = this.#handle.readStart();
    if (status !== 0) this.#fail(status);
  }

  end(): void {
    if (this.destroyed) return;
    const request = new (streamBinding as StreamBinding).ShutdownWrap() as ShutdownRequest;
    request.oncomplete = onShutdown;
    request.transport = this;
    // The peer may be gone already, which reading tells.
    if (this.#handle.shutdown(request) !== 0) this.ended();
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

  // From the handle.

  /** Called by a handle for every read; returns the buffer for the next one if that is another. */
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
    this.#isReading = false;
    // Read anew, it ends anew.
    if (this.#readEnded) return;
    this.#readEnded = true;
    owner.peerEnded();
    this.#closeIfOver();
  }

  #fail(status: number): void {
    this.#owner?.failed(systemError(status, 'read'));
    this.destroy();
  }

  /** The FIN is out. */
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

function onShutdown(this: ShutdownRequest): void {
  this.transport.ended();
}

function onClosed(this: WiredHandle): void {
  this[TRANSPORT].closed();
}
