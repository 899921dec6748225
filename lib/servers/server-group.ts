import {
  type Algorithm,
  NO_CANDIDATE,
  type PickKey,
  roomFor,
  SCAN_LIMIT,
  withRoom,
} from './scheduler/scheduler.js';
import { BACKUP, BUSY, CAREFUL, OUT, Selection, STANDINGS, standingOf } from './selection.js';
import type { GroupMembership, Server } from './server.js';
import type { LoadLog } from './server-counters.js';

/** Called when a group loses its last server for new requests, and when it has one again. */
export interface GroupListener {
  onUsability(group: ServerGroup): void;
}

const NONE: readonly number[] = [];
/** How often at most a pick starts over because requests of other threads have changed what it was based on. */
const TRIES = 4;
/**
 * Where a pick does not compare all servers, it reads the loads of this many in turn, because requests of other threads
 * change them: 1,000 servers in 250 picks.
 */
const LOOKED_AT = 4;

/** The standing changes with each request: the server is half-open, or has a limit. */
const VOLATILE = 1;
/** The server is ejected or half-open. */
const AWAY = 2;
/** The server takes requests, and is not half-open. */
const STEADY = 4;

/**
 * Servers that share requests, and the choice among them. What a pick needs is updated when servers change: their
 * standing here, and the schedulers of each selection. `setServers` adds and removes servers: those that stay keep their
 * turns, clients and indexes.
 */
export class ServerGroup implements GroupMembership {
  #servers: readonly Server[] = [];
  /** By index. null: an unused index. Schedulers read this array, but not servers that have left. */
  readonly #slots: (Server | null)[] = [];
  /** Unused indexes. */
  #free: number[] = [];
  /** How often servers were added or removed. */
  #version = 0;
  readonly #algorithm: Algorithm;
  #standings: Uint8Array;
  readonly #counts = new Array<number>(STANDINGS).fill(0);
  readonly #selections: Selection[] = [];
  readonly #algorithms: Algorithm[] = [];
  /** The selection of the group itself; made at the first pick, like the others. */
  #main: Selection | null = null;
  /** For each server, the bits above. */
  #marks: Uint8Array;
  #volatileCount = 0;
  #awayCount = 0;
  #steadyCount = 0;
  /** The index of each server, by its number in the load log; made when needed, for many servers. */
  #indexes: Map<number, number> | null = null;
  /** By the hashes of the names; made when needed. */
  #byHash: Map<number, Server> | null = null;
  /** The load log, the same for all servers; null while the group has never had one. */
  #log: LoadLog | null = null;
  #readsLoads = false;
  /** Up to which entry the log was read. */
  #read = 0;
  /** Do other threads send requests to the servers? */
  #isShared = false;
  /** The index whose load is looked at next. */
  #next = 0;
  readonly #tried: number[] = [];
  #released = false;
  #isPrepared = false;
  #wasUsable: boolean;
  #listener: GroupListener | null = null;

  constructor(servers: readonly Server[], algorithm: Algorithm) {
    this.#algorithm = algorithm;
    this.#standings = new Uint8Array(servers.length);
    this.#marks = new Uint8Array(servers.length);
    this.#servers = servers;
    for (const server of servers) this.#takeIn(server);
    this.#wasUsable = this.isUsable;
  }

  /** In order. */
  get servers(): readonly Server[] {
    return this.#servers;
  }

  /** Changes whenever servers are added or removed. */
  get version(): number {
    return this.#version;
  }

  /** The server whose name has this hash; undefined when there is none. */
  byHash(hash: number): Server | undefined {
    this.#byHash ??= new Map(this.#servers.map((server) => [server.hash, server]));
    return this.#byHash.get(hash);
  }

  /** Sets the servers, in this order. Servers that stay are not affected. */
  setServers(servers: readonly Server[]): void {
    const before = this.#servers;
    const least = Math.min(before.length, servers.length);
    let first = 0;
    while (first < least && before[first] === servers[first]) first++;
    let last = 0;
    while (last < least - first && before.at(-1 - last) === servers.at(-1 - last)) last++;
    if (first === before.length && first === servers.length) return;
    const came = new Set(servers.slice(first, servers.length - last));
    const left = before.slice(first, before.length - last).filter((server) => !came.delete(server));
    this.#servers = servers;
    this.#version++;
    for (const server of left) this.#letGo(server);
    for (const server of came) this.#takeIn(server);
    if (this.#algorithm.followsOrder) this.#renumber();
    this.#noteUsability();
  }

  #takeIn(server: Server): void {
    const free = this.#algorithm.followsOrder ? undefined : this.#free.pop();
    const index = free ?? this.#slots.length;
    if (free === undefined) this.#grow(server);
    else this.#slots[index] = server;
    this.#log ??= server.log;
    this.#isShared ||= server.isShared;
    this.#indexes?.set(server.id, index);
    this.#byHash?.set(server.hash, server);
    this.#counts[OUT]!++;
    server.join(this, index);
    if (this.#algorithm.readsLatency) server.estimatesLatency = true;
    this.#place(server, index);
  }

  #grow(server: Server): void {
    const length = this.#slots.push(server);
    const room = roomFor(length, this.#standings.length);
    if (room !== this.#standings.length) {
      this.#standings = withRoom(this.#standings, room);
      this.#marks = withRoom(this.#marks, room);
    }
    for (const selection of this.#selections) selection.grow(this.#standings);
  }

  #letGo(server: Server): void {
    const index = server.quit(this);
    this.#mark(index, 0);
    this.#move(index, OUT);
    this.#counts[OUT]!--;
    for (const selection of this.#selections) selection.forget(index);
    this.#slots[index] = null;
    this.#free.push(index);
    this.#indexes?.delete(server.id);
    if (this.#byHash?.get(server.hash) === server) this.#byHash = null;
  }

  /** If the order of the list decides, indexes follow it. Schedulers that use the order keep no other state. */
  #renumber(): void {
    this.#free = [];
    this.#slots.length = 0;
    for (const server of this.#servers) this.#slots.push(server);
    this.#indexes = null;
    this.#standings.fill(OUT);
    this.#counts.fill(0);
    this.#counts[OUT] = this.#servers.length;
    for (let index = 0; index < this.#marks.length; index++) this.#mark(index, 0);
    for (const selection of this.#selections) selection.reset();
    for (const [index, server] of this.#servers.entries()) {
      server.join(this, index);
      this.#place(server, index);
    }
  }

  /** The configuration is not in force: the group has no influence on ejections until `putInForce`. */
  prepare(): void {
    this.#isPrepared = true;
  }

  putInForce(): void {
    this.#isPrepared = false;
  }

  /** Sets the listener. */
  listen(listener: GroupListener): void {
    this.#listener = listener;
  }

  /** Another snapshot is in force: shared servers call this group no more. */
  release(): void {
    this.#released = true;
    for (const server of this.#servers) server.quit(this);
    this.#stopReading();
  }

  /** Servers that take new requests. */
  get usableCount(): number {
    return this.#servers.length - (this.#counts[OUT] as number);
  }

  /** Can a new request be served? */
  get isUsable(): boolean {
    return this.usableCount > 0;
  }

  /**
   * The server to use next, not one of `tried`; null when there is none left. A backup is used when no other server is
   * usable, or when a request has tried all others. A request that is not `repeatable` avoids half-open servers if
   * possible. `selection`, one of this group, replaces the group's own.
   */
  pick(
    key: PickKey,
    tried: readonly Server[],
    repeatable = true,
    selection: Selection = this.#main ?? this.#select(),
  ): Server | null {
    if (this.#log !== null && this.#log.pending.length > 0) this.#askForChanges(this.#log);
    if (this.#released || this.#volatileCount > 0 || this.#slots.length > SCAN_LIMIT) this.#catchUp();
    const indexes = tried.length === 0 ? NONE : this.#indexesOf(tried);
    for (let tries = 1; ; tries++) {
      const picked = selection.pick(key, indexes, repeatable || this.#carefulCount === 0);
      if (picked === NO_CANDIDATE) return null;
      const isSettled = this.#awayCount === 0 && !this.#isShared;
      if (isSettled || tries === TRIES || this.#isStillRight(picked)) return this.#slots[picked] as Server;
    }
  }

  /** Does what the pick was based on still hold? Otherwise it is up to date afterwards. */
  #isStillRight(index: number): boolean {
    if (this.#isShared && this.#readsLoads) {
      const standing = this.#standings[index];
      this.#noteLoad(index);
      if (this.#standings[index] !== standing) return false;
    }
    return this.#awayCount === 0 || this.#mayBegin(index);
  }

  /** If the server is half-open: can the request be its trial? Otherwise its standing is up to date afterwards. */
  #mayBegin(index: number): boolean {
    const server = this.#slots[index] as Server;
    if (!server.isHalfOpen || server.claimTrial()) return true;
    const standing = this.#standings[index] as number;
    // There is no other server for the request.
    if (standing === BUSY || standing === BUSY + BACKUP) return true;
    this.#stand(server, index);
    return false;
  }

  #indexesOf(tried: readonly Server[]): readonly number[] {
    const indexes = this.#tried;
    while (indexes.length > 0) indexes.pop();
    for (let i = 0; i < tried.length; i++) {
      const index = this.#indexOf(tried[i] as Server);
      if (index !== -1) indexes.push(index);
    }
    return indexes;
  }

  #indexOf(server: Server): number {
    if (this.#slots.length <= SCAN_LIMIT) return this.#slots.indexOf(server);
    return this.#indexesById().get(server.id) ?? -1;
  }

  #indexesById(): Map<number, number> {
    if (this.#indexes === null) {
      this.#indexes = new Map();
      for (const [index, server] of this.#slots.entries())
        if (server !== null) this.#indexes.set(server.id, index);
    }
    return this.#indexes;
  }

  #select(): Selection {
    this.#main = this.selectionBy(this.#algorithm);
    return this.#main;
  }

  /** Another way to choose among the servers, for `pick`: the same for all routes that use this algorithm. */
  selectionBy(algorithm: Algorithm): Selection {
    const known = this.#algorithms.indexOf(algorithm);
    if (known !== -1) return this.#selections[known] as Selection;
    // An unused index has the standing `out`, and servers that are out are never read.
    const selection = new Selection(this.#slots as readonly Server[], this.#standings, algorithm);
    this.#selections.push(selection);
    this.#algorithms.push(algorithm);
    return selection;
  }

  get #carefulCount(): number {
    return (this.#counts[CAREFUL] as number) + (this.#counts[CAREFUL + BACKUP] as number);
  }

  /**
   * May a client that is bound to `server` be served there? Not on a backup while another server that was not `tried` is
   * usable: the client returns with all others.
   */
  mayHold(server: Server, tried: readonly Server[]): boolean {
    if (!server.takesBound || tried.includes(server)) return false;
    if (!server.backup) return true;
    if (this.#log !== null && this.#log.pending.length > 0) this.#askForChanges(this.#log);
    if (this.#released) this.#lookAtAll();
    let others = 0;
    for (let standing = OUT + 1; standing <= BACKUP - 1; standing++)
      others += this.#counts[standing] as number;
    for (const one of tried) if (one.isUsable && !one.backup) others--;
    return others <= 0;
  }

  onServerChange(server: Server, index: number): void {
    this.#place(server, index);
    for (const selection of this.#selections) selection.reweigh(index);
    this.#noteUsability();
  }

  #noteUsability(): void {
    const { isUsable } = this;
    if (isUsable !== this.#wasUsable) {
      this.#wasUsable = isUsable;
      this.#listener?.onUsability(this);
    }
    if (isUsable || this.#awayCount === 0 || this.#isPrepared) return;
    for (const other of this.#servers) if (other.isEjected && other.isUp) other.recall();
  }

  spares(server: Server, maxEjected: number): boolean {
    if (this.#isPrepared) return true;
    const isAway = server.isEjected || server.isHalfOpen;
    const away = this.#awayCount - (isAway ? 1 : 0);
    if (away + 1 > Math.max(1, Math.floor(maxEjected * this.#servers.length))) return false;
    const isSteady = server.isUsable && !server.isHalfOpen;
    return this.#steadyCount > (isSteady ? 1 : 0);
  }

  othersAnswered(server: Server, since: number): boolean {
    if (this.#isPrepared) return false;
    return this.#servers.some((other) => other !== server && other.answeredAt > since);
  }

  // The state of each server.

  #place(server: Server, index: number): void {
    const { isHalfOpen } = server;
    const marks =
      (isHalfOpen || server.capacity !== Number.POSITIVE_INFINITY ? VOLATILE : 0) |
      (isHalfOpen || server.isEjected ? AWAY : 0) |
      (server.isUsable && !isHalfOpen ? STEADY : 0);
    this.#mark(index, marks);
    this.#stand(server, index);
  }

  #mark(index: number, marks: number): void {
    const before = this.#marks[index] as number;
    if (marks === before) return;
    this.#marks[index] = marks;
    this.#volatileCount += (marks & VOLATILE) - (before & VOLATILE);
    this.#awayCount += ((marks & AWAY) - (before & AWAY)) / AWAY;
    this.#steadyCount += ((marks & STEADY) - (before & STEADY)) / STEADY;
  }

  #stand(server: Server, index: number): void {
    this.#move(index, standingOf(server));
  }

  #move(index: number, now: number): void {
    const before = this.#standings[index] as number;
    if (now === before) return;
    this.#standings[index] = now;
    this.#counts[before]!--;
    this.#counts[now]!++;
    for (let i = 0; i < this.#selections.length; i++)
      (this.#selections[i] as Selection).move(index, before, now);
  }

  /** Reads changes that servers do not report: their numbers of requests. */
  #catchUp(): void {
    if (this.#released) this.#lookAtAll();
    else if (this.#slots.length > SCAN_LIMIT) this.#readLoads();
    else this.#lookAtVolatile();
  }

  #askForChanges({ pending }: LoadLog): void {
    for (const server of pending) server.notify(this);
  }

  #lookAtVolatile(): void {
    for (let index = 0; index < this.#marks.length; index++)
      if (((this.#marks[index] as number) & VOLATILE) !== 0) this.#stand(this.#slots[index] as Server, index);
  }

  #readLoads(): void {
    if (this.#volatileCount === 0 && !this.#followsLoad) {
      if (this.#readsLoads) this.#stopReading();
      return;
    }
    const log = this.#log as LoadLog;
    const missed = log.end - this.#read;
    if (this.#readsLoads && missed <= this.#slots.length && log.has(this.#read)) {
      const indexes = this.#indexesById();
      while (this.#read < log.end) {
        const index = indexes.get(log.at(this.#read++));
        if (index !== undefined) this.#noteLoad(index);
      }
      if (this.#isShared) this.#lookAtSome();
      return;
    }
    if (!this.#readsLoads) log.readers++;
    this.#readsLoads = true;
    this.#read = log.end;
    for (let index = 0; index < this.#slots.length; index++)
      if (this.#slots[index] !== null) this.#noteLoad(index);
  }

  /** The log has only requests of this thread. */
  #lookAtSome(): void {
    for (let count = 0; count < LOOKED_AT; count++) {
      this.#next = this.#next + 1 < this.#slots.length ? this.#next + 1 : 0;
      if (this.#slots[this.#next] !== null) this.#noteLoad(this.#next);
    }
  }

  #stopReading(): void {
    if (!this.#readsLoads) return;
    (this.#log as LoadLog).readers--;
    this.#readsLoads = false;
  }

  get #followsLoad(): boolean {
    for (let i = 0; i < this.#selections.length; i++)
      if ((this.#selections[i] as Selection).followsLoad) return true;
    return false;
  }

  #noteLoad(index: number): void {
    if (((this.#marks[index] as number) & VOLATILE) !== 0) this.#stand(this.#slots[index] as Server, index);
    for (let i = 0; i < this.#selections.length; i++) (this.#selections[i] as Selection).noteLoad(index);
  }

  /** Servers do not call a group of an old snapshot: for its few remaining requests it reads all of them. */
  #lookAtAll(): void {
    for (const [index, server] of this.#slots.entries()) {
      if (server === null) continue;
      this.#place(server, index);
      for (const selection of this.#selections) {
        selection.reweigh(index);
        selection.noteLoad(index);
      }
    }
  }
}
