import type { IpAddress } from '../base/ip-address.js';
import type { WorkBudget } from '../base/work-budget.js';

/** The guards by their settings, in the order in which they are asked. */
export type GuardName =
  | 'ip_reject'
  | 'ip_allow'
  | 'max_connections_per_ip'
  | 'ban'
  | 'method_reject'
  | 'path_reject'
  | 'header_reject'
  | 'rate_limit'
  /** Not a setting: the request avoids this firewall, but its path may be read as one that belongs to it. */
  | 'other_reading';

/** What guards read of a request. Values of headers and cookies are byte strings. */
export interface GuardedRequest {
  /** As received. */
  readonly method: string;
  /** Normalised and decoded. */
  readonly path: string;
  /** As received, without the query. */
  readonly rawPath: string;
  /** Not null when servers may read the path in several ways, so that `path` is not reliable. */
  readonly pathProblem: object | null;
  /** The budget for regular expressions. */
  readonly budget: WorkBudget;
  /**
   * The values of the fields that a server may read as `name` (lower case); fields with exactly this name come first.
   */
  spellings(name: string): readonly string[];
  /** The values of the fields called `name` (lower case) as received, from the client or a proxy. */
  received(name: string): readonly string[];
  /** The values of the cookies called `name`. */
  cookie(name: string): readonly string[];
}

/** The response to a refused request. */
export interface FirewallRefusal {
  readonly status: number;
  /** Additional header lines, each with its line end; often none. */
  readonly fields: string;
}

/** The response of most guards: 403 (RFC 9110, 15.5.4). */
export const FORBIDDEN: FirewallRefusal = Object.freeze({ status: 403, fields: '' });

/**
 * It cannot be decided whether the request is allowed, because matching would take too long. That must not be a way
 * past a guard.
 */
export const UNDECIDED: FirewallRefusal = Object.freeze({ status: 403, fields: '' });

/** A guard that needs only the address, so that it can be asked at accept. */
export interface ClientGuard {
  readonly name: GuardName;
  readonly refusal: FirewallRefusal;
  admits(client: IpAddress): boolean;
}

/** A guard that needs a head. */
export interface RequestGuard {
  readonly name: GuardName;
  /** null when the guard does not refuse. Throws BudgetExhausted. */
  judge(request: GuardedRequest, client: IpAddress): FirewallRefusal | null;
}
