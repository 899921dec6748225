import type { PickKey, Scheduler } from '../scheduler/scheduler.js';
import type { Backend, BackendWatcher } from './backend.js';

/** Servers that stand in for one another, and who chooses among them. */
export class Group implements BackendWatcher {
  readonly backends: readonly Backend[];
  readonly #scheduler: Scheduler;
  /** Those that may be used; made anew when a verdict or a weight changes, so that a pick filters nothing. */
  #usable: readonly Backend[] = [];
  #backups: readonly Backend[] = [];
  #released = false;

  constructor(backends: readonly Backend[], scheduler: Scheduler) {
    this.backends = backends;
    this.#scheduler = scheduler;
    this.#sort();
    for (const backend of backends) backend.watch(this);
  }

  /** Another generation has taken over: its servers live on and tell it nothing more. */
  release(): void {
    this.#released = true;
    for (const backend of this.backends) backend.unwatch(this);
  }

  /** Can a new request be served? */
  get isUsable(): boolean {
    return this.#usable.length > 0 || this.#backups.length > 0;
  }

  /**
   * The server to use next, none of `tried`; null when there is none left. A backup is used when no other server is
   * usable, or a request has tried them all.
   */
  pick(key: PickKey, tried: readonly Backend[]): Backend | null {
    // A request of the old generation goes on: for the few of them it looks itself.
    if (this.#released) this.#sort();
    return this.#pickOf(this.#usable, key, tried) ?? this.#pickOf(this.#backups, key, tried);
  }

  onVerdict(): void {
    this.#sort();
  }

  #pickOf(tier: readonly Backend[], key: PickKey, tried: readonly Backend[]): Backend | null {
    const candidates = tried.length === 0 ? tier : tier.filter((backend) => !tried.includes(backend));
    if (candidates.length === 0) return null;
    return candidates[this.#scheduler.pick(candidates, key)] ?? null;
  }

  #sort(): void {
    this.#usable = this.backends.filter((backend) => backend.isUsable && !backend.backup);
    this.#backups = this.backends.filter((backend) => backend.isUsable && backend.backup);
  }
}
