import type { Address } from '../base/address.js';
import type { ObjectPool } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { PoolConfig } from '../config/types.js';
import type { BodyForm, BodyListener } from '../http/flow.js';
import type { ResponseHead } from '../http/head.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Channel } from '../net/channel.js';
import type { HostTable } from '../net/host-addresses.js';
import type { ProxiedConnection, ProxyVersion } from '../net/proxy-header-encoder.js';
import type { ShortageAlarm } from '../net/shortage.js';
import type { Sockets } from '../net/transport.js';
import type { SharedMemory } from '../shared/shared-memory.js';

/**
 * The interfaces between a pool, its connections, and the requests that share one. No class here imports another, except
 * the pool, which makes them.
 *
 * A transport such as TLS is a `Transport` that `net/dial.ts` makes: nothing in this room changes. A new protocol (HTTP/2)
 * is a class beside `ServerConnection` that implements `PooledConnection`, made in `Pool.onOpened`, and a class beside
 * `PipelinedConnection` that lends several leases of one `PooledConnection` and takes it from a `ConnectionSource`.
 */

// Used by requests.

/** Waits for a connection; called once, with a lease or a failure. */
export interface LeaseListener {
  /** May the request share a connection with others? Only if it may be sent twice, has no body, and does not upgrade. */
  readonly isPipelinable: boolean;
  /** The client connection that a PROXY header to the server names; null: none. */
  readonly client: ProxiedConnection | null;
  onLease(lease: Lease): void;
  /** `detail` for the log: the system's error code. */
  onLeaseFailed(failure: Failure, detail: string): void;
}

/** The right to use a server for one request: a connection, or a slot in one. */
export interface Lease {
  readonly address: Address;
  readonly channel: ServerChannel;
  /** Was the connection used before? Then a close before any response byte means that it was stale. */
  readonly pooled: boolean;
  /** Content bytes of the current response, or of the response that failed. */
  readonly contentBytes: number;
  /** Has the whole body of the current response arrived, including the part that is being handed on? */
  readonly bodyComplete: boolean;
  /** When the bytes that are being processed were read from the server, in ms of the balancer's clock. */
  readonly readAt: number;
  /** Does the server keep its connection open after the current response? */
  readonly serverKeeps: boolean;
  /** Is the connection kept for the request's client alone (`release(true)`), and still open? */
  readonly isKept: boolean;
  /** From now on `receiver` is called. `toHead`: the request is a HEAD, so its response has no body. */
  assign(receiver: ResponseListener, toHead: boolean): void;
  /**
   * The response has ended. The receiver is not called any more. `kept`: no other request gets the connection, see
   * `reclaim`.
   */
  release(kept?: boolean): void;
  /** Takes a kept connection back into use; false when it was closed meanwhile. */
  reclaim(): boolean;
  /** The response is not wanted any more. The receiver is not called any more. */
  discard(): void;
  /** The rest of the answer goes to another receiver; called after its head. */
  handTo(receiver: ResponseListener): void;
  /**
   * A tunnel is over: closes once all written bytes are sent, provided that some are in every `patience` ms. The receiver
   * is not called any more.
   */
  retire(patience: number): void;
}

/** The part of a channel that a lease makes available. */
export type ServerChannel = Pick<Channel, 'writeText' | 'write' | 'pause' | 'resume' | 'end' | 'probePeer'>;

/** Receives the server's answers on a leased connection. Not called after `onFailed` or `release`. */
export interface ResponseListener extends BodyListener {
  /** 1xx other than 101; any number of them. The head is valid during the call only. */
  onInterim(head: ResponseHead): void;
  /** The head of the final response, which stays unchanged until the connection is released. */
  onResponseHead(head: ResponseHead): BodyForm;
  onResponseEnd(): void;
  /** 101. Returns true when it was requested: from then on all bytes go to `onTunnelBytes`. */
  onSwitch(head: ResponseHead): boolean;
  onTunnelBytes(buffer: Buffer, start: number, end: number): void;
  /** The server half-closed its side of the tunnel. */
  onTunnelEnd(): void;
  /** The server does not read what was written to it; `onServerDrain` follows. */
  onServerBlocked(): void;
  /** Everything written to the server has been sent. */
  onServerDrain(): void;
  onFailed(failure: Failure, detail: string): void;
}

/**
 * ok: a complete answer with a status below 500. error_status: a complete answer of 500 or more. connect: no connection.
 * bad_response: an answer that is not valid HTTP/1.1. reset: cut before the answer was complete. timeout: no answer in
 * time.
 */
export type OutcomeKind = 'ok' | 'error_status' | 'bad_response' | 'connect' | 'reset' | 'timeout';

/** How one attempt ended on a server. Valid during the call only: the object is reused. */
export interface AttemptOutcome {
  readonly kind: OutcomeKind;
  /** 0 when there was no answer. */
  readonly status: number;
  /** ms from the attempt's beginning to its end. */
  readonly durationMs: number;
}

// Used between a pool and its connections.

/** The limits of a pool for its one server. */
export interface PoolLimits extends PoolConfig {
  /** The most ms that a connect may take. */
  readonly connectTimeout: number;
  /**
   * Every connection begins with a PROXY header of this version, and belongs to the client that it names: no other client
   * gets it. null: connections begin without a header, and serve all clients.
   */
  readonly sendProxy: ProxyVersion | null;
}

/** How long a server keeps idle connections: returns estimates, and takes observations. */
export interface IdleTimes {
  /** ms that an idle connection is kept from `now` on; all times here use the same clock. */
  at(now: number): number;
  /** Only the server's own limit: infinite while it is unknown. */
  ofServer(now: number): number;
  /** Learns from the value of a Keep-Alive field; empty when there was none. */
  noteField(value: string): void;
  /** The server closed a connection that had been idle for `age` ms. */
  noteClose(age: number, now: number): void;
}

/** The owner of a server connection: a pool. */
export interface ConnectionOwner {
  readonly address: Address;
  readonly limits: PoolLimits;
  readonly idleLimit: IdleTimes;
  /** A connection is free: goes to the first request in the queue, else is kept. */
  takeBack(connection: PooledConnection): void;
  /** Keeps an idle connection for its client, until the client needs it again or others need the room. */
  keep(connection: PooledConnection): void;
  isKept(connection: PooledConnection): boolean;
  /** Takes a kept connection back into use; false when it was closed meanwhile. */
  reclaim(connection: PooledConnection): boolean;
  /** The connection is about to close, and must not be leased any more. */
  forget(connection: PooledConnection): void;
  /** The server sent bytes that no request asked for. */
  noteUnsolicited(): void;
  onClosed(connection: PooledConnection): void;
}

/** A connection as its pool sees it. */
export interface PooledConnection extends WholeConnection {
  /** The IP address or socket path of the other end. */
  readonly peer: string;
  /** The connection is unused and kept for a while; `kept`: for one client, as long as the server keeps it. */
  idle(kept?: boolean): void;
  /** The connection is idle for now: the server may close it at any moment, so it counts as `pooled`. */
  park(): void;
  /** The limits of the owner have changed. */
  followLimits(): void;
  /** Closes the connection as soon as it is idle. */
  finish(): void;
  /** Closes the connection at once, as if the server had cut it. */
  cut(): void;
}

// Used by requests that share a connection.

/** A connection that is leased as a whole, with what is needed to send several requests over it. */
export interface WholeConnection extends Lease {
  /** Did bytes follow the response, or does the response forbid reuse? Then the connection is never used again. */
  readonly isSpoilt: boolean;
  /** Bytes of the last read, while they are processed. */
  readonly readBytes: number;
  /** May the connection carry this many more requests? */
  hasRoomFor(requests: number): boolean;
  /**
   * The response is complete, and the next one, to a request sent before, follows. False when the server closes the
   * connection.
   */
  expect(toHead: boolean): boolean;
}

/** A `LeaseListener` that needs a connection of its own. */
export interface WholeListener {
  readonly isPipelinable: boolean;
  readonly client: ProxiedConnection | null;
  onLease(connection: WholeConnection): void;
  onLeaseFailed(failure: Failure, detail: string): void;
}

/** Provides connections that are shared among requests: a pool. */
export interface ConnectionSource {
  readonly address: Address;
  readonly limits: PoolLimits;
  /** Do more requests wait than connections are being opened? */
  readonly isFull: boolean;
  /**
   * Should a connection carry no further requests, so that it can be closed? More are open than `max_connections` allows,
   * or requests of other threads wait for one.
   */
  readonly mustShrink: boolean;
  readonly waitingCount: number;
  /** Takes an unused connection, if there is one. */
  takeIdle(): WholeConnection | null;
  /** Returns a connection if there is one, else null; the listener is called later. */
  leaseWhole(listener: WholeListener): WholeConnection | null;
  /** The queue is full. */
  refuse(listener: LeaseListener): void;
  /** Removes the listener from the queue; it is not called any more. */
  cancel(listener: WholeListener): void;
}

/** Manages the connections that requests share, and their slots: `PipelinedConnections`. */
export interface PipelineOwner<Pipeline, Slot> {
  /** The number of requests has changed, or whether the pipeline accepts more. */
  list(pipeline: Pipeline): void;
  waitsNoLonger(pipeline: Pipeline): void;
  putPipeline(pipeline: Pipeline): void;
  takeSlot(): Slot;
  putSlot(slot: Slot): void;
}

/** What all server connections need. */
export interface ConnectionDeps {
  readonly wheel: TimerWheel;
  readonly parsers: ObjectPool<ResponseParser>;
  readonly observer: Observer;
  /** Resolves the names of servers. */
  readonly resolver: HostTable;
  readonly shortages: ShortageAlarm;
  /** How sockets are opened. */
  readonly sockets: Sockets;
  readonly shared: SharedMemory;
}
