import type { AdminTarget } from '../../lib/admin/admin-target.js';
import type { Availability, RequestRecord } from '../../lib/base/observer.js';
import type { Steps } from '../../lib/base/slices.js';
import { systemClock } from '../../lib/base/timer-wheel.js';
import { createConfig } from '../../lib/config/config.js';
import type { Config } from '../../lib/config/types.js';
import type { CertificateReload } from '../../lib/control/certificates.js';
import {
  type MaintenanceTerms,
  type NewServer,
  OperationError,
} from '../../lib/control/status/operations.js';
import type {
  BalancerState,
  BalancerStatus,
  BanList,
  CertificateStatus,
  MaintenanceStatus,
  ServerState,
  ServerStatus,
  StatusCounts,
  StatusEvent,
  ThreadFigures,
} from '../../lib/control/status/status.js';
import { StickyMemory } from '../../lib/exchange/sticky-memory.js';
import { FakeViews } from './fake-views.js';

const NONE: StatusCounts = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, none: 0 };
const STATES = { ready: 'up', draining: 'draining', maintenance: 'maintenance' } as const;

interface Server {
  readonly name: string;
  readonly address: string;
  state: ServerState;
  weight: number;
  readonly fromFile: boolean;
  why?: string;
  /** false: its first check is not over. */
  isChecked?: boolean;
  until?: number;
}

/** A balancer that only remembers what it was told. */
export class FakeSubject implements AdminTarget {
  readonly bindings = new StickyMemory(systemClock);
  config: Config = createConfig({ servers: ['localhost:5001', 'localhost:5002'] });
  readonly views = new FakeViews(() => this.status());
  state: BalancerState = 'running';
  readyReasons: string[] = [];
  /** On each server. */
  active = 1;
  errors = 0;
  /** Since when the route has no server; null while it has one. */
  downSince: number | null = null;
  bound = 0;
  readonly servers: Server[] = [
    { name: 'apple', address: 'localhost:5001', state: 'up', weight: 1, fromFile: true },
    { name: 'banana', address: 'localhost:5002', state: 'up', weight: 1, fromFile: true },
  ];
  /** What is found of servers that are added. */
  newcomer: Pick<Server, 'state' | 'why' | 'isChecked'> = { state: 'unchecked' };
  threads: ThreadFigures[] = [];
  shared: BalancerStatus['shared'] = null;
  /** Clients. */
  banned: string[] = [];
  maintained: MaintenanceStatus[] = [];
  readonly log: StatusEvent[] = [];
  readonly #listeners = new Set<(event: StatusEvent) => void>();

  get listenerCount(): number {
    return this.#listeners.size;
  }

  get serverNames(): readonly string[] {
    return this.servers.map(({ name }) => name);
  }

  serverStatus(asked: string): ServerStatus | undefined {
    const { servers } = this.status();
    return servers.find(({ name }) => name === asked) ?? servers.find(({ address }) => address === asked);
  }

  collectFigures(): null {
    return null;
  }

  *statusSteps(): Steps<BalancerStatus> {
    yield;
    return this.status();
  }

  readonly certificateNotAfter = 1_800_000_000_000;

  certificates(): CertificateStatus[] {
    return [
      {
        name: 'www.mango.com',
        names: ['www.mango.com', 'mango.com'],
        issuer: 'CN=Mango CA,O=Mango',
        serial: '1A2B',
        fingerprint: 'ab'.repeat(32),
        keyType: 'EC P-256',
        notBefore: 1_690_000_000_000,
        notAfter: this.certificateNotAfter,
        state: 'valid',
        source: 'file',
        file: '/etc/lb/www.pem',
        problems: [],
      },
    ];
  }

  async reloadCertificates(): Promise<CertificateReload> {
    return { changed: ['www.mango.com (serial 1A2C)'], refused: [] };
  }

  status(): BalancerStatus {
    const servers = this.servers.map((server) => this.#serverStatus(server));
    const byReason = { connect_refused: 1 };
    const requests = { total: 12, inFlight: 1, byStatus: { ...NONE, '2xx': 11, '5xx': 1 }, byReason };
    return {
      instance: 'edge-1',
      version: '1.2.3',
      pid: 42,
      startedAt: 1_700_000_000_000,
      uptimeMs: 5000,
      state: this.state,
      ready: this.readyReasons.length === 0,
      readyReasons: this.readyReasons,
      listen: ['127.0.0.1:8080'],
      listeners: [
        {
          address: '127.0.0.1:8080',
          scheme: 'https',
          redirect: null,
          proxyProtocol: ['10.0.0.0/8'],
          connections: 1,
          limit: 1000,
          turnedAway: 0,
        },
      ],
      clients: 3,
      threads: this.threads,
      requests,
      routes: [
        {
          name: 'default',
          match: 'any host',
          action: 'forward',
          algorithm: 'round_robin',
          hold: null,
          requests: 12,
          latency: { p50: 1, p90: 2, p99: 3 },
          downSince: this.downSince,
          servers,
        },
      ],
      servers,
      firewall: [
        {
          rule: 'firewall_rules',
          verdicts: [{ guard: 'ip_reject', refused: 2, observed: 0 }],
          bans: this.banned.length,
        },
      ],
      maintenance: this.maintained,
      certificates: this.certificates(),
      shared: this.shared,
      providers: [
        {
          source: 'dns api.internal:8080',
          kind: 'dns',
          state: 'failing',
          servers: 3,
          answeredAt: 1_700_000_000_000,
          error: 'ESERVFAIL',
          errors: 2,
        },
      ],
      acme: [
        {
          hosts: ['www.example.com'],
          state: 'self_signed',
          directory: 'https://acme.example/directory',
          notAfter: null,
          nextOrderAt: 1_700_000_060_000,
          failures: 1,
          error: 'http-01 for www.example.com failed: refused',
          errorAt: 1_700_000_000_000,
        },
      ],
      config: {
        path: 'lb.yaml',
        loadedAt: 1_700_000_000_000,
        refused: null,
        drift: ['weight of big: 5 (file: 3)'],
      },
    };
  }

  #serverStatus(server: Server): ServerStatus {
    const { name, address, state, weight, fromFile, why = '', until, isChecked = true } = server;
    return {
      name,
      address,
      tls: null,
      routes: ['default'],
      routesDown: this.downSince === null ? [] : ['default'],
      state,
      since: 1_700_000_000_000,
      why,
      until: until ?? null,
      backup: false,
      weight,
      effectiveWeight: weight,
      active: this.active,
      waiting: 0,
      bound: this.bound,
      open: 2,
      idle: 1,
      lastCheck: isChecked
        ? { ok: true, result: 'status 200', at: 1_700_000_000_000, durationMs: 1.5 }
        : null,
      events: this.log
        .filter(({ server }) => server === name)
        .map(({ at, what, reason }) => ({ at, what, reason, times: 1 })),
      totals: {
        requests: 6,
        byStatus: { ...NONE, '2xx': 6 },
        failures: 0,
        connectFailures: 0,
        resets: 0,
        retries: 0,
        ejections: 0,
        spared: 0,
        connections: 0,
        unsolicited: 0,
        bytesIn: 0,
        bytesOut: 600,
      },
      errors: this.errors,
      latency: null,
      share: 0.5,
      fromFile,
      source: '',
    };
  }

  bans(): BanList {
    const ban = { rule: 'firewall_rules', until: 1_700_000_060_000, leftMs: 60_000, observed: false };
    return { total: this.banned.length, bans: this.banned.map((client) => ({ client, ...ban })) };
  }

  unban(client: string): readonly string[] {
    if (!this.banned.includes(client)) throw new OperationError('unknown_ban', `${client} is not banned`);
    this.banned = this.banned.filter((one) => one !== client);
    return ['firewall_rules'];
  }

  maintenances(): readonly MaintenanceStatus[] {
    return this.maintained;
  }

  setHostMaintenance(host: string, terms: MaintenanceTerms | null): void {
    const before = this.maintained.length;
    this.maintained = this.maintained.filter(({ name }) => name !== host);
    if (terms === null) {
      if (this.maintained.length === before)
        throw new OperationError('unknown_host', `${host} is not in maintenance by an operator`);
      return;
    }
    const { forMs = null, allow = [] } = terms;
    const since = 1_700_000_000_000;
    const until = forMs === null ? null : since + forMs;
    this.maintained.push({ name: host, by: 'operator', since, until, allow });
  }

  events(since: number): readonly StatusEvent[] {
    return this.log.filter(({ id }) => id > since);
  }

  subscribe(listener: (event: StatusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readonly #readers = new Set<(record: RequestRecord) => void>();

  get readerCount(): number {
    return this.#readers.size;
  }

  watchRequests(listener: (record: RequestRecord) => void): () => void {
    this.#readers.add(listener);
    return () => this.#readers.delete(listener);
  }

  /** A request ends. */
  settle(record: RequestRecord): void {
    for (const listener of this.#readers) listener(record);
  }

  /** Something happens. */
  note(what: StatusEvent['what'], server: string, reason = ''): void {
    const event = { id: this.log.length + 1, at: 1_700_000_000_000, what, server, reason };
    this.log.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  setAvailability(name: string, to: Availability): void {
    this.#find(name).state = STATES[to];
    this.note('availability', name, `ready -> ${to}`);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  firstCheck(): Promise<void> {
    return Promise.resolve();
  }

  setWeight(name: string, weight: number): void {
    this.#find(name).weight = weight;
  }

  addServer(route: string, { address, name = address, weight = 1 }: NewServer): void {
    if (route !== 'default') throw new OperationError('unknown_route', `there is no route ${route}`);
    if (this.servers.some((server) => server.name === name))
      throw new OperationError('duplicate_server', `${route} has ${name} already`);
    this.servers.push({ name, address, weight, fromFile: false, ...this.newcomer });
  }

  removeServer(name: string): void {
    if (this.servers.length === 1) throw new OperationError('last_server', `${name} is the last server`);
    this.servers.splice(this.servers.indexOf(this.#find(name)), 1);
  }

  #find(name: string): Server {
    const server = this.servers.find((one) => one.name === name);
    if (server === undefined) throw new OperationError('unknown_server', `there is no server ${name}`);
    return server;
  }
}
