import type { Address } from './base/address.js';
import { ObjectPool } from './base/collections.js';
import type { Observer } from './base/observer.js';
import { type Clock, Deadline, type TimerWheel } from './base/timer-wheel.js';
import { ClientAcceptor, clientRequests, POOLED_OBJECTS, responseParsers } from './client/acceptor.js';
import type { Config, ListenerConfig } from './config/types.js';
import { Exchange, type ExchangeDeps } from './exchange/exchange.js';
import { replayBytes } from './exchange/relay.js';
import type { ResponseForm } from './http/head-encoder.js';
import { encodeReply } from './http/replies.js';
import { HandshakeQueue } from './net/handshake-queue.js';
import { HandshakeCounts, type HandshakeResult } from './net/handshake-results.js';
import type { HostTable } from './net/host-addresses.js';
import type { InheritedSockets } from './net/inherited-sockets.js';
import type { ListenerSharing } from './net/listener.js';
import {
  type ListenerFigures,
  Listeners,
  type ListeningSocket,
  type PreparedListeners,
} from './net/listeners.js';
import { ProxyHeaderCounts } from './net/proxy-header-counts.js';
import { ShortageAlarm } from './net/shortage.js';
import type { SocketChoice } from './net/socket-choice.js';
import type { TlsTerms } from './net/tls-terms.js';
import type { RoutingSnapshot } from './routing/routing-snapshot.js';
import type { ConnectionDeps } from './servers/contracts.js';
import type { EngineHost, NextConfiguration } from './servers/engine-contract.js';
import type { SharedMemory } from './shared/shared-memory.js';

/** How long open connections may bring another request when a new program accepts the next ones, and how often to look. */
const LAST_REQUESTS_MS = 3000;
const LOOK_MS = 50;

/** What an engine is given by the control plane. */
export interface EngineDeps {
  readonly clock: Clock;
  readonly connections: ConnectionDeps;
  readonly sockets: SocketChoice;
  /** Why the balancer should get no requests, in a word; empty when it may. */
  readonly whyNotReady: () => string;
  /** The terms of a listener with `tls`; null for one without. */
  readonly termsOf: (listener: ListenerConfig) => TlsTerms | null;
  /** Sockets that this process was started with. */
  readonly inherited?: InheritedSockets | undefined;
  /** How its listeners share their addresses with those of other threads; by default there are none. */
  readonly sharing?: ListenerSharing;
}

/** Event-loop ticks without a new connection after which everything sent before a drain is accepted and read. */
const QUIET_TICKS = 3;
/** As many as the accept queue holds: one connection is accepted per tick. */
const MAX_TICKS = 4096;

/** What the pools of an engine need, whose servers are made before there is a snapshot. */
export function connectionDeps(
  { limits }: Config,
  wheel: TimerWheel,
  observer: Observer,
  sockets: SocketChoice,
  shared: SharedMemory,
  resolver: HostTable,
): ConnectionDeps {
  return {
    shared,
    wheel,
    observer,
    sockets,
    parsers: responseParsers(limits),
    resolver,
    shortages: new ShortageAlarm(wheel, observer),
  };
}

/**
 * The data plane: listeners, clients' connections, exchanges, and through the snapshot the routes, groups and pools. It
 * takes what `servers/engine-contract.ts` has, and knows no settings file, check or operator.
 */
export class LocalEngine implements EngineHost<RoutingSnapshot, Config> {
  readonly threads: readonly never[] = [];
  readonly ended: Promise<void> = Promise.resolve();
  readonly #acceptor: ClientAcceptor;
  readonly #listeners: Listeners<ListenerConfig>;
  readonly #handshakes = new HandshakeCounts();
  readonly #proxyHeaders: ProxyHeaderCounts;
  #prepared: PreparedListeners<ListenerConfig> | null = null;
  /** Of configurations whose listeners were opened, or given up. */
  #preparations = 0;
  #timeouts: Config['timeouts'];
  readonly #exchanges: ExchangeDeps;
  readonly #connections: ConnectionDeps;

  constructor(snapshot: RoutingSnapshot, deps: EngineDeps) {
    const { clock, connections, sockets, whyNotReady } = deps;
    const { config, pipeline } = snapshot;
    const { wheel, observer, shortages } = connections;
    const { limits, timeouts, listen } = config;
    this.#connections = connections;
    this.#timeouts = timeouts;
    const objectPool: ObjectPool<Exchange> = new ObjectPool(
      POOLED_OBJECTS,
      () => new Exchange(this.#exchanges),
    );
    this.#exchanges = { clock, wheel, timeouts, observer, objectPool, pipeline };
    const requests = clientRequests(limits, clock);
    const client = { wheel, requests, handlers: objectPool, whyNotReady };
    this.#acceptor = new ClientAcceptor(client, snapshot, config, shortages);
    const handshakes = {
      acceptor: this.#acceptor,
      wheel,
      queue: new HandshakeQueue(),
      counts: this.#handshakes,
      timeout: () => this.#timeouts.tlsHandshake,
      replies: {
        plainHttp: () => encodeReply(400, LAST, false, clock.wall(), PLAIN_HTTP),
        certificate: (error: string) => encodeReply(400, LAST, false, clock.wall(), certificateText(error)),
      },
    };
    const tls = { termsOf: certain(deps.termsOf), handshakes };
    this.#proxyHeaders = new ProxyHeaderCounts(wheel, observer);
    this.#proxyHeaders.masksAddresses = config.maskAddresses;
    const proxyHeaders = {
      wheel,
      counts: this.#proxyHeaders,
      places: this.#acceptor,
      timeout: () => this.#timeouts.proxyHeader,
    };
    const { inherited, sharing = 'alone' } = deps;
    const listenerDeps = {
      acceptor: this.#acceptor,
      sockets,
      tls,
      proxyHeaders,
      sharing,
      countOf: (address: string) => connections.shared.listeners.of(address),
      ...(inherited !== undefined && { inherited }),
    };
    this.#listeners = new Listeners(listen, listenerDeps, observer, shortages);
  }

  /** `at`: the addresses that other threads have bound. */
  open(permit: () => void, at: readonly Address[] = []): Promise<void> {
    return this.#listeners.open(permit, at);
  }

  async prepare(
    { config }: Pick<NextConfiguration<Config>, 'config'>,
    at?: readonly Address[],
  ): Promise<void> {
    const preparation = ++this.#preparations;
    const prepared = await this.#listeners.prepare(config.listen, at);
    // It was given up meanwhile, and nobody else knows of the listeners that are open now.
    if (preparation === this.#preparations) this.#prepared = prepared;
    else this.#listeners.discard(prepared);
  }

  /** With the addresses of `prepare` bound, those that the next snapshot has. */
  get preparedAddresses(): readonly Address[] {
    return this.#prepared?.all.map(({ address }) => address) ?? [];
  }

  discard(): void {
    this.#preparations++;
    if (this.#prepared !== null) this.#listeners.discard(this.#prepared);
    this.#prepared = null;
  }

  install(snapshot: RoutingSnapshot): void {
    this.#exchanges.pipeline = snapshot.pipeline;
    this.#acceptor.applyConfig(snapshot, snapshot.config);
    this.#timeouts = snapshot.config.timeouts;
    this.#proxyHeaders.masksAddresses = snapshot.config.maskAddresses;
    if (this.#prepared !== null) this.#listeners.install(this.#prepared);
    this.#prepared = null;
  }

  /** There is nothing to wait for: the control plane calls this engine directly. */
  settled(): Promise<void> {
    return Promise.resolve();
  }

  get addresses(): readonly Address[] {
    return this.#listeners.addresses;
  }

  get listenerFigures(): readonly ListenerFigures[] {
    return this.#listeners.figures;
  }

  get clientCount(): number {
    return this.#acceptor.count;
  }

  get mostClients(): number {
    return this.#acceptor.most;
  }

  get handshakes(): ReadonlyMap<HandshakeResult, number> {
    return this.#handshakes.byResult;
  }

  get proxyHeaders(): ReadonlyMap<string, number> {
    return this.#proxyHeaders.results;
  }

  answerChallenges(answerFor: ((path: string) => string | null) | null): void {
    this.#acceptor.answerChallenges(answerFor);
  }

  endOutdated(): void {
    this.#acceptor.endOutdated();
  }

  announceEnd(): void {
    this.#acceptor.announceEnd();
  }

  async sockets(): Promise<readonly ListeningSocket[] | null> {
    return this.#listeners.sockets;
  }

  handOver(): void {
    this.#listeners.handOver();
  }

  async drain(): Promise<void> {
    this.#acceptor.announceEnd();
    // What waits there would never be quiet here, and is not lost.
    if (this.#listeners.closeShared() > 0) await this.#awaitRequests();
    await this.#takeIn();
    this.#listeners.close();
    await new Promise<void>((resolve) => this.#acceptor.drain(resolve));
  }

  /**
   * Clients do not know that their connection ends: the first request of a new one may be on its way, and would not be sent
   * again. Each that comes now is answered, and ends its connection. When nobody waits for this program to end, connections
   * that have brought requests before are waited for too.
   */
  async #awaitRequests(): Promise<void> {
    const { wheel } = this.#connections;
    let look: () => void = () => {};
    const deadline = new Deadline(wheel, { onDeadline: () => look() });
    const isAwaited = (): boolean =>
      this.#listeners.isHandedOver ? this.#acceptor.count > 0 : this.#acceptor.hasFresh;
    for (let waited = 0; waited < LAST_REQUESTS_MS && isAwaited(); waited += LOOK_MS) {
      deadline.arm(LOOK_MS);
      await new Promise<void>((resolve) => {
        look = resolve;
      });
    }
    deadline.release();
  }

  /** Accepts and reads what the kernel already holds: connections in the accept queue, and requests on open connections. */
  async #takeIn(): Promise<void> {
    let { accepted } = this.#acceptor;
    for (let tick = 0, quiet = 0; tick < MAX_TICKS && quiet < QUIET_TICKS; tick++, quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#acceptor.accepted !== accepted) quiet = 0;
      ({ accepted } = this.#acceptor);
    }
  }

  get bufferedBytes(): number {
    return replayBytes();
  }

  collectFigures(): null {
    return null;
  }

  stop(): void {
    this.discard();
    this.#listeners.close();
    this.#acceptor.destroy();
  }
}

/** The form of an answer after which the connection is closed. */
const LAST: ResponseForm = { framing: 'length', keepAlive: false, oldClient: false };
const PLAIN_HTTP =
  'This port speaks HTTPS, and the request was sent in plain HTTP. Use https:// in the URL.\n';

/** `error`: what OpenSSL says of the client's certificate; empty: it showed none. */
function certificateText(error: string): string {
  return error === ''
    ? 'A client certificate is required.\n'
    : `The client certificate is not accepted: ${error}.\n`;
}

/** A listener that should encrypt and has no terms must not serve in clear text. */
function certain(termsOf: EngineDeps['termsOf']): EngineDeps['termsOf'] {
  return (listener) => {
    const terms = termsOf(listener);
    if (listener.tls !== null && terms === null)
      throw new Error(`no certificates were given for ${listener.address.text}, which has tls`);
    return terms;
  };
}
