import type { PickKey, Scheduler } from '../scheduler/scheduler.js';
import type { Backend, BackendWatcher } from './backend.js';

/** Told when a group loses its last server that takes new requests, and when it has one again. */
export interface GroupListener {
  onUsability(group: Group): void;
}

/** Servers that stand in for one another, and who chooses among them. */
export class Group implements BackendWatcher {
  readonly backends: readonly Backend[];
  readonly #scheduler: Scheduler;
  /** Those that may be used; made anew when a verdict or a weight changes, so that a pick filters nothing. */
  #usable: readonly Backend[] = [];
  #backups: readonly Backend[] = [];
  /** Is one of them on trial? */
  #hasTrial = false;
  #released = false;
  #wasUsable: boolean;
  #listener: GroupListener | null = null;

  constructor(backends: readonly Backend[], scheduler: Scheduler) {
    this.backends = backends;
    this.#scheduler = scheduler;
    for (const backend of backends) {
      backend.watch(this);
      if (scheduler.readsLatency === true) backend.estimatesLatency = true;
    }
    this.onVerdict();
    this.#wasUsable = this.isUsable;
  }

  /** `listener` is told from now on. */
  listen(listener: GroupListener): void {
    this.#listener = listener;
  }

  /** Another generation has taken over: its servers live on and tell it nothing more. */
  release(): void {
    this.#released = true;
    for (const backend of this.backends) backend.unwatch(this);
  }

  /** Servers that take new requests. */
  get usableCount(): number {
    return this.#usable.length + this.#backups.length;
  }

  /** Can a new request be served? */
  get isUsable(): boolean {
    return this.#usable.length > 0 || this.#backups.length > 0;
  }

  /**
   * The server to use next, none of `tried`; null when there is none left. A backup is used when no other server is
   * usable, or a request has tried them all. One that is not `repeatable` is kept from servers on trial if it can be.
   * `scheduler` chooses in place of the group's own.
   */
  pick(
    key: PickKey,
    tried: readonly Backend[],
    repeatable = true,
    scheduler: Scheduler = this.#scheduler,
  ): Backend | null {
    // A request of the old generation goes on: for the few of them it looks itself.
    if (this.#released) this.#sort();
    return (
      (this.#hasTrial ? this.#pickAroundTrials(key, tried, repeatable, scheduler) : null) ??
      this.#pickOfTiers(key, tried, scheduler)
    );
  }

  /**
   * May a client that is bound to `backend` be served there? Not by a backup while another server that was not `tried`
   * for the request can be used: the client is to come back with everybody else.
   */
  mayHold(backend: Backend, tried: readonly Backend[]): boolean {
    if (!backend.takesBound || tried.includes(backend)) return false;
    if (!backend.backup) return true;
    if (this.#released) this.#sort();
    return this.#usable.every((other) => tried.includes(other));
  }

  onVerdict(): void {
    this.#sort();
    const { isUsable } = this;
    if (isUsable !== this.#wasUsable) {
      this.#wasUsable = isUsable;
      this.#listener?.onUsability(this);
    }
    if (isUsable) return;
    for (const backend of this.backends) if (backend.isEjected && backend.isUp) backend.recall();
  }

  spares(backend: Backend, maxEjected: number): boolean {
    const others = this.backends.filter((other) => other !== backend);
    const out = others.filter((other) => other.isEjected || other.isOnTrial).length;
    if (out + 1 > Math.max(1, Math.floor(maxEjected * this.backends.length))) return false;
    return others.some((other) => other.isUsable && !other.isOnTrial);
  }

  /** Who is on trial and has its request is passed over; null when nobody else can take this one. */
  #pickAroundTrials(
    key: PickKey,
    tried: readonly Backend[],
    repeatable: boolean,
    scheduler: Scheduler,
  ): Backend | null {
    const busy = this.backends.filter((backend) => !backend.hasRoom(repeatable));
    return this.#pickOfTiers(key, [...tried, ...busy], scheduler);
  }

  #pickOfTiers(key: PickKey, tried: readonly Backend[], scheduler: Scheduler): Backend | null {
    return pickOf(this.#usable, key, tried, scheduler) ?? pickOf(this.#backups, key, tried, scheduler);
  }

  #sort(): void {
    this.#usable = this.backends.filter((backend) => backend.isUsable && !backend.backup);
    this.#backups = this.backends.filter((backend) => backend.isUsable && backend.backup);
    this.#hasTrial = this.backends.some((backend) => backend.isOnTrial);
  }
}

function pickOf(
  tier: readonly Backend[],
  key: PickKey,
  tried: readonly Backend[],
  scheduler: Scheduler,
): Backend | null {
  const candidates = tried.length === 0 ? tier : tier.filter((backend) => !tried.includes(backend));
  if (candidates.length === 0) return null;
  return candidates[scheduler.pick(candidates, key)] ?? null;
}
