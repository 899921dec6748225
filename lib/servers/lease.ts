import type { Failure } from '../base/failure.js';
import type { BodyForm, BodyListener } from '../http/body-reader.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Channel } from '../net/channel.js';
import type { Pool } from './pool.js';

/** Whoever waits for a connection; told once, one or the other. */
export interface LeaseListener {
  /** May it share a connection with others? Only what may be sent twice, has no body, and does not upgrade. */
  readonly isPipelinable: boolean;
  onLease(lease: Lease): void;
  /** `detail` for the log: the system's error code. */
  onLeaseFailed(failure: Failure, detail: string): void;
}

/** The way to a server for one request: a connection, or a place in one. */
export interface Lease {
  readonly pool: Pool;
  readonly channel: ServerChannel;
  /** Was it open before its request came? Then a close before any response byte means that it was stale. */
  readonly pooled: boolean;
  /** Bytes of content of the current response, or of the one it failed in. */
  readonly contentBytes: number;
  /** Is all of the current response's body there, what is being handed on included? */
  readonly bodyComplete: boolean;
  /** When what is being dealt with was read from the server, in ms of the balancer's clock. */
  readonly readAt: number;
  /** Does the server keep its connection after the current response? */
  readonly serverKeeps: boolean;
  /** From here on `receiver` is told. `toHead`: the request is a HEAD, so its response has no body. */
  assign(receiver: ResponseListener, toHead: boolean): void;
  /** The response has ended. The receiver hears nothing more. `kept`: it is lent to nobody else, see `Pool.reclaim`. */
  release(kept?: boolean): void;
  /** No response is wanted any more. The receiver hears nothing more. */
  discard(): void;
  /** The rest of the answer is somebody else's: called when its head has come. */
  handTo(receiver: ResponseListener): void;
  /** A tunnel is over: what was written still goes out, if some does in every `patience` ms. The receiver hears nothing more. */
  retire(patience: number): void;
}

/** What of a channel a lease lends. */
export type ServerChannel = Pick<Channel, 'writeText' | 'write' | 'pause' | 'resume' | 'end' | 'probePeer'>;

/** Whoever a connection is lent to: told what the server answers. After `onFailed` or `release` nothing more comes. */
export interface ResponseListener extends BodyListener {
  /** 1xx other than 101; any number of them. The head is valid during the call. */
  onInterim(head: ResponseHead): void;
  /** The final response's head, which stays as it is until the connection is given back. */
  onResponseHead(head: ResponseHead): BodyForm;
  onResponseEnd(): void;
  /** 101. True when it was asked for: from here on all bytes go to `onTunnelBytes`. */
  onSwitch(head: ResponseHead): boolean;
  onTunnelBytes(buffer: Buffer, start: number, end: number): void;
  /** The server half-closed its side of the tunnel. */
  onTunnelEnd(): void;
  /** The server does not take what was written to it; `onServerDrain` follows. */
  onServerBlocked(): void;
  /** What was written to the server has gone out. */
  onServerDrain(): void;
  onFailed(failure: Failure, detail: string): void;
}
