import type { SocketWriter, SocketWriterOwner } from './socket-writer.js';

/** What a transport tells whoever reads from it and writes to it. `gone` is the last call, and comes exactly once. */
export interface TransportOwner extends SocketWriterOwner {
  /** `buffer[0, length)` was read, valid during the call only. Gives the buffer for the next read if it is another one. */
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
export interface Transport {
  /** Without a port; empty for a unix socket, and once it is gone. */
  readonly remoteAddress: string;
  /** Was it told to close, or has it closed by itself? */
  readonly destroyed: boolean;
  /** Has the peer ended? */
  readonly readEnded: boolean;
  /** Begins to tell `owner`, and to read. Once, and at once. */
  attach(owner: TransportOwner): void;
  openOutlet(): SocketWriter;
  /** Stops reading. */
  pause(): void;
  resume(): void;
  /** Behind the peer's end: reads once more, which tells an end from a reset. */
  readAnew(): void;
  /** FIN behind all that was written. */
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
