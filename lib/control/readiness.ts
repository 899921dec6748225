import { whyDown } from './route-states.js';
import type { ServerRegistry } from './server-registry.js';
import type { BalancerState } from './status/status.js';

/** Reasons that are given: a line for each route that can't be served. */
const MOST_REASONS = 20;

/**
 * Whether somebody in front should send requests here: while the balancer runs and one of the routes that forward has a
 * server that takes new requests. A route that has none while others have one is no reason to send everybody elsewhere:
 * that is told as `route_down`, and seen in the status.
 */
export class Readiness {
  readonly #registry: ServerRegistry;
  readonly #state: () => BalancerState;

  constructor(registry: ServerRegistry, state: () => BalancerState) {
    this.#registry = registry;
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
    const lines: string[] = [];
    for (const { name, group } of this.#registry.routes.down()) {
      lines.push(`${name} has no usable server: ${whyDown(group)}`);
      if (lines.length === MOST_REASONS) break;
    }
    const more = this.#registry.routes.count - lines.length;
    return more > 0 ? [...lines, `nor have ${more} more routes`] : lines;
  }

  /** One is enough; with nothing to forward there is nothing that could be missing. */
  get #hasRoute(): boolean {
    const { routes } = this.#registry;
    return routes.upCount > 0 || routes.count === 0;
  }
}
