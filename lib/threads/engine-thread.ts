import type { MessagePort } from 'node:worker_threads';
import type { Address } from '../base/address.js';
import { atOnce, inLaterSlices, inSlices, type Steps } from '../base/slices.js';
import { type Clock, clockFrom, TimerWheel } from '../base/timer-wheel.js';
import { everyRoute } from '../config/every-route.js';
import { warmUpSteps } from '../config/regex.js';
import type { HealthTerms, ServerJudge } from '../control/health/server-health.js';
import { type PreparedServers, RoutedServers } from '../control/routed-servers.js';
import { SeveralAddresses } from '../control/several-addresses.js';
import { connectionDeps, type EngineDeps, LocalEngine } from '../engine.js';
import { InheritedSockets } from '../net/inherited-sockets.js';
import { SocketChoice } from '../net/socket-choice.js';
import { ToldHosts } from '../net/told-hosts.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import { SnapshotBuilder } from '../routing/snapshot-builder.js';
import type { Server } from '../servers/server.js';
import { ServerMaker } from '../servers/server-maker.js';
import { SharedMemory } from '../shared/shared-memory.js';
import { ThreadCertificates, type ThreadTables } from '../tls/thread-certificates.js';
import { BEAT_EVERY_MS } from './hang-watch.js';
import type {
  Command,
  ConfigurationParts,
  Report,
  SentConfiguration,
  ServerNumbers,
  ThreadStart,
} from './messages.js';
import { receiveConfiguration } from './sent-configuration.js';
import { sendError } from './sent-error.js';
import { KnownHealth, ServerReporter } from './server-reporter.js';
import { ThreadReporter } from './thread-reporter.js';

/**
 * One engine in a worker thread, with the servers and routes of the control plane: it follows the same configurations
 * and operations, and gets the health of the servers from it. It has no checks, no store and no admin listener.
 */
export class EngineThread {
  readonly #port: MessagePort;
  readonly #start: ThreadStart;
  readonly #makeEngine: (snapshot: RoutingSnapshot, deps: EngineDeps) => LocalEngine;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #numbers = new AssignedNumbers();
  readonly #health: KnownHealth;
  readonly #memory: SharedMemory;
  readonly #reporter: ServerReporter;
  /** The observer of the engine. */
  readonly #figures: ThreadReporter;
  readonly #sockets: SocketChoice;
  readonly #certificates: ThreadCertificates;
  #obstacle: string;
  #stopBeats: () => void = () => {};
  #hosts!: ToldHosts;
  #routed!: RoutedServers;
  #engine!: LocalEngine;
  /** Commands that wait until a configuration is prepared. */
  readonly #waiting: Command[] = [];
  #preparation: Preparation | null = null;

  /** `makeEngine`: another kind of engine; `clock`: another one than the machine's, which the main thread has as well. */
  constructor(
    port: MessagePort,
    start: ThreadStart,
    makeEngine = (snapshot: RoutingSnapshot, deps: EngineDeps) => new LocalEngine(snapshot, deps),
    clock = clockFrom(start.clockZero),
  ) {
    this.#port = port;
    this.#makeEngine = makeEngine;
    this.#start = start;
    this.#clock = clock;
    this.#wheel = new TimerWheel(this.#clock);
    this.#health = new KnownHealth(start.health);
    this.#obstacle = start.obstacle;
    this.#sockets = new SocketChoice(start.sockets);
    this.#memory = SharedMemory.attach(start.shared, start.thread);
    this.#certificates = new ThreadCertificates(start.certificates.ticketKeys, (answerFor) =>
      this.#engine.answerChallenges(answerFor),
    );
    this.#reporter = new ServerReporter(this.#wheel, this.#memory.successes, (reports) =>
      this.#report({ what: 'servers', ...reports }),
    );
    this.#figures = new ThreadReporter(start.reports, this.#clock);
    // What throws ends the thread after this.
    process.once('exit', () => this.#figures.close());
  }

  /** Those of its listeners. */
  readonly #inherited = new InheritedSockets([]);

  /** Builds everything, and then follows commands. */
  run(): void {
    const { configuration, changes, answers, hosts, thread } = this.#start;
    const { config, numbers, certificates } = atOnce(this.#whileBeating(receiveConfiguration(configuration)));
    atOnce(this.#whileBeating(warmUpSteps()));
    this.#numbers.set(numbers);
    this.#hosts = new ToldHosts(this.#wheel, hosts);
    const [wheel, figures, sockets] = [this.#wheel, this.#figures, this.#sockets];
    const connections = connectionDeps(config, wheel, figures, sockets, this.#memory, this.#hosts);
    const several = new SeveralAddresses();
    for (const [host, resolution] of hosts) several.set(host, resolution.several);
    const clock = this.#clock;
    const secret = () => this.#preparation?.secret ?? configuration.secret;
    this.#routed = new RoutedServers(
      config,
      changes,
      {
        clock,
        // The control plane reports what happens to servers.
        observer: {},
        maker: new ServerMaker(connections),
        judgeOf: (server, terms, number) => this.#judgeOf(server, terms, number),
        numberOf: (key) => this.#numbers.of(key),
        snapshotSteps: (next, serversOf, before) => {
          const steps = SnapshotBuilder.steps(next, {
            clock,
            serversOf,
            before,
            observer: this.#figures,
            secret: secret(),
            shared: this.#memory,
          });
          return before === null ? this.#whileBeating(steps) : steps;
        },
      },
      { answers, several },
    );
    this.#engine = this.#makeEngine(this.#routed.snapshot, {
      clock,
      connections,
      sockets: this.#sockets,
      whyNotReady: () => this.#obstacle,
      termsOf: ({ tls }) => (tls === null ? null : this.#certificates.termsOf(tls)),
      inherited: this.#inherited,
      sharing: thread === 1 ? 'first' : 'further',
    });
    this.#certificates.install(atOnce(this.#whileBeating(this.#certificates.prepare(certificates))));
    for (const news of this.#start.certificates.news) this.#certificates.take(news);
    this.#figures.watch(this.#engine);
    this.#figures.measure(config.measuredPaths);
    this.#figures.trace(config.tracing);
    this.#port.on('message', (command: Command) => {
      if (command.what === 'alive') {
        void this.#answer(command);
        return;
      }
      this.#waiting.push(command);
      this.#followWaiting();
    });
    this.#stopBeats = clock.every(BEAT_EVERY_MS, () => this.#memory.pulses.beat());
    this.#report({ what: 'built' });
  }

  /** Runs `steps`, and beats the pulse of this thread at each: at its start they hold the event loop for long. */
  *#whileBeating<T>(steps: Steps<T>): Steps<T> {
    for (;;) {
      const { done, value } = steps.next();
      this.#memory.pulses.beat();
      if (done === true) return value;
      yield;
    }
  }

  #report(report: Report): void {
    this.#port.postMessage(report);
  }

  #judgeOf(server: Server, terms: HealthTerms, number: number): ServerJudge {
    this.#health.add(server, number);
    server.shareAnswers(this.#memory.successes, number);
    this.#figures.watchServer(server, number);
    return this.#reporter.judgeOf(server, terms, number, () => {
      this.#health.remove(number);
      this.#figures.unwatchServer(server);
    });
  }

  /** In order: what comes after an `install` waits until the configuration has been prepared and installed. */
  #followWaiting(): void {
    for (let command = this.#waiting[0]; command !== undefined; command = this.#waiting[0]) {
      if (command.what === 'install' && this.#preparation?.isOver === false) return;
      this.#waiting.shift();
      this.#follow(command);
    }
  }

  #follow(command: Command): void {
    switch (command.what) {
      case 'operation':
        this.#numbers.add(command.numbers);
        this.#numbers.isForNext = false;
        this.#operate(command);
        this.#numbers.isForNext = true;
        break;
      case 'health':
        this.#health.note(command);
        break;
      case 'cut':
        this.#health.cut(command.number);
        break;
      case 'readiness':
        this.#obstacle = command.obstacle;
        break;
      case 'take_turn':
        this.#preparation?.takeTurn();
        break;
      case 'discard':
        this.#discard();
        break;
      case 'end_outdated':
        this.#engine.endOutdated();
        break;
      case 'announce':
        this.#engine.announceEnd();
        break;
      case 'hand_over':
        this.#engine.handOver();
        break;
      default:
        void this.#answer(command);
    }
  }

  async #answer(command: Extract<Command, { id: number }>): Promise<void> {
    const { id } = command;
    try {
      const addresses = await this.#reply(command);
      const sockets = command.what === 'sockets' ? await this.#engine.sockets() : null;
      this.#report({ what: 'done', id, addresses, sockets });
    } catch (error) {
      this.#report({ what: 'failed', id, error: sendError(error) });
      // Without the configuration this thread would not be like the others: another one begins with it.
      if (command.what === 'install') throw error;
    }
  }

  async #reply(command: Extract<Command, { id: number }>): Promise<readonly Address[]> {
    switch (command.what) {
      case 'open':
        this.#inherited.add(command.inherited);
        await this.#engine.open(() => {}, command.at);
        this.#routed.start();
        return this.#engine.addresses;
      case 'prepare':
        return this.#prepare(command.configuration, command.at);
      case 'install':
        this.#install(command.numbers);
        return [];
      case 'drain':
        await this.#engine.drain();
        this.#reporter.report();
        return [];
      case 'stop':
        this.#stop();
        return [];
      case 'certificates':
        await this.#certificates.follow(command.news);
        return [];
      case 'answer':
      case 'alive':
      case 'sockets':
        return [];
    }
  }

  #operate({ operation }: Extract<Command, { what: 'operation' }>): void {
    const routed = this.#routed;
    switch (operation.what) {
      case 'availability':
        routed.setAvailability(operation.name, operation.to);
        break;
      case 'weight':
        routed.setWeight(operation.name, operation.weight);
        break;
      case 'add': {
        const addition = routed.desired.planMove(operation.move, operation.weight);
        routed.addServer(addition, routed.prepareAddition(addition));
        break;
      }
      case 'remove':
        routed.removeServer(operation.name);
        break;
      case 'maintenance':
        routed.setHostMaintenance(operation.host, operation.maintenance);
        break;
      case 'provide':
        routed.provide(operation.source, operation.servers);
        this.#numbers.keep(routed.servers);
        break;
      case 'forget':
        routed.desired.forget(operation.names);
        break;
      case 'resolve':
        this.#hosts.tell(operation.host, operation.resolution);
        routed.resolve(operation.host, operation.resolution?.several ?? []);
        this.#numbers.keep(routed.servers);
    }
  }

  async #prepare(sent: SentConfiguration, at: readonly Address[]): Promise<readonly Address[]> {
    this.#discard();
    const preparation = new Preparation(sent.secret);
    this.#preparation = preparation;
    // What is told meanwhile concerns servers whose numbers in this configuration are not known.
    this.#routed.beginToPrepare();
    try {
      const check = (): void => preparation.expectWanted();
      await preparation.turn;
      check();
      const parts: ConfigurationParts = await inSlices(receiveConfiguration(sent), check);
      this.#numbers.stage(parts.numbers);
      await inSlices(warmUpSteps(), check);
      preparation.prepared = await inSlices(this.#routed.prepareSteps(parts.config), check);
      preparation.tables = await inSlices(this.#certificates.prepare(parts.certificates), check);
      this.#certificates.stage(preparation.tables);
      await this.#engine.prepare(parts, at);
      check();
      preparation.isOver = true;
      return this.#engine.preparedAddresses;
    } catch (error) {
      preparation.isOver = true;
      // Otherwise the port would keep what was not read until this thread ends.
      sent.port.close();
      if (this.#preparation === preparation) this.#discard();
      throw error;
    } finally {
      this.#followWaiting();
    }
  }

  #discard(): void {
    const preparation = this.#preparation;
    if (preparation === null) return;
    preparation.giveUp();
    this.#preparation = null;
    this.#engine.discard();
    this.#routed.discard(preparation.prepared);
    this.#numbers.unstage();
  }

  #install(numbers: ServerNumbers): void {
    const { prepared = null, tables = null } = this.#preparation ?? {};
    if (prepared === null || tables === null)
      throw new Error('a configuration is to be installed that could not be prepared');
    this.#numbers.install(numbers);
    const { left, old } = this.#routed.install(prepared);
    this.#certificates.install(tables);
    this.#engine.install(prepared.snapshot);
    this.#figures.measure(prepared.snapshot.config.measuredPaths);
    this.#figures.trace(prepared.snapshot.config.tracing);
    this.#preparation = null;
    inLaterSlices(this.#afterInstall(prepared.snapshot, old, left));
  }

  *#afterInstall(now: RoutingSnapshot, old: RoutingSnapshot, left: Steps<void>): Steps<void> {
    yield* now.takeOver();
    yield* old.release();
    yield* left;
    const { config } = now;
    const servers = new Set(this.#routed.desired.layers.serverNames());
    this.#figures.retain(new Set(everyRoute(config).map(({ name }) => name)), servers);
  }

  #stop(): void {
    this.#engine.stop();
    this.#routed.servers.stop();
    this.#reporter.report();
    this.#figures.close();
    this.#stopBeats();
    this.#wheel.close();
    // Nothing is left that keeps the thread running.
    setImmediate(() => this.#port.close());
  }
}

/** A configuration from the command to prepare it until it is installed or given up. */
class Preparation {
  readonly secret: Buffer | null;
  prepared: PreparedServers | null = null;
  tables: ThreadTables | null = null;
  isOver = false;
  /** Resolves when this thread may work on it, and when it is given up. */
  readonly turn: Promise<void>;
  takeTurn: () => void = () => {};
  #isWanted = true;

  constructor(secret: Buffer | null) {
    this.secret = secret;
    this.turn = new Promise((resolve) => {
      this.takeTurn = resolve;
    });
  }

  giveUp(): void {
    this.#isWanted = false;
    this.takeTurn();
  }

  expectWanted(): void {
    if (!this.#isWanted) throw new Error('the configuration is not wanted any more');
  }
}

/** How many numbers of servers that are gone are kept. */
const MOST_GONE = 1000;

/** The numbers of servers by key, as the control plane gives them: those in force, and those of the next configuration. */
class AssignedNumbers {
  #now = new Map<string, number>();
  #next: Map<string, number> | null = null;

  /** False while an operation is made: its servers belong to the configuration in force. */
  isForNext = true;

  of(key: string): number {
    const next = this.isForNext ? this.#next : null;
    const number = next?.get(key) ?? this.#now.get(key);
    if (number === undefined) throw new Error(`the server ${key} has no number`);
    return number;
  }

  set(numbers: ServerNumbers): void {
    this.#now = new Map(numbers);
  }

  add(numbers: ServerNumbers): void {
    for (const [key, number] of numbers) this.#now.set(key, number);
  }

  /** Forgets the numbers of servers that are gone, when there are many: servers of sources come and go. */
  keep(servers: {
    numbers(): Iterable<readonly [key: string, number: number]>;
    readonly count: number;
  }): void {
    if (this.#now.size > 2 * servers.count + MOST_GONE) this.#now = new Map(servers.numbers());
  }

  stage(numbers: ServerNumbers): void {
    this.#next = new Map(numbers);
  }

  unstage(): void {
    this.#next = null;
  }

  install(further: ServerNumbers): void {
    if (this.#next !== null) this.#now = this.#next;
    this.#next = null;
    this.add(further);
  }
}
