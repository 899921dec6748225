import { Histogram } from '../base/collections.js';
import type { Failure } from '../base/failure.js';
import { hashText } from '../base/hash.js';
import type { Availability } from '../base/observer.js';
import { inLaterSlices, type Steps } from '../base/slices.js';
import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import type { AttemptOutcome, PoolLimits } from './contracts.js';
import type { EngineServer, Obstacle, ServerUpdate, ServerWatcher } from './engine-contract.js';
import type { Pool } from './pool.js';
import { LatencyEstimate } from './scheduler/latency-estimate.js';
import type { Candidate } from './scheduler/scheduler.js';
import { LoadLog, type PendingChange, ServerCounters } from './server-counters.js';
import { CAREFUL_MS, HalfOpen, SlowStart, type SlowStarter } from './slow-start.js';

/** A group that has the server. */
export interface GroupMembership {
  /** Its verdict, ejection, availability, weight or limit is another one. `index`: what it joined by. */
  onServerChange(server: Server, index: number): void;
  /** Can the rest do without it, if at most this share of them (0 to 1) may be ejected at once? */
  spares(server: Server, maxEjected: number): boolean;
  /** Has another server of the group answered a request since `since`, by the timer wheel? */
  othersAnswered(server: Server, since: number): boolean;
}

/** A server tells so many groups of a change at once, and more of them in slices: 10,000 would take 10 ms. */
const NOTIFIED_AT_ONCE = 3000;

/** What a server is given to do. */
export interface ServerTerms {
  /** Its share as against the others', 0 to 256; 0 is no new request. */
  readonly weight: number;
  /** Used only while none of the others can be. */
  readonly backup: boolean;
  /** ms in which it comes to its full share after it was out; 0 gives it that at once. */
  readonly slowStart: number;
}

const PLAIN_TERMS: ServerTerms = { weight: 1, backup: false, slowStart: 0 };

/** One server: what it is called, whether it may be used, how much of the work it gets, and its sockets. */
export class Server implements EngineServer, Candidate, SlowStarter, PendingChange {
  readonly name: string;
  readonly pool: Pool;
  readonly hash: number;
  /** Where its requests are noted, and under which number. */
  readonly log: LoadLog;
  readonly id: number;
  readonly latency = new LatencyEstimate();
  /** Does an algorithm go by `latency`? */
  estimatesLatency = false;
  readonly totals = new ServerCounters();
  /** From when it was asked to the first byte of its answer. */
  readonly responseTimes = new Histogram();
  readonly #wheel: TimerWheel;
  readonly #slowStart: SlowStart;
  readonly #trial = new HalfOpen();
  /** The time in which a trial is left to requests that may be sent twice. */
  #careful: Deadline | null = null;
  /** By their index of it: 10,000 may share a server, and all leave when a configuration is replaced. */
  readonly #groups = new Map<GroupMembership, number>();
  /** Replaced, never changed. */
  #watchers: readonly ServerWatcher[] = [];
  /** Those among them that want to know of every attempt, nearly none. */
  #judges: readonly ServerWatcher[] = [];
  /** How often it has changed since its groups began to be told in slices; 0: they know all. */
  #pendingChanges = 0;
  #up = true;
  #ejected = false;
  #availability: Availability = 'ready';
  #removed = false;
  #weight: number;
  #backup: boolean;
  /** Requests in flight. */
  active = 0;
  /** When an answer to a request came last, by the timer wheel. */
  answeredAt = Number.NEGATIVE_INFINITY;

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
    this.hash = hashText(name);
    this.#wheel = wheel;
    this.log = log;
    this.id = log.newId();
    this.#weight = terms.weight;
    this.#backup = terms.backup;
    this.#slowStart = new SlowStart(wheel, terms.slowStart, this);
  }

  get address(): Pool['address'] {
    return this.pool.address;
  }

  /** Used only while none of the others can be. */
  get backup(): boolean {
    return this.#backup;
  }

  /** As configured, or as set at run time. */
  get weight(): number {
    return this.#weight;
  }

  /** What schedulers go by: less than its weight while it starts slowly. */
  get effectiveWeight(): number {
    return this.#weight * this.#slowStart.share;
  }

  get capacity(): number {
    const { maxConnections } = this.pool;
    return maxConnections === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(1, maxConnections * this.#slowStart.share);
  }

  /** Do its checks find it well? */
  get isUp(): boolean {
    return this.#up;
  }

  /** Is it left out for a while because of how live requests went? */
  get isEjected(): boolean {
    return this.#ejected;
  }

  /** Is it tried again, and gets one request at a time? */
  get isHalfOpen(): boolean {
    return this.#trial.isOn;
  }

  /** May it get one more request, as far as a trial is concerned? One that may be sent twice is risked first. */
  hasRoom(repeatable: boolean): boolean {
    return this.#trial.hasRoom(this.active, repeatable, this.#wheel.now);
  }

  get availability(): Availability {
    return this.#availability;
  }

  /** May it get requests from anyone? */
  get isUsable(): boolean {
    return this.takesBound && this.#availability === 'ready' && this.#weight > 0;
  }

  /** Why it gets no requests from just anyone; empty when it does. */
  get obstacle(): Obstacle | '' {
    if (this.#removed) return 'removed';
    if (!this.#up) return 'down';
    if (this.#ejected) return 'ejected';
    if (this.#availability !== 'ready') return this.#availability;
    return this.#weight === 0 ? 'weight 0' : '';
  }

  /** May it get requests from clients that are bound to it? While it drains, it may. */
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

  /** `index`: by which the group knows it. */
  join(group: GroupMembership, index: number): void {
    this.#groups.set(group, index);
  }

  /** Tells a group of its latest change, if it has the server. */
  notify(group: GroupMembership): void {
    const index = this.#groups.get(group);
    if (index !== undefined) group.onServerChange(this, index);
  }

  /** Returns the index by which the group knew it. */
  quit(group: GroupMembership): number {
    const index = this.#groups.get(group) ?? -1;
    this.#groups.delete(group);
    return index;
  }

  /** The state that health checks found. Down: no new request, and its unused connections are closed. */
  judge(up: boolean): void {
    if (up === this.#up) return;
    const wasOut = !this.takesBound;
    this.#up = up;
    if (!up) this.pool.closeUnused();
    this.#changed(wasOut);
  }

  /** Called by the outlier detector; the connections stay, as it is tried again soon. */
  eject(ejected: boolean): void {
    if (ejected === this.#ejected) return;
    const wasOut = !this.takesBound;
    this.#ejected = ejected;
    this.#changed(wasOut);
  }

  /** From then on it gets one request at a time, where others can take the rest. */
  beginHalfOpen(onTrial: boolean): void {
    if (onTrial === this.#trial.isOn) return;
    if (onTrial) {
      this.#trial.begin(this.active, this.#wheel.now);
      this.#careful ??= new Deadline(this.#wheel, { onDeadline: () => this.#notifyGroups() });
      this.#careful.arm(CAREFUL_MS);
    } else {
      this.#trial.end();
      this.#careful?.release();
    }
    this.#notifyGroups();
  }

  /** Asked before it is ejected: can all groups it is in do without it? */
  canBeSpared(maxEjected: number): boolean {
    for (const group of this.#groups.keys()) if (!group.spares(this, maxEjected)) return false;
    return true;
  }

  /** From a group in which no other can be used: better one that may fail than none. */
  recall(): void {
    for (const watcher of this.#watchers) watcher.onNeeded?.(this);
  }

  /** From the control plane. */
  update({ weight, availability, backup, slowStart, limits, tls }: ServerUpdate): void {
    if (tls !== undefined) this.pool.setTls(tls);
    if (limits !== undefined) this.setLimits(limits);
    if (backup !== undefined) this.setBackup(backup);
    if (slowStart !== undefined) this.#slowStart.duration = slowStart;
    if (weight !== undefined) this.setWeight(weight);
    if (availability !== undefined) this.setAvailability(availability);
  }

  /** What the operator wants of it. In maintenance its unused connections are closed. */
  setAvailability(availability: Availability): void {
    if (availability === this.#availability) return;
    const wasOut = !this.takesBound;
    this.#availability = availability;
    if (availability === 'maintenance') this.pool.closeUnused();
    this.#changed(wasOut);
  }

  /** It is no server of ours any more: what is on it is finished, and then its connections are closed. */
  retire(): void {
    this.#removed = true;
    this.#careful?.release();
    this.pool.retire();
    this.#notifyGroups();
  }

  /** What it may have open, from now on. */
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

  /** `weight`: 0 to 256; with 0 it drains. */
  setWeight(weight: number): void {
    if (weight === this.#weight) return;
    this.#weight = weight;
    this.#notifyGroups();
  }

  /** From the request path: one more request is on it. */
  begin(): void {
    this.active++;
    if (this.log.readers > 0) this.log.write(this.id);
  }

  /** From the request path: it has ended. */
  end(): void {
    this.active--;
    if (this.log.readers > 0) this.log.write(this.id);
  }

  /** From the request path: a connect failed, which is seen at once and not only by the next check. */
  noteConnectFailure(failure: Failure, detail: string): void {
    for (const watcher of this.#watchers) watcher.onConnectFailed?.(this, failure, detail);
  }

  /** From the request path: how an attempt ended here. */
  noteOutcome(outcome: AttemptOutcome): void {
    for (const watcher of this.#judges) watcher.onOutcome?.(this, outcome);
  }

  /** From the request path: the first byte of an answer came `ms` after the request was sent. */
  noteResponse(ms: number): void {
    const { now } = this.#wheel;
    this.answeredAt = now;
    if (this.estimatesLatency) this.latency.note(ms, now);
    this.responseTimes.observe(ms);
  }

  /** From the request path: it answered with 5xx, or an attempt failed there. */
  noteError(): void {
    for (const watcher of this.#watchers) watcher.onError?.(this);
  }

  /** Has another server of one of its groups answered a request since `since`, by the timer wheel? */
  othersAnswered(since: number): boolean {
    for (const group of this.#groups.keys()) if (group.othersAnswered(this, since)) return true;
    return false;
  }

  /** It joins others that are at work already: it begins with little. */
  startSlowly(): void {
    this.#slowStart.begin();
  }

  onSlowStartStep(): void {
    this.#notifyGroups();
  }

  #changed(wasOut: boolean): void {
    const isOut = !this.takesBound;
    // Back from being out altogether, it is as cold as a new one.
    if (wasOut && !isOut) this.#slowStart.begin();
    this.#notifyGroups();
    // Behind the groups, who choose somebody else for those that wait.
    if (isOut && !wasOut) this.pool.turnAway(this.obstacle);
  }

  #notifyGroups(): void {
    for (const watcher of this.#watchers) watcher.onServerChange?.(this);
    if (this.#groups.size > NOTIFIED_AT_ONCE) this.#notifyInSlices();
    // No copy: a group that comes meanwhile knows how it is, and is told once more.
    else for (const [group, index] of this.#groups) group.onServerChange(this, index);
  }

  /** Groups that are asked for a server meanwhile find it in the log. */
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
      // What has changed meanwhile is told to those that were told before it.
      this.#pendingChanges = this.#pendingChanges === changes ? 0 : 1;
    }
    this.log.pending.splice(this.log.pending.indexOf(this), 1);
  }
}
