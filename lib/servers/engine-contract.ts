import type { Address } from '../base/address.js';
import type { Histogram } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import type { Availability } from '../base/observer.js';
import type { Endpoint } from '../net/dial.js';
import type { HandshakeResult } from '../net/handshake-results.js';
import type { ListenerFigures, ListeningSocket } from '../net/listeners.js';
import type { ServerTls } from '../net/server-tls.js';
import type { PublishedCertificates } from '../tls/published-certificates.js';
import type { AttemptOutcome, PoolLimits } from './contracts.js';
import type { ServerCounters } from './server-counters.js';

/**
 * Everything that the control plane and an engine say to each other. The control plane (`control/`, composed by
 * `balancer.ts`) has the configuration, the servers that are wanted, checks, ejections, names, events and the status. An
 * engine (composed by `engine.ts`) has listeners, connections, exchanges, pools and the routing snapshot. They call each
 * other directly; what crosses is little, so that it could also be messages to another thread.
 *
 *     down   a routing snapshot, put into force at once        Engine.install
 *            the servers of a group                            ServerGroup.setServers
 *            weight, availability, limits of a server          EngineServer.update
 *            the results of checks and live requests           EngineServer.judge, eject, beginHalfOpen
 *     up     outcomes of attempts, for those who judge them    ServerWatcher
 *            whether a group has a server for a request        GroupListener (servers/server-group.ts)
 *            counters, read when a status is made              EngineServer.totals, active, responseTimes, pool
 *            a record of each request                          Observer.requestSettled (base/observer.ts)
 */
export interface Engine<Snapshot> {
  /** The next requests use this snapshot; requests in flight finish with the previous one. */
  install(snapshot: Snapshot): void;
}

/** A configuration that is to be prepared in every engine. */
export interface NextConfiguration<Config> {
  readonly config: Config;
  /** Signs cookies of scopes that have no secret of their own; null: none is needed. */
  readonly secret: Buffer | null;
  /** What its listeners with TLS show. */
  readonly certificates: PublishedCertificates;
  /** The numbers of its servers by key. */
  readonly numbers: Iterable<readonly [key: string, number: number]>;
}

/**
 * All engines of a balancer, as the control plane sees them: one in this thread (`engine.ts`), or one in each of several
 * threads (`threads/engine-threads.ts`). Another configuration comes in two phases: `prepare`, beside the requests, then
 * `install` or `discard`.
 */
export interface EngineHost<Snapshot, Config> extends Engine<Snapshot> {
  /** Of listeners, after `open`: port 0 is resolved to the real one. */
  readonly addresses: readonly Address[];
  readonly listenerFigures: readonly ListenerFigures[];
  /** Connections of clients open now. */
  readonly clientCount: number;
  /** The most connections of clients at once. */
  readonly mostClients: number;
  /** TLS handshakes of clients since the start, by how they ended. */
  readonly handshakes: ReadonlyMap<HandshakeResult, number>;
  readonly proxyHeaders: ReadonlyMap<string, number>;
  /** Bytes of request bodies that are kept until a server takes them, and for retries. */
  readonly bufferedBytes: number;
  /** By number; empty when there is one engine, in this thread. */
  readonly threads: readonly ThreadFigures[];
  /**
   * Has other threads report their figures, which are otherwise up to a quarter of a second old. Resolves when they
   * have, at the latest after 50 ms. null: there are no other threads.
   */
  collectFigures(): Promise<void> | null;
  /** Binds every listener. `permit` is called before each and may throw. */
  open(permit: () => void): Promise<void>;
  /** Makes everything ready for a configuration, including its listeners. What it rejects with has changed nothing. */
  prepare(next: NextConfiguration<Config>): Promise<void>;
  /** Gives up what was prepared, and closes listeners that were opened for it. */
  discard(): void;
  /** Resolves when everything that engines were told so far is in force in all of them. */
  settled(): Promise<void>;
  /** Ends connections that began under other terms than their listener now has. */
  endOutdated(): void;
  /** Answers the challenges of certificate authorities; null: none is open. */
  answerChallenges(answerFor: ((path: string) => string | null) | null): void;
  /** What another process needs to go on with the sockets of all engines; null if it cannot. */
  sockets(): Promise<readonly ListeningSocket[] | null>;
  /** Another process goes on with the sockets: `drain` leaves to it what waits to be accepted. */
  handOver(): void;
  /** From now on every answer ends its connection. */
  announceEnd(): void;
  /** Accepts no more connections; resolves when the last one has ended. */
  drain(): Promise<void>;
  /** Cuts every connection of a client, and accepts no more. */
  stop(): void;
  /** Resolves after `stop` when all threads of engines have ended, and all their reports have been read. */
  readonly ended: Promise<void>;
}

/** One of several threads that serve requests, each with an engine. */
export interface ThreadFigures {
  /** From 1; the main thread is 0. */
  readonly number: number;
  /** Since the start of the balancer, including those of earlier threads with this number. */
  readonly requests: number;
  /** Client connections open now. */
  readonly connections: number;
  /** By how much its event loop is late, in ms: the 99th percentile of the last five to ten seconds. */
  readonly loopDelayMs: number;
  /** The share of the last quarter of a second in which its event loop worked, from 0 to 1. */
  readonly busy: number;
  /** When the thread started, in ms since the epoch. */
  readonly since: number;
  /** How often a thread with this number ended and was replaced. */
  readonly restarts: number;
}

/** Changes to a server, as plain data; missing fields stay as they are. */
export interface ServerUpdate {
  /** 0 to 256; 0 takes no new requests. */
  readonly weight?: number;
  readonly availability?: Availability;
  readonly backup?: boolean;
  /** ms, from the next return of the server on. */
  readonly slowStart?: number;
  readonly limits?: PoolLimits;
  /** For connections opened from now on; null: not encrypted. */
  readonly tls?: ServerTls | null;
}

/** What keeps new requests from a server. */
export type Obstacle = 'removed' | 'down' | 'ejected' | Exclude<Availability, 'ready'> | 'weight 0';

/** Called when something happens to a server, to judge its health or to count. */
export interface ServerWatcher {
  /** State, ejection, availability, weight or limit of the server has changed. */
  onServerChange?(server: EngineServer): void;
  /** A live request could not connect. */
  onConnectFailed?(server: EngineServer, failure: Failure, detail: string): void;
  /** An attempt on the server has ended. */
  onOutcome?(server: EngineServer, outcome: AttemptOutcome): void;
  /** `count` attempts on the server have succeeded, in engines of other threads. */
  onSuccesses?(server: EngineServer, count: number): void;
  /** The server answered with 5xx, or an attempt on it failed. */
  onError?(server: EngineServer): void;
  /** The server is ejected, and all others of a group have become unusable. */
  onNeeded?(server: EngineServer): void;
  /** The connections of the server are cut. */
  onCut?(server: EngineServer): void;
}

/** One server of an engine, as the control plane sees it. */
export interface EngineServer {
  readonly name: string;
  readonly address: Address;
  /** 31 bits that stand for the name. */
  readonly hash: number;
  readonly pool: EnginePool;

  // Down.
  update(update: ServerUpdate): void;
  /** Sets the state that checks have determined. */
  judge(up: boolean): void;
  /** Called by the outlier detector. */
  eject(ejected: boolean): void;
  /** Gives the server one request at a time, if other servers can take the rest. */
  beginHalfOpen(on: boolean): void;
  /** Cuts all its connections, including those in use. */
  cut(): void;
  /** Lets the server begin with a small share of its work, as if it had done so at `since`, in ms of the clock. */
  startSlowly(since?: number): void;
  /** The server leaves all groups for good: requests in flight finish. */
  retire(): void;
  watch(watcher: ServerWatcher): void;
  unwatch(watcher: ServerWatcher): void;

  // Up.
  readonly isUp: boolean;
  readonly isEjected: boolean;
  /** Is it tried again, with one request at a time? */
  readonly isHalfOpen: boolean;
  readonly availability: Availability;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly backup: boolean;
  readonly isUsable: boolean;
  readonly takesBound: boolean;
  readonly obstacle: Obstacle | '';
  /** Requests in flight, in all threads. */
  readonly active: number;
  /** When the last answer to a request came, by the timer wheel. */
  readonly answeredAt: number;
  readonly totals: ServerCounters;
  readonly responseTimes: Histogram;
  /** Can all its groups do without the server? */
  canBeSpared(maxEjected: number): boolean;
  othersAnswered(since: number): boolean;
}

/** The sockets of a server, and its address. */
export interface EnginePool extends Endpoint {
  /** Requests without a connection: those of this thread, and those in line in other threads. */
  readonly waitingCount: number;
  /** Connections in all threads, including those being opened. */
  readonly openCount: number;
  /** Unused connections in all threads. */
  readonly idleCount: number;
  readonly opened: number;
  readonly unsolicited: number;
  /** Requests in the queue go to other servers. */
  turnAway(detail: string): void;
  close(): void;
}
