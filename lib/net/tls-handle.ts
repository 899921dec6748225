import type { SecureContext } from 'node:tls';
import type { StreamHandle } from './stream-binding.js';

/**
 * What lies below Node's TLS sockets: a stream of libuv that encrypts what it writes to another one. Not documented, like
 * everything in `stream-binding.ts`, and the same in Node 20, 22, 24 and 26.
 */
export interface TlsHandle extends StreamHandle {
  /** Begins the handshake as a client. */
  start(): void;
  /** The name for SNI (RFC 6066, 3). */
  setServername(name: string): void;
  /** The session to resume, as passed to `onnewsession`. */
  setSession(session: Buffer): void;
  /** Each name after its length (RFC 7301, 3.1). */
  setALPNProtocols(protocols: Buffer): void;
  /** From now on `onnewsession` is called. */
  enableSessionCallbacks(): void;
  isSessionReused(): boolean;
  /** The fault of the peer's certificate; null or undefined when there is none. */
  verifyError(): NodeJS.ErrnoException | null | undefined;
  /** `raw`: as DER. With `false`, without the issuers' certificates. */
  getPeerCertificate(withIssuers: boolean): { readonly raw?: Buffer } | undefined;
  /** For a server: takes bytes as if they had been read from the stream below. */
  receive(bytes: Buffer): void;
  /** For a server: asks for a client certificate; `isRequired`: a client without one fails in its handshake. */
  setVerifyMode(isAsked: boolean, isRequired: boolean): void;
  /** For a server: the response to staple (RFC 6066, 8). */
  setOCSPResponse(response: Buffer): void;
  getCipher(): { readonly standardName: string; readonly version: string };
  getProtocol(): string | null;
  getALPNNegotiatedProtocol(): string | false | undefined;
  /** Releases the memory of the connection. The stream below is not affected. */
  destroySSL(): void;
  onhandshakestart: (this: TlsHandle) => void;
  onhandshakedone: (this: TlsHandle) => void;
  /** A TLS error: an alert of the peer, or bytes that are not TLS. */
  onerror: (this: TlsHandle, error: NodeJS.ErrnoException) => void;
  onnewsession?: (this: TlsHandle, id: Buffer, session: Buffer) => void;
  /** The stream that carries the encrypted bytes: used for what TLS does not know, such as the peer's address. */
  _parent: CarrierHandle;
}

/** The stream below a `TlsHandle`. */
export type CarrierHandle = StreamHandle & { [ABOVE]?: ClosingTls };
type ClosingTls = TlsHandle & { [DONE]?: (() => void) | undefined };

const ABOVE = Symbol('above');
const DONE = Symbol('done');

interface TlsBinding {
  wrap(below: StreamHandle, context: unknown, isServer: boolean, hasActiveWrite: boolean): TlsHandle;
}

const METHODS = ['start', 'setServername', 'setSession', 'setALPNProtocols', 'enableSessionCallbacks']
  .concat(['isSessionReused', 'verifyError', 'getPeerCertificate', 'destroySSL', 'receive'])
  .concat(['setVerifyMode', 'setOCSPResponse', 'getCipher', 'getProtocol', 'getALPNNegotiatedProtocol'])
  .concat([
    'useUserBuffer',
    'readStart',
    'readStop',
    'writeLatin1String',
    'writeBuffer',
    'writev',
    'shutdown',
  ]);

let tlsBinding: TlsBinding | null | undefined;

/** Does Node have what TLS needs without Node's sockets? Only after `loadBindings` has found the rest. */
export function hasTlsHandles(): boolean {
  tlsBinding ??= findBinding();
  return tlsBinding !== null;
}

function findBinding(): TlsBinding | null {
  try {
    const found = (
      process as unknown as { binding(name: string): Partial<TlsBinding> & { TLSWrap?: unknown } }
    ).binding('tls_wrap');
    const { TLSWrap, wrap } = found;
    if (typeof TLSWrap !== 'function' || typeof wrap !== 'function') return null;
    const methods = TLSWrap.prototype as Record<string, unknown>;
    return METHODS.every((method) => typeof methods[method] === 'function') ? (found as TlsBinding) : null;
  } catch {
    return null;
  }
}

/**
 * TLS over a connected stream, which it owns from now on: `close` and `reset` close both, and call back with the TLS
 * handle as `this`, like those of TCP. Only if `hasTlsHandles`.
 */
export function wrapTls(below: StreamHandle, context: SecureContext, isServer: boolean): TlsHandle {
  const handle = (tlsBinding as TlsBinding).wrap(below, context.context, isServer, false);
  // Bytes that arrive after TLS was destroyed come here; without a function the process would abort.
  below.onread = onReadBelow;
  handle._parent = below;
  // It must not be collected while the stream below is open.
  (below as CarrierHandle)[ABOVE] = handle;
  handle.onhandshakestart = nothing;
  handle.onhandshakedone = nothing;
  handle.onerror = nothing;
  handle.close = closeBoth;
  if (below.reset !== undefined) handle.reset = resetBoth;
  return handle;
}

function onReadBelow(): undefined {}

function nothing(): void {}

function closeBoth(this: TlsHandle, done?: () => void): void {
  (this as ClosingTls)[DONE] = done;
  this._parent[ABOVE] = this;
  this._parent.close(onClosedBelow);
}

function resetBoth(this: TlsHandle, done: () => void): number {
  (this as ClosingTls)[DONE] = done;
  this._parent[ABOVE] = this;
  return this._parent.reset?.(onClosedBelow) ?? 0;
}

function onClosedBelow(this: CarrierHandle): void {
  const handle = this[ABOVE] as ClosingTls;
  // Ends the queued writes, which would keep the handle alive.
  handle.destroySSL();
  handle[DONE]?.call(handle);
}
