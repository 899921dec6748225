import { isDeepStrictEqual } from 'node:util';
import type { Address } from './base/address.js';
import { instanceName } from './base/instance-name.js';
import type { Availability, Observer, RequestRecord } from './base/observer.js';
import { atOnce, inSlices, type Steps } from './base/slices.js';
import { type Clock, systemClock, TimerWheel } from './base/timer-wheel.js';
import { everyRoute, everyRouteSteps } from './config/every-route.js';
import { sourcesOf } from './config/inventory.js';
import { warmUpSteps } from './config/regex.js';
import type { Config, LimitsConfig } from './config/types.js';
import type { Balancer, BalancerOptions } from './control/balancer-contract.js';
import { type CertificateReload, Certificates } from './control/certificates.js';
import { firstResults } from './control/first-checks.js';
import { GracefulShutdown } from './control/graceful-shutdown.js';
import { CheckSlots } from './control/health/check-slots.js';
import { ServerHealth } from './control/health/server-health.js';
import { HostNames } from './control/host-names.js';
import { Readiness } from './control/readiness.js';
import { type PreparedConfig, ServerRegistry } from './control/server-registry.js';
import { liftBan, listBans, sharedBans } from './control/status/bans.js';
import {
  figureSteps,
  type LiveBalancer,
  maintenanceStatuses,
  type StatusDeps,
  serverStatus,
  statusSteps,
} from './control/status/build-status.js';
import { type MaintenanceTerms, type NewServer, OperationError } from './control/status/operations.js';
import type {
  BalancerState,
  BalancerStatus,
  BanList,
  CertificateStatus,
  MaintenanceStatus,
  ServerStatus,
  StatusEvent,
} from './control/status/status.js';
import { BalancerViews, type StatusViews } from './control/status/status-views.js';
import { Telemetry } from './control/telemetry.js';
import { TelemetryExport } from './control/telemetry-export.js';
import { DockerEngines } from './discovery/docker-engines.js';
import { Providers } from './discovery/providers.js';
import { connectionDeps, LocalEngine } from './engine.js';
import type { StickyMemory } from './exchange/sticky-memory.js';
import { Fleet, fleetSeed } from './fleet/fleet.js';
import type { HandshakeResult } from './net/handshake-results.js';
import type { ListeningSocket } from './net/listeners.js';
import { Resolver } from './net/resolver.js';
import { fewFiles } from './net/shortage.js';
import { SocketChoice } from './net/socket-choice.js';
import type { TlsTerms } from './net/tls-terms.js';
import type { RoutingSnapshot } from './routing/routing-snapshot.js';
import { SnapshotBuilder } from './routing/snapshot-builder.js';
import type { EngineHost } from './servers/engine-contract.js';
import { ServerMaker } from './servers/server-maker.js';
import { SharedMemory } from './shared/shared-memory.js';
import { EngineThreads, type PresentState } from './threads/engine-threads.js';
import { WorkerChoice } from './threads/worker-choice.js';

/** Builds a balancer from a compiled configuration; `start` opens it. */
export function createBalancer(
  config: Config,
  observer: Observer = {},
  options: BalancerOptions = {},
): Balancer {
  return new RunningBalancer(config, observer, options);
}

class RunningBalancer implements Balancer {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #wheel: TimerWheel;
  readonly #registry: ServerRegistry;
  readonly #telemetry: Telemetry;
  readonly #configPath: string | null;
  readonly #startedAt: number;
  readonly #engine: EngineHost<RoutingSnapshot, Config>;
  /** The same, when it is in several threads. */
  readonly #threads: EngineThreads | null;
  readonly #workers: WorkerChoice;
  readonly #readiness: Readiness;
  readonly #shutdown: GracefulShutdown;
  readonly #sockets: SocketChoice;
  readonly #certificates: Certificates;
  readonly #providers: Providers;
  readonly #resolver: Resolver;
  readonly #hosts: HostNames;
  readonly #exports: TelemetryExport;
  #noteEnded: () => void = () => {};
  /** null: nothing is shared with other nodes. */
  readonly #fleet: Fleet | null;
  #loadedAt: number;
  #views: BalancerViews | null = null;
  #started = false;
  #stopped = false;
  #drained: Promise<boolean> | null = null;
  /** Changes are refused: another process is told what is in force. */
  #isHeld = false;
  #isHandedOver = false;
  /** One at a time, each after the one before. */
  #lastReload: Promise<void> = Promise.resolve();

  constructor(config: Config, outer: Observer, options: BalancerOptions) {
    const { clock = systemClock, configPath = null, store = null } = options;
    const sockets = new SocketChoice(options.sockets);
    this.#sockets = sockets;
    this.#clock = clock;
    this.#configPath = configPath;
    this.#startedAt = clock.wall();
    this.#loadedAt = this.#startedAt;
    this.#telemetry = new Telemetry(clock, outer, {
      ...(config.shared !== null && { event: (event) => this.#fleet?.note(event) }),
    });
    const { observer } = this.#telemetry;
    observer.masksAddresses = config.maskAddresses;
    this.#telemetry.metrics.measure(config.measuredPaths);
    this.#observer = observer;
    const wheel = new TimerWheel(clock);
    this.#wheel = wheel;
    const { authority, tlsTerms } = options;
    this.#certificates = new Certificates({
      clock,
      observer,
      authority,
      forListeners: tlsTerms === undefined,
      answerChallenges: (answerFor) => this.#engine.answerChallenges(answerFor),
      ...(config.shared !== null && {
        openStore: (terms, user) => (this.#fleet as Fleet).acme.open(terms, user),
      }),
    });
    const workers = new WorkerChoice(config, options);
    this.#workers = workers;
    this.#exports = new TelemetryExport({
      clock,
      observer,
      isAlone: workers.count === 1,
      sources: { metrics: this.#telemetry.metrics, live: () => this.figureSteps(), ...options.counts },
      collect: () => this.collectFigures(),
      settled: () => this.#engine.settled(),
    });
    const seed = config.shared === null ? undefined : fleetSeed(config.shared);
    const shared = SharedMemory.create(workers.count > 1 ? workers.count + 1 : 1, seed);
    const resolver = new Resolver(config.dns, wheel, observer);
    this.#resolver = resolver;
    const connections = connectionDeps(config, wheel, observer, sockets, shared, resolver);
    const health = { ...connections, clock, slots: new CheckSlots() };
    const telemetry = this.#telemetry;
    const threads =
      workers.count > 1
        ? new EngineThreads({
            count: workers.count,
            clock,
            telemetry,
            spans: this.#exports,
            sockets,
            shared,
            inherited: options.inherited,
            present: () => this.#present,
            firewalls: () => this.#registry.snapshot.firewalls,
            holdLineOf: (route) => this.#registry.snapshot.holdLineOf(route),
          })
        : null;
    this.#threads = threads;
    if (threads !== null) this.#certificates.store.tellAlso((news) => threads.tellCertificates(news));
    this.#hosts = new HostNames({
      resolver,
      wheel,
      tellsThreads: threads !== null,
      onResolved: (host, resolution) => this.#registry.resolve(host, resolution),
    });
    this.#registry = new ServerRegistry(config, {
      routed: {
        clock,
        observer,
        maker: new ServerMaker(connections),
        judgeOf: (server, terms, number, isNew) => {
          const judge = new ServerHealth(server, terms, health, isNew);
          return threads?.watch(server, number, judge) ?? judge;
        },
        numberOf: null,
        snapshotSteps: (next, serversOf, before) =>
          SnapshotBuilder.steps(next, { clock, serversOf, before, observer, shared }),
      },
      clock,
      wheel,
      telemetry,
      store,
      hosts: this.#hosts,
      install: (snapshot) => {
        resolver.applyOptions(snapshot.config.dns);
        this.#engine.install(snapshot);
      },
      replay: (operation) => threads?.replay(operation) ?? null,
    });
    this.#providers = new Providers({
      wheel,
      observer,
      resolver,
      engines: options.engines ?? new DockerEngines({ wheel }),
      onServers: (source, servers) => this.#registry.provide(source, servers),
    });
    this.#fleet =
      config.shared === null
        ? null
        : new Fleet(config.shared, {
            clock,
            wheel,
            observer,
            clients: shared.clients,
            bans: sharedBans(() => this.#registry.snapshot.firewalls),
            requests: () => this.#countRequests(),
            instance: instanceName(config.instance),
          });
    // An operator that asks on an older connection means the process that has taken over, too.
    this.#readiness = new Readiness(this.#registry, () => (this.#isHandedOver ? 'running' : this.#state));
    const whyNotReady = (): string => this.#readiness.obstacle;
    const termsOf = tlsTerms ?? (({ tls }) => this.#certificates.termsOf(tls));
    const { inherited } = options;
    const engineDeps = { clock, connections, sockets, whyNotReady, termsOf, inherited };
    this.#engine = threads ?? new LocalEngine(this.#registry.snapshot, engineDeps);
    this.#registry.routes.onChange = () => threads?.noteReadiness();
    this.#shutdown = new GracefulShutdown({ wheel, engine: this.#engine, telemetry });
  }

  get addresses(): readonly Address[] {
    return this.#engine.addresses;
  }

  get clientCount(): number {
    return this.#engine.clientCount;
  }

  get handshakes(): ReadonlyMap<HandshakeResult, number> {
    return this.#engine.handshakes;
  }

  get config(): Config {
    return this.#registry.snapshot.config;
  }

  get bindings(): StickyMemory {
    return this.#registry.snapshot.memory;
  }

  get metrics(): Telemetry['metrics'] {
    return this.#telemetry.metrics;
  }

  async start(): Promise<void> {
    try {
      atOnce(warmUpSteps());
      this.#registry.followHosts();
      this.#providers.stage(sourcesOf(this.config));
      await this.#sockets.prove();
      // First: certificates that other nodes have ordered are there before the first handshake.
      this.#fleet?.start();
      this.#certificates.install(await this.#certificates.prepare(this.config), this.config);
      await this.#providers.firstAnswers(this.config.timeouts.discovery);
      await this.#engine.open(() => {
        if (this.#stopped) throw new Error('stopped before it had started');
      });
      this.#certificates.order();
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#providers.install(sourcesOf(this.config));
    this.#registry.start();
    this.#exports.applyConfig(this.config);
    this.#started = true;
    this.#threads?.noteReadiness();
    const warning = fewFiles(this.config.limits.connections, this.#engine.mostClients);
    if (warning !== null) this.#observer.event?.({ what: 'warning', message: warning });
    if (this.#sockets.notice !== null) this.#telemetry.warn(this.#sockets.notice);
    if (this.#workers.notice !== null) this.#telemetry.warn(this.#workers.notice);
  }

  reload(config: Config): Promise<void> {
    const done = this.#lastReload.then(() => this.#reload(config));
    this.#lastReload = done.catch(() => {});
    return done;
  }

  async #reload(config: Config): Promise<void> {
    const check = (): void => this.#refuseIfEnding();
    check();
    const isEmpty = (await inSlices(everyRouteSteps(config), check)).length === 0;
    // The last container with a route may go.
    if (isEmpty && config.docker === null && everyRoute(this.config).length > 0)
      throw new OperationError(
        'bad_value',
        'a configuration without a route would answer everything with 404',
      );
    await inSlices(warmUpSteps(), check);
    const left = await this.#takeOver(config, check).catch((error: unknown) => {
      this.#certificates.discard();
      this.#providers.discard();
      throw error;
    });
    await this.#engine.settled();
    this.#engine.endOutdated();
    this.#certificates.order();
    await inSlices(left);
  }

  async #takeOver(config: Config, check: () => void): Promise<Steps<void>> {
    this.#providers.stage(sourcesOf(config));
    const certificates = await this.#certificates.prepare(config, check);
    await this.#providers.firstAnswers(config.timeouts.discovery);
    check();
    const prepared = await this.#registry.prepare(config, check);
    this.#certificates.store.stage(certificates);
    try {
      const { snapshot } = prepared;
      this.#registry.routed.renew(prepared);
      const numbers = prepared.plan.numbers();
      // Opens its listeners too: what cannot be bound leaves everything as it is.
      const { published } = certificates;
      await this.#engine.prepare({ config, secret: snapshot.secret, numbers, certificates: published });
      // It may have been told to end meanwhile.
      check();
      this.#certificates.install(certificates, config);
    } catch (error) {
      this.#engine.discard();
      this.#registry.discard(prepared);
      throw error;
    }
    return this.#follow(prepared);
  }

  reloadCertificates(): Promise<CertificateReload> {
    const check = (): void => this.#refuseIfEnding();
    const done = this.#lastReload.then(async () => {
      check();
      const reloaded = await this.#certificates.reload(check);
      this.#engine.endOutdated();
      return reloaded;
    });
    this.#lastReload = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  get adminTerms(): TlsTerms | null {
    return this.#certificates.adminTerms;
  }

  certificates(): readonly CertificateStatus[] {
    return this.#certificates.status();
  }

  get certificateFiles(): readonly string[] {
    return this.#certificates.store.files;
  }

  sockets(): Promise<readonly ListeningSocket[] | null> {
    return this.#engine.sockets();
  }

  isAlive(): Promise<void> {
    return this.#engine.settled();
  }

  async holdChanges(): Promise<() => void> {
    let last: Promise<void>;
    do {
      last = this.#lastReload;
      await last;
    } while (last !== this.#lastReload);
    this.#refuseIfEnding();
    this.#isHeld = true;
    return () => {
      this.#isHeld = false;
    };
  }

  handOver(pid: number, version: string): void {
    this.#isHandedOver = true;
    this.#engine.handOver();
    this.#exports.handOver();
    this.#observer.event?.({ what: 'upgraded', pid, version });
  }

  refuseUpgrade(detail: string): void {
    this.#observer.event?.({ what: 'upgrade_failed', detail });
  }

  #refuseIfEnding(): void {
    if (this.#isHeld)
      throw new OperationError('upgrading', 'a new program is taking over: try again in a moment');
    if (this.#stopped || this.#shutdown.hasBegun)
      throw new OperationError('ending', 'a balancer that is ending takes no other configuration');
  }

  /** Between two requests: nothing here waits. Returns what is left to do. */
  #follow(prepared: PreparedConfig): Steps<void> {
    const { limits: before, workers, shared } = this.config;
    const left = this.#registry.install(prepared);
    this.#providers.install(prepared.file.sources);
    this.#exports.applyConfig(this.config);
    this.#loadedAt = this.#clock.wall();
    this.#telemetry.observer.masksAddresses = this.config.maskAddresses;
    this.#telemetry.metrics.measure(this.config.measuredPaths);
    if (this.#workers.isFromSettings && workers !== this.config.workers)
      this.#observer.event?.({ what: 'warning', message: 'workers takes effect at the next start' });
    if (!isDeepStrictEqual(shared, this.config.shared))
      this.#observer.event?.({ what: 'warning', message: 'shared takes effect at the next start' });
    return this.#afterFollow(left, before, this.config.limits);
  }

  *#afterFollow(left: Steps<void>, before: LimitsConfig, now: LimitsConfig): Steps<void> {
    yield* left;
    const { headerBytes, headers, uriBytes } = now;
    if (headerBytes !== before.headerBytes || headers !== before.headers || uriBytes !== before.uriBytes)
      this.#observer.event?.({
        what: 'warning',
        message: 'limits.header_bytes, headers and uri_bytes take effect at the next start',
      });
  }

  setAvailability(name: string, to: Availability): void {
    this.#refuseIfEnding();
    this.#registry.setAvailability(name, to);
  }

  setWeight(name: string, weight: number): void {
    this.#refuseIfEnding();
    this.#registry.setWeight(name, weight);
  }

  addServer(route: string, server: NewServer): void {
    this.#refuseIfEnding();
    this.#registry.addServer(route, server);
  }

  removeServer(name: string): void {
    this.#refuseIfEnding();
    this.#registry.removeServer(name);
  }

  setHostMaintenance(host: string, terms: MaintenanceTerms | null): void {
    this.#refuseIfEnding();
    this.#registry.setHostMaintenance(host, terms);
  }

  maintenances(): readonly MaintenanceStatus[] {
    return maintenanceStatuses(this.#registry, this.#loadedAt);
  }

  settled(): Promise<void> {
    return this.#engine.settled();
  }

  get readyReasons(): readonly string[] {
    return this.#readiness.reasons;
  }

  status(): BalancerStatus {
    return atOnce(this.statusSteps());
  }

  statusSteps(): Steps<BalancerStatus> {
    return statusSteps(this.#sources);
  }

  get serverNames(): readonly string[] {
    return [...new Set(this.#registry.servers.members.map(({ server }) => server.name))];
  }

  firstCheck(name: string, patience: number): Promise<void> {
    const { desired, servers } = this.#registry;
    const members = desired.layers.serverNamesOf(name).flatMap((each) => servers.named(each));
    return firstResults(members, patience);
  }

  serverStatus(name: string): ServerStatus | undefined {
    return serverStatus(this.#sources, name);
  }

  get views(): StatusViews {
    this.#views ??= new BalancerViews(() => this.#sources);
    return this.#views;
  }

  figureSteps(): Steps<LiveBalancer> {
    return figureSteps(this.#sources);
  }

  collectFigures(): Promise<void> | null {
    return this.#engine.collectFigures();
  }

  /** Those of other threads as of the last call. */
  #countRequests(): number {
    void this.collectFigures()?.catch(() => {});
    return this.#telemetry.metrics.requestCounts.total;
  }

  readonly ended = new Promise<void>((resolve) => {
    this.#noteEnded = resolve;
  });

  get #sources(): StatusDeps {
    return {
      registry: this.#registry,
      telemetry: this.#telemetry,
      clock: this.#clock,
      state: this.#state,
      readyReasons: this.#readiness.reasons,
      startedAt: this.#startedAt,
      listeners: this.#engine.listenerFigures,
      clients: this.clientCount,
      threads: this.#engine.threads,
      bufferedBytes: this.#engine.bufferedBytes,
      handshakes: this.handshakes,
      proxyHeaders: this.#engine.proxyHeaders,
      configPath: this.#configPath,
      loadedAt: this.#loadedAt,
      certificates: () => this.#certificates.status(),
      orders: () => this.#certificates.orders,
      providers: this.#providers.statuses,
      exports: this.#exports.figures,
      shared: this.#fleet?.status ?? null,
    };
  }

  bans(): BanList {
    return listBans(this.#registry.snapshot.firewalls, this.#clock.wall());
  }

  unban(client: string): readonly string[] {
    return liftBan(this.#registry.snapshot.firewalls, client);
  }

  /** What a thread begins with. */
  get #present(): PresentState {
    const { snapshot, desired, servers, routed } = this.#registry;
    const [hosts, certificates] = [this.#hosts, this.#certificates];
    return {
      config: snapshot.config,
      // Each is needed by few of those who ask, and may be long.
      get changes() {
        return desired.changes;
      },
      get answers() {
        return desired.layers.provided.answers;
      },
      get hosts() {
        return hosts.resolutions;
      },
      secret: snapshot.secret,
      get numbers() {
        return [...servers.numbers()];
      },
      numbersOf: (name) => routed.numbersOf(name),
      obstacle: this.#readiness.obstacle,
      get certificates() {
        return certificates.store.state;
      },
    };
  }

  get #state(): BalancerState {
    if (this.#stopped) return 'stopped';
    if (this.#shutdown.hasBegun) return 'draining';
    return this.#started ? 'running' : 'starting';
  }

  events(since = 0): readonly StatusEvent[] {
    return this.#telemetry.journal.eventsSince(since);
  }

  subscribe(listener: (event: StatusEvent) => void): () => void {
    return this.#telemetry.journal.subscribe(listener);
  }

  watchRequests(listener: (record: RequestRecord) => void): () => void {
    const { observer } = this.#telemetry;
    const reader: Observer = { requestSettled: (record) => listener(record) };
    observer.addReader(reader);
    this.#threads?.followReaders();
    return () => {
      observer.removeReader(reader);
      this.#threads?.followReaders();
    };
  }

  refuseReload(detail: string): void {
    this.#observer.event?.({ what: 'reload_refused', detail: detail });
  }

  leave(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const left = this.#shutdown.announce(this.config.timeouts);
    this.#threads?.noteReadiness();
    return left;
  }

  drain(): Promise<boolean> {
    this.#drained ??= this.#stopped ? Promise.resolve(this.clientCount === 0) : this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<boolean> {
    const drained = this.#shutdown.drain(this.config.timeouts);
    this.#threads?.noteReadiness();
    const clean = await drained;
    this.stop();
    await this.ended;
    return clean || this.#telemetry.metrics.cut === 0;
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#engine.stop();
    // The threads tell of their last requests before they end.
    void this.#engine.ended.then(() => this.#exports.close()).then(this.#noteEnded);
    this.#certificates.stop();
    this.#providers.stop();
    this.#hosts.stop();
    this.#fleet?.stop();
    this.#registry.servers.stop();
    this.#resolver.close();
    this.#wheel.close();
    this.#shutdown.stop();
  }
}
