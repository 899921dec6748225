import type { TimeoutsConfig } from '../config/types.js';
import type { FirewallChain } from '../firewall/firewall-chain.js';
import type { RouteReply } from '../rules/route-reply.js';
import type { RouteRules } from '../rules/route-rules.js';
import type { RetryPolicy } from './retry-policy.js';
import type { ServerSelector } from './server-selector.js';

/** A route made ready: what is done with the requests that end up on it. Made once per configuration. */
export interface CompiledRoute {
  /** What logs and `{route}` call it. */
  readonly name: string;
  /** Who may answer, and who does; null when the route answers by itself. */
  readonly selector: ServerSelector | null;
  /** The route's own answer; null when it forwards. */
  readonly reply: RouteReply | null;
  readonly rules: RouteRules;
  /** The firewalls of the route; null when it has none. */
  readonly firewalls: FirewallChain | null;
  readonly retry: RetryPolicy;
  readonly timeouts: TimeoutsConfig;
  /** Bytes of a request body; 0 is no limit. */
  readonly bodyBytes: number;
  /** Bytes of it a second; 0 is as slow as it likes. */
  readonly bodyRate: number;
}
