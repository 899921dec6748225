import { whyDown } from './route-states.js';
import type { ServerRegistry } from './server-registry.js';
import type { BalancerState } from './status/status.js';

/** The most reasons listed, a line for each route without a usable server. */
const MOST_REASONS = 20;

/**
 * Whether load balancers in front should send requests here: while the balancer runs and at least one forwarding route
 * has a server for new requests. A single route without one does not make the balancer unready, as the other routes still
 * work: it is reported as `route_down`, and shown in the status.
 */
export class Readiness {
  readonly #registry: ServerRegistry;
  readonly #state: () => BalancerState;

  constructor(registry: ServerRegistry, state: () => BalancerState) {
    this.#registry = registry;
    this.#state = state;
  }

  /** A word for callers without a token, which need not know the names of servers; empty when the balancer is ready. */
  get obstacle(): string {
    const state = this.#state();
    if (state !== 'running') return state;
    return this.#hasRoute ? '' : 'no usable server';
  }

  /** A line for each reason, for operators; empty when the balancer is ready. */
  get reasons(): readonly string[] {
    const state = this.#state();
    if (state !== 'running') return [`the balancer is ${state}`];
    if (this.#hasRoute) return [];
    const lines: string[] = [];
    for (const { name, group } of this.#registry.routes.down()) {
      lines.push(`${name} has no usable server: ${whyDown(group)}`);
      if (lines.length === MOST_REASONS) break;
    }
    const more = this.#registry.routes.count - lines.length;
    return more > 0 ? [...lines, `and ${more} more routes without one`] : lines;
  }

  /** One route with a usable server is enough; without forwarding routes the balancer is ready. */
  get #hasRoute(): boolean {
    const { routes } = this.#registry;
    return routes.upCount > 0 || routes.count === 0;
  }
}
