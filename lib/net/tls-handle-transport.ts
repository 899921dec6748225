import type { ConnectionEnds } from '../base/connection-ends.js';
import { sharedReadBuffer } from './read-buffer.js';
import {
  endsOf,
  peerAddress,
  type StreamBinding,
  type StreamHandle,
  streamBinding,
  systemError,
  type TlsBinding,
  type TlsHandle,
  tlsBinding,
} from './stream-binding.js';
import { TlsWriter } from './tls-writer.js';
import type {
  HandshakeListener,
  SocketWriter,
  TlsServerOptions,
  TlsSession,
  TlsTransport,
  TransportOwner,
} from './transport.js';

/** libuv's end of file. */
const UV_EOF = -4095;

const TRANSPORT = Symbol('tls transport');
type WiredTcp = StreamHandle & { [TRANSPORT]: TlsHandleTransport };
type WiredTls = TlsHandle & { [TRANSPORT]: TlsHandleTransport };

interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest) => void;
  transport: TlsHandleTransport;
}

/**
 * TLS over the handle of a socket, as a server, by Node's `TLSWrap` without the two streams that Node puts around it: a new
 * connection costs two thirds of what it does with `tls.TLSSocket`.
 *
 * The handle of TLS tells more than asked for: what it has decrypted of one read of the socket, it passes on in pieces of 16 KiB
 * whether or not reading was stopped after the first. Such pieces are kept until reading goes on, 64 KiB at most.
 */
export class TlsHandleTransport implements TlsTransport {
  readonly #tcp: StreamHandle;
  readonly #tls: TlsHandle;
  /** Until the handshake is done. */
  #listener: HandshakeListener | null;
  /** From then on. */
  #owner: TransportOwner | null = null;
  #writer: TlsWriter | null = null;
  #isReading = true;
  /** Pieces that came while nothing was to be read. */
  #kept: Buffer[] | null = null;
  /** The peer has ended: after what is kept that is told. */
  #isEndKept = false;
  #readEnded = false;
  /** no: nothing was said of it. wanted: it follows what is being written. done: close_notify and FIN are out. */
  #writeEnd: 'no' | 'wanted' | 'done' = 'no';
  /** Both ways are closed when our end is out. */
  #closes = false;
  /** Changed by itself alone. */
  destroyed = false;

  /** Only where there is a `tlsBinding`. */
  constructor(tcp: StreamHandle, { choice, protocols, first, listener }: TlsServerOptions) {
    const { wrap } = tlsBinding as TlsBinding;
    this.#tcp = tcp;
    this.#listener = listener;
    (tcp as WiredTcp)[TRANSPORT] = this;
    // A read without it would end the process; none comes here as long as there is TLS above.
    tcp.onread = ignoreRead;
    const tls = wrap(tcp, choice.context.context, true, false) as WiredTls;
    this.#tls = tls;
    tls[TRANSPORT] = this;
    // What Node's own methods of the handle go by.
    tls._parent = tcp;
    tls.onread = onRead as StreamHandle['onread'];
    tls.onhandshakestart = onHandshakeStart;
    tls.onhandshakedone = onHandshakeDone;
    tls.onerror = onError;
    tls.useUserBuffer(sharedReadBuffer);
    if (protocols.length > 0) tls.setALPNProtocols(wireProtocols(protocols));
    if (choice.clientAuth !== 'none') tls.setVerifyMode(true, choice.clientAuth === 'require');
    if (choice.ocsp !== null) tls.setOCSPResponse(choice.ocsp);
    tls.receive(first);
    if (this.destroyed) return;
    const status = tls.readStart();
    if (status !== 0) this.#fail(systemError(status, 'read'));
  }

  get ends(): ConnectionEnds {
    return endsOf(this.#tcp);
  }

  get remoteAddress(): string {
    return peerAddress(this.#tcp);
  }

  get readEnded(): boolean {
    return this.#readEnded;
  }

  get session(): TlsSession {
    return new HandleSession(this.#tls);
  }

  attach(owner: TransportOwner): void {
    this.#owner = owner;
  }

  openWriter(): SocketWriter {
    this.#writer = new TlsWriter(this.#tls, this.#tcp, this, this.#owner as TransportOwner);
    return this.#writer;
  }

  pause(): void {
    if (this.destroyed || !this.#isReading) return;
    this.#isReading = false;
    this.#tls.readStop();
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
    const status = this.#tls.readStart();
    if (status !== 0) this.#fail(systemError(status, 'read'));
  }

  /** Later than the call that resumed, as a read would be. */
  readKept(): void {
    while (this.#isReading && !this.destroyed && this.#kept !== null) {
      const piece = this.#kept.shift() as Buffer;
      if (this.#kept.length === 0) this.#kept = null;
      this.#owner?.received(piece);
    }
    if (!this.#isReading || this.destroyed) return;
    if (this.#isEndKept) this.#onEnd();
    else this.#start();
  }

  end(): void {
    if (this.destroyed || this.#writeEnd !== 'no') return;
    this.#writeEnd = 'wanted';
    // What OpenSSL sent by itself, such as tickets, is being written until the end of the tick.
    if (this.#writer === null) setImmediate(shutDown, this);
    else this.shutDown();
  }

  /** The FIN follows the close_notify, and both what was written: called again when that is with the kernel. */
  shutDown(): void {
    if (this.destroyed || this.#writeEnd !== 'wanted' || this.#writer?.isBusy === true) return;
    this.#writeEnd = 'done';
    const request = new (streamBinding as StreamBinding).ShutdownWrap() as ShutdownRequest;
    request.oncomplete = onShutdown;
    request.transport = this;
    // The peer may be gone already, which reading tells.
    if (this.#tls.shutdown(request) !== 0) this.endIsOut();
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
    this.#tcp.close(onClosed);
  }

  reset(): void {
    if (this.destroyed) return;
    if (this.#tcp.reset === undefined) {
      this.destroy();
    } else {
      this.destroyed = true;
      this.#kept = null;
      this.#tcp.reset(onClosed);
    }
  }

  probePeer(idleMs: number): void {
    if (!this.destroyed) this.#tcp.setKeepAlive?.(true, Math.round(idleMs / 1000));
  }

  // From the handle.

  onRead(length: number): void {
    if (this.destroyed) return;
    if (length > 0) this.#onBytes(length);
    else if (length === UV_EOF) this.#onEof();
    else if (length < 0) this.#fail(systemError(length, 'read'));
  }

  #onBytes(length: number): void {
    if (this.#isReading && this.#kept === null && this.#owner !== null) {
      // It reads no larger pieces than TLS has, so that it stays with the shared buffer.
      this.#owner.read(length, sharedReadBuffer);
      return;
    }
    this.#kept ??= [];
    this.#kept.push(Buffer.from(sharedReadBuffer.subarray(0, length)));
  }

  #onEof(): void {
    if (this.#listener !== null) {
      this.#fail(null);
    } else if (!this.#isReading || this.#kept !== null) {
      this.#isEndKept = true;
    } else {
      this.#onEnd();
    }
  }

  #onEnd(): void {
    this.#isReading = false;
    this.#isEndKept = false;
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.#owner?.peerEnded();
    if (this.#writeEnd === 'done' && this.#writer?.isBusy !== true) this.destroy();
  }

  onHandshakeStart(): void {
    // A second one is a renegotiation: it costs us ten times what it costs the client, and nobody needs it (RFC 9325, 3.5).
    if (this.#listener === null && !this.destroyed)
      this.#fail(Object.assign(new Error('renegotiation'), { code: 'RENEGOTIATION' }));
  }

  onHandshakeDone(): void {
    const listener = this.#listener;
    if (listener === null || this.destroyed) return;
    this.#listener = null;
    listener.onSecured();
  }

  onError(error: NodeJS.ErrnoException): void {
    if (!this.destroyed) this.#fail(error);
  }

  /** `error` is null when the peer left in its handshake. */
  #fail(error: NodeJS.ErrnoException | null): void {
    const listener = this.#listener;
    this.#listener = null;
    if (listener === null && error !== null) this.#owner?.failed(error);
    this.destroy();
    listener?.onUnsecured(error);
  }

  closed(): void {
    this.#tls.destroySSL();
    this.#owner?.gone();
  }
}

function ignoreRead(): undefined {}

function onRead(this: WiredTls): Buffer | undefined {
  const { streamBaseState, kReadBytesOrError } = streamBinding as StreamBinding;
  this[TRANSPORT].onRead(streamBaseState[kReadBytesOrError] as number);
  return undefined;
}

function onHandshakeStart(this: TlsHandle): void {
  (this as WiredTls)[TRANSPORT].onHandshakeStart();
}

function onHandshakeDone(this: TlsHandle): void {
  (this as WiredTls)[TRANSPORT].onHandshakeDone();
}

function onError(this: TlsHandle, error: Error): void {
  (this as WiredTls)[TRANSPORT].onError(error);
}

function readKept(transport: TlsHandleTransport): void {
  transport.readKept();
}

function shutDown(transport: TlsHandleTransport): void {
  transport.shutDown();
}

function onShutdown(this: ShutdownRequest): void {
  this.transport.endIsOut();
}

function onClosed(this: WiredTcp): void {
  this[TRANSPORT].closed();
}

/** As they are sent: each with its length before it. The lists of listeners are few. */
const wireLists = new WeakMap<readonly string[], Buffer>();

function wireProtocols(protocols: readonly string[]): Buffer {
  let wire = wireLists.get(protocols);
  if (wire === undefined) {
    wire = Buffer.concat(protocols.flatMap((name) => [Buffer.of(name.length), Buffer.from(name, 'latin1')]));
    wireLists.set(protocols, wire);
  }
  return wire;
}

class HandleSession implements TlsSession {
  readonly version: string;
  readonly cipher: string;
  readonly resumed: boolean;
  readonly alpn: string | null;
  readonly peerCertificate: Buffer | null;
  readonly verifyError: string;

  constructor(tls: TlsHandle) {
    const { standardName, version } = tls.getCipher();
    const alpn = tls.getALPNNegotiatedProtocol();
    this.version = tls.getProtocol() ?? version;
    this.cipher = standardName;
    this.resumed = tls.isSessionReused();
    this.alpn = typeof alpn === 'string' ? alpn : null;
    this.peerCertificate = tls.getPeerCertificate(true)?.raw ?? null;
    const error = tls.verifyError();
    this.verifyError = error == null ? '' : (error.code ?? error.message);
  }
}
