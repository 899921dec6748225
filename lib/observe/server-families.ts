import type { Histogram } from '../base/collections.js';
import type { HoldFigures } from '../exchange/hold-counts.js';
import { counter, durationsOf, type Family, gauge, one, type Sample } from './families.js';
import { fleetFamilies, type LiveFleet } from './fleet-families.js';
import type { StatusClasses } from './metrics-snapshot.js';
import { exportFamilies, type LiveExports } from './otlp/export-families.js';
import { type LiveProvider, providerFamilies } from './provider-families.js';
import { type LiveThread, threadFamilies } from './thread-families.js';

/** The state of a running balancer that the gauges show; its status has all of this and more. */
export interface LiveBalancer {
  readonly version: string;
  readonly instance: string;
  readonly ready: boolean;
  /** Open client connections. */
  readonly clients: number;
  /** Empty when there is one thread. */
  readonly threads: readonly LiveThread[];
  /** Bytes of request bodies that are kept. */
  readonly bufferedBytes: number;
  /** TLS handshakes of clients, by how they ended. */
  readonly handshakes: ReadonlyMap<string, number>;
  /** Connections to listeners that expect a PROXY header, by what became of it. */
  readonly proxyHeaders: ReadonlyMap<string, number>;
  readonly listeners: readonly LiveListener[];
  readonly requests: { readonly inFlight: number };
  /** Routes that forward. */
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
  /** Those that are shown to clients. */
  readonly certificates: readonly LiveCertificate[];
  /** Where servers come from by themselves. */
  readonly providers: readonly LiveProvider[];
  readonly exports: LiveExports;
  /** null: nothing is shared with other nodes. */
  readonly shared: LiveFleet | null;
}

export interface LiveCertificate {
  readonly name: string;
  readonly serial: string;
  readonly source: string;
  /** Unix time in ms. */
  readonly notAfter: number;
}

export interface LiveListener {
  readonly address: string;
  readonly connections: number;
  readonly turnedAway: number;
}

export interface LiveRoute {
  readonly name: string;
  readonly isUp: boolean;
  /** Servers that take new requests. */
  readonly usableServers: number;
  /** Requests that wait for a server; null: the route has no `hold`. */
  readonly hold: LiveHold | null;
}

/** Requests of a route that found no usable server: those that wait now, and what became of all since the start. */
export interface LiveHold extends Readonly<HoldFigures> {
  readonly waiting: number;
}

export interface LiveServer {
  readonly name: string;
  readonly state: 'up' | 'unchecked' | 'down' | 'ejected' | 'draining' | 'maintenance';
  readonly effectiveWeight: number;
  readonly active: number;
  readonly waiting: number;
  readonly open: number;
  readonly idle: number;
  /** From the request to the first byte of the response; one value for each server that shares the name. */
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

/**
 * The families read from the balancer itself. `live` is called for each family: the caller caches it for one scrape.
 */
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
    gauge('lb_ready', 'Whether lb runs and some route that forwards has a usable server.', () =>
      one(live().ready ? 1 : 0),
    ),
    gauge('lb_client_connections', 'Open client connections.', () => one(live().clients)),
    gauge(
      'lb_certificate_expiry_timestamp_seconds',
      'When the certificate that clients are shown expires, in Unix time.',
      () => certificates(live()),
    ),
    ...providerFamilies(() => live().providers),
    ...exportFamilies(() => live().exports),
    ...fleetFamilies(() => live().shared),
    counter('lb_tls_handshakes_total', 'TLS handshakes of clients, by how they ended.', () =>
      [...live().handshakes].map(([result, value]) => ({ labels: { result }, value })),
    ),
    counter(
      'lb_proxy_headers_total',
      'Connections to listeners that expect a PROXY header, by what became of it.',
      () => [...live().proxyHeaders].map(([result, value]) => ({ labels: { result }, value })),
    ),
    gauge('lb_listener_connections', 'Open client connections of the listener.', () =>
      listeners(live(), ({ connections }) => connections),
    ),
    counter(
      'lb_listener_turned_away_total',
      'Connections closed because the listener had as many as its own limit allows.',
      () => listeners(live(), ({ turnedAway }) => turnedAway),
    ),
    gauge('lb_request_buffer_bytes', 'Request bodies kept until a server takes them, and for retries.', () =>
      one(live().bufferedBytes),
    ),
    ...threadFamilies(() => live().threads),
    gauge('lb_requests_in_flight', 'Requests in flight.', () => one(live().requests.inFlight)),
    gauge('lb_route_up', 'Whether the route has a server that takes new requests.', () =>
      routes(live(), ({ isUp }) => (isUp ? 1 : 0)),
    ),
    gauge(
      'lb_route_usable_servers',
      'Servers of the route that take new requests, including backup servers.',
      () => routes(live(), ({ usableServers }) => usableServers),
    ),
    gauge('lb_route_requests_waiting', 'Requests that wait for a server of the route to come back.', () =>
      holds(live(), ({ waiting }) => waiting),
    ),
    counter(
      'lb_route_requests_held_total',
      'Requests that waited for a server of the route to come back.',
      () => holds(live(), ({ held }) => held),
    ),
    counter(
      'lb_route_hold_failures_total',
      'Requests that found no usable server and were not served: timed_out waited for the time of hold, refused did not wait, because max_requests waited already.',
      () => holdFailures(live()),
    ),
    gauge('lb_server_up', 'Whether the server takes new requests.', each(isUp)),
    gauge('lb_server_state', '1 for the current state of the server, 0 for the others.', () =>
      states(live()),
    ),
    gauge(
      'lb_server_weight',
      'The current weight of the server, during slow start too.',
      each((server) => server.effectiveWeight),
    ),
    gauge(
      'lb_server_requests_active',
      'Requests on the server, including those that wait for a connection.',
      each((server) => server.active),
    ),
    gauge(
      'lb_server_requests_waiting',
      'Requests that wait for a connection to the server.',
      each((server) => server.waiting),
    ),
    gauge(
      'lb_server_connections_open',
      'Connections to a server.',
      each((server) => server.open),
    ),
    gauge(
      'lb_server_connections_idle',
      'Idle connections to the server.',
      each((server) => server.idle),
    ),
    total('requests', 'Requests sent to the server; each attempt counts.', (totals) => totals.requests),
    counter('lb_server_responses_total', 'Responses of the server, by the class of the status.', () =>
      answers(live()),
    ),
    {
      name: 'lb_server_response_duration_seconds',
      help: 'Time from sending a request to the first byte of the response, without waiting for a connection.',
      type: 'histogram',
      read: () => responseTimes(live()),
    },
    total('failures', 'Attempts without a response.', (totals) => totals.failures),
    total(
      'retries',
      'Retries sent to the server after another server had failed.',
      (totals) => totals.retries,
    ),
    total('ejections', 'Ejections of the server because live requests failed.', (totals) => totals.ejections),
    total(
      'spared',
      'Ejections that were omitted because too few servers would be left.',
      (totals) => totals.spared,
    ),
    total(
      'connections_opened',
      'Connections opened to the server; its other requests used existing connections.',
      (totals) => totals.connections,
    ),
    total(
      'unsolicited_responses',
      'Connections closed because the server sent data without a request.',
      (totals) => totals.unsolicited,
    ),
    total('sent_bytes', 'Body bytes sent to a server.', (totals) => totals.bytesIn),
    total('received_bytes', 'Body bytes received from a server.', (totals) => totals.bytesOut),
    counter('lb_firewall_verdicts_total', 'Refusals by a guard, enforced or only observed.', () =>
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

function* certificates({ certificates: all }: LiveBalancer): Iterable<Sample> {
  for (const { name, serial, source, notAfter } of all)
    yield { labels: { certificate: name, serial, source }, value: Math.floor(notAfter / 1000) };
}

function listeners({ listeners: all }: LiveBalancer, value: (listener: LiveListener) => number): Sample[] {
  return all.map((listener) => ({ labels: { listener: listener.address }, value: value(listener) }));
}

function* routes(live: LiveBalancer, value: (route: LiveRoute) => number): Generator<Sample> {
  for (const route of live.routes) yield { labels: { route: route.name }, value: value(route) };
}

function* holds({ routes: all }: LiveBalancer, value: (hold: LiveHold) => number): Generator<Sample> {
  for (const { name, hold } of all) if (hold !== null) yield { labels: { route: name }, value: value(hold) };
}

function* holdFailures({ routes: all }: LiveBalancer): Generator<Sample> {
  for (const { name, hold } of all) {
    if (hold === null) continue;
    yield { labels: { route: name, result: 'timed_out' }, value: hold.timedOut };
    yield { labels: { route: name, result: 'refused' }, value: hold.refused };
  }
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
