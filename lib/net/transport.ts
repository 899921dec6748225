import type { EndsSource } from '../base/connection-ends.js';

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
  /** Closes both ways. */
  destroy(): void;
  /** Closes with RST where there is such a thing. */
  reset(): void;
  /** Has the kernel ask whether the peer is still there after `idleMs` of silence. */
  probePeer(idleMs: number): void;
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
