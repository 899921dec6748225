import type { Address } from '../../base/address.js';
import type { ObjectPool } from '../../base/collections.js';
import type { Failure } from '../../base/failure.js';
import type { Observer } from '../../base/observer.js';
import { type Clock, Deadline, type DeadlineOwner, spread, type TimerWheel } from '../../base/timer-wheel.js';
import type { HealthCheckConfig } from '../../config/types.js';
import type { ResponseParser } from '../../http/response-parser.js';
import type { Endpoint } from '../../net/dial.js';
import type { HostTable } from '../../net/host-addresses.js';
import type { ServerTls } from '../../net/server-tls.js';
import type { ShortageAlarm } from '../../net/shortage.js';
import type { Sockets } from '../../net/transport.js';
import type { EngineServer, ServerWatcher } from '../../servers/engine-contract.js';
import { type CheckRequest, checkRequestOf } from './check-request.js';
import type { CheckSlots, SlotListener } from './check-slots.js';
import { errorText } from './error-text.js';
import { HealthRecord } from './health-record.js';
import { HttpProbe } from './http-probe.js';
import { type Probe, type ProbeListener, TcpProbe } from './probe.js';
import { RiseFallCounter } from './rise-fall-counter.js';

/** What everything that judges the health of servers shares. */
export interface HealthDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly parsers: ObjectPool<ResponseParser>;
  readonly observer: Observer;
  readonly resolver: HostTable;
  readonly shortages: ShortageAlarm;
  readonly sockets: Sockets;
  readonly slots: CheckSlots;
}

/** The shortest time in ms between two checks of a server that has come and not passed one yet. */
const FIRST_PAUSE_MS = 50;
/** Later pauses are this share of the time since it came: a server that has started is found at most this much later. */
const PAUSE_OF_AGE = 1 / 20;

/**
 * Checks one server repeatedly, one check at a time, and tells the server its state. Live requests that can't connect
 * count as failed checks, and bring the next check forward.
 */
export class Checker implements ProbeListener, SlotListener, DeadlineOwner, ServerWatcher {
  readonly #server: EngineServer;
  readonly #record: HealthRecord;
  readonly #services: HealthDeps;
  readonly #tally: RiseFallCounter;
  readonly #deadline: Deadline;
  #check: HealthCheckConfig;
  #question: CheckRequest;
  #probe: Probe | null = null;
  /** A check is due, but too many others are running. */
  #waits = false;
  /** A check was due, but the server is in maintenance, and is not disturbed. */
  #isPaused = false;
  #startedAt = 0;
  /** For checks at an address other than the server's, and what it was made from. */
  #tls: ServerTls | null = null;
  #tlsFrom: ServerTls | null = null;
  #downSince: number;

  readonly #cameAt: number;

  /** `initial`: the state that is assumed until checks have decided. `isNew`: it comes while requests are served. */
  constructor(
    server: EngineServer,
    check: HealthCheckConfig,
    initial: HealthCheckConfig['initial'],
    services: HealthDeps,
    record = new HealthRecord(services.wheel),
    isNew = false,
  ) {
    this.#record = record;
    this.#server = server;
    this.#check = check;
    this.#question = checkRequestOf(check, server.address);
    this.#services = services;
    this.#tally = new RiseFallCounter(check, initial, isNew);
    this.#deadline = new Deadline(services.wheel, this);
    record.nextCheck = this.#deadline;
    this.#cameAt = services.clock.now();
    this.#downSince = this.#cameAt;
    server.judge(this.#tally.isUp);
    server.watch(this);
  }

  /** Begins or continues checks in `delay` ms. */
  start(delay: number): void {
    this.#deadline.arm(Math.max(1, delay));
  }

  /** Uses other check settings; results so far are kept. `start` must follow. */
  applyConfig(check: HealthCheckConfig): void {
    this.#dropProbe();
    this.#deadline.disarm();
    this.#check = check;
    this.#question = checkRequestOf(check, this.#server.address);
    this.#tlsFrom = null;
    this.#isPaused = false;
    this.#tally.applyThresholds(check);
  }

  /** Ends the checks; the state of the server stays. */
  stop(): void {
    this.#deadline.release();
    this.#dropProbe();
    this.#server.unwatch(this);
  }

  /** Ends the checks and treats the server as up. */
  dismiss(): void {
    this.stop();
    if (this.#tally.isUp) return;
    const { clock, observer } = this.#services;
    this.#record.history.note(clock.wall(), 'up', 'not checked any more');
    this.#server.judge(true);
    observer.event?.({ what: 'up', server: this.#server.name, downMs: clock.now() - this.#downSince });
  }

  #dropProbe(): void {
    if (this.#waits) this.#services.slots.cancel(this);
    this.#waits = false;
    if (this.#probe === null) return;
    this.#probe.cancel();
    this.#releaseSlot();
  }

  /** The check is over, with any result. */
  #releaseSlot(): void {
    this.#probe = null;
    this.#services.slots.leave();
  }

  /** The server's own addresses, which are resolved anyway, or those of the configured target. */
  get #endpoint(): Endpoint {
    const { address } = this.#question;
    const { pool } = this.#server;
    if (address === pool.address) return pool;
    const { resolver, sockets } = this.#services;
    const host = resolver.hostOf(address);
    // Another program listens at the target, such as one that only answers checks: it expects no PROXY header.
    return { address, host, sockets, sendProxy: null, tls: this.#tlsAt(address, pool.tls) };
  }

  /** One for all checks, so that each check resumes the previous TLS session. */
  #tlsAt(address: Address, ofServer: ServerTls | null): ServerTls | null {
    if (this.#tlsFrom !== ofServer) {
      this.#tlsFrom = ofServer;
      this.#tls = ofServer?.at(address.kind === 'tcp' ? (address.name ?? address.host) : '') ?? null;
    }
    return this.#tls;
  }

  onDeadline(): void {
    if (this.#server.availability === 'maintenance') this.#isPaused = true;
    else if (this.#services.slots.enter(this)) this.#ask();
    else this.#waits = true;
  }

  onServerChange({ availability }: EngineServer): void {
    if (!this.#isPaused || availability === 'maintenance') return;
    this.#isPaused = false;
    this.start(0);
  }

  onSlot(): void {
    this.#waits = false;
    this.#ask();
  }

  #ask(): void {
    this.#startedAt = this.#services.clock.now();
    const { wheel, parsers } = this.#services;
    const { timeout, type } = this.#check;
    this.#probe =
      type === 'tcp'
        ? new TcpProbe(this.#endpoint, timeout, wheel, this)
        : new HttpProbe(this.#check, this.#question, this.#endpoint, wheel, parsers, this);
  }

  onResult(ok: boolean, result: string): void {
    this.#releaseSlot();
    const { clock, observer } = this.#services;
    const durationMs = clock.now() - this.#startedAt;
    if (ok) this.#record.notePassed();
    this.#record.history.noteCheck({ ok, result, at: clock.wall(), durationMs });
    observer.event?.({ what: 'checked', server: this.#server.name, ok, result, durationMs });
    this.#count(ok, result);
    this.#deadline.arm(this.#interval());
  }

  /** The check could not be made, which says nothing about the server. */
  onUnable(code: string): void {
    this.#releaseSlot();
    this.#services.shortages.note(code, `${this.#server.name} could not be checked`);
    this.#deadline.arm(this.#interval());
  }

  onConnectFailed(_server: EngineServer, failure: Failure, detail: string): void {
    if (!this.#tally.isUp) return;
    const result = failure.reason === 'connect_timeout' ? 'timed out' : errorText(detail);
    this.#record.history.note(this.#services.clock.wall(), 'connect_failed', result);
    this.#count(false, result);
    if (this.#probe === null && !this.#waits) this.#hurry();
  }

  /** Brings the next check forward; never delays one, however often requests fail. */
  #hurry(): void {
    const ms = this.#interval();
    if (this.#services.wheel.now + ms < this.#deadline.at) this.#deadline.arm(ms);
  }

  #count(ok: boolean, result: string): void {
    if (!this.#tally.note(ok)) return;
    const { clock, observer } = this.#services;
    this.#record.history.note(clock.wall(), ok ? 'up' : 'down', result);
    this.#server.judge(ok);
    const now = clock.now();
    if (ok) {
      observer.event?.({ what: 'up', server: this.#server.name, downMs: now - this.#downSince });
      return;
    }
    this.#downSince = now;
    observer.event?.({ what: 'down', server: this.#server.name, reason: result });
    // Last: requests that are cut are retried, and must not be sent here again.
    if (this.#check.onDown === 'cut') this.#server.cut();
  }

  /** ms until the next check. */
  #interval(): number {
    const { interval, fastInterval, downInterval, jitter } = this.#check;
    const steady = this.#tally.isUp ? interval : (downInterval ?? interval);
    if (this.#tally.isNew) {
      const age = this.#services.clock.now() - this.#cameAt;
      return spread(Math.min(steady, Math.max(FIRST_PAUSE_MS, age * PAUSE_OF_AGE)), jitter);
    }
    return spread(this.#tally.isUndecided ? Math.min(steady, fastInterval) : steady, jitter);
  }
}
