import type { Backends } from './backends.js';
import type { Clock } from './base/clock.js';
import { everyRoute } from './config/every-route.js';
import { routeMatches } from './config/route-match.js';
import type { RouteConfig } from './config/types.js';
import type { Generation } from './generation.js';
import type { Member } from './member.js';
import type { Roster } from './roster.js';
import { statusCounts } from './status/request-counts.js';
import type {
  BalancerState,
  BalancerStatus,
  FirewallStatus,
  RouteStatus,
  ServerState,
  ServerStatus,
  ServerTotals,
} from './status/status.js';
import { VERSION } from './status/version.js';
import type { Telemetry } from './telemetry.js';

/** What a status is taken of. */
export interface Sources {
  readonly generation: Generation;
  readonly backends: Backends;
  readonly roster: Roster;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly state: BalancerState;
  /** ms since the epoch, as `loadedAt`. */
  readonly startedAt: number;
  readonly listen: readonly string[];
  readonly clients: number;
  readonly configPath: string | null;
  readonly loadedAt: number;
}

export function takeStatus(sources: Sources): BalancerStatus {
  const { generation, backends, roster, telemetry, clock, state, startedAt } = sources;
  const routes = routeStatuses(sources);
  const readyReasons = whyNotReady(state, routes);
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
    requests: telemetry.requests.counts(backends.activeCount),
    routes,
    servers: serverStatuses(sources),
    firewall: firewallStatuses(generation),
    config: { path: sources.configPath, loadedAt: sources.loadedAt, drift: roster.drift },
  };
}

/** From best to worst. */
const STATES: readonly ServerState[] = ['up', 'unchecked', 'draining', 'maintenance', 'ejected', 'down'];

function routeStatuses(sources: Sources): readonly RouteStatus[] {
  return everyRoute(sources.generation.config).map((route) => routeStatus(route, sources));
}

function routeStatus(route: RouteConfig, sources: Sources): RouteStatus {
  const { name, action } = route;
  const members = action.kind === 'forward' ? sources.backends.membersOf(action.group) : [];
  return {
    name,
    match: routeMatches(sources.generation.config).get(route) ?? '',
    action: action.kind,
    algorithm: action.kind === 'forward' ? 'round_robin' : '',
    requests: 0,
    latency: null,
    servers: members.map((member) => serverStatus(member, sources)),
  };
}

/** Each name once, in the order of the file. */
function serverStatuses(sources: Sources): readonly ServerStatus[] {
  const byName = new Map<string, ServerStatus>();
  for (const member of sources.backends.members) {
    const status = serverStatus(member, sources);
    const other = byName.get(status.name);
    byName.set(status.name, other === undefined ? status : together(other, status));
  }
  return [...byName.values()];
}

function serverStatus(
  member: Member,
  { generation, backends, telemetry: { journal }, roster }: Sources,
): ServerStatus {
  const { backend, state, since } = member;
  const { name, pool, totals } = backend;
  const routes = everyRoute(generation.config).filter(
    ({ action }) => action.kind === 'forward' && backends.membersOf(action.group).includes(member),
  );
  return {
    name,
    address: backend.address.text,
    routes: routes.map((route) => route.name),
    state,
    since,
    backup: backend.backup,
    weight: backend.weight,
    effectiveWeight: backend.isUsable ? backend.effectiveWeight : 0,
    active: backend.active,
    waiting: pool.waitingCount,
    open: pool.openCount,
    idle: pool.idleCount,
    lastCheck: journal.lastCheckOf(name),
    events: journal.eventsOf(name),
    totals: {
      requests: totals.requests,
      byStatus: statusCounts(totals.responses),
      failures: totals.failures,
      connectFailures: totals.connectFailures,
      resets: totals.resets,
      retries: totals.retries,
      ejections: totals.ejections,
      bytesIn: totals.bytesIn,
      bytesOut: totals.bytesOut,
    },
    latency: null,
    share: 0,
    fromFile: roster.isFromFile(name),
  };
}

/** One server that is checked in two ways. */
function together(one: ServerStatus, other: ServerStatus): ServerStatus {
  const worse = STATES.indexOf(other.state) > STATES.indexOf(one.state) ? other : one;
  return {
    ...worse,
    routes: [...new Set([...one.routes, ...other.routes])],
    active: one.active + other.active,
    waiting: one.waiting + other.waiting,
    open: one.open + other.open,
    idle: one.idle + other.idle,
    totals: sum(one.totals, other.totals),
  };
}

function sum(one: ServerTotals, other: ServerTotals): ServerTotals {
  return {
    requests: one.requests + other.requests,
    byStatus: {
      '1xx': one.byStatus['1xx'] + other.byStatus['1xx'],
      '2xx': one.byStatus['2xx'] + other.byStatus['2xx'],
      '3xx': one.byStatus['3xx'] + other.byStatus['3xx'],
      '4xx': one.byStatus['4xx'] + other.byStatus['4xx'],
      '5xx': one.byStatus['5xx'] + other.byStatus['5xx'],
      none: one.byStatus.none + other.byStatus.none,
    },
    failures: one.failures + other.failures,
    connectFailures: one.connectFailures + other.connectFailures,
    resets: one.resets + other.resets,
    retries: one.retries + other.retries,
    ejections: one.ejections + other.ejections,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
  };
}

function firewallStatuses(generation: Generation): readonly FirewallStatus[] {
  return generation.firewalls.map(({ name, counts }) => ({
    rule: name,
    verdicts: counts.map(({ guard, refused, observed }) => ({ guard, refused, observed })),
  }));
}

/**
 * It takes requests while it runs and one route can answer; a route that can't while others can is no reason to send
 * everybody elsewhere, and is seen in the routes.
 */
function whyNotReady(state: BalancerState, routes: readonly RouteStatus[]): readonly string[] {
  if (state !== 'running') return [`it is ${state}`];
  const hasServer = ({ servers }: RouteStatus): boolean =>
    servers.some((server) => server.effectiveWeight > 0);
  const forwarding = routes.filter(({ action }) => action === 'forward');
  if (forwarding.length === 0 || forwarding.some(hasServer)) return [];
  return forwarding.map(({ name, servers }) => {
    const states = servers.map((server) => `${server.name} is ${server.state}`).join(', ');
    return `${name} has no usable server: ${states}`;
  });
}
