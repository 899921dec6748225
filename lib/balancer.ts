import { Backends } from './backends.js';
import type { Address } from './base/address.js';
import { type Clock, systemClock } from './base/clock.js';
import type { Availability, Observer } from './base/observer.js';
import { Shelf } from './base/shelf.js';
import { Deadline, type DeadlineOwner, TimerWheel } from './base/timer-wheel.js';
import { announce, describeChange } from './census.js';
import { ClientAcceptor } from './client/acceptor.js';
import { Responder } from './client/responder.js';
import type { Config, LimitsConfig } from './config/types.js';
import { Exchange } from './exchange/exchange.js';
import type { ExchangeServices } from './exchange/services.js';
import { Generation } from './generation.js';
import type { HeadLimits } from './http/message-parser.js';
import { RequestParser } from './http/request-parser.js';
import { ResponseParser } from './http/response-parser.js';
import type { Reading } from './net/accept.js';
import { Listener } from './net/listener.js';
import { Resolver } from './net/resolver.js';
import { Roster } from './roster.js';
import { takeStatus } from './snapshot.js';
import { type NewServer, OperationError, type Operations } from './status/operations.js';
import type { BalancerState, BalancerStatus, StatusEvent } from './status/status.js';
import { Telemetry } from './telemetry.js';

/**
 * A running balancer. What the `Operations` change holds over a reload, until the file says the same; `status` lists
 * what differs from it.
 */
export interface Balancer extends Operations {
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
   * Follows another configuration from the next request on: requests in flight end under the old one, servers that both
   * have keep their sockets, health and tunnels, listeners that both have stay open. Rejects with the system's error
   * when a new listener can't be bound, and with an Error while it drains or after it stopped; then nothing has changed.
   */
  reload(config: Config): Promise<void>;
  /**
   * Stops accepting, answers what is in flight with `Connection: close`, and resolves when the last connection is
   * gone or `timeouts.drain` has passed. True if nothing had to be cut.
   */
  drain(): Promise<boolean>;
  /** Cuts everything at once. Safe to call at any time, also during `drain`. */
  stop(): void;
  /** What it is doing now. */
  status(): BalancerStatus;
  /** Of the last 200 events those behind number `since`, oldest first. */
  events(since?: number): readonly StatusEvent[];
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void;
  /** For whoever read a file that could not be taken over: tells the observers why, in one line. */
  refuseReload(detail: string): void;
}

export interface BalancerOptions {
  readonly clock?: Clock;
  readonly reading?: Reading;
  /** The settings file, for the status. */
  readonly configPath?: string | null;
}

/** Parsers, responders and exchanges kept for reuse: as many as requests are usually in flight at once. */
const SHELVED = 1024;
/** Turns of the event loop without a new connection until all is read that came before a drain: accepted, then read. */
const QUIET_TURNS = 3;
/** As many as a backlog holds: one connection is accepted per turn. */
const MAX_TURNS = 4096;

/** Builds a balancer from a compiled configuration; `start` opens it. */
export function createBalancer(
  config: Config,
  observer: Observer = {},
  options: BalancerOptions = {},
): Balancer {
  return new RunningBalancer(config, observer, options);
}

class RunningBalancer implements Balancer, DeadlineOwner {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #wheel: TimerWheel;
  readonly #reading: Reading;
  readonly #resolver: Resolver;
  readonly #roster: Roster;
  readonly #backends: Backends;
  readonly #telemetry: Telemetry;
  readonly #configPath: string | null;
  readonly #startedAt: number;
  readonly #services: ExchangeServices;
  readonly #acceptor: ClientAcceptor;
  readonly #drainDeadline: Deadline;
  #generation: Generation;
  #listeners: readonly Listener[];
  #loadedAt: number;
  #started = false;
  #stopped = false;
  #drained: Promise<boolean> | null = null;
  #endDrain: (clean: boolean) => void = () => {};

  constructor(config: Config, outer: Observer, options: BalancerOptions) {
    const { clock = systemClock, reading = 'buffers', configPath = null } = options;
    this.#clock = clock;
    this.#reading = reading;
    this.#configPath = configPath;
    this.#startedAt = clock.wall();
    this.#loadedAt = this.#startedAt;
    this.#telemetry = new Telemetry(clock, outer, () => this.#backends.onSettled());
    const { observer } = this.#telemetry;
    this.#observer = observer;
    const wheel = new TimerWheel(clock);
    this.#wheel = wheel;
    this.#drainDeadline = new Deadline(wheel, this);
    const { timeouts, limits } = config;
    const parsers = responseParsers(limits);
    this.#resolver = new Resolver(config.dns, wheel, observer);
    const supplies = { wheel, parsers, observer, resolver: this.#resolver };
    this.#roster = new Roster(config);
    this.#backends = new Backends(supplies, { clock, wheel, parsers, observer }, this.#roster);
    this.#backends.follow(config.groups);
    this.#generation = this.#generate(config, null);
    const { pipeline } = this.#generation;
    const shelf: Shelf<Exchange> = new Shelf(SHELVED, () => new Exchange(this.#services));
    this.#services = { clock, wheel, timeouts, observer, shelf, pipeline };
    const responders = new Shelf(SHELVED, () => new Responder());
    const client = {
      wheel,
      timeouts,
      limits,
      clock,
      parsers: requestParsers(limits),
      responders,
      handlers: shelf,
    };
    this.#acceptor = new ClientAcceptor(client, this.#generation);
    this.#listeners = config.listen.map((address) => this.#listener(address));
  }

  #generate(config: Config, before: Generation | null): Generation {
    return new Generation(config, this.#clock, (group) => this.#backends.of(group), before);
  }

  #listener(address: Address): Listener {
    return new Listener(address, this.#acceptor, this.#reading);
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
    this.#backends.start();
    this.#started = true;
  }

  async reload(config: Config): Promise<void> {
    this.#refuseIfEnding();
    const kept = this.#listeners.filter((listener) =>
      config.listen.some(({ text }) => text === listener.wanted.text),
    );
    const fresh = config.listen
      .filter(({ text }) => !kept.some((listener) => listener.wanted.text === text))
      .map((address) => this.#listener(address));
    try {
      for (const listener of fresh) await listener.open();
      // It may have been told to end in the meantime, and would not know of these.
      this.#refuseIfEnding();
    } catch (error) {
      for (const listener of fresh) listener.close();
      throw error;
    }
    for (const listener of this.#listeners) if (!kept.includes(listener)) listener.close();
    this.#listeners = [...kept, ...fresh];
    for (const listener of fresh) this.#observer.listening?.(listener.address);
    this.#follow(config);
  }

  #refuseIfEnding(): void {
    if (this.#stopped || this.#drained !== null)
      throw new OperationError('ending', 'a balancer that is ending takes no other configuration');
  }

  /** Between two requests: nothing here can fail or wait. */
  #follow(config: Config): void {
    const { limits } = this.#generation.config;
    const before = this.#roster.census();
    const dropped = this.#roster.follow(config);
    this.#loadedAt = this.#clock.wall();
    this.#resolver.follow(config.dns);
    this.#swap(config);
    const after = this.#roster.census();
    announce(before, after, this.#observer);
    this.#backends.onSettled();
    for (const line of dropped) this.#observer.warning?.(line);
    const { headerBytes, headers, uriBytes } = config.limits;
    if (headerBytes !== limits.headerBytes || headers !== limits.headers || uriBytes !== limits.uriBytes)
      this.#observer.warning?.('limits.header_bytes, headers and uri_bytes take effect at the next start');
    this.#observer.reloaded?.(true, describeChange(before, after));
  }

  /** The next request goes by this configuration and the roster as it is now. */
  #swap(config: Config): void {
    const old = this.#generation;
    this.#backends.follow(config.groups);
    this.#generation = this.#generate(config, old);
    old.release();
    this.#services.pipeline = this.#generation.pipeline;
    this.#acceptor.follow(this.#generation, config);
    if (this.#started) this.#backends.start();
    this.#telemetry.journal.keep(this.#roster.census());
  }

  /** Lets the roster be changed, and what follows from it happen. */
  #change(act: () => void, follow: () => void): void {
    this.#refuseIfEnding();
    const before = this.#roster.census();
    act();
    follow();
    announce(before, this.#roster.census(), this.#observer);
    this.#backends.onSettled();
  }

  setAvailability(name: string, to: Availability): void {
    this.#change(
      () => this.#roster.setAvailability(name, to),
      () => this.#backends.instruct(),
    );
  }

  setWeight(name: string, weight: number): void {
    this.#change(
      () => this.#roster.setWeight(name, weight),
      () => this.#backends.instruct(),
    );
  }

  addServer(route: string, server: NewServer): void {
    this.#change(
      () => this.#roster.add(route, server),
      () => this.#swap(this.#generation.config),
    );
  }

  removeServer(name: string): void {
    this.#change(
      () => this.#roster.remove(name),
      () => this.#swap(this.#generation.config),
    );
  }

  status(): BalancerStatus {
    return takeStatus({
      generation: this.#generation,
      backends: this.#backends,
      roster: this.#roster,
      telemetry: this.#telemetry,
      clock: this.#clock,
      state: this.#state,
      startedAt: this.#startedAt,
      listen: this.addresses.map(({ text }) => text),
      clients: this.clientCount,
      configPath: this.#configPath,
      loadedAt: this.#loadedAt,
    });
  }

  get #state(): BalancerState {
    if (this.#stopped) return 'stopped';
    if (this.#drained !== null) return 'draining';
    return this.#started ? 'running' : 'starting';
  }

  refuseReload(detail: string): void {
    this.#observer.reloaded?.(false, detail);
  }

  events(since = 0): readonly StatusEvent[] {
    return this.#telemetry.journal.eventsSince(since);
  }

  subscribe(listener: (event: StatusEvent) => void): () => void {
    return this.#telemetry.journal.subscribe(listener);
  }

  drain(): Promise<boolean> {
    this.#drained ??= this.#stopped ? Promise.resolve(this.clientCount === 0) : this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<boolean> {
    this.#drainDeadline.arm(this.#generation.config.timeouts.drain);
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
    this.#acceptor.destroy();
    this.#backends.stop();
    this.#resolver.close();
    this.#wheel.close();
    this.#endDrain(false);
  }
}

function requestParsers(limits: LimitsConfig): Shelf<RequestParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes, fields: headers, targetBytes: uriBytes };
  return new Shelf(
    SHELVED,
    () => new RequestParser(accepted),
    (parser) => parser.free(),
  );
}

/** Servers may send heads twice as long as clients. */
function responseParsers(limits: LimitsConfig): Shelf<ResponseParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes * 2, fields: headers * 2, targetBytes: uriBytes };
  return new Shelf(
    SHELVED,
    () => new ResponseParser(accepted),
    (parser) => parser.free(),
  );
}
