import type { Address } from '../base/address.js';
import { FAILURES, type Failure } from '../base/failure.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import type { Endpoint } from '../net/dial.js';
import type { AddressListener, HostAddresses } from '../net/host-addresses.js';
import { encodeProxyHeader, localProxyHeader, type ProxyVersion } from '../net/proxy-header-encoder.js';
import type { ServerTls } from '../net/server-tls.js';
import type { Sockets } from '../net/transport.js';
import type { ServerRow } from '../shared/server-row.js';
import { ConnectionPlaces, type PlaceUser } from './connection-places.js';
import type {
  ConnectionDeps,
  ConnectionOwner,
  ConnectionSource,
  IdleTimes,
  Lease,
  LeaseListener,
  PooledConnection,
  PoolLimits,
  WholeListener,
} from './contracts.js';
import { Opening, type OpeningOwner } from './opening.js';
import { PipelinedConnections } from './pipelined-connections.js';
import { ServerConnection } from './server-connection.js';
import { WaitingLine } from './waiting-line.js';

/**
 * After an unsolicited response a server gets no pipelined requests for this long: the next request would get that
 * response.
 */
const DISTRUST_MS = 600_000;
/** A full queue is reported to operators at most once in this many ms. */
const TELL_MS = 1000;
/** Later than any request came. */
const ALWAYS = Number.POSITIVE_INFINITY;

/**
 * The sockets of one thread to one server. The most recently used connection is used next, so that surplus ones stay idle
 * and are closed. A request without a connection waits in the queue; the first request in the queue gets the first
 * connection that is opened or released.
 *
 * `max_connections` and `max_waiting` hold for all threads together, by the server's row in shared memory: a place for a
 * connection is taken there before it is opened, and given back when it is closed. A connection cannot move to another
 * thread. If a request of another thread has waited longer than those of this one, a connection that is released is
 * closed instead, and the other thread is called to take its place.
 */
export class Pool
  implements ConnectionOwner, ConnectionSource, Endpoint, AddressListener, OpeningOwner, PlaceUser
{
  readonly address: Address;
  /** What the server is doing, in all threads. */
  readonly row: ServerRow;
  readonly idleLimit: IdleLimit;
  /** Changed only by `setLimits`. */
  limits: PoolLimits;
  /** Changed only by `setTls`. */
  tls: ServerTls | null;
  readonly #server: string;
  readonly #deps: ConnectionDeps;
  readonly #places: ConnectionPlaces;
  readonly #idle: PooledConnection[] = [];
  /** Unused, each kept for one client; the most recently used one is the last. */
  readonly #kept = new Set<PooledConnection>();
  readonly #waiting = new WaitingLine();
  readonly #open = new Set<PooledConnection>();
  readonly #openings = new Set<Opening>();
  /** Openings that are for one requester each, which is not in the queue any more. */
  readonly #claims = new Map<WholeListener, Opening>();
  /** Open connections that are closing because there are more than the limit, or for requests of other threads. */
  readonly #closing = new Set<PooledConnection>();
  #host: HostAddresses | null | undefined;
  /** Connections opened so far. */
  opened = 0;
  /** Connections closed because the server sent bytes that no request asked for. */
  unsolicited = 0;
  #distrustedUntil = Number.NEGATIVE_INFINITY;
  #toldFullAt = Number.NEGATIVE_INFINITY;
  #pipelines: PipelinedConnections | null = null;
  #closed = false;
  #retired = false;

  /** `server` is the server's name, for observers. `slot`: of its row in the shared memory. */
  constructor(
    address: Address,
    limits: PoolLimits,
    deps: ConnectionDeps,
    server = address.text,
    tls: ServerTls | null = null,
    slot = deps.shared.servers.claim(),
  ) {
    this.address = address;
    this.limits = limits;
    this.row = deps.shared.servers.row(slot);
    this.#places = new ConnectionPlaces(this.row, deps.wheel, this);
    this.tls = tls;
    this.idleLimit = new IdleLimit(limits.idleTimeout, limits.maxIdleTimeout);
    this.#server = server;
    this.#deps = deps;
  }

  /**
   * Applies from now on. If fewer connections are allowed than before, unused ones beyond the limit close at once, used
   * ones when their request has ended. Requests in the queue stay there.
   */
  setLimits(limits: PoolLimits): void {
    const { idleTimeout, maxIdleTimeout, maxAge, sendProxy } = this.limits;
    this.limits = limits;
    if (sendProxy !== limits.sendProxy) this.#beginAnew();
    this.idleLimit.configure(limits.idleTimeout, limits.maxIdleTimeout);
    if (maxAge !== limits.maxAge) for (const connection of this.#open) connection.followLimits();
    this.#closeUnusedBeyondLimits();
    if (
      idleTimeout !== limits.idleTimeout ||
      maxIdleTimeout !== limits.maxIdleTimeout ||
      maxAge !== limits.maxAge
    ) {
      // The remaining ones are kept as long as the new limits say.
      for (const connection of this.#idle) connection.idle();
      for (const connection of this.#kept) connection.idle(true);
    }
    this.#serveLine();
  }

  /** Applies from now on; null: not encrypted. */
  setTls(tls: ServerTls | null): void {
    if (tls === this.tls) return;
    this.tls = tls;
    this.#beginAnew();
    this.#serveLine();
  }

  /** Connections are opened differently from now on: the open ones are used to their end, then closed. */
  #beginAnew(): void {
    for (const connection of this.#open) connection.finish();
    for (const opening of this.#openings) this.#cancelOpening(opening);
  }

  #closeUnusedBeyondLimits(): void {
    while (this.#idle.length > 0 && this.idleCount > this.limits.maxIdle) this.#discardOldestIdle();
    for (const opening of this.#openings) {
      if (!this.#places.isOverLimit) break;
      this.#cancelOpening(opening);
    }
    while (this.#places.isOverLimit && this.#idle.length > 0) this.#shed(this.#idle[0] as PooledConnection);
    for (const connection of this.#kept) {
      if (!this.#places.isOverLimit) break;
      this.#shed(connection);
    }
  }

  /** The requester returns to the queue. */
  #cancelOpening(opening: Opening): void {
    opening.cancel();
    const requester = this.#removeOpening(opening);
    this.#places.give();
    if (requester !== null) this.#waiting.push(requester, this.#places.now);
  }

  #removeOpening(opening: Opening): WholeListener | null {
    this.#openings.delete(opening);
    const { requester } = opening;
    if (requester !== null) this.#claims.delete(requester);
    return requester;
  }

  get mustShrink(): boolean {
    return this.#places.isOverLimit || this.#places.owesRoom(ALWAYS);
  }

  /** Closes a connection to make room. */
  #shed(connection: PooledConnection): void {
    this.#closing.add(connection);
    this.row.addClosing(1);
    connection.discard();
  }

  /** Closes unused connections that requests of other threads need room for. */
  #giveWay(): void {
    while (this.#places.owesRoom(ALWAYS)) {
      const [kept] = this.#kept;
      const unused = this.#idle[0] ?? kept;
      if (unused === undefined) return;
      this.#shed(unused);
    }
  }

  #tellUnused(): void {
    this.row.setUnused(this.#idle.length, this.#kept.size);
  }

  /** 0 is no limit. */
  get maxConnections(): number {
    return this.limits.maxConnections;
  }

  /** Resolved and watched from the first use on, when the first connection is opened. */
  get host(): HostAddresses | null {
    if (this.#host === undefined) {
      this.#host = this.#deps.resolver.hostOf(this.address);
      if (!this.#retired) this.#host?.watch(this);
    }
    return this.#host;
  }

  get sendProxy(): ProxyVersion | null {
    return this.limits.sendProxy;
  }

  get sockets(): Sockets {
    return this.#deps.sockets;
  }

  /** Connections in all threads, including those being opened. */
  get openCount(): number {
    return this.row.open;
  }

  /** Unused connections in all threads. */
  get idleCount(): number {
    return this.row.isShared ? this.row.idle : this.#idle.length;
  }

  /** Requests of this thread without a connection, and those of other threads in line. */
  get waitingCount(): number {
    const beside = this.#pipelines?.waitingBeside ?? 0;
    return this.#waiting.length + this.#claims.size + beside + this.row.othersInLine;
  }

  /** Do more requests wait than connections are being opened? Then the last one in the queue waits for a release. */
  get isFull(): boolean {
    return this.#unserved > 0;
  }

  /** How many more requests wait than connections are being opened for the queue. */
  get #unserved(): number {
    return this.#waiting.length - this.#opensForQueue;
  }

  get #opensForQueue(): number {
    return this.#openings.size - this.#claims.size;
  }

  /** Returns a connection if there is one, else null; the requester is called later. */
  lease(requester: LeaseListener): Lease | null {
    if (this.limits.pipelining > 1) {
      this.#pipelines ??= new PipelinedConnections(this, this.#deps.wheel);
      const isTrusted = this.#deps.wheel.now >= this.#distrustedUntil;
      if (isTrusted && requester.isPipelinable) return this.#pipelines.lease(requester);
      this.#pipelines.closeGathering();
    }
    return this.leaseWhole(requester);
  }

  /** Like `lease`, for a connection that is not shared. */
  leaseWhole(requester: WholeListener): PooledConnection | null {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      if (this.row.isShared) this.#tellUnused();
      return idle;
    }
    const { now } = this.#places;
    if (this.#unserved < 0) {
      // A request got another connection than the one that is being opened for the queue.
      this.#waiting.push(requester, now);
    } else if (!this.isFull && !this.#closed && this.#places.take(now)) {
      this.#waiting.push(requester, now);
      this.#openings.add(this.#dial());
    } else if (this.#places.join(now)) {
      this.#waiting.push(requester, now);
      this.#serveLine();
      this.#places.ask();
    } else {
      this.refuse(requester);
    }
    return null;
  }

  /** Takes an unused connection, if there is one. */
  takeIdle(): PooledConnection | null {
    const idle = this.#idle.pop();
    if (idle !== undefined && this.row.isShared) this.#tellUnused();
    return idle ?? null;
  }

  /** The queue is full. */
  refuse(requester: LeaseListener): void {
    const { now } = this.#deps.wheel;
    if (now - this.#toldFullAt >= TELL_MS) {
      this.#toldFullAt = now;
      this.#deps.observer.event?.({ what: 'queue_full', server: this.#server });
    }
    requester.onLeaseFailed(FAILURES.queue_full, '');
  }

  /** The requester leaves the queue, and is not called any more. */
  cancel(requester: WholeListener): void {
    if (this.#pipelines?.cancel(requester) === true) return;
    const opening = this.#claims.get(requester);
    if (opening !== undefined) {
      opening.cancel();
      this.#removeOpening(opening);
      this.#places.give();
    } else if (!this.#waiting.remove(requester)) {
      return;
    }
    this.#serveLine();
  }

  /**
   * The server gets no requests for now: requests that wait for a connection go to other servers, as nothing of them was
   * sent. `detail`: the reason.
   */
  turnAway(detail: string): void {
    for (const opening of this.#openings) this.#cancelOpening(opening);
    for (let left = this.#waiting.length; left > 0; left--)
      this.#waiting.shift()?.onLeaseFailed(FAILURES.server_gone, detail);
    this.#serveLine();
  }

  isKept(connection: PooledConnection): boolean {
    return this.#kept.has(connection);
  }

  reclaim(connection: PooledConnection): boolean {
    const isKept = this.#kept.delete(connection);
    if (isKept && this.row.isShared) this.#tellUnused();
    return isKept;
  }

  /**
   * Closes idle connections that any client may use: a restart or idle timeout that ended one of them has ended the
   * others too.
   */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.discard();
  }

  /** Closes all idle connections, including kept ones: the server is down, or will not be used. */
  closeUnused(): void {
    this.closeIdle();
    for (const connection of this.#kept) connection.discard();
  }

  /** The pool is not used any more: connections in use are used to their end, then closed. */
  retire(): void {
    this.#leaveRow();
    this.#retired = true;
    this.#host?.unwatch(this);
    this.closeUnused();
  }

  #leaveRow(): void {
    if (!this.#closed && !this.#retired) this.#places.leave();
  }

  /** Closes everything, now and when it is released. */
  close(): void {
    this.#leaveRow();
    this.#closed = true;
    this.#host?.unwatch(this);
    for (const opening of this.#openings) this.#cancelOpening(opening);
    for (const connection of this.#open) connection.discard();
    this.#places.close();
  }

  /** The server's name has other addresses: connections to old addresses are used to their end at most. */
  onAddresses(addresses: readonly string[]): void {
    for (const connection of this.#open) if (!addresses.includes(connection.peer)) connection.finish();
  }

  /** Cuts every connection, including those in use: their requests fail as if the server had cut them. */
  cut(): void {
    for (const connection of this.#open) connection.cut();
  }

  // Called by openings.

  /** The one place that decides which protocol a new socket speaks. */
  onOpened(opening: Opening, open: (owner: ChannelOwner) => Channel, peer: string): void {
    const requester = this.#removeOpening(opening);
    const connection = new ServerConnection(this, this.#deps, open, peer);
    this.#open.add(connection);
    this.opened++;
    connection.idle();
    if (requester !== null) requester.onLease(connection);
    else if (this.#waiting.length > 0 && !this.#closed) this.#leaseToFirst(connection);
    else this.takeBack(connection);
  }

  onOpeningFailed(opening: Opening, failure: Failure, detail: string): void {
    const requester = this.#removeOpening(opening);
    this.#places.give();
    if (failure === FAILURES.out_of_resources)
      this.#deps.shortages.note(detail, 'a server could not be connected to');
    (requester ?? this.#waiting.shift())?.onLeaseFailed(failure, detail);
    this.#serveLine();
  }

  // Called by connections.

  keep(connection: PooledConnection): void {
    this.#kept.add(connection);
    if (this.row.isShared) this.#tellUnused();
    if (this.#closed || this.#retired) connection.discard();
    else if (this.#places.isOverLimit) this.#shed(connection);
    else {
      this.#giveWay();
      this.#serveLine();
    }
    // Few clients authenticate their connection; but every client has one to a server that expects PROXY headers.
    if (this.sendProxy !== null && this.#kept.size > this.limits.maxIdle) this.#discardOldestKept();
  }

  #discardOldestKept(): void {
    const [kept] = this.#kept;
    kept?.discard();
  }

  takeBack(connection: PooledConnection): void {
    if (this.#closed || this.limits.sendProxy !== null) {
      connection.discard();
      return;
    }
    const isLimited = this.limits.maxConnections > 0;
    if (isLimited && (this.#places.isOverLimit || this.#places.owesRoom(this.#waiting.cameAt(0)))) {
      this.#shed(connection);
      return;
    }
    if (this.#waiting.length > 0) {
      this.#leaseToFirst(connection);
      return;
    }
    if (this.#retired) {
      connection.discard();
      return;
    }
    // Even a connection without requests so far: the server may close it like any other.
    if (!connection.pooled) connection.park();
    this.#idle.push(connection);
    if (!this.row.isShared) {
      if (this.#idle.length > this.limits.maxIdle) this.#discardOldestIdle();
      return;
    }
    this.#tellUnused();
    // Those of all threads count. When two find at the same moment that there are too many, both close one.
    if (this.row.idle > this.limits.maxIdle) this.#discardOldestIdle();
    // A request of another thread may have joined the line before it could know of this connection.
    if (isLimited) this.#giveWay();
  }

  #discardOldestIdle(): void {
    const oldest = this.#idle.shift();
    if (this.row.isShared) this.#tellUnused();
    oldest?.discard();
  }

  #leaseToFirst(connection: PooledConnection): void {
    const requester = this.#waiting.shift();
    if (this.limits.maxConnections > 0) this.#tellLine();
    requester?.onLease(connection);
  }

  forget(connection: PooledConnection): void {
    this.#kept.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    if (this.row.isShared) this.#tellUnused();
  }

  noteUnsolicited(): void {
    this.unsolicited++;
    this.#distrustedUntil = this.#deps.wheel.now + DISTRUST_MS;
  }

  onClosed(connection: PooledConnection): void {
    this.forget(connection);
    if (this.#closing.delete(connection)) this.row.addClosing(-1);
    if (this.#open.delete(connection)) this.#places.give();
    this.#serveLine();
  }

  // The line.

  /** Opens connections for requests in line as far as there is room, and tells the other threads which requests are left. */
  #serveLine(): void {
    while (this.isFull && !this.#closed && this.#places.take(this.#waiting.cameAt(this.#opensForQueue)))
      this.#openings.add(this.#dial());
    this.#tellLine();
    // `discard` re-enters this function through `onClosed`.
    if (this.isFull && this.#kept.size > 0 && this.#unserved > this.#closing.size) {
      const [kept] = this.#kept;
      this.#shed(kept as PooledConnection);
    }
  }

  #tellLine(): void {
    const count = this.#closed ? 0 : Math.max(0, this.#unserved);
    this.#places.tell(count, this.#waiting.cameAt(this.#opensForQueue));
  }

  onRoom(): void {
    if (this.#closed) return;
    this.#giveWay();
    this.#serveLine();
  }

  #dial(): Opening {
    const { connectTimeout, sendProxy } = this.limits;
    const { wheel } = this.#deps;
    const requester = sendProxy === null ? undefined : this.#waiting.shift();
    if (sendProxy === null || requester === undefined) return new Opening(this, connectTimeout, wheel, this);
    const { client } = requester;
    const header = client === null ? localProxyHeader(sendProxy) : encodeProxyHeader(sendProxy, client);
    const opening = new Opening(this, connectTimeout, wheel, this, requester, header);
    this.#claims.set(requester, opening);
    return opening;
  }
}

/** Idle connections are closed this much earlier than the server would: what is on its way then still arrives. */
const MARGIN_MS = 1000;
/**
 * Idle connections that the server must close at about the same age, one after another, before that age counts as its
 * timeout.
 */
const WITNESSES = 3;
/** Closes that happen together indicate a restart, and count as one. */
const APART_MS = 1000;
/** By how much the ages may differ, as a share of the greatest. */
const SPREAD = 0.2;
/** After this long an observation may be outdated: connections are kept as long as configured, and observed again. */
const FORGET_MS = 600_000;

/**
 * How long an unused connection to one server is kept: as long as configured or as the server announces, but less than
 * the server keeps it: a request that crosses with the server's close is the commonest cause of a 502. The server's own
 * limit is learnt from `Keep-Alive: timeout=`, and from when it closes idle connections.
 */
export class IdleLimit implements IdleTimes {
  /** ms, for a server that announces nothing. */
  #configured: number;
  /** The most ms, for a server that does. */
  #most: number;
  #announced = Number.POSITIVE_INFINITY;
  #observed = Number.POSITIVE_INFINITY;
  #observedAt = 0;
  readonly #ages: number[] = [];
  #lastCloseAt = Number.NEGATIVE_INFINITY;

  constructor(configured: number, most: number = configured) {
    this.#configured = configured;
    this.#most = most;
  }

  /** Applies from now on. */
  configure(configured: number, most: number): void {
    this.#configured = configured;
    this.#most = most;
  }

  /** ms, at `now`; all times here use the same clock; 0 when keeping a connection is not worthwhile. */
  at(now: number): number {
    const isAnnounced = this.#announced !== Number.POSITIVE_INFINITY;
    const limit = isAnnounced ? this.#most : this.#configured;
    return isAnnounced || this.#observed !== Number.POSITIVE_INFINITY
      ? Math.min(limit, this.ofServer(now))
      : limit;
  }

  /** Only the server's own limit: infinite while it is unknown. */
  ofServer(now: number): number {
    if (now - this.#observedAt > FORGET_MS) this.#observed = Number.POSITIVE_INFINITY;
    return Math.min(this.#announced, this.#observed);
  }

  /** Learns from the value of a Keep-Alive field; empty when there was none. */
  noteField(value: string): void {
    const seconds = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i.exec(value)?.[1];
    this.#announced = seconds === undefined ? Number.POSITIVE_INFINITY : below(Number(seconds) * 1000);
  }

  /** The server closed a connection that had been idle for `age` ms. */
  noteClose(age: number, now: number): void {
    if (now - this.#lastCloseAt < APART_MS) return;
    this.#lastCloseAt = now;
    this.#ages.push(age);
    if (this.#ages.length > WITNESSES) this.#ages.shift();
    const least = Math.min(...this.#ages);
    const most = Math.max(...this.#ages);
    if (this.#ages.length < WITNESSES || most - least > most * SPREAD) return;
    this.#observed = below(least);
    this.#observedAt = now;
    this.#ages.length = 0;
  }
}

function below(ms: number): number {
  return Math.max(ms - MARGIN_MS, ms / 2);
}
