import { append } from '../../base/collections.js';
import { instanceName } from '../../base/instance-name.js';
import type { Steps } from '../../base/slices.js';
import type { Clock } from '../../base/timer-wheel.js';
import { VERSION } from '../../base/version.js';
import { everyRoute } from '../../config/every-route.js';
import { routeMatchSteps } from '../../config/route-match.js';
import type { RouteConfig } from '../../config/types.js';
import type { ProviderStatus } from '../../discovery/contract.js';
import type { FleetStatus } from '../../fleet/fleet.js';
import type { ListenerFigures } from '../../net/listeners.js';
import type { ServerTls } from '../../net/server-tls.js';
import {
  type MetricsSnapshot,
  type RouteSummary,
  type ServerSummary,
  statusClasses,
} from '../../observe/metrics-snapshot.js';
import type { LiveExports } from '../../observe/otlp/export-families.js';
import type { LiveBalancer, LiveHold, LiveRoute, LiveServer } from '../../observe/server-families.js';
import type { RoutingSnapshot } from '../../routing/routing-snapshot.js';
import type { EngineServer, ThreadFigures } from '../../servers/engine-contract.js';
import type { AcmeStatus } from '../../tls/acme-manager.js';
import type { ManagedServer } from '../managed-server.js';
import type { ServerRegistry } from '../server-registry.js';
import type { Telemetry } from '../telemetry.js';
import { countBans } from './bans.js';
import { serverEvents } from './server-events.js';
import { sumOf, together, worseOf } from './server-sums.js';
import type {
  BalancerState,
  BalancerStatus,
  CertificateStatus,
  ConfigRefusal,
  FirewallStatus,
  MaintenanceStatus,
  RouteStatus,
  ServerStatus,
  ServerTlsStatus,
  ServerTotals,
} from './status.js';
import { whyOut } from './why-out.js';

/** The sources of a status. */
export interface StatusDeps {
  readonly registry: ServerRegistry;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly state: BalancerState;
  readonly readyReasons: readonly string[];
  /** ms since the epoch, as `loadedAt`. */
  readonly startedAt: number;
  readonly listeners: readonly ListenerFigures[];
  readonly clients: number;
  readonly threads: readonly ThreadFigures[];
  /** Bytes of request bodies that are kept. */
  readonly bufferedBytes: number;
  readonly handshakes: ReadonlyMap<string, number>;
  readonly proxyHeaders: ReadonlyMap<string, number>;
  readonly configPath: string | null;
  readonly loadedAt: number;
  readonly certificates: () => CertificateStatus[];
  readonly orders: () => readonly AcmeStatus[];
  readonly providers: readonly ProviderStatus[];
  readonly exports: LiveExports;
  readonly shared: FleetStatus | null;
}

/** The whole status: of one moment if all steps are taken at once, else each server and route as of its step. */
export function* statusSteps(sources: StatusDeps): Steps<BalancerStatus> {
  const { registry, telemetry, clock, state, readyReasons, startedAt } = sources;
  const { snapshot, servers: managed, desired } = registry;
  const metrics = yield* telemetry.metrics.snapshotSteps();
  const builder = new StatusBuilder(registry, telemetry);
  yield* builder.addFigures(metrics);
  yield* builder.addServers();
  const routes = yield* builder.routes();
  const servers = yield* builder.servers();
  // A reload has replaced the groups meanwhile: starts again.
  if (registry.snapshot !== snapshot) return yield* statusSteps(sources);
  return {
    version: VERSION,
    instance: instanceName(snapshot.config.instance),
    pid: process.pid,
    startedAt,
    uptimeMs: clock.wall() - startedAt,
    state,
    ready: readyReasons.length === 0,
    readyReasons,
    listen: sources.listeners.map(({ address }) => address),
    listeners: sources.listeners,
    clients: sources.clients,
    threads: sources.threads,
    requests: { ...metrics.requests, inFlight: managed.activeCount },
    routes,
    servers,
    firewall: firewallStatuses(snapshot),
    maintenance: maintenanceStatuses(registry, sources.loadedAt),
    certificates: sources.certificates(),
    acme: sources.orders(),
    providers: sources.providers,
    shared: sources.shared,
    config: {
      path: sources.configPath,
      loadedAt: sources.loadedAt,
      refused: refusalOf(telemetry),
      drift: desired.drift,
    },
  };
}

/** The last reload, if it was refused. */
export function refusalOf({ journal: { refusal } }: Telemetry): ConfigRefusal | null {
  return refusal === null ? null : { at: refusal.at, reason: refusal.reason };
}

export type { LiveBalancer };

/** The status of the servers of one name, or if there is none, of one address; undefined if there is none either. */
export function serverStatus({ registry, telemetry }: StatusDeps, asked: string): ServerStatus | undefined {
  const { servers } = registry;
  let found: readonly ManagedServer[] = registry.desired.layers
    .serverNamesOf(asked)
    .flatMap((name) => servers.named(name));
  if (found.length === 0) {
    const named = servers.members.find(({ server }) => server.address.text === asked);
    if (named === undefined) return undefined;
    found = servers.named(named.server.name);
  }
  const builder = new StatusBuilder(registry, telemetry);
  builder.addRouteNamesOf(found);
  const all = found
    .map((member) => builder.status(member, telemetry.metrics.serverSummary(member.server.name)))
    .reduce(together);
  // It may be an entry that stands for several servers, whose figures are sums.
  const [entry] = registry.desired.layers.listingsOf(asked);
  return entry === undefined ? all : { ...all, name: asked, address: entry.server.address.text };
}

/** The requests of a route that wait for a server; null without `hold`. */
export function holdStatus({ snapshot }: StatusDeps['registry'], route: string): LiveHold | null {
  const line = snapshot.holdLineOf(route);
  return line === undefined ? null : { waiting: line.waiting, ...line.counts.figures };
}

/** The figures for metrics, without the rest of the status. */
export function* figureSteps({
  registry,
  clients,
  threads,
  bufferedBytes,
  handshakes,
  proxyHeaders,
  listeners,
  readyReasons,
  certificates,
  providers,
  exports,
  shared,
}: StatusDeps): Steps<LiveBalancer> {
  const { servers: managed, snapshot, routes } = registry;
  const servers = new Map<string, LiveServer>();
  for (const member of managed.members) {
    const server = figuresOf(member);
    const other = servers.get(server.name);
    servers.set(server.name, other === undefined ? server : bothFigures(other, server));
    yield;
  }
  const liveRoutes: LiveRoute[] = [];
  for (const { name, group, downSince } of routes.all()) {
    const hold = holdStatus(registry, name);
    liveRoutes.push({ name, isUp: downSince === null, usableServers: group.usableCount, hold });
    yield;
  }
  return {
    version: VERSION,
    instance: instanceName(snapshot.config.instance),
    ready: readyReasons.length === 0,
    clients,
    threads,
    bufferedBytes,
    handshakes,
    proxyHeaders,
    listeners,
    requests: { inFlight: managed.activeCount },
    routes: liveRoutes,
    servers: [...servers.values()],
    firewall: firewallStatuses(snapshot),
    certificates: certificates(),
    providers,
    exports,
    shared,
  };
}

function figuresOf(member: ManagedServer): LiveServer {
  const { server, state } = member;
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
    totals: totalsOf(member),
  };
}

/** Adds up two servers of the same name, which exist because routes use different terms. */
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

function totalsOf({ server: { totals, pool }, health: { record } }: ManagedServer): ServerTotals {
  return {
    requests: totals.requests,
    byStatus: statusClasses(totals.responses),
    failures: totals.failures,
    connectFailures: totals.connectFailures,
    resets: totals.resets,
    retries: totals.retries,
    ejections: record.ejections,
    spared: record.spared,
    connections: pool.opened,
    unsolicited: pool.unsolicited,
    bytesIn: totals.bytesIn,
    bytesOut: totals.bytesOut,
  };
}

/** Builds the status of routes and servers: each server is read once, however many routes have it. */
class StatusBuilder {
  readonly #registry: ServerRegistry;
  readonly #telemetry: Telemetry;
  readonly #routeFigures = new Map<string, RouteSummary>();
  readonly #serverFigures = new Map<string, ServerSummary>();
  readonly #routesOf = new Map<ManagedServer, string[]>();
  readonly #servers = new Map<ManagedServer, ServerStatus>();

  constructor(registry: ServerRegistry, telemetry: Telemetry) {
    this.#registry = registry;
    this.#telemetry = telemetry;
  }

  *addFigures({ routes, servers }: MetricsSnapshot): Steps<void> {
    for (const route of routes) this.#routeFigures.set(route.name, route);
    yield;
    for (const server of servers) this.#serverFigures.set(server.name, server);
  }

  *addServers(): Steps<void> {
    yield* this.addRouteNames();
    for (const member of this.#registry.servers.members) {
      this.#servers.set(member, this.status(member, this.#serverFigures.get(member.server.name)));
      yield;
    }
  }

  /** Collects the routes of each server. */
  *addRouteNames(): Steps<void> {
    for (const route of everyRoute(this.#registry.snapshot.config)) {
      for (const member of this.#membersOf(route)) {
        append(this.#routesOf, member, route.name);
      }
      yield;
    }
  }

  addRouteNamesOf(members: readonly ManagedServer[]): void {
    const { desired, servers } = this.#registry;
    for (const member of members) {
      const groups = desired.layers.serversNamed(member.server.name).map(({ group }) => group);
      const routes = groups.flatMap((group) =>
        servers.membersOf(group).includes(member) ? desired.file.routesOf(group) : [],
      );
      this.#routesOf.set(member, routes);
    }
  }

  #membersOf({ action }: RouteConfig): readonly ManagedServer[] {
    return action.kind === 'forward' ? this.#registry.servers.membersOf(action.group) : [];
  }

  *routes(): Steps<readonly RouteStatus[]> {
    const { config } = this.#registry.snapshot;
    const matches = yield* routeMatchSteps(config);
    const routes: RouteStatus[] = [];
    for (const route of everyRoute(config)) {
      routes.push(this.#route(route, matches.get(route) ?? ''));
      yield;
    }
    return routes;
  }

  #route(route: RouteConfig, match: string): RouteStatus {
    const { name, action } = route;
    const figures = this.#routeFigures.get(name);
    return {
      name,
      match,
      action: action.kind,
      algorithm: action.kind === 'forward' ? action.group.algorithm.name : '',
      requests: figures?.requests ?? 0,
      latency: figures?.latency ?? null,
      downSince: this.#registry.routes.of(name)?.downSince ?? null,
      hold: holdStatus(this.#registry, name),
      // A server that was added after the servers were read is in the next status.
      servers: this.#membersOf(route).flatMap((member) => this.#servers.get(member) ?? []),
    };
  }

  /** Each name once, in the order of the file. */
  *servers(): Steps<readonly ServerStatus[]> {
    const byName = new Map<string, ServerStatus>();
    for (const status of this.#servers.values()) {
      const other = byName.get(status.name);
      byName.set(status.name, other === undefined ? status : together(other, status));
      yield;
    }
    return [...byName.values()];
  }

  status(member: ManagedServer, figures: ServerSummary | undefined): ServerStatus {
    const { server, state, since } = member;
    const { record } = member.health;
    const { name, pool } = server;
    const routes = this.#routesOf.get(member) ?? [];
    return {
      name,
      address: server.address.text,
      tls: tlsStatus(pool.tls),
      routes,
      routesDown: routes.filter((route) => (this.#registry.routes.of(route)?.downSince ?? null) !== null),
      state,
      since,
      backup: server.backup,
      weight: server.weight,
      effectiveWeight: server.isUsable ? server.effectiveWeight : 0,
      active: server.active,
      waiting: pool.waitingCount,
      bound: boundTo(server, this.#registry),
      open: pool.openCount,
      idle: pool.idleCount,
      why: whyOut(member),
      until: member.state === 'ejected' ? record.ejectedUntil : null,
      lastCheck: record.history.lastCheck,
      events: serverEvents(this.#telemetry.journal.eventsOf(name), record.history.events),
      totals: totalsOf(member),
      errors: record.recentErrors,
      latency: figures?.latency ?? null,
      share: figures?.share ?? 0,
      fromFile: this.#registry.desired.layers.isFromFile(name),
      source: this.#registry.desired.layers.sourceOf(name) ?? '',
    };
  }
}

function tlsStatus(tls: ServerTls | null): ServerTlsStatus | null {
  return tls === null ? null : { serverName: tls.terms.name, verify: tls.terms.verify };
}

/** Clients seen within this long count as bound. */
const BOUND_MS = 10 * 60_000;

/** The clients bound to a server that serves these alone; 0 for others. */
export function boundTo(server: EngineServer, { snapshot }: ServerRegistry): number {
  return server.takesBound && !server.isUsable ? snapshot.memory.countOf(server.hash, BOUND_MS) : 0;
}

function firewallStatuses(snapshot: RoutingSnapshot): readonly FirewallStatus[] {
  return snapshot.firewalls.map((firewall) => ({
    rule: firewall.name,
    verdicts: firewall.counts.map(({ guard, refused, observed }) => ({ guard, refused, observed })),
    bans: countBans(firewall),
  }));
}

/** What is in maintenance: hosts by operators, then places of the file. */
export function maintenanceStatuses(
  { desired, snapshot }: ServerRegistry,
  loadedAt: number,
): readonly MaintenanceStatus[] {
  const ofFile = snapshot.config.maintenance.map(({ name, allow }) => ({
    name,
    by: 'file' as const,
    since: loadedAt,
    until: null,
    allow,
  }));
  const byOperators = desired.maintenance.list.map(({ host, since, until, allow }) => ({
    name: host,
    by: 'operator' as const,
    since,
    until,
    allow,
  }));
  return [...byOperators, ...ofFile];
}
