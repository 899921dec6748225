import type { ManagedServer } from '../managed-server.js';
import { boundTo, type StatusDeps } from './build-status.js';
import { type Counts, countsOfRoute, countsOfServers, type Histories, rounded } from './histories.js';
import type { ListedRoute } from './route-directory.js';
import type { RouteRow, ServerRow } from './view.js';
import { whyOut } from './why-out.js';

const NOTHING: Counts = { requests: 0, errors: 0 };

/** Of the servers of one name that a route has: usually one. */
type OwnFacts = Omit<ServerRow, 'id' | 'route' | 'share'>;

/** Makes the rows of one view: what several of them need is read once. */
export class ViewRows {
  readonly #deps: StatusDeps;
  readonly #histories: Histories;
  /** Who changed which server last. */
  readonly #changedBy: ReadonlyMap<string, string>;
  readonly #facts = new Map<ManagedServer, OwnFacts>();
  readonly #requests = new Map<string, number>();

  constructor(deps: StatusDeps, histories: Histories, changedBy: ReadonlyMap<string, string>) {
    this.#deps = deps;
    this.#histories = histories;
    this.#changedBy = changedBy;
  }

  route(listed: ListedRoute, suitable: number, isFolded: boolean): RouteRow {
    const { name, match, route, group } = listed;
    const { registry, telemetry } = this.#deps;
    const figures = telemetry.metrics.routeFigures(name);
    const recent = this.#histories.recentOfRoute(
      name,
      figures === undefined ? NOTHING : countsOfRoute(figures),
    );
    const latency = telemetry.metrics.routeLatency(name);
    const state = registry.routes.of(name);
    return {
      id: name,
      match,
      action: route.action.kind,
      algorithm: group === null ? '' : group.algorithm.name,
      requests: figures?.requests ?? 0,
      rate: recent.rate,
      errors: recent.errors,
      p50: latency === null ? null : rounded(latency.p50),
      p99: latency === null ? null : rounded(latency.p99),
      downSince: state?.downSince ?? null,
      held: registry.snapshot.holdLineOf(name)?.waiting ?? null,
      servers: group === null ? 0 : registry.servers.membersOf(group).length,
      usable: state?.group.usableCount ?? 0,
      isFolded,
      suitable,
    };
  }

  /** `ofRoute`: the requests to all servers of the route in the last minute. */
  server(route: string, member: ManagedServer, ofRoute: number): ServerRow {
    let facts = this.#facts.get(member);
    if (facts === undefined) {
      facts = this.#factsOf(member);
      this.#facts.set(member, facts);
    }
    const share = ofRoute === 0 ? 0 : this.requestsTo(facts.name) / ofRoute;
    return { id: `${route}\n${facts.name}`, route, ...facts, share: Number(share.toFixed(3)) };
  }

  /** Requests of the last minute to the servers of this name. */
  requestsTo(name: string): number {
    let requests = this.#requests.get(name);
    if (requests === undefined) {
      requests = this.#histories.recentOfServer(
        name,
        countsOfServers(this.#deps.registry.servers.named(name)),
      ).requests;
      this.#requests.set(name, requests);
    }
    return requests;
  }

  #factsOf(member: ManagedServer): OwnFacts {
    const { server, since, state } = member;
    const { pool, name } = server;
    const { registry, telemetry } = this.#deps;
    const { record } = member.health;
    const { lastCheck } = record.history;
    const recent = this.#histories.recentOfServer(name, countsOfServers(registry.servers.named(name)));
    const latency = telemetry.metrics.serverSummary(name)?.latency ?? null;
    const isOut = state === 'draining' || state === 'maintenance';
    return {
      name,
      address: server.address.text,
      tls: pool.tls === null ? '' : pool.tls.terms.verify ? 'verified' : 'not verified',
      state,
      since,
      isHalfOpen: server.isHalfOpen,
      why: whyOut(member),
      by: isOut ? (this.#changedBy.get(name) ?? '') : '',
      until: state === 'ejected' ? record.ejectedUntil : null,
      checkOk: lastCheck?.ok ?? null,
      checkResult: lastCheck?.result ?? '',
      checkAt: lastCheck?.at ?? null,
      checkMs: lastCheck === null ? null : rounded(lastCheck.durationMs),
      nextCheckAt: record.nextCheckAt,
      backup: server.backup,
      weight: server.weight,
      effectiveWeight: server.isUsable ? rounded(server.effectiveWeight) : 0,
      active: server.active,
      waiting: pool.waitingCount,
      bound: boundTo(server, registry),
      requests: server.totals.requests,
      rate: recent.rate,
      errors: record.recentErrors,
      p50: latency === null ? null : rounded(latency.p50),
      p99: latency === null ? null : rounded(latency.p99),
      fromFile: registry.desired.layers.isFromFile(name),
      source: registry.desired.layers.sourceOf(name) ?? '',
    };
  }
}
