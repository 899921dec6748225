import type { Scheduler } from '../scheduler/scheduler.js';
import type { Backend, BackendWatcher } from './backend.js';

/** Servers that stand in for one another, and who chooses among them. */
export class Group implements BackendWatcher {
  readonly backends: readonly Backend[];
  readonly #scheduler: Scheduler;
  /** Those that are up; made anew when a verdict changes, so that a pick filters nothing. */
  #usable: readonly Backend[];

  constructor(backends: readonly Backend[], scheduler: Scheduler) {
    this.backends = backends;
    this.#scheduler = scheduler;
    this.#usable = backends.filter((backend) => backend.isUp);
    for (const backend of backends) backend.watch(this);
  }

  /** The server to use next, none of `tried`; null when there is none left. */
  pick(tried: readonly Backend[]): Backend | null {
    const candidates =
      tried.length === 0 ? this.#usable : this.#usable.filter((backend) => !tried.includes(backend));
    if (candidates.length === 0) return null;
    return candidates[this.#scheduler.pick(candidates)] ?? null;
  }

  onVerdict(): void {
    this.#usable = this.backends.filter((backend) => backend.isUp);
  }
}
