import type { Clock } from '../base/timer-wheel.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { ServerWatcher } from '../servers/engine-contract.js';
import type { Server } from '../servers/server.js';
import type { ServerJudge } from './health/server-health.js';
import type { ServerState } from './status/status.js';

/** One server as the control plane keeps it: its health, and since when it has been in its state. */
export class ManagedServer implements ServerWatcher {
  /** The server in the engine; everything except its groups uses it as an `EngineServer`. */
  readonly server: Server;
  /** The same in every thread. */
  readonly number: number;
  readonly health: ServerJudge;
  /** One of the entries of the configuration for this server, and a group with it: all of them have the same terms. */
  config: ServerConfig;
  group: GroupConfig;
  readonly #clock: Clock;
  #state: ServerState;
  #since: number;

  constructor(
    server: Server,
    number: number,
    health: ServerJudge,
    config: ServerConfig,
    group: GroupConfig,
    clock: Clock,
  ) {
    this.server = server;
    this.number = number;
    this.health = health;
    this.config = config;
    this.group = group;
    this.#clock = clock;
    this.#state = this.#currentState();
    this.#since = clock.wall();
    server.watch(this);
  }

  get state(): ServerState {
    return this.#state;
  }

  /** ms since the epoch. */
  get since(): number {
    return this.#since;
  }

  /** Does it get no more requests, because it was removed? */
  get isRemoved(): boolean {
    return this.server.obstacle === 'removed';
  }

  onServerChange(): void {
    const state = this.#currentState();
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#clock.wall();
  }

  /** The state set by an operator comes first, then that of the checks, then that of live requests. */
  #currentState(): ServerState {
    const { availability, isUp, isEjected } = this.server;
    if (availability !== 'ready') return availability;
    if (!isUp) return 'down';
    if (isEjected) return 'ejected';
    return this.health.isChecked ? 'up' : 'unchecked';
  }
}
