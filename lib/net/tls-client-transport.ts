import type { StreamHandle } from './stream-binding.js';
import { type TlsHandle, wrapTls } from './tls-handle.js';
import { TlsTransport } from './tls-transport.js';
import type { SecuredTransport, ServerHandshakeListener, TlsServerOptions, TlsSession } from './transport.js';

type HandshakingHandle = TlsHandle & { [SELF]: TlsClientTransport };
const SELF = Symbol('client transport');

/**
 * A client's connection over TLS, from its handshake on. It avoids the two streams that Node puts around the handles: a
 * new connection costs two thirds of one with `tls.TLSSocket`.
 */
export class TlsClientTransport extends TlsTransport implements SecuredTransport {
  /** Null after the handshake. */
  #listener: ServerHandshakeListener | null;
  #hasBegun = false;

  /** Only if `hasTlsHandles`. */
  constructor(below: StreamHandle, { choice, protocols, first, listener }: TlsServerOptions) {
    const handle = wrapTls(below, choice.context, true);
    super(handle, true);
    this.#listener = listener;
    (handle as HandshakingHandle)[SELF] = this;
    handle.onhandshakedone = onDone;
    if (protocols.length > 0) handle.setALPNProtocols(wireProtocols(protocols));
    if (choice.clientAuth !== 'none') handle.setVerifyMode(true, choice.clientAuth === 'require');
    if (choice.ocsp !== null) handle.setOCSPResponse(choice.ocsp);
    handle.receive(first);
    if (this.destroyed) return;
    const status = handle.readStart();
    if (status !== 0) this.fail(new Error('the socket cannot be read'));
  }

  get session(): TlsSession {
    return new HandleSession(this.handle);
  }

  onDone(): void {
    const listener = this.#listener;
    if (listener === null || this.destroyed) return;
    this.#listener = null;
    listener.onSecured();
  }

  override onHandshakeStart(): void {
    if (this.#hasBegun) super.onHandshakeStart();
    this.#hasBegun = true;
  }

  override onTlsError(error: NodeJS.ErrnoException): void {
    if (!this.destroyed) this.fail(error);
  }

  protected override onEof(): void {
    if (this.#listener === null) super.onEof();
    else this.#unsecured(null);
  }

  /** Without close_notify it is no half-close: the client is gone, or cut off. */
  protected override peerEnded(): void {
    if (this.truncated) this.fail(Object.assign(new Error('no close_notify'), { code: 'TRUNCATED' }));
    else super.peerEnded();
  }

  protected override fail(error: NodeJS.ErrnoException): void {
    if (this.#listener === null) super.fail(error);
    else this.#unsecured(error);
  }

  /** `error` is null when the client left during the handshake. */
  #unsecured(error: NodeJS.ErrnoException | null): void {
    const listener = this.#listener;
    this.#listener = null;
    this.destroy();
    listener?.onUnsecured(error);
  }
}

function onDone(this: TlsHandle): void {
  (this as HandshakingHandle)[SELF].onDone();
}

/** In wire format: each with its length before it. There are few such lists. */
const wireLists = new WeakMap<readonly string[], Buffer>();

function wireProtocols(protocols: readonly string[]): Buffer {
  let wire = wireLists.get(protocols);
  if (wire === undefined) {
    wire = Buffer.concat(protocols.flatMap((name) => [Buffer.of(name.length), Buffer.from(name, 'latin1')]));
    wireLists.set(protocols, wire);
  }
  return wire;
}

/** Each is asked of OpenSSL when it is wanted: most connections have no certificate of a client. */
class HandleSession implements TlsSession {
  readonly #handle: TlsHandle;

  constructor(handle: TlsHandle) {
    this.#handle = handle;
  }

  get version(): string {
    return this.#handle.getProtocol() ?? '';
  }

  get cipher(): string {
    return this.#handle.getCipher().standardName;
  }

  get resumed(): boolean {
    return this.#handle.isSessionReused();
  }

  get alpn(): string | null {
    const alpn = this.#handle.getALPNNegotiatedProtocol();
    return typeof alpn === 'string' ? alpn : null;
  }

  get peerCertificate(): Buffer | null {
    return this.#handle.getPeerCertificate(false)?.raw ?? null;
  }

  get verifyError(): string {
    const error = this.#handle.verifyError();
    return error == null ? '' : (error.code ?? error.message);
  }
}
