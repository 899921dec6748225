import type { Steps } from '../../lib/base/slices.js';
import type { BalancerStatus, RouteStatus, ServerStatus } from '../../lib/control/status/status.js';
import type { StatusView, StatusViews } from '../../lib/control/status/status-views.js';
import type { RouteRow, ServerRow, View } from '../../lib/control/status/view.js';

/** Views of all that a status says, whatever was asked for. */
export class FakeViews implements StatusViews {
  readonly #status: () => BalancerStatus;
  /** Who has changed which server. */
  readonly changedBy = new Map<string, string>();

  constructor(status: () => BalancerStatus) {
    this.#status = status;
  }

  open(): StatusView {
    const viewOf = (): View => this.#view(this.#status());
    return {
      *readSteps(): Steps<View> {
        yield;
        return viewOf();
      },
    };
  }

  *sampleSteps(): Steps<void> {}

  noteChange(server: string, by: string): void {
    this.changedBy.set(server, by);
  }

  #view(status: BalancerStatus): View {
    const { routes, servers, certificates, providers, threads, requests, listeners } = status;
    const { version, instance, pid, startedAt, state, ready, readyReasons, clients, config } = status;
    const facts = { version, instance, pid, startedAt, state, ready, readyReasons, clients, config };
    const rows = routes.flatMap(({ name, servers }) =>
      servers.map((server) => this.#serverRow(name, server)),
    );
    return {
      facts: {
        ...facts,
        listeners: listeners.map(({ address, scheme, redirect, proxyProtocol }) => {
          return { address, scheme, redirect, proxyProtocol };
        }),
        requests: requests.total,
        inFlight: requests.inFlight,
        byStatus: requests.byStatus,
        byReason: Object.entries(requests.byReason).map(([reason, count]) => ({ reason, count })),
        routes: routes.length,
        routesDown: routes.filter(({ downSince }) => downSince !== null).length,
        servers: servers.length,
        usable: servers.length,
        byState: { up: servers.length },
        wrong: 0,
        sections: {
          certificates: certificates.length,
          providers: providers.length,
          threads: threads.length,
          nodes: status.shared?.nodes.length ?? 0,
          firewall: 0,
          bans: 0,
          maintenance: 0,
        },
        certificatesWrong: 0,
        providersFailing: providers.length,
        shared: status.shared,
        focus: null,
      },
      tables: {
        routes: { total: routes.length, rows: routes.map(routeRow) },
        servers: { total: rows.length, rows },
        ...sectionsOf(status),
      },
    };
  }

  #serverRow(route: string, server: ServerStatus): ServerRow {
    const { routes, routesDown, open, idle, events, lastCheck, latency, totals, ...rest } = server;
    return {
      ...rest,
      id: `${route}\n${server.name}`,
      route,
      tls: '',
      isHalfOpen: false,
      why: '',
      by: this.changedBy.get(server.name) ?? '',
      until: null,
      checkOk: lastCheck?.ok ?? null,
      checkResult: lastCheck?.result ?? '',
      checkAt: lastCheck?.at ?? null,
      checkMs: lastCheck?.durationMs ?? null,
      nextCheckAt: null,
      requests: totals.requests,
      rate: 0,
      p50: latency?.p50 ?? null,
      p99: latency?.p99 ?? null,
    };
  }
}

function routeRow({
  name,
  match,
  action,
  algorithm,
  requests,
  latency,
  downSince,
  hold,
  servers,
}: RouteStatus): RouteRow {
  return {
    id: name,
    match,
    action,
    algorithm,
    requests,
    rate: 0,
    errors: 0,
    p50: latency?.p50 ?? null,
    p99: latency?.p99 ?? null,
    downSince,
    held: hold?.waiting ?? null,
    servers: servers.length,
    usable: servers.length,
    isFolded: false,
    suitable: servers.length,
  };
}

function sectionsOf({ certificates, providers, threads, shared }: BalancerStatus): View['tables'] {
  const certificateRows = certificates.map(({ fingerprint, name, names, notAfter, state, issuer, file }) => ({
    ...{ id: fingerprint, name, names: names.length, notAfter, state, issuer },
    ...{ from: file, problem: '', isWrong: false },
  }));
  const providerRows = providers.map(({ source, ...rest }) => ({ id: source, ...rest, isWrong: true }));
  const threadRows = threads.map(({ number, ...rest }) => ({ id: String(number), ...rest }));
  const nodeRows = (shared?.nodes ?? []).map((node) => ({ id: node.name, share: node.rate / 100, ...node }));
  return {
    ...(nodeRows.length === 0 ? {} : { nodes: { total: nodeRows.length, rows: nodeRows } }),
    certificates: { total: certificateRows.length, rows: certificateRows },
    providers: { total: providerRows.length, rows: providerRows },
    ...(threadRows.length === 0 ? {} : { threads: { total: threadRows.length, rows: threadRows } }),
  };
}
