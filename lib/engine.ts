import type { Address } from './base/address.js';
import { ObjectPool } from './base/collections.js';
import type { Observer } from './base/observer.js';
import type { Clock, TimerWheel } from './base/timer-wheel.js';
import { ClientAcceptor, clientRequests, POOLED_OBJECTS, responseParsers } from './client/acceptor.js';
import type { Config } from './config/types.js';
import { Exchange, type ExchangeDeps } from './exchange/exchange.js';
import { Listeners } from './net/listeners.js';
import { Resolver } from './net/resolver.js';
import { ShortageAlarm } from './net/shortage.js';
import type { SocketChoice } from './net/socket-choice.js';
import type { RoutingSnapshot } from './routing/routing-snapshot.js';
import type { ConnectionDeps } from './servers/contracts.js';
import type { Engine } from './servers/engine-contract.js';

/** What an engine is given by the control plane. */
export interface EngineDeps {
  readonly clock: Clock;
  readonly connections: ConnectionDeps;
  readonly sockets: SocketChoice;
  /** Why the balancer should get no requests, in a word; empty when it may. */
  readonly whyNotReady: () => string;
}

/** What the pools of an engine need, whose servers are made before there is a snapshot. */
export function connectionDeps(
  { limits, dns }: Config,
  wheel: TimerWheel,
  observer: Observer,
  sockets: SocketChoice,
): ConnectionDeps {
  return {
    wheel,
    observer,
    sockets,
    parsers: responseParsers(limits),
    resolver: new Resolver(dns, wheel, observer),
    shortages: new ShortageAlarm(wheel, observer),
  };
}

/**
 * The data plane: listeners, clients' connections, exchanges, and through the snapshot the routes, groups and pools. It
 * takes what `servers/engine-contract.ts` has, and knows no settings file, check or operator.
 */
export class LocalEngine implements Engine<RoutingSnapshot> {
  readonly acceptor: ClientAcceptor;
  readonly listeners: Listeners;
  readonly #exchanges: ExchangeDeps;
  readonly #connections: ConnectionDeps;

  constructor(snapshot: RoutingSnapshot, { clock, connections, sockets, whyNotReady }: EngineDeps) {
    const { config, pipeline } = snapshot;
    const { wheel, observer, shortages } = connections;
    const { limits, timeouts, listen } = config;
    this.#connections = connections;
    const objectPool: ObjectPool<Exchange> = new ObjectPool(
      POOLED_OBJECTS,
      () => new Exchange(this.#exchanges),
    );
    this.#exchanges = { clock, wheel, timeouts, observer, objectPool, pipeline };
    const requests = clientRequests(limits, clock);
    const client = { wheel, requests, handlers: objectPool, whyNotReady };
    this.acceptor = new ClientAcceptor(client, snapshot, config, shortages);
    this.listeners = new Listeners(listen, this.acceptor, sockets, observer, shortages);
  }

  install(snapshot: RoutingSnapshot): void {
    this.#exchanges.pipeline = snapshot.pipeline;
    this.acceptor.applyConfig(snapshot, snapshot.config);
    this.#connections.resolver.applyOptions(snapshot.config.dns);
  }

  get addresses(): readonly Address[] {
    return this.listeners.addresses;
  }

  /** Cuts every connection of a client, and accepts no more. */
  stop(): void {
    this.listeners.close();
    this.acceptor.destroy();
    this.#connections.resolver.close();
  }
}
