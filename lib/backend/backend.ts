import type { Failure } from '../base/failure.js';
import { hashText } from '../base/hash.js';
import type { Availability } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import { LatencyEstimate } from '../scheduler/latency-estimate.js';
import type { Candidate } from '../scheduler/scheduler.js';
import type { Outcome } from './outcome.js';
import type { Pool } from './pool.js';
import { BackendTotals } from './totals.js';

/** Told of what happens to servers: groups, and whoever judges their health. */
export interface BackendWatcher {
  /** Its verdict, ejection, availability or weight is another one. */
  onVerdict?(backend: Backend): void;
  /** A live request could not connect. */
  onConnectFailed?(backend: Backend, failure: Failure, detail: string): void;
  /** An attempt has ended on it. */
  onOutcome?(backend: Backend, outcome: Outcome): void;
}

/** What a server is given to do. */
export interface BackendTerms {
  /** Its share as against the others', 0 to 256; 0 is no new request. */
  readonly weight: number;
  /** Used only while none of the others can be. */
  readonly backup: boolean;
}

const PLAIN_TERMS: BackendTerms = { weight: 1, backup: false };

/** One server: what it is called, whether it may be used, how much of the work it gets, and its sockets. */
export class Backend implements Candidate {
  readonly name: string;
  readonly pool: Pool;
  readonly backup: boolean;
  readonly hash: number;
  readonly latency = new LatencyEstimate();
  readonly totals = new BackendTotals();
  readonly #wheel: TimerWheel;
  /** Replaced, never changed: a watcher may leave while all are being told. */
  #watchers: readonly BackendWatcher[] = [];
  #up = true;
  #ejected = false;
  #availability: Availability = 'ready';
  #weight: number;
  /** Requests in flight. */
  active = 0;

  constructor(name: string, pool: Pool, wheel: TimerWheel, terms: BackendTerms = PLAIN_TERMS) {
    this.name = name;
    this.pool = pool;
    this.backup = terms.backup;
    this.hash = hashText(name);
    this.#wheel = wheel;
    this.#weight = terms.weight;
  }

  get address(): Pool['address'] {
    return this.pool.address;
  }

  /** As configured, or as set at run time. */
  get weight(): number {
    return this.#weight;
  }

  /** What schedulers go by. */
  get effectiveWeight(): number {
    return this.#weight;
  }

  /** Do its checks find it well? */
  get isUp(): boolean {
    return this.#up;
  }

  /** Is it left out for a while because of how live requests went? */
  get isEjected(): boolean {
    return this.#ejected;
  }

  get availability(): Availability {
    return this.#availability;
  }

  /** May it get requests from anyone? */
  get isUsable(): boolean {
    return this.#up && !this.#ejected && this.#availability === 'ready' && this.#weight > 0;
  }

  /** May it get requests from clients that are bound to it? While it drains, it may. */
  get takesBound(): boolean {
    return this.#up && !this.#ejected && this.#availability !== 'maintenance';
  }

  watch(watcher: BackendWatcher): void {
    this.#watchers = [...this.#watchers, watcher];
  }

  unwatch(watcher: BackendWatcher): void {
    this.#watchers = this.#watchers.filter((other) => other !== watcher);
  }

  /** The verdict of whoever checks it. Down: no new request, and its unused connections are closed. */
  judge(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    if (!up) this.pool.closeIdle();
    this.#tell();
  }

  /** The verdict of whoever watches live requests; the connections stay, as it is tried again soon. */
  eject(ejected: boolean): void {
    if (ejected === this.#ejected) return;
    this.#ejected = ejected;
    if (ejected) this.totals.ejections++;
    this.#tell();
  }

  /** What the operator wants of it. In maintenance its unused connections are closed. */
  setAvailability(availability: Availability): void {
    if (availability === this.#availability) return;
    this.#availability = availability;
    if (availability === 'maintenance') this.pool.closeIdle();
    this.#tell();
  }

  /** `weight`: 0 to 256; with 0 it drains. */
  setWeight(weight: number): void {
    if (weight === this.#weight) return;
    this.#weight = weight;
    this.#tell();
  }

  /** From the request path: a connect failed, which is seen at once and not only by the next check. */
  noteConnectFailure(failure: Failure, detail: string): void {
    for (const watcher of this.#watchers) watcher.onConnectFailed?.(this, failure, detail);
  }

  /** From the request path: how an attempt ended here. */
  noteOutcome(outcome: Outcome): void {
    for (const watcher of this.#watchers) watcher.onOutcome?.(this, outcome);
  }

  /** From the request path: the first byte of an answer came `ms` after the request was sent. */
  noteResponse(ms: number): void {
    this.latency.note(ms, this.#wheel.now);
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher.onVerdict?.(this);
  }
}
