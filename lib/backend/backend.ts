import type { Failure } from '../base/failure.js';
import type { Candidate } from '../scheduler/scheduler.js';
import type { Pool } from './pool.js';

/** Told of what happens to servers: groups, and whoever judges their health. */
export interface BackendWatcher {
  /** It became usable, or ceased to be. */
  onVerdict?(backend: Backend): void;
  /** A live request could not connect. */
  onConnectFailed?(backend: Backend, failure: Failure, detail: string): void;
}

/** One server: what it is called, whether it may be used, and its sockets. */
export class Backend implements Candidate {
  readonly name: string;
  readonly pool: Pool;
  readonly #watchers: BackendWatcher[] = [];
  #up = true;
  /** Requests in flight. */
  active = 0;

  constructor(name: string, pool: Pool) {
    this.name = name;
    this.pool = pool;
  }

  get isUp(): boolean {
    return this.#up;
  }

  watch(watcher: BackendWatcher): void {
    this.#watchers.push(watcher);
  }

  /** The verdict of whoever checks it. Down: no new request, and its unused connections are closed. */
  judge(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    if (!up) this.pool.closeIdle();
    for (const watcher of this.#watchers) watcher.onVerdict?.(this);
  }

  /** From the request path: a connect failed, which is seen at once and not only by the next check. */
  noteConnectFailure(failure: Failure, detail: string): void {
    for (const watcher of this.#watchers) watcher.onConnectFailed?.(this, failure, detail);
  }
}
