import { type Algorithm, NOBODY, type PickKey, SCAN_LIMIT } from './scheduler/scheduler.js';
import { Selection } from './selection.js';
import type { Server, ServerListener } from './server.js';
import { BACKUP, CAREFUL, OUT, STANDINGS, standingOf } from './standing.js';

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
 * change: their standing here, and the schedulers of each selection.
 */
export class ServerGroup implements ServerListener {
  readonly servers: readonly Server[];
  readonly #algorithm: Algorithm;
  readonly #standings: Uint8Array;
  readonly #counts = new Array<number>(STANDINGS).fill(0);
  readonly #selections: Selection[] = [];
  /** The group's own; made at the first pick, as are the others. */
  #main: Selection | null = null;
  /** Of each server the bits below. */
  readonly #marks: Uint8Array;
  #volatileCount = 0;
  #awayCount = 0;
  #steadyCount = 0;
  /** Where each of many servers is, by its number in the log of loads; made when it is needed. */
  #indexes: Map<number, number> | null = null;
  #readsLoads = false;
  /** Up to where the log was read. */
  #read = 0;
  readonly #tried: number[] = [];
  #released = false;
  #wasUsable: boolean;
  #listener: GroupListener | null = null;

  constructor(servers: readonly Server[], algorithm: Algorithm) {
    this.servers = servers;
    this.#algorithm = algorithm;
    this.#standings = new Uint8Array(servers.length);
    this.#marks = new Uint8Array(servers.length);
    this.#counts[OUT] = servers.length;
    for (const [index, server] of servers.entries()) {
      server.watch(this, index);
      if (algorithm.readsLatency) server.estimatesLatency = true;
      this.#place(server, index);
    }
    this.#wasUsable = this.isUsable;
  }

  /** `listener` is told from now on. */
  listen(listener: GroupListener): void {
    this.#listener = listener;
  }

  /** Another snapshot has taken over: its servers live on and tell it nothing more. */
  release(): void {
    this.#released = true;
    for (const server of this.servers) server.unwatch(this);
    this.#stopReading();
  }

  /** Servers that take new requests. */
  get usableCount(): number {
    return this.servers.length - (this.#counts[OUT] as number);
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
    if (this.#released || this.#volatileCount > 0 || this.servers.length > SCAN_LIMIT) this.#catchUp();
    const indexes = tried.length === 0 ? NONE : this.#indexesOf(tried);
    const picked = selection.pick(key, indexes, repeatable || this.#carefulCount === 0);
    return picked === NOBODY ? null : (this.servers[picked] as Server);
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
    if (this.servers.length <= SCAN_LIMIT) return this.servers.indexOf(server);
    return this.#indexesById().get(server.id) ?? -1;
  }

  #indexesById(): Map<number, number> {
    this.#indexes ??= new Map(this.servers.map(({ id }, index) => [id, index]));
    return this.#indexes;
  }

  #select(): Selection {
    this.#main = this.selectionBy(this.#algorithm);
    return this.#main;
  }

  /** Another way to choose among the servers, for `pick`. */
  selectionBy(algorithm: Algorithm): Selection {
    const selection = new Selection(this.servers, this.#standings, algorithm);
    this.#selections.push(selection);
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
    if (this.#released) this.#lookAtAll();
    let others = 0;
    for (let standing = OUT + 1; standing <= BACKUP - 1; standing++)
      others += this.#counts[standing] as number;
    for (const one of tried) if (one.isUsable && !one.backup) others--;
    return others <= 0;
  }

  onVerdict(server: Server, index: number): void {
    this.#place(server, index);
    for (const selection of this.#selections) selection.reweigh(index);
    const { isUsable } = this;
    if (isUsable !== this.#wasUsable) {
      this.#wasUsable = isUsable;
      this.#listener?.onUsability(this);
    }
    if (isUsable || this.#awayCount === 0) return;
    for (const other of this.servers) if (other.isEjected && other.isUp) other.recall();
  }

  spares(server: Server, maxEjected: number): boolean {
    const isAway = server.isEjected || server.isHalfOpen;
    const away = this.#awayCount - (isAway ? 1 : 0);
    if (away + 1 > Math.max(1, Math.floor(maxEjected * this.servers.length))) return false;
    const isSteady = server.isUsable && !server.isHalfOpen;
    return this.#steadyCount > (isSteady ? 1 : 0);
  }

  othersAnswered(server: Server, since: number): boolean {
    return this.servers.some((other) => other !== server && other.answeredAt > since);
  }

  // What is kept of its servers.

  #place(server: Server, index: number): void {
    const { isHalfOpen } = server;
    const marks =
      (isHalfOpen || server.capacity !== Number.POSITIVE_INFINITY ? VOLATILE : 0) |
      (isHalfOpen || server.isEjected ? AWAY : 0) |
      (server.isUsable && !isHalfOpen ? STEADY : 0);
    const before = this.#marks[index] as number;
    if (marks !== before) {
      this.#marks[index] = marks;
      this.#volatileCount += (marks & VOLATILE) - (before & VOLATILE);
      this.#awayCount += ((marks & AWAY) - (before & AWAY)) / AWAY;
      this.#steadyCount += ((marks & STEADY) - (before & STEADY)) / STEADY;
    }
    this.#stand(server, index);
  }

  #stand(server: Server, index: number): void {
    const before = this.#standings[index] as number;
    const now = standingOf(server);
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
    else if (this.servers.length > SCAN_LIMIT) this.#readLoads();
    else this.#lookAtVolatile();
  }

  #lookAtVolatile(): void {
    for (let index = 0; index < this.#marks.length; index++)
      if (((this.#marks[index] as number) & VOLATILE) !== 0)
        this.#stand(this.servers[index] as Server, index);
  }

  #readLoads(): void {
    if (this.#volatileCount === 0 && !this.#followsLoad) {
      if (this.#readsLoads) this.#stopReading();
      return;
    }
    const { log } = this.servers[0] as Server;
    const missed = log.end - this.#read;
    if (this.#readsLoads && missed <= this.servers.length && log.has(this.#read)) {
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
    for (let index = 0; index < this.servers.length; index++) this.#noteLoad(index);
  }

  #stopReading(): void {
    if (!this.#readsLoads) return;
    (this.servers[0] as Server).log.readers--;
    this.#readsLoads = false;
  }

  get #followsLoad(): boolean {
    for (let i = 0; i < this.#selections.length; i++)
      if ((this.#selections[i] as Selection).followsLoad) return true;
    return false;
  }

  #noteLoad(index: number): void {
    if (((this.#marks[index] as number) & VOLATILE) !== 0) this.#stand(this.servers[index] as Server, index);
    for (let i = 0; i < this.#selections.length; i++) (this.#selections[i] as Selection).noteLoad(index);
  }

  /** Its servers tell a group of the old snapshot nothing: for the few requests that go on it looks itself. */
  #lookAtAll(): void {
    for (const [index, server] of this.servers.entries()) {
      this.#place(server, index);
      for (const selection of this.#selections) {
        selection.reweigh(index);
        selection.noteLoad(index);
      }
    }
  }
}
