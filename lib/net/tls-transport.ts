import { HandleTransport } from './handle-transport.js';
import { type StreamBinding, streamBinding } from './stream-binding.js';
import { explainTlsError } from './tls-failure.js';
import type { TlsHandle } from './tls-handle.js';
import type { TransportOwner } from './transport.js';

const TRANSPORT = Symbol('transport');
type WiredTls = TlsHandle & { [TRANSPORT]: TlsTransport };

/** A TLS connection whose handshake is over, without Node's sockets. */
export class TlsTransport extends HandleTransport {
  readonly #handle: TlsHandle;
  #truncated = false;
  /** Were we the ones who said that nothing more follows, or is there nobody to say it to? */
  #isSilent = false;

  constructor(handle: TlsHandle) {
    super(handle);
    this.#handle = handle;
  }

  override get truncated(): boolean {
    return this.#truncated;
  }

  override attach(owner: TransportOwner): void {
    (this.#handle as WiredTls)[TRANSPORT] = this;
    this.#handle.onerror = onTlsError;
    super.attach(owner);
  }

  override end(): void {
    this.#isSilent = true;
    super.end();
  }

  /** The peer is told before (RFC 8446, 6.1), so that it takes what it has for the whole. */
  override destroy(): void {
    if (!this.destroyed && !this.#isSilent) {
      this.#isSilent = true;
      const request = new (streamBinding as StreamBinding).ShutdownWrap() as { oncomplete(): void };
      request.oncomplete = nothing;
      this.#handle.shutdown(request);
    }
    super.destroy();
  }

  override reset(): void {
    this.#isSilent = true;
    super.reset();
  }

  /**
   * TLS says the same of both kinds of an end. When the stream below has ended, it is read no longer, and can be read
   * anew; when the peer has said that it ends, it is still being read, which libuv tells as an error.
   */
  protected override noteEnd(wasReading: boolean): void {
    const below = this.#handle._parent;
    this.#truncated = wasReading && below.readStart() === 0;
    below.readStop();
  }

  protected override fail(error: NodeJS.ErrnoException): void {
    this.#isSilent = true;
    super.fail(error);
  }

  tlsFailed(error: NodeJS.ErrnoException): void {
    if (!this.destroyed) this.fail(explainTlsError(error));
  }
}

function nothing(): void {}

function onTlsError(this: TlsHandle, error: NodeJS.ErrnoException): void {
  (this as WiredTls)[TRANSPORT].tlsFailed(error);
}
