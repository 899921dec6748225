import type { IpAddress } from '../base/ip-address.js';
import type { WorkBudget } from '../base/work-budget.js';

/** As they are called in the file, in the order in which they are asked. */
export type GuardName =
  | 'ip_reject'
  | 'ip_allow'
  | 'max_connections_per_ip'
  | 'ban'
  | 'method_reject'
  | 'path_reject'
  | 'header_reject'
  | 'rate_limit'
  /** No setting of its own: the path may be read as one that leads to this firewall, while the request goes past it. */
  | 'other_reading';

/** What guards read of a request. Values of headers and cookies are byte strings. */
export interface GuardedRequest {
  /** As received. */
  readonly method: string;
  /** Normalised and decoded. */
  readonly path: string;
  /** As received, without the query. */
  readonly rawPath: string;
  /** Not null when servers may read the path in more than one way: `path` can't be relied on. */
  readonly pathProblem: object | null;
  /** What regular expressions may cost it. */
  readonly budget: WorkBudget;
  /** The values of the fields that a server may take for `name` (lower case): of those called so first. */
  spellings(name: string): readonly string[];
  /** The values of the fields called `name` (lower case) as they were received, whoever wrote them. */
  received(name: string): readonly string[];
  /** The values of the cookies called `name`. */
  cookie(name: string): readonly string[];
}

/** What a refused request is answered. */
export interface FirewallRefusal {
  readonly status: number;
  /** Header lines of its own, each with its line end; often none. */
  readonly fields: string;
}

/** What most guards answer: 403 (RFC 9110, 15.5.4). */
export const FORBIDDEN: FirewallRefusal = Object.freeze({ status: 403, fields: '' });

/** Nobody can tell whether it is allowed: matching it would take too long. A guard must not be passed by that. */
export const UNDECIDED: FirewallRefusal = Object.freeze({ status: 403, fields: '' });

/** Needs only the address, so that it can be asked at accept. */
export interface ClientGuard {
  readonly name: GuardName;
  readonly refusal: FirewallRefusal;
  admits(client: IpAddress): boolean;
}

/** Needs a head. */
export interface RequestGuard {
  readonly name: GuardName;
  /** null when it has no objection. Throws BudgetExhausted. */
  judge(request: GuardedRequest, client: IpAddress): FirewallRefusal | null;
}
