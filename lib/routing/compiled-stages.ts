import type { AddressSet } from '../base/address-set.js';
import type { IpAddress } from '../base/ip-address.js';
import type { Reason } from '../base/observer.js';
import type { TlsInfo } from '../base/transport-info.js';
import { BudgetExhausted } from '../base/work-budget.js';
import type { Config } from '../config/types.js';
import type {
  CompiledRoute,
  LocalReply,
  Maintenance,
  RequestContext,
  RequestStages,
} from '../exchange/context.js';
import { Tracer } from '../exchange/request-trace.js';
import type { Firewall } from '../firewall/firewall.js';
import { FORBIDDEN, type GuardName } from '../firewall/guard.js';
import type { Verdict } from '../firewall/verdict.js';
import type { ClientSide } from '../http/flow.js';
import { clientAddress } from '../http/forwarded.js';
import type { Refusal } from '../http/refusal.js';
import type { RouteRules } from '../rules/route-rules.js';
import type { HostMaintenances } from './host-maintenance.js';
import { keepsOut, type RouteMatch, type Router } from './router.js';

const NO_ROUTE: LocalReply = { status: 404, reason: 'no_route', detail: '', fields: '' };

/** When the route or a rule can't be determined within the budget, another one would be a guess. */
const TOO_COSTLY: LocalReply = {
  status: 431,
  reason: 'regex_budget',
  detail: 'routes and rules',
  fields: '',
};

const MISDIRECTED: LocalReply = { status: 421, reason: 'misdirected', detail: '', fields: '' };

/**
 * Would this host ask clients for another certificate than this connection did (RFC 9110, 7.4)? The handshake used the
 * name in SNI, and the client may ask for any host afterwards.
 */
function isMisdirected({ policy, policyOf }: TlsInfo, host: string): boolean {
  return policyOf !== null && policyOf(host) !== policy;
}

/** The reason that is logged when a guard refuses. */
const REASONS: { readonly [guard in GuardName]: Reason } = {
  ip_reject: 'blocked_ip',
  ip_allow: 'blocked_ip',
  max_connections_per_ip: 'too_many_requests',
  ban: 'banned',
  method_reject: 'blocked_method',
  path_reject: 'blocked_path',
  header_reject: 'blocked_header',
  rate_limit: 'rate_limited',
  other_reading: 'blocked_path',
};

/**
 * The order of the stages between a parsed head and the first attempt. Made for one configuration; only the hosts in
 * maintenance change meanwhile.
 */
export class CompiledStages implements RequestStages {
  readonly #firewall: Firewall | null;
  readonly #router: Router<CompiledRoute>;
  readonly #trusted: AddressSet;
  readonly proxyName: string;
  readonly masksAddresses: boolean;
  /** The hosts that operators have put into maintenance; null, which costs nothing: there are none. */
  maintenances: HostMaintenances | null = null;
  readonly tracer: Tracer | null;

  constructor(
    firewall: Firewall | null,
    router: Router<CompiledRoute>,
    trusted: AddressSet,
    { proxyStatus, maskAddresses, tracing }: Pick<Config, 'proxyStatus' | 'maskAddresses' | 'tracing'>,
  ) {
    this.proxyName = proxyStatus ?? '';
    this.masksAddresses = maskAddresses;
    this.tracer = tracing === null ? null : new Tracer(tracing);
    this.#firewall = firewall;
    this.#router = router;
    this.#trusted = trusted;
  }

  clientOf(client: ClientSide): IpAddress {
    const { forwarded, head } = client;
    return forwarded.trusted ? clientAddress(forwarded.peer, head, this.#trusted) : forwarded.peer;
  }

  get lostRules(): RouteRules {
    return this.#router.lostRules;
  }

  noteUnreadable(context: RequestContext): void {
    // A trusted proxy is not counted as an offender: it forwards for clients that are unknown here.
    if (this.#trusted.has(context.client)) return;
    // Gets the status when the request is settled, like that of any other request.
    context.globalFirewall = this.#firewall;
    this.#firewall?.countUnreadable(context.client);
  }

  decide(context: RequestContext): LocalReply | null {
    context.lostRules = this.#router.lostRules;
    try {
      const { view, client } = context;
      // Before any rule compares the path: a path that servers may read in two ways can't be judged.
      const unreadable = view.pathProblem;
      if (unreadable !== null) {
        this.noteUnreadable(context);
        return refused(unreadable);
      }
      // Before routing: a refused client learns nothing about the routes.
      context.globalFirewall = this.#firewall;
      if (this.#firewall !== null) {
        const verdict = this.#firewall.judge(view, client);
        if (verdict.refused) return blocked(verdict);
      }
      if (context.transport.tls !== null && isMisdirected(context.transport.tls, view.host))
        return MISDIRECTED;
      const resolution = this.#router.resolve(view);
      if (resolution === null) {
        context.lostRules = this.#router.lostRulesOf(view);
        return this.#closed(context, this.#router.maintenanceOf(view)) ?? NO_ROUTE;
      }
      const destination = resolution.attached;
      context.destination = destination;
      context.captures = resolution.captures;
      // Before the rules: guards see the request as received, not as rewritten.
      if (destination.firewalls !== null) {
        const verdict = destination.firewalls.judge(view, client);
        if (verdict.refused) return blocked(verdict);
        context.enter(destination.firewalls);
      }
      if (this.#router.hasOtherWays) {
        const bypass = this.#bypasses(context, resolution);
        if (bypass !== null) return bypass;
      }
      // After the guards: a client that they refuse does not see the maintenance. Before any rule changes the request.
      if (this.maintenances !== null || destination.maintenance !== null) {
        const closed = this.#closed(context, destination.maintenance);
        if (closed !== null) return closed;
      }
      if (!destination.rules.editsRequests || destination.selector === null) return null;
      const problem = destination.rules.editRequest(context, context.requestEdit);
      return problem === null ? null : refused(problem);
    } catch (error) {
      if (!(error instanceof BudgetExhausted)) throw error;
      return TOO_COSTLY;
    }
  }

  /** What is answered while the host or the place of the route is in maintenance; null: the request is served. */
  #closed({ view, client }: RequestContext, place: Maintenance | null): LocalReply | null {
    return this.maintenances?.judge(view.host, client, this.#router) ?? place?.judge(client) ?? null;
  }

  /** Would a server that reads the path in another way serve a route whose guards this request has not passed? */
  #bypasses({ view }: RequestContext, { route, attached }: RouteMatch<CompiledRoute>): LocalReply | null {
    const ways = this.#router.otherWays(view);
    if (ways === null) return null;
    const asked = attached.firewalls?.firewalls ?? [];
    for (const other of ways) {
      if (keepsOut(other.route) && route.action.kind === 'forward') return pastGuards(other.route.name);
      for (const firewall of other.attached.firewalls?.firewalls ?? []) {
        if (asked.includes(firewall)) continue;
        const verdict = firewall.judgeOtherReading();
        if (verdict.refused) return blocked(verdict);
      }
    }
    return null;
  }
}

/** A server may take the path for a route whose guards the request has not passed: refused like `path_reject`. */
function pastGuards(route: string): LocalReply {
  return { ...FORBIDDEN, reason: 'blocked_path', detail: `${route}: other_reading` };
}

function refused({ status, reason, detail }: Refusal): LocalReply {
  return { status, reason, detail, fields: '' };
}

function blocked({ status, guard, firewall, fields, undecided }: Verdict): LocalReply {
  const reason = undecided ? 'regex_budget' : REASONS[guard as GuardName];
  return { status, reason, detail: `${firewall}: ${guard}`, fields };
}
