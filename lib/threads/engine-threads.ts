import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import { type Clock, clockZero } from '../base/timer-wheel.js';
import type { Config, ListenerConfig } from '../config/types.js';
import type { Changes } from '../control/changes.js';
import type { ServerJudge } from '../control/health/server-health.js';
import type { Resolution } from '../control/host-names.js';
import type { Answers } from '../control/provided-servers.js';
import type { ServerOperation } from '../control/server-registry.js';
import type { Telemetry } from '../control/telemetry.js';
import type { Firewall } from '../firewall/firewall.js';
import type { HandshakeResult } from '../net/handshake-results.js';
import type { InheritedSocket, InheritedSockets } from '../net/inherited-sockets.js';
import { isSamePort, type ListenerFigures, type ListeningSocket } from '../net/listeners.js';
import { probePort } from '../net/port-probe.js';
import { clientRoom, fileLimit } from '../net/shortage.js';
import type { SocketChoice } from '../net/socket-choice.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import type { EngineHost, NextConfiguration, ThreadFigures } from '../servers/engine-contract.js';
import type { Server } from '../servers/server.js';
import type { SharedMemory } from '../shared/shared-memory.js';
import type { CertificateNews, CertificateState } from '../tls/published-certificates.js';
import { HangWatch } from './hang-watch.js';
import { heapShareMb } from './memory-share.js';
import type { Command, SentConfiguration, ServerNumbers, ServerReports } from './messages.js';
import { RespawnDelay } from './respawn.js';
import { configurationSender } from './sent-configuration.js';
import { ServerMirrors } from './server-mirror.js';
import { type SpanTaker, ThreadReports, type ThreadReportsDeps } from './thread-reports.js';
import { inTurns } from './turns.js';
import { ThreadEnded, type ThreadListener, WorkerThread } from './worker-thread.js';

/** The present state of the control plane, which a thread begins with. */
export interface PresentState {
  readonly config: Config;
  readonly changes: Changes;
  /** What sources of servers have told. */
  readonly answers: Answers;
  /** What is known of the host names of servers. */
  readonly hosts: ReadonlyMap<string, Resolution>;
  readonly secret: Buffer | null;
  readonly numbers: ServerNumbers;
  /** The numbers of the servers of one name. */
  numbersOf(name: string): ServerNumbers;
  /** Why the balancer is not ready for requests; empty when it is. */
  readonly obstacle: string;
  readonly certificates: CertificateState;
}

export interface EngineThreadsDeps {
  readonly count: number;
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'metrics' | 'observer'>;
  /** Takes what threads write of recorded traces. */
  readonly spans: SpanTaker;
  readonly sockets: SocketChoice;
  readonly shared: SharedMemory;
  /** Sockets that this process was started with: one for each thread. */
  readonly inherited?: InheritedSockets | undefined;
  readonly present: () => PresentState;
  /** Those of the configuration in force. */
  readonly firewalls: () => readonly Firewall[];
  readonly holdLineOf: ThreadReportsDeps['holdLineOf'];
}

/** How long after it was told to stop a thread that hangs is terminated, in ms. */
const STOP_MS = 1000;
/** After the end of a thread the numbers of servers are audited, each time this many ms after its end. */
const AUDITS_MS = [500, 1000, 1500] as const;
/**
 * How long a change of certificates waits for a thread that does not answer, in ms: an authority and a reload wait for
 * the change.
 */
const CERTIFICATES_MS = 5000;
/** A thread that listens and has not answered for this many ms hangs. */
const HANGS_MS = 10_000;

/** One engine in each of several worker threads, and a new thread in place of each that ends. */
export class EngineThreads implements EngineHost<RoutingSnapshot, Config>, ThreadListener {
  readonly #deps: EngineThreadsDeps;
  readonly #observer: Observer;
  readonly #mirrors: ServerMirrors;
  readonly #reports: ThreadReports;
  readonly #hangs: HangWatch;
  /** By number, from 1; null while one is being replaced. */
  readonly #threads: (WorkerThread | null)[];
  readonly #heapMb: number;
  readonly #respawn = new RespawnDelay();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** The settings of the listeners that are open, and their addresses. */
  #listeners: readonly ListenerConfig[] = [];
  #addresses: readonly Address[] = [];
  /** Resolves when the addresses are known. */
  readonly #bound: Promise<void>;
  #noteBound: () => void = () => {};
  readonly ended: Promise<void>;
  #noteEnded: () => void = () => {};
  #preparedListeners: readonly ListenerConfig[] = [];
  #preparedAddresses: readonly Address[] = [];
  /** Sends a thread the configuration that is being prepared; null: none is. */
  #sendNext: ((thread: WorkerThread) => Promise<readonly Address[]>) | null = null;
  /** Names of servers added or removed since a configuration was sent to be prepared. */
  #moved: Set<string> | null = null;
  /** Settled when all threads have installed what they were told last. */
  #installed: Promise<unknown> = Promise.resolve();
  #state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting';
  #hasAnnounced = false;
  #obstacle = '';

  constructor(deps: EngineThreadsDeps) {
    this.#deps = deps;
    const { clock, telemetry, firewalls, holdLineOf, spans } = deps;
    this.#observer = telemetry.observer;
    this.#reports = new ThreadReports({ clock, ...telemetry, firewalls, holdLineOf, spans });
    this.#threads = new Array<WorkerThread | null>(deps.count).fill(null);
    this.#mirrors = new ServerMirrors(deps.clock, deps.shared.successes, (command) => this.#tell(command));
    this.#hangs = new HangWatch(clock, deps.shared.pulses, () => this.#live);
    this.#heapMb = heapShareMb(deps.count + 1);
    this.#bound = new Promise((resolve) => {
      this.#noteBound = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#noteEnded = resolve;
    });
  }

  // What happens to servers.

  /** Tells the engines of the health of a server of the control plane. */
  watch(server: Server, number: number, judge: ServerJudge): ServerJudge {
    this.#reports.servers.watch(server, number);
    return this.#mirrors.watch(server, number, judge, () => this.#reports.servers.unwatch(number));
  }

  /** Makes an operation in all threads; resolves when all have made it. null: nothing depends on when they do. */
  replay(operation: ServerOperation): Promise<void> | null {
    const { what } = operation;
    const names = namesIn(operation);
    const isMove = what === 'add' || what === 'remove' || what === 'provide' || what === 'resolve';
    if (isMove) for (const name of names) this.#moved?.add(name);
    const hasNumbers = isMove && what !== 'remove' && names.length > 0;
    const present = hasNumbers ? this.#deps.present() : null;
    const numbers = present === null ? [] : names.flatMap((name) => [...present.numbersOf(name)]);
    this.#tell({ what: 'operation', operation, numbers });
    return what === 'resolve' && names.length === 0 ? null : this.settled();
  }

  /** The balancer may have become ready, or not. */
  noteReadiness(): void {
    const { obstacle } = this.#deps.present();
    if (obstacle === this.#obstacle) return;
    this.#obstacle = obstacle;
    this.#tell({ what: 'readiness', obstacle });
  }

  /** Observers have changed what they read of requests. */
  followReaders(): void {
    this.#reports.applyTerms();
  }

  #tell(command: Exclude<Command, { id: number }>): void {
    for (const thread of this.#threads) thread?.tell(command);
  }

  get #live(): readonly WorkerThread[] {
    return this.#threads.filter((thread) => thread !== null);
  }

  // Threads.

  /**
   * Starts all threads, and listens: the first thread binds, the others bind what it has bound. Rejects with the reason
   * when none could start, or when an address can't be bound.
   */
  async open(permit: () => void): Promise<void> {
    permit();
    const { config } = this.#deps.present();
    for (const { address } of config.listen)
      if (this.#deps.inherited?.has(address) !== true) await probePort(address);
    permit();
    const send = this.#sender();
    for (let number = 1; number <= this.#threads.length; number++) this.#begin(number, send());
    const all = this.#live;
    try {
      await this.#bind(all, config);
    } catch (error) {
      permit();
      throw error;
    }
    await Promise.all(all.map((thread) => this.#listen(thread)));
    permit();
    this.#state = 'running';
    for (const address of this.#addresses) this.#observer.event?.({ what: 'listening', address });
  }

  /** Has the first thread bind that can be started. Rejects with its error, or when none can be started. */
  async #bind(threads: readonly WorkerThread[], { listen }: Config): Promise<void> {
    let ended: unknown = null;
    for (const thread of threads) {
      try {
        await thread.built;
        const inherited = await this.#takeInherited(listen);
        this.#addresses = await thread.ask({ what: 'open', at: [], inherited });
      } catch (error) {
        if (!(error instanceof ThreadEnded)) throw error;
        ended ??= error;
        continue;
      }
      this.#listeners = listen;
      thread.isOpen = true;
      this.#noteBound();
      return;
    }
    throw ended;
  }

  /** Has a thread bind what the first one has bound; it ends when it can't. */
  async #listen(thread: WorkerThread): Promise<void> {
    if (thread.isOpen) return;
    try {
      const inherited = await this.#takeInherited(this.#listeners, 'tcp');
      await thread.ask({ what: 'open', at: this.#addresses, inherited });
      thread.isOpen = true;
    } catch (error) {
      if (error instanceof ThreadEnded) return;
      this.#warn(`thread ${thread.number} cannot listen: ${(error as Error).message}`);
      await thread.end();
    }
  }

  /** The next socket of each listener: no other thread gets it. */
  async #takeInherited(
    listen: readonly ListenerConfig[],
    kind?: Address['kind'],
  ): Promise<readonly InheritedSocket[]> {
    const taken: InheritedSocket[] = [];
    for (const { address } of listen) {
      if (kind !== undefined && address.kind !== kind) continue;
      const socket = (await this.#deps.inherited?.take(address)) ?? null;
      if (socket !== null) taken.push(socket);
    }
    return taken;
  }

  #sender(): () => SentConfiguration {
    const { config, numbers, secret, certificates } = this.#deps.present();
    return configurationSender({ config, numbers, certificates: certificates.published }, secret);
  }

  #begin(number: number, configuration: SentConfiguration): WorkerThread {
    const { clock, sockets, shared, present } = this.#deps;
    const { changes, answers, hosts, obstacle, certificates } = present();
    this.noteReadiness();
    const start = {
      thread: number,
      shared: shared.handle,
      clockZero: clockZero(clock),
      sockets: sockets.mode,
      configuration,
      changes,
      answers,
      hosts,
      health: this.#mirrors.health,
      obstacle,
      certificates: { ticketKeys: certificates.ticketKeys, news: certificates.news },
      reports: this.#reports.connect(number),
    };
    const thread = new WorkerThread(start, this.#heapMb, this);
    this.#threads[number - 1] = thread;
    return thread;
  }

  onServerReports({ number }: WorkerThread, reports: ServerReports): void {
    this.#mirrors.receive(number, reports);
  }

  /** A thread has ended: what it held is given back, and another one begins, unless all are to end. */
  onEnd({ number }: WorkerThread, reason: string): void {
    this.#deps.shared.reclaim(number);
    this.#reports.ended(number);
    this.#threads[number - 1] = null;
    if (this.#state === 'stopped' && this.#live.length === 0) this.#noteEnded();
    if (this.#isOver) return;
    // The start fails.
    if (this.#state === 'starting' && this.#live.length === 0) return;
    const delay = this.#respawn.next(this.#deps.clock.now());
    const next = delay === 0 ? 'another one begins' : `another one begins in ${delay / 1000} s`;
    this.#warn(`thread ${number} has ended, and its connections with it; ${next}. The reason: ${reason}`);
    this.#later(delay, () => void this.#replace(number));
    for (const wait of AUDITS_MS) this.#later(wait, () => this.#deps.shared.servers.audit());
  }

  #later(delay: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delay);
    this.#timers.add(timer);
  }

  async #replace(number: number): Promise<void> {
    await this.#bound;
    if (this.#isOver) return;
    const thread = this.#begin(number, this.#sender()());
    const open = this.#listen(thread);
    if (this.#sendNext !== null) void this.#sendNext(thread).catch(() => {});
    if (this.#hasAnnounced) thread.tell({ what: 'announce' });
    await open;
  }

  get #isOver(): boolean {
    return this.#state === 'draining' || this.#state === 'stopped';
  }

  #warn(message: string): void {
    this.#observer.event?.({ what: 'warning', message });
  }

  // Certificates.

  /** Resolves when new handshakes use it in all threads that listen; one that hangs is not waited for long. */
  async tellCertificates(news: CertificateNews): Promise<void> {
    const followed: Promise<unknown>[] = [];
    for (const thread of this.#live) {
      const done = thread.ask({ what: 'certificates', news }).catch(() => {});
      if (thread.isOpen) followed.push(done);
    }
    await atMost(CERTIFICATES_MS, Promise.all(followed));
  }

  // Another configuration.

  async prepare({ config, secret, numbers, certificates }: NextConfiguration<Config>): Promise<void> {
    // Settled before a thread binds: each, now and later, binds the same port where the system chooses one.
    const at: Address[] = [];
    for (const { address } of config.listen) at.push(this.#boundFor(address) ?? (await this.#probe(address)));
    this.#moved = new Set();
    this.#preparedListeners = config.listen;
    this.#preparedAddresses = at;
    const send = configurationSender({ config, numbers: [...numbers], certificates }, secret);
    const prepareIn = (thread: WorkerThread): Promise<readonly Address[]> =>
      whileItAnswers(thread, thread.ask({ what: 'prepare', configuration: send(), at }));
    const prepareAtOnce = (thread: WorkerThread): Promise<readonly Address[]> => {
      const prepared = prepareIn(thread);
      thread.tell({ what: 'take_turn' });
      return prepared;
    };
    this.#sendNext = prepareAtOnce;
    const open = this.#live.filter(({ isOpen }) => isOpen);
    // A thread that begins prepares it too, and ends when it can't.
    for (const thread of this.#live) if (!thread.isOpen) void prepareAtOnce(thread).catch(() => {});
    // None is open while all are being replaced: those that begin later bind what this configuration has.
    // All are told at once, so that each starts from the same changes of servers.
    await inTurns(open.map(prepareIn), (index) => open[index]?.tell({ what: 'take_turn' }));
  }

  /** What is bound for an address of a configuration; null: nothing. */
  #boundFor(wanted: Address): Address | null {
    const index = this.#listeners.findIndex(({ address }) => address.text === wanted.text);
    return index === -1 ? null : (this.#addresses[index] ?? wanted);
  }

  /** Rejects when another program has the port, or another listener of this one (`heldBy`). */
  async #probe(address: Address): Promise<Address> {
    try {
      return await probePort(address);
    } catch (error) {
      const holder = this.#addresses.find((other) => isSamePort(other, address));
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || holder === undefined) throw error;
      throw Object.assign(error as Error, { heldBy: holder.text });
    }
  }

  install(_snapshot: RoutingSnapshot): void {
    const { numbersOf } = this.#deps.present();
    const numbers = [...(this.#moved ?? [])].flatMap((name) => [...numbersOf(name)]);
    this.#installed = Promise.allSettled(
      this.#live.map((thread) => whileItAnswers(thread, thread.ask({ what: 'install', numbers }))),
    );
    this.#forgetNext();
    this.#reports.follow();
    if (this.#preparedAddresses.length > 0) this.#takeListeners();
  }

  #takeListeners(): void {
    const [before, after] = [new Map<string, Address>(), new Map<string, Address>()];
    for (const [i, { address }] of this.#listeners.entries())
      before.set(address.text, this.#addresses[i] ?? address);
    for (const [i, { address }] of this.#preparedListeners.entries())
      after.set(address.text, this.#preparedAddresses[i] ?? address);
    this.#listeners = this.#preparedListeners;
    this.#addresses = this.#preparedAddresses;
    this.#preparedAddresses = [];
    const observer = this.#observer;
    for (const [text, address] of after)
      if (!before.has(text)) observer.event?.({ what: 'listening', address });
    for (const [text, address] of before) if (!after.has(text)) observer.event?.({ what: 'closed', address });
  }

  discard(): void {
    this.#forgetNext();
    this.#preparedAddresses = [];
    this.#tell({ what: 'discard' });
  }

  #forgetNext(): void {
    this.#moved = null;
    this.#sendNext = null;
  }

  async settled(): Promise<void> {
    await this.#installed;
    await Promise.allSettled(
      this.#live.map((thread) => whileItAnswers(thread, thread.ask({ what: 'answer' }))),
    );
    // Figures of routes and servers of the configuration before are forgotten after this.
    await this.#reports.collect();
  }

  // Figures.

  get addresses(): readonly Address[] {
    return this.#addresses.length > 0
      ? this.#addresses
      : this.#deps.present().config.listen.map(({ address }) => address);
  }

  get listenerFigures(): readonly ListenerFigures[] {
    return this.#listeners.map(({ tls, redirect, proxyProtocol, connections }, i) => {
      const address = (this.#addresses[i] as Address).text;
      const scheme = tls === null ? 'http' : 'https';
      return { scheme, redirect, proxyProtocol, limit: connections, ...this.#reports.listenerAt(address) };
    });
  }

  get clientCount(): number {
    return this.#reports.clientCount;
  }

  get mostClients(): number {
    return Math.min(this.#deps.present().config.limits.connections, clientRoom(fileLimit()));
  }

  get handshakes(): ReadonlyMap<HandshakeResult, number> {
    return this.#reports.sums.handshakes;
  }

  get proxyHeaders(): ReadonlyMap<string, number> {
    return this.#reports.sums.proxyHeaders;
  }

  get bufferedBytes(): number {
    return this.#reports.replayBytes;
  }

  get threads(): readonly ThreadFigures[] {
    return this.#reports.threads;
  }

  async collectFigures(): Promise<void> {
    await this.#reports.collect();
  }

  endOutdated(): void {
    this.#tell({ what: 'end_outdated' });
  }

  answerChallenges(): void {}

  // The end.

  async sockets(): Promise<readonly ListeningSocket[] | null> {
    const open = this.#live.filter(({ isOpen }) => isOpen);
    const known: ListeningSocket[] = [];
    try {
      for (const sockets of await Promise.all(open.map((thread) => thread.sockets()))) {
        if (sockets === null) return null;
        for (const socket of sockets) known.push(socket);
      }
      return known;
    } catch (error) {
      if (error instanceof ThreadEnded) return null;
      throw error;
    }
  }

  handOver(): void {
    this.#tell({ what: 'hand_over' });
  }

  announceEnd(): void {
    this.#hasAnnounced = true;
    this.#tell({ what: 'announce' });
  }

  /** A thread that ends meanwhile has no connections either. */
  async drain(): Promise<void> {
    this.#end('draining');
    await Promise.allSettled(this.#live.map((thread) => thread.ask({ what: 'drain' })));
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    this.#end('stopped');
    this.#mirrors.stop();
    this.#hangs.stop();
    if (this.#live.length === 0) this.#noteEnded();
    for (const thread of this.#live) {
      const timer = setTimeout(() => void thread.end(), STOP_MS);
      const end = (): void => {
        clearTimeout(timer);
        void thread.end();
      };
      thread.ask({ what: 'stop' }).then(end, end);
    }
  }

  #end(state: 'draining' | 'stopped'): void {
    this.#state = state;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Resolves with the promise, or after this many ms. */
async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/**
 * Settles like the answer of the thread. A thread that hangs meanwhile is ended: otherwise a reload, and everything
 * that waits for it, would wait for ever.
 */
function whileItAnswers<T>(thread: WorkerThread, asked: Promise<T>): Promise<T> {
  let isWaiting = false;
  const look = (): void => {
    // Until it listens it builds its configuration, and answers nothing.
    if (!thread.isOpen) return;
    if (isWaiting) {
      void thread.end(`it has answered nothing for ${HANGS_MS / 1000} s`);
      return;
    }
    isWaiting = true;
    thread.ask({ what: 'alive' }).then(
      () => {
        isWaiting = false;
      },
      () => {},
    );
  };
  const timer = setInterval(look, HANGS_MS);
  return asked.finally(() => clearInterval(timer));
}

/** The names of the servers that an operation is about. */
function namesIn(operation: ServerOperation): readonly string[] {
  if (operation.what === 'provide' || operation.what === 'resolve') return operation.names;
  return operation.what === 'maintenance' || operation.what === 'forget' ? [] : [operation.name];
}
