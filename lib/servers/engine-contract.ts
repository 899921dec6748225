import type { Address } from '../base/address.js';
import type { Histogram } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import type { Availability } from '../base/observer.js';
import type { Endpoint } from '../net/dial.js';
import type { ServerTls } from '../net/server-tls.js';
import type { AttemptOutcome, PoolLimits } from './contracts.js';
import type { ServerCounters } from './server-counters.js';

/**
 * What the control plane and an engine say to each other, and all of it. The control plane (`control/`, composed by
 * `balancer.ts`) has the configuration, the servers that are wanted, checks, ejections, names, events and the status. An
 * engine (composed by `engine.ts`) has listeners, connections, exchanges, pools and the routing snapshot. With one engine
 * they call each other; what crosses is few and small, so that it could be a message to another thread as well.
 *
 *     down   a routing snapshot, put into force at once        Engine.install
 *            the servers of a group                            ServerGroup.setServers
 *            weight, availability, limits of a server          EngineServer.update
 *            what its checks and live requests showed          EngineServer.judge, eject, beginHalfOpen
 *     up     outcomes of attempts, as far as somebody judges   ServerWatcher
 *            whether a group has a server for a request        GroupListener (servers/server-group.ts)
 *            counters, read when a status is made              EngineServer.totals, active, responseTimes, pool
 *            a record of each request                          Observer.requestSettled (base/observer.ts)
 */
export interface Engine<Snapshot> {
  /** From the next request on all goes by this snapshot; what is in flight ends by the one before. */
  install(snapshot: Snapshot): void;
}

/** What is told of a server, as plain data; what is left out stays as it is. */
export interface ServerUpdate {
  /** 0 to 256; 0 takes no new requests. */
  readonly weight?: number;
  readonly availability?: Availability;
  readonly backup?: boolean;
  /** ms, from its next return on. */
  readonly slowStart?: number;
  readonly limits?: PoolLimits;
  /** For connections that are opened from then on; null: not encrypted. */
  readonly tls?: ServerTls | null;
}

/** What keeps new requests from a server. */
export type Obstacle = 'removed' | 'down' | 'ejected' | Exclude<Availability, 'ready'> | 'weight 0';

/** Told of what happens to a server, to judge its health or to count. */
export interface ServerWatcher {
  /** Its verdict, ejection, availability, weight or limit is another one. */
  onServerChange?(server: EngineServer): void;
  /** A live request could not connect. */
  onConnectFailed?(server: EngineServer, failure: Failure, detail: string): void;
  /** An attempt has ended on it. */
  onOutcome?(server: EngineServer, outcome: AttemptOutcome): void;
  /** It answered with 5xx, or an attempt failed there. */
  onError?(server: EngineServer): void;
  /** It is ejected, and all others of a group have become unusable. */
  onNeeded?(server: EngineServer): void;
}

/** One server of an engine, as the control plane sees it. */
export interface EngineServer {
  readonly name: string;
  readonly address: Address;
  /** 31 bits that stand for its name. */
  readonly hash: number;
  readonly pool: EnginePool;

  // Down.
  update(update: ServerUpdate): void;
  /** The verdict of its checks. */
  judge(up: boolean): void;
  /** Called by the outlier detector. */
  eject(ejected: boolean): void;
  /** It gets one request at a time, as far as others can take the rest. */
  beginHalfOpen(on: boolean): void;
  /** It is to begin with a small share of its work. */
  startSlowly(): void;
  /** No group will have it any more: what is on it is finished. */
  retire(): void;
  watch(watcher: ServerWatcher): void;
  unwatch(watcher: ServerWatcher): void;

  // Up.
  readonly isUp: boolean;
  readonly isEjected: boolean;
  readonly availability: Availability;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly backup: boolean;
  readonly isUsable: boolean;
  readonly takesBound: boolean;
  readonly obstacle: Obstacle | '';
  /** Requests in flight. */
  readonly active: number;
  /** When an answer to a request came last, by the timer wheel. */
  readonly answeredAt: number;
  readonly totals: ServerCounters;
  readonly responseTimes: Histogram;
  /** Can all groups that it is in do without it? */
  canBeSpared(maxEjected: number): boolean;
  othersAnswered(since: number): boolean;
}

/** Its sockets, and where they lead. */
export interface EnginePool extends Endpoint {
  readonly waitingCount: number;
  readonly openCount: number;
  readonly idleCount: number;
  readonly opened: number;
  readonly unsolicited: number;
  /** Cuts those in use as well. */
  cut(): void;
  /** What waits in line goes elsewhere. */
  turnAway(detail: string): void;
  close(): void;
}
