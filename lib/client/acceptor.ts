import type { AddressSet } from '../base/address-set.js';
import { ObjectPool } from '../base/collections.js';
import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import type { ListenerState } from '../base/listener-state.js';
import type { Clock } from '../base/timer-wheel.js';
import type { Config, LimitsConfig } from '../config/types.js';
import type { Firewall } from '../firewall/firewall.js';
import { ForwardedClient } from '../http/forwarded.js';
import type { HeadLimits } from '../http/message-parser.js';
import { ResponseParser } from '../http/response-parser.js';
import type {
  Acceptor,
  Admission,
  Entrance,
  Incoming,
  PendingConnection,
  RawConnection,
} from '../net/accept.js';
import { RunQueue } from '../net/loop-tick.js';
import { clientRoom, fileLimit, type ShortageAlarm } from '../net/shortage.js';
import type { ClientPlaces } from '../shared/client-places.js';
import type { ConnectionTotal } from '../shared/connection-total.js';
import type { KeyedHash } from '../shared/keyed-hash.js';
import type { SharedMemory } from '../shared/shared-memory.js';
import { type ChallengeAnswer, ChallengeReply } from './challenge-reply.js';
import { ClientConnection, type ClientDeps } from './connection.js';
import { ReadinessReply } from './readiness-reply.js';
import { ClientRequest } from './request.js';
import { RoomQueue } from './room-queue.js';

/** Which clients are accepted, and which peers are trusted. */
export interface AcceptPolicy {
  /** The trusted peers, whose X-Forwarded-* is believed. */
  readonly trusted: AddressSet;
  /** Is Forwarded (RFC 7239) sent to servers too? */
  readonly tellsForwarded: boolean;
  readonly tellsVia: boolean;
  /** Asked before a byte is read; null accepts all clients. */
  readonly firewall: Firewall | null;
  /** Where connections are counted, in all threads. */
  readonly shared: SharedMemory;
}

/** The settings that apply to all clients. */
export type ClientTerms = Pick<Config, 'limits' | 'timeouts' | 'readinessPath'>;

/** The parts that a reload does not change. */
export interface AcceptorDeps extends Pick<ClientDeps, 'wheel' | 'requests' | 'handlers'> {
  /** A word for the reason why the balancer should get no requests; empty when it should. */
  readonly whyNotReady: () => string;
}

/** The most connections searched for idle ones in a tick; this takes a few ms. */
const MAX_LOOKS = 40_000;

/** More connections than a process can have. */
const NO_LIMIT = 0x7fffffff;

/** Accepts clients, as many as the limits allow, and keeps the list of their connections. */
export class ClientAcceptor implements Acceptor {
  readonly #deps: { -readonly [Key in keyof ClientDeps]: ClientDeps[Key] };
  readonly #shortages: ShortageAlarm;
  readonly #whyNotReady: () => string;
  readonly #room = clientRoom(fileLimit());
  #limits: LimitsConfig;
  #policy: AcceptPolicy;
  /** The connections that a firewall counts. */
  readonly #places = new Map<ClientConnection, Firewall>();
  readonly #connections = new Set<ClientConnection>();
  /** Connections whose handshake is not over. */
  readonly #pending = new Set<Place>();
  /** The connections of all threads, and of all clients in them. */
  readonly #total: ConnectionTotal;
  readonly #perClient: ClientPlaces;
  readonly #clientHash: KeyedHash;
  /** Connections that wait until another thread has made room; null: there is none. */
  readonly #roomQueue: RoomQueue | null;
  /** Connections that were idle at `#lookedAt`, in the wheel's time; the longest idle one is the last. */
  #idle: Displaceable[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looks = 0;
  #draining = false;
  #onEmpty: (() => void) | null = null;
  /** Connections accepted since the start. */
  accepted = 0;

  constructor(deps: AcceptorDeps, policy: AcceptPolicy, terms: ClientTerms, shortages: ShortageAlarm) {
    const { whyNotReady, ...shared } = deps;
    const { limits, timeouts } = terms;
    this.#shortages = shortages;
    this.#whyNotReady = whyNotReady;
    const onClosed = (connection: ClientConnection): void => this.#onClosed(connection);
    const runQueue = new RunQueue();
    this.#deps = { ...shared, runQueue, limits, timeouts, readiness: null, challenges: null, onClosed };
    this.#limits = limits;
    this.#policy = policy;
    const { connections, rooms, places, scopes } = policy.shared.clients;
    this.#total = connections;
    this.#roomQueue = rooms.hasOthers
      ? new RoomQueue(deps.wheel, rooms, connections, () => this.#closeLongestIdle())
      : null;
    this.#perClient = places;
    this.#clientHash = scopes.hashFor('limits.connections_per_ip', []);
    this.applyConfig(policy, terms);
  }

  /** After a reload: applies to new connections, and to the next requests of open ones. */
  applyConfig(policy: AcceptPolicy, { limits, timeouts, readinessPath }: ClientTerms): void {
    this.#policy = policy;
    this.#limits = limits;
    this.#deps.limits = limits;
    this.#deps.timeouts = timeouts;
    this.#deps.readiness =
      readinessPath === null ? null : new ReadinessReply(readinessPath, this.#whyNotReady);
  }

  /** From the next request on; null: no challenge of ACME is open. */
  answerChallenges(answerFor: ChallengeAnswer | null): void {
    this.#deps.challenges = answerFor === null ? null : new ChallengeReply(answerFor);
  }

  get count(): number {
    return this.#connections.size + this.#pending.size;
  }

  waits(
    connection: RawConnection,
    client: string | null,
    listener: ListenerState,
    entrance: Entrance,
  ): boolean {
    const queue = this.#roomQueue;
    if (queue === null || queue.isComingIn || this.#total.hasGift || this.#total.total < this.most)
      return false;
    // No client is closed to make room for a refused one.
    if (listener.isFull || (client !== null && this.#wouldRefuse(client)) || this.#findIdle()) return false;
    this.#shortages.noteFull(this.most);
    return queue.push(connection, entrance);
  }

  #wouldRefuse(remoteAddress: string): boolean {
    const peer = parseIpAddress(plainAddress(remoteAddress)) ?? IpAddress.unix;
    const most = this.#limits.connectionsPerIp;
    if (most > 0 && this.#perClient.countOf(this.#clientHash.ofClient(peer)) >= most) return true;
    const { trusted, firewall } = this.#policy;
    return !trusted.has(peer) && firewall?.wouldRefuse(peer) === true;
  }

  /**
   * Takes a place before the client's address is known: the connection counts, but for no address. Null: there is no
   * room.
   */
  hold(listener: ListenerState, pending: PendingConnection): Place | null {
    if (this.#isTooManyFor(listener) || !this.#hasRoom()) return null;
    const place = new Place(this, listener, '', null, false, null, pending);
    this.#pending.add(place);
    listener.open++;
    return place;
  }

  /** Null: the connection is refused. */
  admit(
    remoteAddress: string,
    listener: ListenerState,
    pending: PendingConnection | null,
    held: Admission | null = null,
  ): Place | null {
    if (held === null) {
      return this.#isTooManyFor(listener) ? null : this.#admit(remoteAddress, listener, pending, false);
    }
    // The place that was held is used again: no other connection has to make room.
    this.#pending.delete(held as Place);
    listener.open--;
    const place = this.#admit(remoteAddress, listener, pending, true);
    if (place !== null) return place;
    this.#total.leave();
    this.#noteEmpty();
    return null;
  }

  #isTooManyFor(listener: ListenerState): boolean {
    if (!listener.isFull) return false;
    listener.turnedAway++;
    return true;
  }

  /** `isCounted`: it is one of the connections of the total. */
  #admit(
    remoteAddress: string,
    listener: ListenerState,
    pending: PendingConnection | null,
    isCounted: boolean,
  ): Place | null {
    const address = plainAddress(remoteAddress);
    const { trusted, firewall } = this.#policy;
    const peer = parseIpAddress(address) ?? IpAddress.unix;
    const isTrusted = trusted.has(peer);
    if (!this.#enter(peer)) return null;
    // The client of a trusted peer is known only from the head.
    const judge = isTrusted ? null : firewall;
    const isRefused = judge?.judgeAccept(peer).refused === true;
    // Last: no client is closed to make room for a refused one.
    if (isRefused || !(isCounted || this.#hasRoom())) {
      if (!isRefused) judge?.leave(peer);
      this.#perClient.leave(this.#clientHash.ofClient(peer));
      return null;
    }
    const place = new Place(this, listener, address, peer, isTrusted, judge, pending);
    if (pending !== null) this.#pending.add(place);
    this.accepted++;
    listener.open++;
    return place;
  }

  onAccept(incoming: Incoming, place: Admission): void {
    const { address, peer, isTrusted, firewall, listener } = place as Place;
    const { tellsForwarded, tellsVia } = this.#policy;
    const { transport, source } = incoming;
    const forwarded = new ForwardedClient(
      address,
      isTrusted,
      tellsForwarded,
      tellsVia,
      transport,
      source,
      listener,
      peer,
    );
    this.#pending.delete(place as Place);
    const connection = new ClientConnection(this.#deps, forwarded, (owner) => incoming.take(owner));
    this.#connections.add(connection);
    if (firewall !== null) this.#places.set(connection, firewall);
    if (this.#draining) connection.announceEnd();
  }

  /** From now on every answer ends its connection, including those of new connections. */
  announceEnd(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.announceEnd();
  }

  /**
   * After a reload, listeners may require other client certificates. Connections that began under other terms end, busy ones
   * after the answer in progress: a client without a certificate, or with a revoked one, sends no further request.
   */
  endOutdated(): void {
    for (const connection of this.#connections) {
      if (!isOutdated(connection.forwarded)) continue;
      connection.announceEnd();
      connection.closeIfIdle();
    }
  }

  /** Is there a connection that has not brought any request yet? */
  get hasFresh(): boolean {
    if (this.#pending.size > 0) return true;
    for (const { requests } of this.#connections) if (requests === 0) return true;
    return false;
  }

  /** Closes idle connections at once, the others after their answer; `done` is called when the last one has closed. */
  drain(done: () => void): void {
    this.announceEnd();
    this.#roomQueue?.giveUp();
    this.#onEmpty = done;
    for (const connection of this.#connections) connection.closeIfIdle();
    for (const place of [...this.#pending]) if (place.isSilent) place.abandon();
    if (this.count === 0) done();
  }

  /** Cuts all connections. */
  destroy(): void {
    this.#roomQueue?.close();
    for (const place of [...this.#pending]) place.abandon();
    for (const connection of this.#connections) connection.destroy();
  }

  /** The most connections at once: the configured limit, or less if this process may not open enough files. */
  get most(): number {
    return Math.min(this.#limits.connections, this.#room);
  }

  /** Counted even without a limit: a reload may set one. What does not fit into the table is let in then. */
  #enter(peer: IpAddress): boolean {
    const most = this.#limits.connectionsPerIp;
    return this.#perClient.enter(this.#clientHash.ofClient(peer), most > 0 ? most : NO_LIMIT) || most === 0;
  }

  /**
   * Takes one of the connections that are allowed in all threads, or one that another thread has closed for it. If there is
   * none left, closes the longest idle one of this thread, which loses nothing, and takes its place.
   */
  #hasRoom(): boolean {
    if (this.#total.takeGift() || this.#total.enter(this.most)) return true;
    this.#shortages.noteFull(this.most);
    return this.#closeLongestIdle();
  }

  /** Its place is handed to the caller, and not free for others; false: no client is idle. */
  #closeLongestIdle(): boolean {
    const idle = this.#takeLongestIdle();
    if (idle === null) return false;
    if (idle instanceof ClientConnection) this.#forget(idle);
    else this.#forgetPending(idle);
    idle.abandon();
    return true;
  }

  #findIdle(): boolean {
    const idle = this.#takeLongestIdle();
    if (idle !== null) this.#idle.push(idle);
    return idle !== null;
  }

  /** One search of all connections finds as many as are needed for a while. */
  #takeLongestIdle(): Displaceable | null {
    for (let isNew = false; ; isNew = true) {
      for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
        // The connection may have been used or closed since.
        if (this.#isThere(idle) && idle.idleSince <= this.#lookedAt) return idle;
      }
      const { now } = this.#deps.wheel;
      if (this.#lookedAt !== now) this.#looks = 0;
      if (isNew || this.#looks > MAX_LOOKS) return null;
      this.#looks += this.count;
      this.#lookedAt = now;
      const all: Displaceable[] = [...this.#connections, ...this.#pending];
      this.#idle = all.filter(({ idleSince }) => idleSince !== Number.POSITIVE_INFINITY);
      this.#idle.sort((one, other) => other.idleSince - one.idleSince);
    }
  }

  #isThere(candidate: Displaceable): boolean {
    return candidate instanceof ClientConnection
      ? this.#connections.has(candidate)
      : this.#pending.has(candidate);
  }

  #onClosed(connection: ClientConnection): void {
    if (this.#forget(connection)) this.#total.leave();
    this.#noteEmpty();
  }

  #noteEmpty(): void {
    if (this.count === 0) this.#onEmpty?.();
  }

  /** Frees the place of a connection, which may still be closing, except in the total; false: it was free already. */
  #forget(connection: ClientConnection): boolean {
    if (!this.#connections.delete(connection)) return false;
    const { peer, listener } = connection.forwarded;
    this.#free(peer, listener, this.#places.get(connection) ?? null);
    this.#places.delete(connection);
    return true;
  }

  /** The connection will not become a client's. */
  forgetPending(place: Place): void {
    if (!this.#forgetPending(place)) return;
    this.#total.leave();
    this.#noteEmpty();
  }

  #forgetPending(place: Place): boolean {
    if (!this.#pending.delete(place)) return false;
    this.#free(place.peer, place.listener, place.firewall);
    return true;
  }

  #free(peer: IpAddress | null, listener: ListenerState, firewall: Firewall | null): void {
    listener.open--;
    if (peer === null) return;
    firewall?.leave(peer);
    this.#perClient.leave(this.#clientHash.ofClient(peer));
  }
}

function isOutdated({ transport: { tls, sni }, listener }: ForwardedClient): boolean {
  if (tls === null) return listener.policies !== null;
  return tls.policyOf !== null && tls.policyOf(sni ?? '') !== tls.policy;
}

/** What can be closed to make room while it is idle. */
type Displaceable = ClientConnection | Place;

/** The place of an accepted connection until its `ClientConnection` is made. */
class Place implements Admission {
  readonly #acceptor: ClientAcceptor;
  readonly listener: ListenerState;
  readonly address: string;
  /** null: the client's address is not known yet. */
  readonly peer: IpAddress | null;
  readonly isTrusted: boolean;
  /** The firewall that accepted and counts the connection. */
  readonly firewall: Firewall | null;
  readonly #pending: PendingConnection | null;

  constructor(
    acceptor: ClientAcceptor,
    listener: ListenerState,
    address: string,
    peer: IpAddress | null,
    isTrusted: boolean,
    firewall: Firewall | null,
    pending: PendingConnection | null,
  ) {
    this.#acceptor = acceptor;
    this.listener = listener;
    this.address = address;
    this.peer = peer;
    this.isTrusted = isTrusted;
    this.firewall = firewall;
    this.#pending = pending;
  }

  get idleSince(): number {
    return this.#pending?.idleSince ?? Number.POSITIVE_INFINITY;
  }

  get isSilent(): boolean {
    return this.#pending?.isSilent === true;
  }

  abandon(): void {
    this.leave();
    this.#pending?.abandon();
  }

  leave(): void {
    this.#acceptor.forgetPending(this);
  }
}

/** An IPv4 client of a dual-stack listener has an address like `::ffff:192.0.2.1`; a Unix socket has none. */
function plainAddress(address: string): string {
  if (address === '') return 'unix';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** How many objects of requests are kept for reuse: as many as are usually in flight. */
export const POOLED_OBJECTS = 1024;

/** Objects for requests, each with a parser that refuses heads beyond `limits`. */
export function clientRequests(limits: LimitsConfig, clock: Clock): ObjectPool<ClientRequest> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes, fields: headers, targetBytes: uriBytes };
  return new ObjectPool(POOLED_OBJECTS, () => new ClientRequest(accepted, clock));
}

/** Parsers of responses: their heads may be twice as long as those of requests. */
export function responseParsers(limits: LimitsConfig): ObjectPool<ResponseParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes * 2, fields: headers * 2, targetBytes: uriBytes };
  return new ObjectPool(POOLED_OBJECTS, () => new ResponseParser(accepted));
}
