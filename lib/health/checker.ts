import type { Backend, BackendWatcher } from '../backend/backend.js';
import type { Clock } from '../base/clock.js';
import type { Failure } from '../base/failure.js';
import type { Observer } from '../base/observer.js';
import type { Shelf } from '../base/shelf.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HealthCheckConfig } from '../config/types.js';
import type { ResponseParser } from '../http/response-parser.js';
import { Probe, type ProbeListener, spokenError } from './probe.js';
import { Tally } from './tally.js';

/** What all checkers share. */
export interface HealthServices {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly parsers: Shelf<ResponseParser>;
  readonly observer: Observer;
}

/** Between checks while a verdict is in the balance, ms: a change is decided soon. */
const WAVERING_INTERVAL = 1000;
/** Checks of many servers are spread, so that they neither start nor stay in step. */
const JITTER = 0.1;

/**
 * Checks one server for ever, one check at a time, and tells the server the verdict. Live requests that can't connect
 * count as failed checks, and bring the next one forward.
 */
export class Checker implements ProbeListener, DeadlineOwner, BackendWatcher {
  readonly #backend: Backend;
  readonly #check: HealthCheckConfig;
  readonly #services: HealthServices;
  readonly #tally: Tally;
  readonly #deadline: Deadline;
  #probe: Probe | null = null;
  #startedAt = 0;
  #downSince = 0;

  constructor(backend: Backend, check: HealthCheckConfig, services: HealthServices) {
    this.#backend = backend;
    this.#check = check;
    this.#services = services;
    this.#tally = new Tally(check.rise, check.fall);
    this.#deadline = new Deadline(services.wheel, this);
    backend.watch(this);
  }

  /** Begins in `delay` ms. */
  start(delay: number): void {
    this.#deadline.arm(Math.max(1, delay));
  }

  stop(): void {
    this.#deadline.release();
    this.#probe?.cancel();
    this.#probe = null;
  }

  onDeadline(): void {
    this.#startedAt = this.#services.clock.now();
    const { wheel, parsers } = this.#services;
    this.#probe = new Probe(this.#backend.pool, this.#check, wheel, parsers, this);
  }

  onResult(ok: boolean, result: string): void {
    this.#probe = null;
    const durationMs = this.#services.clock.now() - this.#startedAt;
    this.#services.observer.checked?.({ server: this.#backend.name, ok, result, durationMs });
    this.#note(ok, result);
    this.#deadline.arm(this.#interval());
  }

  onConnectFailed(_backend: Backend, failure: Failure, detail: string): void {
    if (!this.#tally.isUp) return;
    this.#note(false, failure.reason === 'connect_timeout' ? 'timed out' : spokenError(detail));
    if (this.#probe === null) this.#hurry();
  }

  /** Brings the next check forward; it never puts one off, however often requests fail. */
  #hurry(): void {
    const ms = this.#interval();
    if (this.#services.wheel.now + ms < this.#deadline.at) this.#deadline.arm(ms);
  }

  #note(ok: boolean, result: string): void {
    if (!this.#tally.note(ok)) return;
    this.#backend.judge(ok);
    const now = this.#services.clock.now();
    if (ok) {
      this.#services.observer.serverUp?.(this.#backend.name, now - this.#downSince);
    } else {
      this.#downSince = now;
      this.#services.observer.serverDown?.(this.#backend.name, result);
    }
  }

  #interval(): number {
    const { interval } = this.#check;
    const base = this.#tally.isWavering ? Math.min(interval, WAVERING_INTERVAL) : interval;
    return base * (1 - JITTER + 2 * JITTER * Math.random());
  }
}
