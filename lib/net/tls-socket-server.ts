import * as net from 'node:net';
import * as tls from 'node:tls';
import { MAX_HELLO, readClientHello } from './client-hello.js';
import type { TlsChoice, TlsTerms } from './tls-terms.js';

/** The most ms for a handshake. */
const HANDSHAKE_MS = 10_000;
/** The most handshakes at once: the server is for a few people and programs. */
const MAX_HANDSHAKES = 128;

/** How a server handles its sockets. */
export interface TlsSocketHandlers {
  /** The handshake of the socket is done. */
  readonly onSocket: (socket: tls.TLSSocket) => void;
  /** The complete response for a client that speaks HTTP without TLS. */
  readonly plainHttp: string;
}

/** The undocumented part of a TLSSocket; without it no certificate counts as valid. */
interface Verifier {
  readonly ssl?: { verifyError?(): Error | null | undefined };
}

/**
 * A server whose sockets speak TLS, for few connections: those of operators, not of clients. It does not listen yet.
 */
export function createTlsSocketServer(terms: TlsTerms, handlers: TlsSocketHandlers): net.Server {
  const handshakes = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (handshakes.size >= MAX_HANDSHAKES) {
      socket.destroy();
      return;
    }
    handshakes.add(socket);
    const deadline = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
    const done = (): void => {
      clearTimeout(deadline);
      handshakes.delete(socket);
    };
    socket.on('close', done);
    readHello(socket, terms, handlers.plainHttp, (choice) => {
      const secured = secure(socket, choice, terms.protocols);
      secured.on('secure', () => {
        done();
        if (choice.clientAuth === 'require' && !isVerified(secured)) secured.destroy();
        else handlers.onSocket(secured);
      });
    });
  });
  server.on('close', () => {
    for (const socket of handshakes) socket.destroy();
  });
  return server;
}

/** Calls `next` when the ClientHello is complete; its bytes are put back into the socket. */
function readHello(
  socket: net.Socket,
  terms: TlsTerms,
  plainHttp: string,
  next: (choice: TlsChoice) => void,
): void {
  let bytes = Buffer.alloc(0);
  const onData = (data: Buffer): void => {
    bytes = Buffer.concat([bytes, data]);
    const hello = readClientHello(bytes);
    if (hello === null && bytes.length < 2 * MAX_HELLO) return;
    socket.off('data', onData);
    socket.pause();
    const choice = hello === null || 'fault' in hello ? null : terms.choose(hello.name, hello.protocols);
    if (choice !== null) {
      socket.unshift(bytes);
      next(choice);
    } else if (hello !== null && 'fault' in hello && hello.fault === 'plain_http') socket.end(plainHttp);
    else socket.destroy();
  };
  socket.on('data', onData);
  socket.on('end', () => {
    if (socket.listenerCount('data') > 0) socket.destroy();
  });
}

function secure(socket: net.Socket, choice: TlsChoice, protocols: readonly string[]): tls.TLSSocket {
  const secured = new tls.TLSSocket(socket, {
    isServer: true,
    secureContext: choice.context,
    requestCert: choice.clientAuth !== 'none',
    rejectUnauthorized: choice.clientAuth === 'require',
    ALPNProtocols: [...protocols],
  });
  secured.disableRenegotiation();
  const end = (): void => {
    secured.destroy();
    socket.destroy();
  };
  secured.on('error', end);
  // Node reports a failed handshake by this event when the socket was not made by a `tls.Server`.
  secured.on('_tlsError', end);
  return secured;
}

function isVerified(socket: tls.TLSSocket): boolean {
  const { ssl } = socket as Verifier;
  return ssl?.verifyError?.() === null && Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}
