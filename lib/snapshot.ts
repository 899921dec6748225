import type { Backend } from './backend/backend.js';
import type { Clock } from './base/clock.js';
import { everyRoute } from './config/every-route.js';
import { routeMatches } from './config/route-match.js';
import type { RouteConfig } from './config/types.js';
import type { Fleet } from './fleet/fleet.js';
import type { Member } from './fleet/member.js';
import type { Generation } from './generation.js';
import { type MetricsSnapshot, statusClasses } from './observe/metrics.js';
import type { LiveBalancer, LiveServer } from './observe/server-families.js';
import { countBans } from './status/bans.js';
import { serverEvents } from './status/server-events.js';
import { sumOf, together, worseOf } from './status/server-sums.js';
import type {
  BalancerState,
  BalancerStatus,
  FirewallStatus,
  RouteStatus,
  ServerStatus,
  ServerTotals,
} from './status/status.js';
import { VERSION } from './status/version.js';
import type { Telemetry } from './telemetry.js';

/** What a status is taken of. */
export interface Sources {
  readonly fleet: Fleet;
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
export function takeStatus(sources: Sources): BalancerStatus {
  const { fleet, telemetry, clock, state, readyReasons, startedAt } = sources;
  const { generation, backends, roster } = fleet;
  const metrics = telemetry.metrics.snapshot();
  const parts = new Parts(fleet, telemetry, metrics);
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
    requests: { ...metrics.requests, inFlight: backends.activeCount },
    routes,
    servers: parts.servers(),
    firewall: firewallStatuses(generation),
    config: { path: sources.configPath, loadedAt: sources.loadedAt, drift: roster.drift },
  };
}

export type { LiveBalancer };

/** What metrics show of this moment; what a status has besides is not put together for it. */
export function takeFigures({ fleet, clients, readyReasons }: Sources): LiveBalancer {
  const { backends, generation, routes } = fleet;
  const servers = new Map<string, LiveServer>();
  for (const member of backends.members) {
    const server = figuresOf(member);
    const other = servers.get(server.name);
    servers.set(server.name, other === undefined ? server : bothFigures(other, server));
  }
  return {
    version: VERSION,
    ready: readyReasons.length === 0,
    clients,
    requests: { inFlight: backends.activeCount },
    routes: Array.from(routes.all(), ({ name, group, downSince }) => ({
      name,
      isUp: downSince === null,
      usableServers: group.usableCount,
    })),
    servers: [...servers.values()],
    firewall: firewallStatuses(generation),
  };
}

function figuresOf({ backend, state }: Member): LiveServer {
  const { pool } = backend;
  return {
    name: backend.name,
    state,
    effectiveWeight: backend.isUsable ? backend.effectiveWeight : 0,
    active: backend.active,
    waiting: pool.waitingCount,
    open: pool.openCount,
    idle: pool.idleCount,
    responseTimes: [backend.responseTimes],
    totals: totalsOf(backend),
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

function totalsOf({ totals, pool }: Backend): ServerTotals {
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
class Parts {
  readonly #fleet: Fleet;
  readonly #telemetry: Telemetry;
  readonly #routeFigures: Figures<'routes'>;
  readonly #serverFigures: Figures<'servers'>;
  readonly #routesOf = new Map<Member, string[]>();
  readonly #servers: ReadonlyMap<Member, ServerStatus>;

  constructor(fleet: Fleet, telemetry: Telemetry, { routes, servers }: MetricsSnapshot) {
    this.#fleet = fleet;
    this.#telemetry = telemetry;
    this.#routeFigures = new Map(routes.map((route) => [route.name, route]));
    this.#serverFigures = new Map(servers.map((server) => [server.name, server]));
    const { members } = fleet.backends;
    for (const member of members) this.#routesOf.set(member, []);
    for (const route of everyRoute(fleet.generation.config))
      for (const member of this.#membersOf(route)) this.#routesOf.get(member)?.push(route.name);
    this.#servers = new Map(members.map((member) => [member, this.#server(member)]));
  }

  #membersOf({ action }: RouteConfig): readonly Member[] {
    return action.kind === 'forward' ? this.#fleet.backends.membersOf(action.group) : [];
  }

  routes(): readonly RouteStatus[] {
    const { config } = this.#fleet.generation;
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
        downSince: this.#fleet.routes.of(name)?.downSince ?? null,
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

  #server(member: Member): ServerStatus {
    const { backend, state, since } = member;
    const { name, pool } = backend;
    const figures = this.#serverFigures.get(name);
    const routes = this.#routesOf.get(member) ?? [];
    return {
      name,
      address: backend.address.text,
      routes,
      routesDown: routes.filter((route) => (this.#fleet.routes.of(route)?.downSince ?? null) !== null),
      state,
      since,
      backup: backend.backup,
      weight: backend.weight,
      effectiveWeight: backend.isUsable ? backend.effectiveWeight : 0,
      active: backend.active,
      waiting: pool.waitingCount,
      bound: isForBoundAlone(backend) ? this.#fleet.generation.memory.countOf(backend.hash, BOUND_MS) : 0,
      open: pool.openCount,
      idle: pool.idleCount,
      lastCheck: backend.history.lastCheck,
      events: serverEvents(this.#telemetry.journal.eventsOf(name), backend.history.events),
      totals: totalsOf(backend),
      errors: backend.recentErrors,
      latency: figures?.latency ?? null,
      share: figures?.share ?? 0,
      fromFile: this.#fleet.roster.isFromFile(name),
    };
  }
}

/** Those that have come within so long are worth waiting for. */
const BOUND_MS = 10 * 60_000;

function isForBoundAlone(backend: Backend): boolean {
  return backend.takesBound && !backend.isUsable;
}

function firewallStatuses(generation: Generation): readonly FirewallStatus[] {
  return generation.firewalls.map((firewall) => ({
    rule: firewall.name,
    verdicts: firewall.counts.map(({ guard, refused, observed }) => ({ guard, refused, observed })),
    bans: countBans(firewall),
  }));
}
