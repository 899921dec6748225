import {
  type Algorithm,
  NOBODY,
  type PickKey,
  roomFor,
  SCAN_LIMIT,
  withRoom,
} from './scheduler/scheduler.js';
import { BACKUP, CAREFUL, OUT, Selection, STANDINGS, standingOf } from './selection.js';
import type { GroupMembership, Server } from './server.js';
import type { LoadLog } from './server-counters.js';

/** Told when a group loses its last server that takes new requests, and when it has one again. */
export interface GroupListener {
  onUsability(group: ServerGroup): void;
}

const NONE: readonly number[] = [];

/** Its standing changes with its requests: it is on trial, or has a limit. */
const VOLATILE = 1;
/** It is ejected or on trial. */
const AWAY = 2;
/** It takes requests, and not for a trial alone. */
const STEADY = 4;

/**
 * Servers that stand in for one another, and who chooses among them. What a pick has to know is kept up as servers
 * change: their standing here, and the schedulers of each selection. Servers come and go by `setServers`: those that
 * stay keep their turns, their clients and their indexes.
 */
export class ServerGroup implements GroupMembership {
  #servers: readonly Server[] = [];
  /** By their indexes. null: no server has that index now. Schedulers look at it, and never at one that has left. */
  readonly #slots: (Server | null)[] = [];
  /** Indexes without a server. */
  #free: number[] = [];
  /** How often servers came or went. */
  #version = 0;
  readonly #algorithm: Algorithm;
  #standings: Uint8Array;
  readonly #counts = new Array<number>(STANDINGS).fill(0);
  readonly #selections: Selection[] = [];
  readonly #algorithms: Algorithm[] = [];
  /** The group's own; made at the first pick, as are the others. */
  #main: Selection | null = null;
  /** Of each server the bits above. */
  #marks: Uint8Array;
  #volatileCount = 0;
  #awayCount = 0;
  #steadyCount = 0;
  /** Where each of many servers is, by its number in the log of loads; made when it is needed. */
  #indexes: Map<number, number> | null = null;
  /** By the hashes of their names; made when it is needed. */
  #byHash: Map<number, Server> | null = null;
  /** Of loads, the same for all servers; null while the group never had one. */
  #log: LoadLog | null = null;
  #readsLoads = false;
  /** Up to where the log was read. */
  #read = 0;
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

  /** Another number whenever servers have come or gone. */
  get version(): number {
    return this.#version;
  }

  /** The server whose name has this hash; undefined when there is none. */
  byHash(hash: number): Server | undefined {
    this.#byHash ??= new Map(this.#servers.map((server) => [server.hash, server]));
    return this.#byHash.get(hash);
  }

  /** These are its servers from now on, in this order. What concerns none of them is left as it is. */
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

  /** Indexes are in the order of the list, where that says who serves. Schedulers that go by it remember nothing else. */
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

  /** Its configuration is not in force: it has no say in whether a server may be ejected, until `putInForce`. */
  prepare(): void {
    this.#isPrepared = true;
  }

  putInForce(): void {
    this.#isPrepared = false;
  }

  /** `listener` is told from now on. */
  listen(listener: GroupListener): void {
    this.#listener = listener;
  }

  /** Another snapshot has taken over: its servers live on and tell it nothing more. */
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
   * The server to use next, none of `tried`; null when there is none left. A backup is used when no other server is
   * usable, or a request has tried them all. One that is not `repeatable` is kept from servers on trial if it can be.
   * `selection`, which is one of this group, chooses in place of the group's own.
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
    const picked = selection.pick(key, indexes, repeatable || this.#carefulCount === 0);
    return picked === NOBODY ? null : (this.#slots[picked] as Server);
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

  /** Another way to choose among the servers, for `pick`: the same for all routes that ask for it. */
  selectionBy(algorithm: Algorithm): Selection {
    const known = this.#algorithms.indexOf(algorithm);
    if (known !== -1) return this.#selections[known] as Selection;
    // An index without a server stands `out`, and `out` is never looked at.
    const selection = new Selection(this.#slots as readonly Server[], this.#standings, algorithm);
    this.#selections.push(selection);
    this.#algorithms.push(algorithm);
    return selection;
  }

  get #carefulCount(): number {
    return (this.#counts[CAREFUL] as number) + (this.#counts[CAREFUL + BACKUP] as number);
  }

  /**
   * May a client that is bound to `server` be served there? Not by a backup while another server that was not `tried`
   * for the request can be used: the client is to come back with everybody else.
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

  // What is kept of its servers.

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

  /** Takes in what has changed without a verdict: how many requests its servers have. */
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
      return;
    }
    if (!this.#readsLoads) log.readers++;
    this.#readsLoads = true;
    this.#read = log.end;
    for (let index = 0; index < this.#slots.length; index++)
      if (this.#slots[index] !== null) this.#noteLoad(index);
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

  /** Its servers tell a group of the old snapshot nothing: for the few requests that go on it looks itself. */
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
