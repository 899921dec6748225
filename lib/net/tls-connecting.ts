import { X509Certificate } from 'node:crypto';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { ServerTls } from './server-tls.js';
import { SocketTransport } from './socket-transport.js';
import { type StreamBinding, type StreamHandle, streamBinding, systemError } from './stream-binding.js';
import {
  certificateRefused,
  cutInHandshake,
  explainTlsError,
  type TlsError,
  wrongName,
} from './tls-failure.js';
import { type TlsHandle, wrapTls } from './tls-handle.js';
import { TlsServerConnection } from './tls-transport.js';
import type { Transport } from './transport.js';

/** Called once with the result of a handshake. */
export interface HandshakeListener {
  /** `handshake.transport()` must be taken at once: there is nothing to cancel any more. */
  onSecured(handshake: Handshake): void;
  /** The connection is closed. */
  onNotSecured(handshake: Handshake, error: TlsError): void;
}

/** The TLS handshake on one opened connection. */
export interface Handshake {
  transport(): Transport;
  /** Closes the connection; the listener is not called. */
  cancel(): void;
}

/** The only protocol used with servers, with its length before it (RFC 7301). */
const PROTOCOLS = Buffer.from('\x08http/1.1', 'latin1');
const PROTOCOL_NAMES = ['http/1.1'];

/** Common to both modes: the certificate is verified, and sessions are kept. */
abstract class ClientHandshake implements Handshake {
  readonly #tls: ServerTls;
  readonly #listener: HandshakeListener;
  /** The server may send a session before its certificate is verified. */
  #early: Buffer | null = null;
  #isVerified = false;
  protected isOver = false;

  constructor(server: ServerTls, listener: HandshakeListener) {
    this.#tls = server;
    this.#listener = listener;
  }

  abstract transport(): Transport;
  protected abstract close(): void;

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.close();
  }

  /** `error`: the result of OpenSSL's verification. `readDer` is called only if needed. */
  protected settle(error: string | null, isResumed: boolean, readDer: () => Buffer | undefined): void {
    if (this.isOver) return;
    const objection = this.#judge(error, isResumed, readDer);
    if (objection !== null) {
      this.fail(objection);
      return;
    }
    this.isOver = true;
    this.#isVerified = true;
    if (this.#early !== null) this.#tls.keepSession(this.#early);
    this.#listener.onSecured(this);
  }

  /** When a session is resumed, its certificate was verified when the session was made. */
  #judge(error: string | null, isResumed: boolean, readDer: () => Buffer | undefined): TlsError | null {
    const { verify, name } = this.#tls.terms;
    if (!verify) {
      this.#tls.noteVerified(Number.POSITIVE_INFINITY);
      return null;
    }
    if (error === null && isResumed) return null;
    const der = readDer();
    const certificate = der === undefined ? null : new X509Certificate(der);
    if (error !== null) return certificateRefused(error, certificate);
    if (certificate === null) return certificateRefused('NO_CERTIFICATE', null);
    if (!isFor(certificate, name)) return wrongName(certificate, name);
    this.#tls.noteVerified(Date.parse(certificate.validTo));
    return null;
  }

  protected fail(error: TlsError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#tls.forgetSession();
    this.close();
    this.#listener.onNotSecured(this, error);
  }

  /** Keeps a session for the next connection. In TLS 1.3 it arrives after the handshake. */
  noteSession(session: Buffer): void {
    if (this.#isVerified) this.#tls.keepSession(session);
    else this.#early = session;
  }
}

/**
 * RFC 9525: a name must be one of the DNS names, or if there are none the name of the subject; an address must be one of
 * the IP addresses.
 */
function isFor(certificate: X509Certificate, name: string): boolean {
  const found =
    net.isIP(name) === 0
      ? certificate.checkHost(name, { partialWildcards: false })
      : certificate.checkIP(name);
  return found !== undefined;
}

const HANDSHAKE = Symbol('handshake');
type HandshakingHandle = TlsHandle & { [HANDSHAKE]: HandleHandshake };

/** Without Node's sockets. */
export class HandleHandshake extends ClientHandshake {
  readonly #handle: TlsHandle;
  #isStarting = true;

  /** Only if `hasTlsHandles`. `below` is connected, and belongs to the handshake from now on. */
  constructor(below: StreamHandle, server: ServerTls, listener: HandshakeListener) {
    super(server, listener);
    const { context, sni } = server.terms;
    const handle = wrapTls(below, context, false);
    this.#handle = handle;
    (handle as HandshakingHandle)[HANDSHAKE] = this;
    handle.onhandshakedone = onDone;
    handle.onerror = onError;
    handle.onnewsession = onSession;
    handle.onread = onRead;
    handle.setALPNProtocols(PROTOCOLS);
    handle.enableSessionCallbacks();
    if (sni !== null) handle.setServername(sni);
    const { session } = server;
    if (session !== null) handle.setSession(session);
    const status = handle.readStart();
    if (status !== 0) setImmediate(notRead, this, status);
    handle.start();
    this.#isStarting = false;
  }

  transport(): Transport {
    this.#handle.readStop();
    return new TlsServerConnection(this.#handle);
  }

  protected close(): void {
    this.#handle.close();
  }

  done(): void {
    const handle = this.#handle;
    this.settle(handle.verifyError()?.code ?? null, handle.isSessionReused(), () => {
      return handle.getPeerCertificate(false)?.raw;
    });
  }

  /** A failure is not reported within the constructor. */
  refused(error: NodeJS.ErrnoException): void {
    if (this.#isStarting) setImmediate(refused, this, error);
    else this.fail(explainTlsError(error, true));
  }

  cut(status: number): void {
    this.fail(cutInHandshake(systemError(status, 'read').code ?? 'EOF'));
  }
}

function notRead(handshake: HandleHandshake, status: number): void {
  handshake.cut(status);
}

function refused(handshake: HandleHandshake, error: NodeJS.ErrnoException): void {
  handshake.refused(error);
}

function onDone(this: TlsHandle): void {
  (this as HandshakingHandle)[HANDSHAKE].done();
}

function onError(this: TlsHandle, error: NodeJS.ErrnoException): void {
  (this as HandshakingHandle)[HANDSHAKE].refused(error);
}

function onSession(this: TlsHandle, _id: Buffer, session: Buffer): void {
  (this as HandshakingHandle)[HANDSHAKE].noteSession(session);
}

function onRead(this: StreamHandle): undefined {
  const { streamBaseState, kReadBytesOrError } = streamBinding as StreamBinding;
  const length = streamBaseState[kReadBytesOrError] as number;
  if (length < 0) (this as HandshakingHandle)[HANDSHAKE].cut(length);
}

function anyName(): undefined {}

/** By documented means. */
export class SocketHandshake extends ClientHandshake {
  readonly #socket: tls.TLSSocket;

  constructor(below: net.Socket, server: ServerTls, listener: HandshakeListener) {
    super(server, listener);
    const { context, sni } = server.terms;
    const { session } = server;
    const socket = tls.connect({
      socket: below,
      secureContext: context,
      ALPNProtocols: PROTOCOL_NAMES,
      // The certificate is verified below.
      rejectUnauthorized: false,
      checkServerIdentity: anyName,
      ...(sni === null ? {} : { servername: sni }),
      ...(session === null ? {} : { session }),
    });
    this.#socket = socket;
    socket.on('session', (ticket: Buffer) => this.noteSession(ticket));
    socket.once('secureConnect', () => this.#done());
    socket.on('error', this.#onError);
    socket.once('close', this.#onClose);
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    const isOfTls = error.code?.startsWith('ERR_SSL') === true;
    this.fail(
      isOfTls
        ? explainTlsError(error, true)
        : cutInHandshake(error.syscall === 'read' ? (error.code ?? 'EOF') : 'EOF'),
    );
  };

  readonly #onClose = (): void => {
    this.fail(cutInHandshake('EOF'));
  };

  transport(): Transport {
    this.#socket.off('close', this.#onClose);
    return new SocketTransport(this.#socket, 'events');
  }

  protected close(): void {
    this.#socket.destroy();
  }

  #done(): void {
    const socket = this.#socket;
    const error = socket.authorizationError as unknown as string | null;
    this.settle(error ?? null, socket.isSessionReused(), () => socket.getPeerCertificate(false).raw);
  }
}
