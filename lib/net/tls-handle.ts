import type { SecureContext } from 'node:tls';
import type { StreamHandle } from './stream-binding.js';

/**
 * What lies below Node's TLS sockets: a stream of libuv's that encrypts what it writes to another one. Not documented, as
 * the rest of what `stream-binding.ts` describes, and the same in Node 20, 22, 24 and 26.
 */
export interface TlsHandle extends StreamHandle {
  /** Begins the handshake of a client. */
  start(): void;
  /** The name that is sent (RFC 6066, 3). */
  setServername(name: string): void;
  /** The session that is resumed, as `onnewsession` had it. */
  setSession(session: Buffer): void;
  /** Each name with its length in front (RFC 7301, 3.1). */
  setALPNProtocols(protocols: Buffer): void;
  /** From then on `onnewsession` is called. */
  enableSessionCallbacks(): void;
  isSessionReused(): boolean;
  /** What is wrong with the certificate that the peer showed; null or undefined when nothing is. */
  verifyError(): NodeJS.ErrnoException | null | undefined;
  /** `raw`: as DER. With `false`, without the certificates that it is signed with. */
  getPeerCertificate(withIssuers: boolean): { readonly raw?: Buffer } | undefined;
  /** Of a server: takes bytes as if they had been read from the stream below. */
  receive(bytes: Buffer): void;
  /** Of a server: asks for a certificate of the client; `isRequired`: one without any fails in its handshake. */
  setVerifyMode(isAsked: boolean, isRequired: boolean): void;
  /** Of a server: to be stapled (RFC 6066, 8). */
  setOCSPResponse(response: Buffer): void;
  getCipher(): { readonly standardName: string; readonly version: string };
  getProtocol(): string | null;
  getALPNNegotiatedProtocol(): string | false | undefined;
  /** Gives back the memory of the connection. What is below is left alone. */
  destroySSL(): void;
  onhandshakestart: (this: TlsHandle) => void;
  onhandshakedone: (this: TlsHandle) => void;
  /** An error of TLS: an alert that the peer sent, or what is no TLS. */
  onerror: (this: TlsHandle, error: NodeJS.ErrnoException) => void;
  onnewsession?: (this: TlsHandle, id: Buffer, session: Buffer) => void;
  /** The stream that carries the encrypted bytes: what TLS does not know, such as the peer's address, is asked there. */
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

/** Is there what TLS needs without Node's sockets? To be asked only after `loadBindings` has found the rest. */
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
 * TLS over a connected stream, which it owns from then on: `close` and `reset` close both, and call back with the handle of
 * TLS as `this`, as those of TCP do. Only where `hasTlsHandles`.
 */
export function wrapTls(below: StreamHandle, context: SecureContext, isServer: boolean): TlsHandle {
  const handle = (tlsBinding as TlsBinding).wrap(below, context.context, isServer, false);
  // A byte that comes when TLS is destroyed already goes here; without a function the process would abort.
  below.onread = onReadBelow;
  handle._parent = below;
  handle.onhandshakestart = nothing;
  handle.onhandshakedone = nothing;
  handle.onerror = nothing;
  handle.close = closeBoth;
  if (below.reset !== undefined) handle.reset = resetBoth;
  // Its own shows the file of the stream below: what is written there goes out in clear text, past TLS.
  Object.defineProperty(handle, 'fd', NO_FILE);
  return handle;
}

const NO_FILE = { value: -1 };

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
  // Ends the writes that are still queued, which would keep it alive.
  handle.destroySSL();
  handle[DONE]?.call(handle);
}
