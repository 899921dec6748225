import { Backend } from './backend/backend.js';
import type { ConnectionSupplies } from './backend/connection.js';
import { Group } from './backend/group.js';
import { Pool, type PoolLimits } from './backend/pool.js';
import type { Address } from './base/address.js';
import { AddressSet } from './base/address-set.js';
import { type Clock, systemClock } from './base/clock.js';
import type { Observer } from './base/observer.js';
import { Shelf } from './base/shelf.js';
import { Deadline, type DeadlineOwner, TimerWheel } from './base/timer-wheel.js';
import { ClientAcceptor } from './client/acceptor.js';
import { Responder } from './client/responder.js';
import type { Config } from './config/types.js';
import { Exchange } from './exchange/exchange.js';
import { Checker } from './health/checker.js';
import type { HeadLimits } from './http/message-parser.js';
import { RequestParser } from './http/request-parser.js';
import { ResponseParser } from './http/response-parser.js';
import type { Reading } from './net/accept.js';
import { Listener } from './net/listener.js';
import { RoundRobin } from './scheduler/round-robin.js';

/** A running balancer. */
export interface Balancer {
  /** Where it listens, after `start`: port 0 is resolved to the real one. */
  readonly addresses: readonly Address[];
  /** Client connections open now. */
  readonly clientCount: number;
  /**
   * Binds every listener. Rejects with the system's error (EADDRINUSE, EACCES, …), or when it is stopped meanwhile, and
   * then holds nothing open.
   */
  start(): Promise<void>;
  /**
   * Stops accepting, answers what is in flight with `Connection: close`, and resolves when the last connection is
   * gone or `timeouts.drain` has passed. True if nothing had to be cut.
   */
  drain(): Promise<boolean>;
  /** Cuts everything at once. Safe to call at any time, also during `drain`. */
  stop(): void;
}

/** Parsers, responders and exchanges kept for reuse: as many as requests are usually in flight at once. */
const SHELVED = 1024;
/** Another server is tried this often for one request. */
const MAX_ATTEMPTS = 3;
/** Request body kept for another try. */
const REPLAY_BYTES = 64 * 1024;
/** Below the 5 s after which Node's own servers close an idle connection: most stale reuse never happens. */
const POOL_IDLE_MS = 4000;
const POOL: PoolLimits = { maxIdle: 1024, maxConnections: 0, maxWaiting: 1000 };
/** Turns of the event loop without a new connection until all is read that came before a drain: accepted, then read. */
const QUIET_TURNS = 3;
/** As many as a backlog holds: one connection is accepted per turn. */
const MAX_TURNS = 4096;

/** Builds a balancer from a compiled configuration; `start` opens it. */
export function createBalancer(
  config: Config,
  observer: Observer = {},
  clock: Clock = systemClock,
  reading: Reading = 'buffers',
): Balancer {
  return new RunningBalancer(config, observer, clock, reading);
}

class RunningBalancer implements Balancer, DeadlineOwner {
  readonly #config: Config;
  readonly #observer: Observer;
  readonly #wheel: TimerWheel;
  readonly #backends: readonly Backend[];
  readonly #checkers: readonly Checker[];
  readonly #acceptor: ClientAcceptor;
  readonly #listeners: readonly Listener[];
  readonly #drainDeadline: Deadline;
  #stopped = false;
  #drained: Promise<boolean> | null = null;
  #endDrain: (clean: boolean) => void = () => {};

  constructor(config: Config, observer: Observer, clock: Clock, reading: Reading) {
    this.#config = config;
    this.#observer = observer;
    const wheel = new TimerWheel(clock);
    this.#wheel = wheel;
    this.#drainDeadline = new Deadline(wheel, this);
    const { timeouts, limits } = config;
    const headLimits: HeadLimits = {
      headBytes: limits.headerBytes,
      fields: limits.headers,
      targetBytes: limits.uriBytes,
    };
    const responseLimits: HeadLimits = {
      ...headLimits,
      headBytes: limits.headerBytes * 2,
      fields: limits.headers * 2,
    };
    const parsers = new Shelf(
      SHELVED,
      () => new ResponseParser(responseLimits),
      (parser) => parser.free(),
    );
    const supplies: ConnectionSupplies = {
      wheel,
      parsers,
      connectTimeout: timeouts.connect,
      idleTimeout: POOL_IDLE_MS,
    };
    this.#backends = config.servers.map(
      (server) => new Backend(server.name, new Pool(server.address, POOL, supplies)),
    );
    const check = config.healthCheck;
    const health = { clock, wheel, parsers, observer };
    this.#checkers =
      check === null ? [] : this.#backends.map((backend) => new Checker(backend, check, health));
    const group = new Group(this.#backends, new RoundRobin());
    const shelf: Shelf<Exchange> = new Shelf(SHELVED, () => new Exchange(services));
    const services = {
      clock,
      wheel,
      timeouts,
      observer,
      shelf,
      group,
      maxAttempts: MAX_ATTEMPTS,
      replayBytes: REPLAY_BYTES,
    };
    this.#acceptor = new ClientAcceptor(
      {
        wheel,
        timeouts,
        limits,
        clock,
        parsers: new Shelf(
          SHELVED,
          () => new RequestParser(headLimits),
          (parser) => parser.free(),
        ),
        responders: new Shelf(SHELVED, () => new Responder()),
        handlers: shelf,
      },
      new AddressSet(config.trustedProxies),
    );
    this.#listeners = config.listen.map((address) => new Listener(address, this.#acceptor, reading));
  }

  get addresses(): readonly Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get clientCount(): number {
    return this.#acceptor.count;
  }

  async start(): Promise<void> {
    try {
      for (const listener of this.#listeners) {
        if (this.#stopped) throw new Error('stopped before it had started');
        await listener.open();
        this.#observer.listening?.(listener.address);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    // Staggered over a second at most, so that a dead server is known soon.
    const step = Math.min(this.#config.healthCheck?.interval ?? 0, 1000) / Math.max(1, this.#checkers.length);
    for (const [index, checker] of this.#checkers.entries()) checker.start(index * step);
  }

  drain(): Promise<boolean> {
    this.#drained ??= this.#stopped ? Promise.resolve(this.clientCount === 0) : this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<boolean> {
    this.#drainDeadline.arm(this.#config.timeouts.drain);
    const drained = new Promise<boolean>((resolve) => {
      this.#endDrain = resolve;
    });
    this.#acceptor.announceEnd();
    await this.#takeIn();
    for (const listener of this.#listeners) listener.close();
    this.#acceptor.drain(() => this.#endDrain(true));
    const clean = await drained;
    this.stop();
    return clean;
  }

  /** What the kernel holds for us came before the drain: connections in its backlog, requests on those that are open. */
  async #takeIn(): Promise<void> {
    let accepted = this.#acceptor.accepted;
    for (let turn = 0, quiet = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++, quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#acceptor.accepted !== accepted) quiet = 0;
      accepted = this.#acceptor.accepted;
    }
  }

  /** `timeouts.drain` has passed. */
  onDeadline(): void {
    this.#endDrain(false);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const listener of this.#listeners) listener.close();
    for (const checker of this.#checkers) checker.stop();
    this.#acceptor.destroy();
    for (const backend of this.#backends) backend.pool.close();
    this.#wheel.close();
    this.#endDrain(false);
  }
}
