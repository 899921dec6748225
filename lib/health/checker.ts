import type { Backend, BackendWatcher } from '../backend/backend.js';
import type { Clock } from '../base/clock.js';
import type { Failure } from '../base/failure.js';
import type { Observer } from '../base/observer.js';
import type { Shelf } from '../base/shelf.js';
import { spread } from '../base/spread.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HealthCheckConfig } from '../config/types.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Endpoint } from '../net/dial.js';
import type { Resolver } from '../net/resolver.js';
import type { ShortageAlarm } from '../net/shortage.js';
import type { Sockets } from '../net/sockets.js';
import type { CheckSlots, SlotWaiter } from './check-slots.js';
import { HttpProbe } from './http-probe.js';
import type { Probe, ProbeListener } from './probe.js';
import { type Question, questionOf } from './question.js';
import { spokenError } from './spoken.js';
import { Tally } from './tally.js';
import { TcpProbe } from './tcp-probe.js';

/** What all that judges servers shares. */
export interface HealthServices {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly parsers: Shelf<ResponseParser>;
  readonly observer: Observer;
  readonly resolver: Resolver;
  readonly shortages: ShortageAlarm;
  readonly sockets: Sockets;
  readonly slots: CheckSlots;
}

/**
 * Checks one server for ever, one check at a time, and tells the server the verdict. Live requests that can't connect
 * count as failed checks, and bring the next one forward.
 */
export class Checker implements ProbeListener, SlotWaiter, DeadlineOwner, BackendWatcher {
  readonly #backend: Backend;
  readonly #services: HealthServices;
  readonly #tally: Tally;
  readonly #deadline: Deadline;
  #check: HealthCheckConfig;
  #question: Question;
  #probe: Probe | null = null;
  /** Its time has come, but too many others are under way. */
  #waits = false;
  #startedAt = 0;
  #downSince: number;

  /** `initial`: what is believed of the server until it is known better. */
  constructor(
    backend: Backend,
    check: HealthCheckConfig,
    initial: HealthCheckConfig['initial'],
    services: HealthServices,
  ) {
    this.#backend = backend;
    this.#check = check;
    this.#question = questionOf(check, backend.address);
    this.#services = services;
    this.#tally = new Tally(check, initial);
    this.#deadline = new Deadline(services.wheel, this);
    this.#downSince = services.clock.now();
    backend.judge(this.#tally.isUp);
    backend.watch(this);
  }

  /** Begins, or goes on, in `delay` ms. */
  start(delay: number): void {
    this.#deadline.arm(Math.max(1, delay));
  }

  /** Asks something else, or at other times; what was found so far stands. To be started again. */
  follow(check: HealthCheckConfig): void {
    this.#dropProbe();
    this.#deadline.disarm();
    this.#check = check;
    this.#question = questionOf(check, this.#backend.address);
    this.#tally.follow(check);
  }

  /** Nobody asks any more; the verdict stays as it is. */
  stop(): void {
    this.#deadline.release();
    this.#dropProbe();
    this.#backend.unwatch(this);
  }

  /** It is checked no longer, and so believed to be up. */
  dismiss(): void {
    this.stop();
    if (this.#tally.isUp) return;
    const { clock, observer } = this.#services;
    this.#backend.history.note(clock.wall(), 'up', 'not checked any more');
    this.#backend.judge(true);
    observer.serverUp?.(this.#backend.name, clock.now() - this.#downSince);
  }

  #dropProbe(): void {
    if (this.#waits) this.#services.slots.cancel(this);
    this.#waits = false;
    if (this.#probe === null) return;
    this.#probe.cancel();
    this.#letOthersAsk();
  }

  /** The check is over, however it went. */
  #letOthersAsk(): void {
    this.#probe = null;
    this.#services.slots.leave();
  }

  /** The server's own addresses, which are asked for anyway, or those of another place. */
  get #endpoint(): Endpoint {
    const { address } = this.#question;
    const { pool } = this.#backend;
    if (address === pool.address) return pool;
    const { resolver, sockets } = this.#services;
    return { address, host: resolver.hostOf(address), sockets };
  }

  onDeadline(): void {
    if (this.#services.slots.enter(this)) this.#ask();
    else this.#waits = true;
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
    this.#letOthersAsk();
    const { clock, observer } = this.#services;
    const durationMs = clock.now() - this.#startedAt;
    if (ok) this.#backend.notePassed();
    this.#backend.history.noteCheck({ ok, result, at: clock.wall(), durationMs });
    observer.checked?.({ server: this.#backend.name, ok, result, durationMs });
    this.#count(ok, result);
    this.#deadline.arm(this.#interval());
  }

  /** It could not be asked, which says nothing of it. */
  onUnable(code: string): void {
    this.#letOthersAsk();
    this.#services.shortages.note(code, `${this.#backend.name} could not be checked`);
    this.#deadline.arm(this.#interval());
  }

  onConnectFailed(_backend: Backend, failure: Failure, detail: string): void {
    if (!this.#tally.isUp) return;
    const result = failure.reason === 'connect_timeout' ? 'timed out' : spokenError(detail);
    this.#backend.history.note(this.#services.clock.wall(), 'connect_failed', result);
    this.#count(false, result);
    if (this.#probe === null && !this.#waits) this.#hurry();
  }

  /** Brings the next check forward; it never puts one off, however often requests fail. */
  #hurry(): void {
    const ms = this.#interval();
    if (this.#services.wheel.now + ms < this.#deadline.at) this.#deadline.arm(ms);
  }

  #count(ok: boolean, result: string): void {
    if (!this.#tally.note(ok)) return;
    const { clock, observer } = this.#services;
    this.#backend.history.note(clock.wall(), ok ? 'up' : 'down', result);
    this.#backend.judge(ok);
    const now = clock.now();
    if (ok) {
      observer.serverUp?.(this.#backend.name, now - this.#downSince);
      return;
    }
    this.#downSince = now;
    observer.serverDown?.(this.#backend.name, result);
    // Only now: what is cut is tried again, and must not come back here.
    if (this.#check.onDown === 'cut') this.#backend.pool.cut();
  }

  /** ms to the next check. */
  #interval(): number {
    const { interval, fastInterval, downInterval, jitter } = this.#check;
    const steady = this.#tally.isUp ? interval : (downInterval ?? interval);
    return spread(this.#tally.isWavering ? Math.min(steady, fastInterval) : steady, jitter);
  }
}
