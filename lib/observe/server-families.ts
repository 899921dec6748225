import type { Histogram } from '../base/histogram.js';
import { counter, durationsOf, type Family, gauge, one, type Sample } from './families.js';
import type { StatusClasses } from './metrics.js';

/** Of a running balancer, what the gauges show; its status has all of this and more. */
export interface LiveBalancer {
  readonly version: string;
  readonly ready: boolean;
  /** Client connections open now. */
  readonly clients: number;
  readonly requests: { readonly inFlight: number };
  /** Those that forward. */
  readonly routes: readonly LiveRoute[];
  readonly servers: readonly LiveServer[];
  readonly firewall: readonly {
    readonly rule: string;
    readonly verdicts: readonly {
      readonly guard: string;
      readonly refused: number;
      readonly observed: number;
    }[];
    readonly bans: number;
  }[];
}

export interface LiveRoute {
  readonly name: string;
  readonly isUp: boolean;
  /** Servers that take new requests. */
  readonly usableServers: number;
}

export interface LiveServer {
  readonly name: string;
  readonly state: 'up' | 'unchecked' | 'down' | 'ejected' | 'draining' | 'maintenance';
  readonly effectiveWeight: number;
  readonly active: number;
  readonly waiting: number;
  readonly open: number;
  readonly idle: number;
  /** From when it was asked to the first byte of its answer; of several that share the name each. */
  readonly responseTimes: readonly Histogram[];
  readonly totals: LiveTotals;
}

export interface LiveTotals {
  readonly requests: number;
  readonly byStatus: StatusClasses;
  readonly failures: number;
  readonly connectFailures: number;
  readonly resets: number;
  readonly retries: number;
  readonly ejections: number;
  readonly spared: number;
  readonly connections: number;
  readonly unsolicited: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const STATES = ['up', 'unchecked', 'down', 'ejected', 'draining', 'maintenance'] as const;

type Read = Family['read'];

/** What is read from the balancer itself. `live` is asked for each family: whoever gives it keeps it for a scrape. */
export function serverFamilies(live: () => LiveBalancer): readonly Family[] {
  const each = (value: (server: LiveServer) => number): Read =>
    function* () {
      for (const server of live().servers) yield { labels: { server: server.name }, value: value(server) };
    };
  const total = (name: string, help: string, value: (totals: LiveServer['totals']) => number): Family =>
    counter(
      `lb_server_${name}_total`,
      help,
      each(({ totals }) => value(totals)),
    );
  return [
    gauge('lb_ready', 'Whether it runs and a route that forwards has a server that takes requests.', () =>
      one(live().ready ? 1 : 0),
    ),
    gauge('lb_client_connections', 'Connections of clients open now.', () => one(live().clients)),
    gauge('lb_requests_in_flight', 'Requests that have not been answered yet.', () =>
      one(live().requests.inFlight),
    ),
    gauge('lb_route_up', 'Whether a route that forwards has a server that takes new requests.', () =>
      routes(live(), ({ isUp }) => (isUp ? 1 : 0)),
    ),
    gauge(
      'lb_route_usable_servers',
      'Servers of a route that take new requests, backup servers among them.',
      () => routes(live(), ({ usableServers }) => usableServers),
    ),
    gauge('lb_server_up', 'Whether a server may get new requests.', each(isUp)),
    gauge('lb_server_state', 'The state a server is in has 1, the others 0.', () => states(live())),
    gauge(
      'lb_server_weight',
      'The share of a server as slow start has it now.',
      each((server) => server.effectiveWeight),
    ),
    gauge(
      'lb_server_requests_active',
      'Requests a server has now, those in line included.',
      each((server) => server.active),
    ),
    gauge(
      'lb_server_requests_waiting',
      'Requests that wait in line for a connection to a server.',
      each((server) => server.waiting),
    ),
    gauge(
      'lb_server_connections_open',
      'Connections to a server.',
      each((server) => server.open),
    ),
    gauge(
      'lb_server_connections_idle',
      'Connections to a server that wait for a request.',
      each((server) => server.idle),
    ),
    total('requests', 'Requests sent to a server, each attempt counted.', (totals) => totals.requests),
    counter('lb_server_responses_total', 'What a server answered, by the class of the status.', () =>
      answers(live()),
    ),
    {
      name: 'lb_server_response_duration_seconds',
      help: 'From when a server was asked to the first byte of its answer; the waiting for a connection is left out.',
      type: 'histogram',
      read: () => responseTimes(live()),
    },
    total('failures', 'Attempts that did not end in an answer.', (totals) => totals.failures),
    total('retries', 'Requests that came to a server after another had failed.', (totals) => totals.retries),
    total(
      'ejections',
      'How often a server was taken out as real requests failed.',
      (totals) => totals.ejections,
    ),
    total(
      'spared',
      'How often a server ought to have been taken out but could not be done without.',
      (totals) => totals.spared,
    ),
    total(
      'connections_opened',
      'Connections opened to a server; its requests beyond these were on one that was used again.',
      (totals) => totals.connections,
    ),
    total(
      'unsolicited_responses',
      'Connections closed as a server had sent what no request asked for.',
      (totals) => totals.unsolicited,
    ),
    total('sent_bytes', 'Body bytes sent to a server.', (totals) => totals.bytesIn),
    total('received_bytes', 'Body bytes received from a server.', (totals) => totals.bytesOut),
    counter('lb_firewall_verdicts_total', 'Objections of a guard, refused or only observed.', () =>
      verdicts(live()),
    ),
    gauge('lb_firewall_bans', 'Clients that a firewall has banned.', () =>
      live().firewall.map(({ rule, bans }) => ({ labels: { rule }, value: bans })),
    ),
  ];
}

function isUp({ state }: LiveServer): number {
  return state === 'up' || state === 'unchecked' ? 1 : 0;
}

function* routes(live: LiveBalancer, value: (route: LiveRoute) => number): Generator<Sample> {
  for (const route of live.routes) yield { labels: { route: route.name }, value: value(route) };
}

function* responseTimes({ servers }: LiveBalancer): Generator<Sample> {
  for (const { name, responseTimes } of servers) yield* durationsOf({ server: name }, responseTimes);
}

function* states({ servers }: LiveBalancer): Generator<Sample> {
  for (const { name, state } of servers) {
    for (const one of STATES) yield { labels: { server: name, state: one }, value: one === state ? 1 : 0 };
  }
}

function* answers({ servers }: LiveBalancer): Generator<Sample> {
  for (const { name, totals } of servers) {
    for (const [code, value] of Object.entries(totals.byStatus))
      yield { labels: { server: name, code }, value };
  }
}

function* verdicts({ firewall }: LiveBalancer): Generator<Sample> {
  for (const { rule, verdicts } of firewall) {
    for (const { guard, refused, observed } of verdicts) {
      yield { labels: { rule, guard, verdict: 'refused' }, value: refused };
      yield { labels: { rule, guard, verdict: 'observed' }, value: observed };
    }
  }
}
