import { everyRoute } from '../config/every-route.js';
import type { RouteConfig } from '../config/types.js';
import type { BalancerState } from '../status/status.js';
import type { Fleet } from './fleet.js';
import type { Member } from './member.js';

/**
 * Whether somebody in front should send requests here: while the balancer runs and one of its routes can answer. A route
 * that can't while others can is no reason to send everybody elsewhere, and is seen in the status.
 */
export class Readiness {
  readonly #fleet: Fleet;
  readonly #state: () => BalancerState;

  constructor(fleet: Fleet, state: () => BalancerState) {
    this.#fleet = fleet;
    this.#state = state;
  }

  /** For strangers, who need not know the names of servers: a word; empty when it is ready. */
  get obstacle(): string {
    const state = this.#state();
    if (state !== 'running') return state;
    return this.#hasRoute ? '' : 'no usable server';
  }

  /** For operators: a line for each reason; empty when it is ready. */
  get reasons(): readonly string[] {
    const state = this.#state();
    if (state !== 'running') return [`it is ${state}`];
    if (this.#hasRoute) return [];
    const forwarding = everyRoute(this.#fleet.generation.config).filter(
      ({ action }) => action.kind === 'forward',
    );
    return forwarding.map((route) => {
      const states = this.#membersOf(route).map(({ backend, state }) => `${backend.name} is ${state}`);
      return `${route.name} has no usable server: ${states.join(', ')}`;
    });
  }

  /** One is enough; with nothing to forward there is nothing that could be missing. */
  get #hasRoute(): boolean {
    let forwards = false;
    for (const route of everyRoute(this.#fleet.generation.config)) {
      if (route.action.kind !== 'forward') continue;
      if (this.#membersOf(route).some(isUsable)) return true;
      forwards = true;
    }
    return !forwards;
  }

  #membersOf({ action }: RouteConfig): readonly Member[] {
    return action.kind === 'forward' ? this.#fleet.backends.membersOf(action.group) : [];
  }
}

function isUsable({ backend }: Member): boolean {
  return backend.isUsable && backend.effectiveWeight > 0;
}
