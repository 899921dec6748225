import type { EndsSource } from '../base/connection-ends.js';
import type { TlsChoice } from './tls-terms.js';

/** The owner of a transport, which reads from it and writes to it. `gone` is the last call, and comes exactly once. */
export interface TransportOwner extends SocketWriterOwner {
  /**
   * `buffer[0, length)` was read, valid during the call only. Returns the buffer for the next read if it is a different
   * one.
   */
  read(length: number, buffer: Buffer): Buffer | undefined;
  /** `chunk` was read, and belongs to the owner. */
  received(chunk: Buffer): void;
  /** The peer sends nothing more. */
  peerEnded(): void;
  /** An error occurred; `gone` follows. */
  failed(error: NodeJS.ErrnoException): void;
  gone(): void;
}

/** One connected socket: Node's own, or the handle below it. Only channels use it. */
export interface Transport extends EndsSource {
  /** Without a port; empty for a Unix socket, and after it is closed. */
  readonly remoteAddress: string;
  /** Was it told to close, or has it closed by itself? */
  readonly destroyed: boolean;
  /** Has the peer ended? */
  readonly readEnded: boolean;
  /**
   * Has the peer of a TLS connection ended without close_notify? Then anybody on the path may have cut off the rest (RFC
   * 8446, 6.1). False without TLS.
   */
  readonly truncated: boolean;
  /** Begins to read, and to call `owner`. Must be called once, and at once. */
  attach(owner: TransportOwner): void;
  openWriter(): SocketWriter;
  /** Stops reading. */
  pause(): void;
  resume(): void;
  /** After the peer's end: reads again, which tells an end from a reset. */
  readAnew(): void;
  /** Sends a FIN after everything that was written. */
  end(): void;
  /** Closes both directions after everything that was written, and sends close_notify with TLS. */
  close(): void;
  /** Closes both ways. */
  destroy(): void;
  /** Closes with RST if possible. */
  reset(): void;
  /** Lets the kernel check that the peer is still there after `idleMs` of silence. */
  probePeer(idleMs: number): void;
}

/** The transport of a socket itself, which can be passed on to another owner. */
export interface RawTransport extends Transport {
  /**
   * Stops reading, and calling its owner; another owner must be attached, or TLS begun (`tls-handshake.ts`), at once. `rest`
   * was read and not used: the next owner reads it first. Only while nothing is pending, and neither side has ended.
   */
  detach(rest: Buffer | null): void;
}

/** The options for the server side of TLS. */
export interface TlsServerOptions {
  readonly choice: TlsChoice;
  /** The protocols of RFC 7301 to choose from, in order of preference. */
  readonly protocols: readonly string[];
  /** Bytes read before, which OpenSSL gets first: the ClientHello. */
  readonly first: Buffer;
  readonly listener: ServerHandshakeListener;
}

/** Called when a handshake ends, unless its transport was closed before. */
export interface ServerHandshakeListener {
  /** The handshake is done: the transport must be attached now, or closed. */
  onSecured(): void;
  /** The handshake failed, and the socket is gone or about to be; the alert was sent. `error` is null when the peer left. */
  onUnsecured(error: NodeJS.ErrnoException | null): void;
}

/** A transport over TLS. `session` is known when the handshake is done. */
export interface SecuredTransport extends Transport {
  readonly session: TlsSession;
}

/** The results of a handshake, as Node reports them. */
export interface TlsSession {
  /** `TLSv1.3` */
  readonly version: string;
  /** `TLS_AES_128_GCM_SHA256` */
  readonly cipher: string;
  readonly resumed: boolean;
  readonly alpn: string | null;
  /** The peer's certificate as DER; null: it showed none. */
  readonly peerCertificate: Buffer | null;
  /** Empty when the certificate is valid, else the error word of OpenSSL. Meaningless without a certificate. */
  readonly verifyError: string;
}

/**
 * How sockets are used. `fast`: by the handles below Node's sockets, which Node does not document. `documented`: only by
 * `net.Server` and `net.Socket`, which costs more CPU per request.
 */
export type SocketMode = 'fast' | 'documented';

/** The socket mode of a balancer, settled before it listens or connects. */
export interface Sockets {
  readonly mode: SocketMode;
}

/** Writes bytes to a socket, in the order of the calls. Errors reach its owner, or the socket's own listeners. */
export interface SocketWriter {
  /** latin1 */
  writeText(text: string): void;
  /** The bytes must not change until `pending` is 0. */
  writeBytes(bytes: Buffer): void;
  /** Writes both in one system call. */
  writeBoth(text: string, bytes: Buffer): void;
  /**
   * Writes as much of `text` and `buffer[start, end)` as the kernel takes at once, and returns the number of bytes: 0
   * while something is pending, or where this is impossible. The bytes may change after the call.
   */
  writeNow(text: string, buffer: Buffer, start: number, end: number): number;
  /** A measure of what the kernel has not taken yet; falls with every byte that it takes. */
  readonly pending: number;
  /** Is so much pending that the writer should wait for a drain? */
  readonly isFull: boolean;
}

/** Called when the kernel has taken everything pending. */
export interface SocketWriterOwner {
  drained(): void;
  /** The peer reads nothing more, and the writer drops everything written from now on. */
  broken(error: NodeJS.ErrnoException): void;
}
