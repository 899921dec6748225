import type { EndsSource } from '../base/connection-ends.js';
import type { TlsChoice } from './tls-terms.js';

/** What a transport tells its owner, which reads from it and writes to it. `gone` is the last call, and comes exactly once. */
export interface TransportOwner extends SocketWriterOwner {
  /** `buffer[0, length)` was read, valid during the call only. Returns the buffer for the next read if it is another one. */
  read(length: number, buffer: Buffer): Buffer | undefined;
  /** `chunk` was read, and is the owner's to keep. */
  received(chunk: Buffer): void;
  /** The peer sends nothing more. */
  peerEnded(): void;
  /** What went wrong; `gone` follows. */
  failed(error: NodeJS.ErrnoException): void;
  gone(): void;
}

/** One connected socket: Node's own, or the handle below it. A channel is all that uses it. */
export interface Transport extends EndsSource {
  /** Without a port; empty for a unix socket, and once it is gone. */
  readonly remoteAddress: string;
  /** Was it told to close, or has it closed by itself? */
  readonly destroyed: boolean;
  /** Has the peer ended? */
  readonly readEnded: boolean;
  /**
   * Has the peer of a TLS connection ended without saying so (close_notify)? Then anybody on the way may have cut off the
   * rest of what it sent (RFC 8446, 6.1). False without TLS.
   */
  readonly truncated: boolean;
  /** Begins to tell `owner`, and to read. Once, and at once. */
  attach(owner: TransportOwner): void;
  openWriter(): SocketWriter;
  /** Stops reading. */
  pause(): void;
  resume(): void;
  /** Behind the peer's end: reads once more, which tells an end from a reset. */
  readAnew(): void;
  /** Sends a FIN after everything that was written. */
  end(): void;
  /** Closes both ways after everything that was written, and tells the peer that it is the end where TLS does so. */
  close(): void;
  /** Closes both ways. */
  destroy(): void;
  /** Closes with RST where there is such a thing. */
  reset(): void;
  /** Has the kernel ask whether the peer is still there after `idleMs` of silence. */
  probePeer(idleMs: number): void;
}

/** A transport of a socket itself, with which another than its first owner may go on. */
export interface RawTransport extends Transport {
  /**
   * Stops reading, and telling its owner; to be attached again, or secured (`tls-server.ts`), at once. `rest` was read and not
   * used: the owner that follows reads it first. Only while nothing is pending, and neither side has ended.
   */
  detach(rest: Buffer | null): void;
}

/** What a server's side of TLS begins with. */
export interface TlsServerOptions {
  readonly choice: TlsChoice;
  /** Those of RFC 7301 that may be agreed on, in order of preference. */
  readonly protocols: readonly string[];
  /** Read before, and the first that OpenSSL gets: the ClientHello. */
  readonly first: Buffer;
  readonly listener: ServerHandshakeListener;
}

/** Told how a handshake ends, if its transport is not told to close before. */
export interface ServerHandshakeListener {
  /** It is done: the transport is to be attached now, or closed. */
  onSecured(): void;
  /** It failed, and the socket is gone or about to be; the alert is out. `error` is null: the peer left. */
  onUnsecured(error: NodeJS.ErrnoException | null): void;
}

/** A transport over TLS. What it agreed on is known when its handshake is done. */
export interface SecuredTransport extends Transport {
  readonly session: TlsSession;
}

/** What a handshake agreed on, as Node tells it. */
export interface TlsSession {
  /** `TLSv1.3` */
  readonly version: string;
  /** `TLS_AES_128_GCM_SHA256` */
  readonly cipher: string;
  readonly resumed: boolean;
  readonly alpn: string | null;
  /** The peer's certificate as DER; null: it showed none. */
  readonly peerCertificate: Buffer | null;
  /** Empty when it is valid, else the error word of OpenSSL. Of no meaning without a certificate. */
  readonly verifyError: string;
}

/**
 * How sockets are used. `fast`: by the handles below Node's sockets, which Node does not document. `documented`: by
 * `net.Server` and `net.Socket` alone, which costs more CPU per request.
 */
export type SocketMode = 'fast' | 'documented';

/** What those who listen and connect ask for the means of their balancer; settled before anybody does. */
export interface Sockets {
  readonly mode: SocketMode;
}
/** Puts bytes on a socket, in the order of the calls. Errors reach its owner, or the socket's own listeners. */

export interface SocketWriter {
  /** latin1 */
  writeText(text: string): void;
  /** The bytes must not change until `pending` is 0. */
  writeBytes(bytes: Buffer): void;
  /** Both in one system call. */
  writeBoth(text: string, bytes: Buffer): void;
  /**
   * Writes of `text` and `buffer[start, end)` what the kernel takes at once, and returns how many bytes that were: none
   * while something is pending, or where it can not be done. The bytes may change after the call.
   */
  writeNow(text: string, buffer: Buffer, start: number, end: number): number;
  /** A measure of what the kernel has not taken yet; falls with every byte that it takes. */
  readonly pending: number;
  /** Is that so much that the writer should wait until it is drained? */
  readonly isFull: boolean;
}
/** Told when all that was pending is with the kernel. */

export interface SocketWriterOwner {
  drained(): void;
  /** The peer takes nothing more, and the writer drops what is written from here on. */
  broken(error: NodeJS.ErrnoException): void;
}
