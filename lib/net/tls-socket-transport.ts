import * as net from 'node:net';
import * as tls from 'node:tls';
import { SocketTransport } from './socket-transport.js';
import type { TlsChoice } from './tls-terms.js';
import type { SecuredTransport, ServerHandshakeListener, TlsServerOptions, TlsSession } from './transport.js';

const TRANSPORT = Symbol('tls transport');
type WiredTls = tls.TLSSocket & { [TRANSPORT]: TlsSocketTransport };

/** TLS over one of Node's sockets, as a server, by `tls.TLSSocket`: the documented mode. */
export class TlsSocketTransport extends SocketTransport implements SecuredTransport {
  readonly #tls: tls.TLSSocket;
  /** Null after the handshake. */
  #listener: ServerHandshakeListener | null;
  #error: NodeJS.ErrnoException | null = null;

  constructor(raw: net.Socket, { choice, protocols, first, listener }: TlsServerOptions) {
    // Node passes the bytes that are readable already to OpenSSL.
    raw.unshift(first);
    const socket = new tls.TLSSocket(raw, {
      isServer: true,
      secureContext: choice.context,
      requestCert: choice.clientAuth !== 'none',
      rejectUnauthorized: choice.clientAuth === 'require',
      ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
      ...(choice.ocsp === null ? {} : staplingOf(choice)),
    });
    super(socket, 'events');
    this.#tls = socket;
    this.#listener = listener;
    (socket as WiredTls)[TRANSPORT] = this;
    // A renegotiation costs the client a tenth of what it costs us, and is not needed (RFC 9325, 3.5).
    socket.disableRenegotiation();
    socket.on('secure', onSecure);
    // After the handshake, errors are reported by this event when the socket was not made by a `tls.Server`.
    socket.on('_tlsError', onTlsError);
    socket.on('error', onError);
    socket.on('end', onEnd);
    socket.on('close', onClose);
    // Before the handshake is done only an end can be read.
    socket.resume();
  }

  get session(): TlsSession {
    return new SocketSession(this.#tls);
  }

  override close(): void {
    const socket = this.#tls;
    if (socket.writableFinished) socket.destroy();
    else if (socket.writableEnded) socket.once('finish', destroySocket);
    else socket.end(destroySocket.bind(socket));
  }

  /** Resetting the socket below sometimes crashes the process. Without close_notify the peer notices the cut anyway. */
  override reset(): void {
    this.#tls.destroy();
  }

  // Called by the socket.

  onSecured(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onSecured();
  }

  onTlsError(error: NodeJS.ErrnoException): void {
    this.#error ??= error;
    this.#tls.destroy(this.#listener === null ? error : undefined);
  }

  onError(error: NodeJS.ErrnoException): void {
    this.#error ??= error;
  }

  /** The peer left. */
  onEnd(): void {
    if (this.#listener !== null) this.#tls.destroy();
  }

  onClosed(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onUnsecured(this.#error);
  }
}

function onSecure(this: WiredTls): void {
  this[TRANSPORT].onSecured();
}

function onTlsError(this: WiredTls, error: NodeJS.ErrnoException): void {
  this[TRANSPORT].onTlsError(error);
}

function onError(this: WiredTls, error: NodeJS.ErrnoException): void {
  this[TRANSPORT].onError(error);
}

function onEnd(this: WiredTls): void {
  this[TRANSPORT].onEnd();
}

function onClose(this: WiredTls): void {
  this[TRANSPORT].onClosed();
}

function destroySocket(this: net.Socket): void {
  this.destroy();
}

/** Node staples what a listener of a server returns; one server for each choice, which never listens. */
const staplers = new WeakMap<TlsChoice, net.Server>();

function staplingOf(choice: TlsChoice): tls.TLSSocketOptions {
  let server = staplers.get(choice);
  if (server === undefined) {
    server = new net.Server();
    server.on('OCSPRequest', (_certificate, _issuer, done: (error: null, response: Buffer | null) => void) =>
      done(null, choice.ocsp),
    );
    staplers.set(choice, server);
  }
  return { server, SNICallback: (_name, done) => done(null, choice.context) };
}

/** For the peer's certificate; `ssl` is not documented, and without it no certificate counts as valid. */
interface Verifier {
  readonly ssl?: { verifyError?(): NodeJS.ErrnoException | null | undefined };
}

class SocketSession implements TlsSession {
  readonly version: string;
  readonly cipher: string;
  readonly resumed: boolean;
  readonly alpn: string | null;
  readonly peerCertificate: Buffer | null;
  readonly verifyError: string;

  constructor(socket: tls.TLSSocket) {
    const { standardName, version } = socket.getCipher();
    this.version = socket.getProtocol() ?? version;
    this.cipher = standardName;
    this.resumed = socket.isSessionReused();
    this.alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
    this.peerCertificate = socket.getPeerX509Certificate()?.raw ?? null;
    this.verifyError = verifyErrorOf(socket as unknown as Verifier);
  }
}

function verifyErrorOf({ ssl }: Verifier): string {
  if (typeof ssl?.verifyError !== 'function') return 'UNABLE_TO_VERIFY';
  const error = ssl.verifyError();
  return error == null ? '' : (error.code ?? error.message);
}
