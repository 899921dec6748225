import { channel } from 'node:diagnostics_channel';
import { Histogram } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import { hashText } from '../base/hash.js';
import type { Availability } from '../base/observer.js';
import { inLaterSlices, type Steps } from '../base/slices.js';
import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { ACTIVE, DOWN, EJECTED, HALF_OPEN, type ServerRow } from '../shared/server-row.js';
import type { SuccessCounts } from '../shared/success-counts.js';
import type { AttemptOutcome, PoolLimits } from './contracts.js';
import type { EngineServer, Obstacle, ServerUpdate, ServerWatcher } from './engine-contract.js';
import { CAREFUL_MS, HalfOpen } from './half-open.js';
import type { Pool } from './pool.js';
import { LatencyEstimate } from './scheduler/latency-estimate.js';
import type { Candidate } from './scheduler/scheduler.js';
import { LoadLog, type PendingChange, ServerCounters } from './server-counters.js';
import { SlowStart, type SlowStarter } from './slow-start.js';

/** A group that has the server. */
export interface GroupMembership {
  /** State, ejection, availability, weight or limit of the server has changed. `index`: the one it joined with. */
  onServerChange(server: Server, index: number): void;
  /** Can the other servers do without this one, if at most this share of them (0 to 1) may be ejected at once? */
  spares(server: Server, maxEjected: number): boolean;
  /** Has another server of the group answered a request since `since`, by the timer wheel? */
  othersAnswered(server: Server, since: number): boolean;
}

/** A server notifies this many groups of a change at once, and more in slices: 10,000 would take 10 ms. */
const NOTIFIED_AT_ONCE = 3000;

/** The settings that determine a server's share of requests. */
export interface ServerTerms {
  /** Its weight relative to the others, 0 to 256; with 0 it gets no new requests. */
  readonly weight: number;
  /** Used only while no other server is usable. */
  readonly backup: boolean;
  /** ms after a return until it has its full share; 0 for at once. */
  readonly slowStart: number;
}

const PLAIN_TERMS: ServerTerms = { weight: 1, backup: false, slowStart: 0 };

/** Each new server is published here, because observers of a balancer only get results. */
const created = channel('lb:server');

/** One server: its name, whether it may be used, its share of requests, and its sockets. */
export class Server implements EngineServer, Candidate, SlowStarter, PendingChange {
  readonly name: string;
  readonly pool: Pool;
  readonly hash: number;
  /** The log of its requests, and its number in it. */
  readonly log: LoadLog;
  readonly id: number;
  readonly latency = new LatencyEstimate();
  /** Does an algorithm use `latency`? */
  estimatesLatency = false;
  readonly totals = new ServerCounters();
  /** Times from the request to the first byte of its answer. */
  readonly responseTimes = new Histogram();
  readonly #wheel: TimerWheel;
  readonly #slowStart: SlowStart;
  /** What it is doing in all threads. */
  readonly #row: ServerRow;
  readonly #trial: HalfOpen;
  /** While it runs, a half-open server gets only requests that may be sent twice. */
  #careful: Deadline | null = null;
  /** By index: 10,000 groups may share a server, and all leave when a configuration is replaced. */
  readonly #groups = new Map<GroupMembership, number>();
  /** Replaced, never modified. */
  #watchers: readonly ServerWatcher[] = [];
  /** Watchers that are called for every attempt; most servers have none. */
  #judges: readonly ServerWatcher[] = [];
  /** Changes since groups began to be notified in slices; 0: all groups know all changes. */
  #pendingChanges = 0;
  #up = true;
  #ejected = false;
  #availability: Availability = 'ready';
  #removed = false;
  #weight: number;
  #backup: boolean;
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** Where all threads note their answers, under this number; null: there is one thread. */
  #answers: SuccessCounts | null = null;
  #number = 0;

  /** `log` is the same for all servers that may be in one group. */
  constructor(
    name: string,
    pool: Pool,
    wheel: TimerWheel,
    terms: ServerTerms = PLAIN_TERMS,
    log = new LoadLog(),
  ) {
    this.name = name;
    this.pool = pool;
    this.#row = pool.row;
    this.#trial = new HalfOpen(pool.row, wheel);
    this.hash = hashText(name);
    this.#wheel = wheel;
    this.log = log;
    this.id = log.newId();
    this.#weight = terms.weight;
    this.#backup = terms.backup;
    this.#slowStart = new SlowStart(wheel, terms.slowStart, this);
    this.#adoptFlags(pool.row.flags);
    if (created.hasSubscribers) created.publish(this);
  }

  /** A thread that starts later than others begins with what was decided meanwhile. */
  #adoptFlags(flags: number): void {
    if (flags === 0) return;
    this.#up = (flags & DOWN) === 0;
    this.#ejected = (flags & EJECTED) !== 0;
    this.beginHalfOpen((flags & HALF_OPEN) !== 0);
  }

  /** Do other threads send requests to the server? Then `active` changes without a call in this thread. */
  get isShared(): boolean {
    return this.#row.isShared;
  }

  /** Requests in flight, in all threads. */
  get active(): number {
    return this.#row.memory[this.#row.all + ACTIVE] as number;
  }

  get address(): Pool['address'] {
    return this.pool.address;
  }

  /** Used only while no other server is usable. */
  get backup(): boolean {
    return this.#backup;
  }

  /** As configured, or as set at run time. */
  get weight(): number {
    return this.#weight;
  }

  /** The weight for schedulers: less than `weight` during slow start. */
  get effectiveWeight(): number {
    return this.#weight * this.#slowStart.share;
  }

  get capacity(): number {
    const { maxConnections } = this.pool;
    return maxConnections === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(1, maxConnections * this.#slowStart.share);
  }

  /** Do its checks pass? */
  get isUp(): boolean {
    return this.#up;
  }

  /** Is it left out for a while because live requests failed? */
  get isEjected(): boolean {
    return this.#ejected;
  }

  /** Is it tried again, with one request at a time? */
  get isHalfOpen(): boolean {
    return this.#trial.isOn;
  }

  /** Does the half-open state admit another request? Requests that may be sent twice are used as probes first. */
  hasRoom(repeatable: boolean): boolean {
    return this.#trial.hasRoom(repeatable);
  }

  /**
   * The server is half-open and was picked for a request, which begins soon. False if a request of another thread has
   * become the trial since its standing was determined.
   */
  claimTrial(): boolean {
    return this.#trial.claim();
  }

  get availability(): Availability {
    return this.#availability;
  }

  /** Does it take requests of any client? */
  get isUsable(): boolean {
    return this.takesBound && this.#availability === 'ready' && this.#weight > 0;
  }

  /** Why it takes no requests of new clients; empty when it does. */
  get obstacle(): Obstacle | '' {
    if (this.#removed) return 'removed';
    if (!this.#up) return 'down';
    if (this.#ejected) return 'ejected';
    if (this.#availability !== 'ready') return this.#availability;
    return this.#weight === 0 ? 'weight 0' : '';
  }

  /** Does it take requests of clients that are bound to it? It does while it drains. */
  get takesBound(): boolean {
    return this.#up && !this.#ejected && this.#availability !== 'maintenance' && !this.#removed;
  }

  watch(watcher: ServerWatcher): void {
    this.#watchers = [...this.#watchers, watcher];
    this.#judges = this.#watchers.filter(({ onOutcome }) => onOutcome !== undefined);
  }

  unwatch(watcher: ServerWatcher): void {
    this.#watchers = this.#watchers.filter((other) => other !== watcher);
    this.#judges = this.#watchers.filter(({ onOutcome }) => onOutcome !== undefined);
  }

  /** `index`: its index in the group. */
  join(group: GroupMembership, index: number): void {
    this.#groups.set(group, index);
  }

  /** Gives its latest state to a group that has it. */
  notify(group: GroupMembership): void {
    const index = this.#groups.get(group);
    if (index !== undefined) group.onServerChange(this, index);
  }

  /** Returns its index in the group. */
  quit(group: GroupMembership): number {
    const index = this.#groups.get(group) ?? -1;
    this.#groups.delete(group);
    return index;
  }

  /** The result of health checks. Down: no new requests, and unused connections are closed. */
  judge(up: boolean): void {
    if (up === this.#up) return;
    const wasOut = !this.takesBound;
    this.#up = up;
    this.#row.setFlag(DOWN, !up);
    if (!up) this.pool.closeUnused();
    this.#changed(wasOut);
  }

  /** Called by the outlier detector; connections stay open, as the server is tried again soon. */
  eject(ejected: boolean): void {
    if (ejected === this.#ejected) return;
    const wasOut = !this.takesBound;
    this.#ejected = ejected;
    this.#row.setFlag(EJECTED, ejected);
    this.#changed(wasOut);
  }

  /** From now on it gets one request at a time, if others can take the rest. */
  beginHalfOpen(onTrial: boolean): void {
    if (onTrial === this.#trial.isOn) return;
    this.#row.setFlag(HALF_OPEN, onTrial);
    if (onTrial) {
      this.#trial.begin();
      this.#careful ??= new Deadline(this.#wheel, { onDeadline: () => this.#notifyGroups() });
      this.#careful.arm(CAREFUL_MS);
    } else {
      this.#trial.end();
      this.#careful?.release();
    }
    this.#notifyGroups();
  }

  cut(): void {
    for (const watcher of this.#watchers) watcher.onCut?.(this);
    this.pool.cut();
  }

  /** Asked before an ejection: can all its groups do without it? */
  canBeSpared(maxEjected: number): boolean {
    for (const group of this.#groups.keys()) if (!group.spares(this, maxEjected)) return false;
    return true;
  }

  /** Called by a group with no usable server left: ends the ejection early. */
  recall(): void {
    for (const watcher of this.#watchers) watcher.onNeeded?.(this);
  }

  /** Called by the control plane. */
  update({ weight, availability, backup, slowStart, limits, tls }: ServerUpdate): void {
    if (tls !== undefined) this.pool.setTls(tls);
    if (limits !== undefined) this.setLimits(limits);
    if (backup !== undefined) this.setBackup(backup);
    if (slowStart !== undefined) this.#slowStart.duration = slowStart;
    if (weight !== undefined) this.setWeight(weight);
    if (availability !== undefined) this.setAvailability(availability);
  }

  /** Sets what the operator wants. In maintenance unused connections are closed. */
  setAvailability(availability: Availability): void {
    if (availability === this.#availability) return;
    const wasOut = !this.takesBound;
    this.#availability = availability;
    if (availability === 'maintenance') this.pool.closeUnused();
    this.#changed(wasOut);
  }

  /** The server is removed: its requests finish, then its connections are closed. */
  retire(): void {
    this.#removed = true;
    this.#careful?.release();
    this.#trial.end();
    this.pool.retire();
    this.#notifyGroups();
  }

  /** Sets the limits of its connections from now on. */
  setLimits(limits: PoolLimits): void {
    const { maxConnections } = this.pool;
    this.pool.setLimits(limits);
    if (maxConnections !== limits.maxConnections) this.#notifyGroups();
  }

  setBackup(backup: boolean): void {
    if (backup === this.#backup) return;
    this.#backup = backup;
    this.#notifyGroups();
  }

  /** `weight`: 0 to 256; with 0 it gets no new requests. */
  setWeight(weight: number): void {
    if (weight === this.#weight) return;
    this.#weight = weight;
    this.#notifyGroups();
  }

  /** On the request path: a request begins. Returns a token for `end`: 0, unless the request is a trial. */
  begin(): number {
    const { memory, all, own } = this.#row;
    Atomics.add(memory, all + ACTIVE, 1);
    memory[own + ACTIVE]!++;
    if (this.log.readers > 0) this.log.write(this.id);
    return this.#trial.isOn ? this.#trial.take() : 0;
  }

  /** On the request path: the request to which `begin` gave this token has ended. */
  end(trial: number): void {
    const { memory, all, own } = this.#row;
    Atomics.sub(memory, all + ACTIVE, 1);
    memory[own + ACTIVE]!--;
    if (trial !== 0) this.#row.endTrial(trial);
    if (this.log.readers > 0) this.log.write(this.id);
  }

  /** On the request path: a connect failed. Watchers are called at once, before the next check. */
  noteConnectFailure(failure: Failure, detail: string): void {
    for (const watcher of this.#watchers) watcher.onConnectFailed?.(this, failure, detail);
  }

  /** On the request path: an attempt has ended. */
  noteOutcome(outcome: AttemptOutcome): void {
    for (const watcher of this.#judges) watcher.onOutcome?.(this, outcome);
  }

  /** `count` attempts in other threads have succeeded. */
  noteSuccesses(count: number): void {
    if (count > 0) for (const watcher of this.#judges) watcher.onSuccesses?.(this, count);
  }

  /** On the request path: the first byte of an answer came `ms` after the request was sent. */
  noteResponse(ms: number): void {
    const { now } = this.#wheel;
    this.#answeredAt = now;
    if (this.#answers !== null) this.#answers.noteAnswer(this.#number, now);
    if (this.estimatesLatency) this.latency.note(ms, now);
    this.responseTimes.observe(ms);
  }

  /** On the request path: the server answered with 5xx, or an attempt failed. */
  noteError(): void {
    for (const watcher of this.#watchers) watcher.onError?.(this);
  }

  /** When the last answer to a request came, in whatever thread, by the timer wheel. */
  get answeredAt(): number {
    return this.#answers === null ? this.#answeredAt : this.#answers.answeredAt(this.#number);
  }

  /** From now on answers are noted for all threads. `number`: that of the server, the same in all. */
  shareAnswers(answers: SuccessCounts, number: number): void {
    this.#answers = answers;
    this.#number = number;
  }

  /** Has another server of one of its groups answered a request since `since`, by the timer wheel? */
  othersAnswered(since: number): boolean {
    for (const group of this.#groups.keys()) if (group.othersAnswered(this, since)) return true;
    return false;
  }

  /** The server joins others that have requests already: it begins with a small share, or did so at `since`. */
  startSlowly(since?: number): void {
    this.#slowStart.begin(since);
    if (since !== undefined) this.#notifyGroups();
  }

  /** When its slow start began, in ms of the clock; null: it has its whole share. */
  get slowSince(): number | null {
    return this.#slowStart.since;
  }

  onSlowStartStep(): void {
    this.#notifyGroups();
  }

  #changed(wasOut: boolean): void {
    const isOut = !this.takesBound;
    // A server that was out is like a new one.
    if (wasOut && !isOut) this.#slowStart.begin();
    this.#notifyGroups();
    // After the groups, which choose other servers for the waiting requests.
    if (isOut && !wasOut) this.pool.turnAway(this.obstacle);
  }

  #notifyGroups(): void {
    for (const watcher of this.#watchers) watcher.onServerChange?.(this);
    if (this.#groups.size > NOTIFIED_AT_ONCE) this.#notifyInSlices();
    // The map is not copied: a group that joins meanwhile knows the state, and is only notified once more.
    else for (const [group, index] of this.#groups) group.onServerChange(this, index);
  }

  /** Groups that pick meanwhile find the server in the log. */
  #notifyInSlices(): void {
    this.#pendingChanges++;
    if (this.#pendingChanges > 1) return;
    this.log.pending.push(this);
    inLaterSlices(this.#tellGroups());
  }

  *#tellGroups(): Steps<void> {
    while (this.#pendingChanges > 0) {
      const changes = this.#pendingChanges;
      for (const [group, index] of this.#groups) {
        group.onServerChange(this, index);
        yield;
      }
      // Changes made meanwhile are given to the groups that were notified before them.
      this.#pendingChanges = this.#pendingChanges === changes ? 0 : 1;
    }
    this.log.pending.splice(this.log.pending.indexOf(this), 1);
  }
}
