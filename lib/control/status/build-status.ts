import type { Clock } from '../../base/timer-wheel.js';
import { VERSION } from '../../base/version.js';
import { everyRoute } from '../../config/every-route.js';
import { routeMatches } from '../../config/route-match.js';
import type { RouteConfig } from '../../config/types.js';
import { type MetricsSnapshot, statusClasses } from '../../observe/metrics.js';
import type { LiveBalancer, LiveServer } from '../../observe/server-families.js';
import type { RoutingSnapshot } from '../../routing/routing-snapshot.js';
import type { Server } from '../../servers/server.js';
import type { ManagedServer } from '../managed-server.js';
import type { ServerRegistry } from '../server-registry.js';
import type { Telemetry } from '../telemetry.js';
import { countBans } from './bans.js';
import { serverEvents } from './server-events.js';
import { sumOf, together, worseOf } from './server-sums.js';
import type {
  BalancerState,
  BalancerStatus,
  FirewallStatus,
  RouteStatus,
  ServerStatus,
  ServerTotals,
} from './status.js';

/** What a status is taken of. */
export interface StatusDeps {
  readonly registry: ServerRegistry;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly state: BalancerState;
  readonly readyReasons: readonly string[];
  /** ms since the epoch, as `loadedAt`. */
  readonly startedAt: number;
  readonly listen: readonly string[];
  readonly clients: number;
  readonly configPath: string | null;
  readonly loadedAt: number;
}

/** Everything as of this moment. */
export function buildStatus(sources: StatusDeps): BalancerStatus {
  const { registry, telemetry, clock, state, readyReasons, startedAt } = sources;
  const { snapshot, servers: managed, desired } = registry;
  const metrics = telemetry.metrics.snapshot();
  const parts = new StatusBuilder(registry, telemetry, metrics);
  const routes = parts.routes();
  return {
    version: VERSION,
    pid: process.pid,
    startedAt,
    uptimeMs: clock.wall() - startedAt,
    state,
    ready: readyReasons.length === 0,
    readyReasons,
    listen: sources.listen,
    clients: sources.clients,
    requests: { ...metrics.requests, inFlight: managed.activeCount },
    routes,
    servers: parts.servers(),
    firewall: firewallStatuses(snapshot),
    config: { path: sources.configPath, loadedAt: sources.loadedAt, drift: desired.drift },
  };
}

export type { LiveBalancer };

/** What metrics show of this moment; what a status has besides is not put together for it. */
export function takeFigures({ registry, clients, readyReasons }: StatusDeps): LiveBalancer {
  const { servers: managed, snapshot, routes } = registry;
  const servers = new Map<string, LiveServer>();
  for (const member of managed.members) {
    const server = figuresOf(member);
    const other = servers.get(server.name);
    servers.set(server.name, other === undefined ? server : bothFigures(other, server));
  }
  return {
    version: VERSION,
    ready: readyReasons.length === 0,
    clients,
    requests: { inFlight: managed.activeCount },
    routes: Array.from(routes.all(), ({ name, group, downSince }) => ({
      name,
      isUp: downSince === null,
      usableServers: group.usableCount,
    })),
    servers: [...servers.values()],
    firewall: firewallStatuses(snapshot),
  };
}

function figuresOf({ server, state }: ManagedServer): LiveServer {
  const { pool } = server;
  return {
    name: server.name,
    state,
    effectiveWeight: server.isUsable ? server.effectiveWeight : 0,
    active: server.active,
    waiting: pool.waitingCount,
    open: pool.openCount,
    idle: pool.idleCount,
    responseTimes: [server.responseTimes],
    totals: totalsOf(server),
  };
}

/** One server of which two are kept, as routes ask different things of it. */
function bothFigures(one: LiveServer, other: LiveServer): LiveServer {
  return {
    ...worseOf(one, other),
    active: one.active + other.active,
    waiting: one.waiting + other.waiting,
    open: one.open + other.open,
    idle: one.idle + other.idle,
    responseTimes: [...one.responseTimes, ...other.responseTimes],
    totals: sumOf(one.totals, other.totals),
  };
}

function totalsOf({ totals, pool }: Server): ServerTotals {
  return {
    requests: totals.requests,
    byStatus: statusClasses(totals.responses),
    failures: totals.failures,
    connectFailures: totals.connectFailures,
    resets: totals.resets,
    retries: totals.retries,
    ejections: totals.ejections,
    spared: totals.spared,
    connections: pool.opened,
    unsolicited: pool.unsolicited,
    bytesIn: totals.bytesIn,
    bytesOut: totals.bytesOut,
  };
}

type Figures<Kind extends 'routes' | 'servers'> = ReadonlyMap<string, MetricsSnapshot[Kind][number]>;

/** Routes and servers: each server is looked at once, however many routes have it. */
class StatusBuilder {
  readonly #registry: ServerRegistry;
  readonly #telemetry: Telemetry;
  readonly #routeFigures: Figures<'routes'>;
  readonly #serverFigures: Figures<'servers'>;
  readonly #routesOf = new Map<ManagedServer, string[]>();
  readonly #servers: ReadonlyMap<ManagedServer, ServerStatus>;

  constructor(registry: ServerRegistry, telemetry: Telemetry, { routes, servers }: MetricsSnapshot) {
    this.#registry = registry;
    this.#telemetry = telemetry;
    this.#routeFigures = new Map(routes.map((route) => [route.name, route]));
    this.#serverFigures = new Map(servers.map((server) => [server.name, server]));
    const { members } = registry.servers;
    for (const member of members) this.#routesOf.set(member, []);
    for (const route of everyRoute(registry.snapshot.config))
      for (const member of this.#membersOf(route)) this.#routesOf.get(member)?.push(route.name);
    this.#servers = new Map(members.map((member) => [member, this.#server(member)]));
  }

  #membersOf({ action }: RouteConfig): readonly ManagedServer[] {
    return action.kind === 'forward' ? this.#registry.servers.membersOf(action.group) : [];
  }

  routes(): readonly RouteStatus[] {
    const { config } = this.#registry.snapshot;
    const matches = routeMatches(config);
    return everyRoute(config).map((route) => {
      const { name, action } = route;
      const figures = this.#routeFigures.get(name);
      return {
        name,
        match: matches.get(route) ?? '',
        action: action.kind,
        algorithm: action.kind === 'forward' ? action.group.algorithm.name : '',
        requests: figures?.requests ?? 0,
        latency: figures?.latency ?? null,
        downSince: this.#registry.routes.of(name)?.downSince ?? null,
        servers: this.#membersOf(route).map((member) => this.#servers.get(member) as ServerStatus),
      };
    });
  }

  /** Each name once, in the order of the file. */
  servers(): readonly ServerStatus[] {
    const byName = new Map<string, ServerStatus>();
    for (const status of this.#servers.values()) {
      const other = byName.get(status.name);
      byName.set(status.name, other === undefined ? status : together(other, status));
    }
    return [...byName.values()];
  }

  #server(member: ManagedServer): ServerStatus {
    const { server, state, since } = member;
    const { name, pool } = server;
    const figures = this.#serverFigures.get(name);
    const routes = this.#routesOf.get(member) ?? [];
    return {
      name,
      address: server.address.text,
      routes,
      routesDown: routes.filter((route) => (this.#registry.routes.of(route)?.downSince ?? null) !== null),
      state,
      since,
      backup: server.backup,
      weight: server.weight,
      effectiveWeight: server.isUsable ? server.effectiveWeight : 0,
      active: server.active,
      waiting: pool.waitingCount,
      bound: isForBoundAlone(server) ? this.#registry.snapshot.memory.countOf(server.hash, BOUND_MS) : 0,
      open: pool.openCount,
      idle: pool.idleCount,
      lastCheck: server.history.lastCheck,
      events: serverEvents(this.#telemetry.journal.eventsOf(name), server.history.events),
      totals: totalsOf(server),
      errors: server.recentErrors,
      latency: figures?.latency ?? null,
      share: figures?.share ?? 0,
      fromFile: this.#registry.desired.isFromFile(name),
    };
  }
}

/** Those that have come within so long are worth waiting for. */
const BOUND_MS = 10 * 60_000;

function isForBoundAlone(server: Server): boolean {
  return server.takesBound && !server.isUsable;
}

function firewallStatuses(snapshot: RoutingSnapshot): readonly FirewallStatus[] {
  return snapshot.firewalls.map((firewall) => ({
    rule: firewall.name,
    verdicts: firewall.counts.map(({ guard, refused, observed }) => ({ guard, refused, observed })),
    bans: countBans(firewall),
  }));
}
