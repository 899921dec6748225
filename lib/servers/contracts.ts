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
import type { ProxiedConnection, ProxyVersion } from '../net/proxy-header-encoder.js';
import type { Resolver } from '../net/resolver.js';
import type { ShortageAlarm } from '../net/shortage.js';
import type { Sockets } from '../net/transport.js';

/**
 * What the parts of this room see of each other: a pool, its connections, and the requests that share one. No class here
 * knows another one by name, but for the pool, which makes them.
 *
 * A new transport (TLS) is a `Transport` that `net/dial.ts` makes: nothing in this room changes. A new protocol (HTTP/2)
 * is a class beside `ServerConnection` that implements `PooledConnection`, made in `Pool.onOpened`, and a class beside
 * `PipelinedConnection` that lends several leases of one `PooledConnection` and takes it from a `ConnectionSource`.
 */

// What a request sees.

/** Whoever waits for a connection; told once, one or the other. */
export interface LeaseListener {
  /** May it share a connection with others? Only what may be sent twice, has no body, and does not upgrade. */
  readonly isPipelinable: boolean;
  /** Whose connection a server that expects PROXY headers is told of; null: nobody's. */
  readonly client: ProxiedConnection | null;
  onLease(lease: Lease): void;
  /** `detail` for the log: the system's error code. */
  onLeaseFailed(failure: Failure, detail: string): void;
}

/** The way to a server for one request: a connection, or a slot in one. */
export interface Lease {
  readonly address: Address;
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
  /** Is it kept for the request's client alone (`release(true)`), and still open? */
  readonly isKept: boolean;
  /** From here on `receiver` is told. `toHead`: the request is a HEAD, so its response has no body. */
  assign(receiver: ResponseListener, toHead: boolean): void;
  /** The response has ended. The receiver hears nothing more. `kept`: it is lent to no other request, see `reclaim`. */
  release(kept?: boolean): void;
  /** Takes back into use what was kept; false when that was closed meanwhile. */
  reclaim(): boolean;
  /** No response is wanted any more. The receiver hears nothing more. */
  discard(): void;
  /** The rest of the answer is somebody else's: called when its head has come. */
  handTo(receiver: ResponseListener): void;
  /**
   * A tunnel is over: what was written still goes out, if some does in every `patience` ms. The receiver hears nothing
   * more.
   */
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

/**
 * ok: a whole answer without objection. error_status: a whole answer of 500 or more. connect: no connection.
 * bad_response: an answer that is not valid HTTP/1.1.
 * reset: cut before the answer was whole. timeout: no answer in time.
 */
export type OutcomeKind = 'ok' | 'error_status' | 'bad_response' | 'connect' | 'reset' | 'timeout';

/** How one attempt ended on a server. Whoever is told reads it during the call: the object may be used again. */
export interface AttemptOutcome {
  readonly kind: OutcomeKind;
  /** 0 when there was no answer. */
  readonly status: number;
  /** ms from the attempt's beginning to its end. */
  readonly durationMs: number;
}

// What a pool and its connections see of each other.

/** What a pool may hold, of the one server it is for. */
export interface PoolLimits extends PoolConfig {
  /** ms a connect may take. */
  readonly connectTimeout: number;
  /**
   * Every connection begins with a PROXY header of that version, and so is the one client's that it tells of: it is lent
   * to nobody else. null: connections begin with no header, and are anybody's.
   */
  readonly sendProxy: ProxyVersion | null;
}

/** How long a server keeps idle connections: asked, and told what was seen of it. */
export interface IdleTimes {
  /** ms that one is kept from `now` on, on the same clock as all other times here. */
  at(now: number): number;
  /** The same as far as the server is concerned: infinite as long as nothing is known. */
  ofServer(now: number): number;
  /** The value of a Keep-Alive field; empty when there was none. */
  noteField(value: string): void;
  /** The server closed a connection that had been idle for `age` ms. */
  noteClose(age: number, now: number): void;
}

/** What owns a connection to a server: a pool. */
export interface ConnectionOwner {
  readonly address: Address;
  readonly limits: PoolLimits;
  readonly idleLimit: IdleTimes;
  /** A connection is free: for the first in line, else to be kept. */
  takeBack(connection: PooledConnection): void;
  /** Idle, and kept for the client that had it, until it comes back or others need the room. */
  keep(connection: PooledConnection): void;
  isKept(connection: PooledConnection): boolean;
  /** Takes back into use what was kept; false when that was closed meanwhile. */
  reclaim(connection: PooledConnection): boolean;
  /** It is about to close, and must not be lent any more. */
  forget(connection: PooledConnection): void;
  /** The server sent bytes that no request had asked for. */
  noteUnsolicited(): void;
  onClosed(connection: PooledConnection): void;
}

/** A connection as its pool sees it. */
export interface PooledConnection extends WholeConnection {
  /** The IP address, or the path of the socket, that it is connected to. */
  readonly peer: string;
  /** Nobody uses it, and it is kept for a while; `kept`: for one client, as long as the server keeps it. */
  idle(kept?: boolean): void;
  /** It is not lent again at once: from now on the server may close it at any moment, so it counts as `pooled`. */
  park(): void;
  /** The limits of the owner are others. */
  followLimits(): void;
  /** It is closed as soon as it is idle. */
  finish(): void;
  /** Closes it at once, as if the server had cut it. */
  cut(): void;
}

// What requests that share a connection see of it.

/** A connection that is lent as a whole, and what has to be known to send several requests over it. */
export interface WholeConnection extends Lease {
  /** Bytes after the response, or a response that forbids it: never to be used again. */
  readonly isSpoilt: boolean;
  /** Of what was read last, while it is being dealt with. */
  readonly readBytes: number;
  /** May it carry so many requests more? */
  hasRoomFor(requests: number): boolean;
  /**
   * After a response: the one to another request, sent already, is next. False when the server keeps the connection no
   * longer.
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

/** Where connections come from: a pool, to those who share them out. */
export interface ConnectionSource {
  readonly address: Address;
  readonly limits: PoolLimits;
  /** Do more requests wait than connections are being opened? */
  readonly isFull: boolean;
  /** Are more connections open than `max_connections` allows? */
  readonly isOverLimit: boolean;
  readonly waitingCount: number;
  /** An unused connection, if there is one. */
  takeIdle(): WholeConnection | null;
  /** A connection at once if there is one, else null, and the listener is told later. */
  leaseWhole(listener: WholeListener): WholeConnection | null;
  /** The line is full. */
  refuse(listener: LeaseListener): void;
  /** The listener left the line; it hears nothing more. */
  cancel(listener: WholeListener): void;
}

/** Has the requests that share one connection in common with others, and lends them their slots: `PipelinedConnections`. */
export interface PipelineOwner<Pipeline, Slot> {
  /** Its load has changed, or whether it takes more. */
  list(pipeline: Pipeline): void;
  waitsNoLonger(pipeline: Pipeline): void;
  putPipeline(pipeline: Pipeline): void;
  takeSlot(): Slot;
  putSlot(slot: Slot): void;
}

/** What all connections to servers need. */
export interface ConnectionDeps {
  readonly wheel: TimerWheel;
  readonly parsers: ObjectPool<ResponseParser>;
  readonly observer: Observer;
  /** Finds the addresses of servers that have names. */
  readonly resolver: Resolver;
  readonly shortages: ShortageAlarm;
  /** How they are opened. */
  readonly sockets: Sockets;
}
