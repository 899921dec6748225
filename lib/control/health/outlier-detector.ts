import { Deadline, type DeadlineOwner } from '../../base/timer-wheel.js';
import { formatDuration } from '../../base/units.js';
import { statusIn } from '../../config/statuses.js';
import type { PassiveHealthConfig } from '../../config/types.js';
import type { AttemptOutcome, OutcomeKind } from '../../servers/contracts.js';
import type { EngineServer, ServerWatcher } from '../../servers/engine-contract.js';
import type { HealthDeps } from './checker.js';
import { HealthRecord } from './health-record.js';

/** in: gets requests like any other. ejected: gets none. trial: gets one at a time; the first failure ejects it again. */
type State = 'in' | 'ejected' | 'trial';

/** Failures in words. */
const WORDS: { readonly [kind in Exclude<OutcomeKind, 'ok' | 'error_status'>]: string } = {
  bad_response: 'bad response',
  connect: 'no connection',
  reset: 'cut',
  timeout: 'no answer in time',
};

/**
 * Watches the live requests of one server, and ejects it for a while when too many fail: too many in a row, or too large
 * a share. Failures (no answer) and errors (an error status) are counted separately. Requests that a client breaks off
 * are not reported here.
 */
export class OutlierDetector implements ServerWatcher, DeadlineOwner {
  readonly #server: EngineServer;
  readonly #record: HealthRecord;
  readonly #services: HealthDeps;
  readonly #deadline: Deadline;
  readonly #time = new EjectionTime();
  #config: PassiveHealthConfig;
  #window: OutcomeWindow;
  /** The lowest status that counts as an error: nearly every answer has a lower one. */
  #leastError: number;
  #state: State = 'in';
  /** Failures in a row. */
  #failures = 0;
  #errors = 0;
  /** Successful requests of the trial. */
  #passed = 0;
  /** Has it been recorded already that the server should be ejected and can't be? */
  #spared = false;
  #sparedEventAt = Number.NEGATIVE_INFINITY;
  #wasUp: boolean;
  /** When the server was last let in; requests begun earlier do not show its present state. */
  #letInAt = Number.NEGATIVE_INFINITY;

  constructor(
    server: EngineServer,
    config: PassiveHealthConfig,
    services: HealthDeps,
    record = new HealthRecord(services.wheel),
  ) {
    this.#record = record;
    this.#server = server;
    this.#config = config;
    this.#services = services;
    this.#window = new OutcomeWindow(config.window);
    this.#leastError = leastOf(config.errorStatus);
    this.#deadline = new Deadline(services.wheel, this);
    record.ejection = this.#deadline;
    this.#wasUp = server.isUp;
    server.watch(this);
  }

  /** Uses other settings from now on; a current ejection keeps its duration. */
  applyConfig(config: PassiveHealthConfig): void {
    if (config.window !== this.#config.window) this.#window = new OutcomeWindow(config.window);
    this.#config = config;
    this.#leastError = leastOf(config.errorStatus);
  }

  /** Ends the watching and any ejection. */
  stop(): void {
    this.#deadline.release();
    this.#server.unwatch(this);
    this.#server.beginHalfOpen(false);
    this.#server.eject(false);
  }

  onOutcome(_server: EngineServer, outcome: AttemptOutcome): void {
    if (this.#state === 'ejected' || !this.#server.isUp) return;
    const { kind } = outcome;
    // Only a server that was ejected before needs this: no clock is read for the others.
    if (this.#letInAt !== Number.NEGATIVE_INFINITY && this.#isOld(outcome)) return;
    if (kind === 'timeout' && this.#isExcused(outcome)) return;
    const isBad = kind === 'bad_response';
    const answered = kind === 'ok' || kind === 'error_status' || isBad;
    const bad =
      isBad ||
      !answered ||
      (outcome.status >= this.#leastError && statusIn(this.#config.errorStatus, outcome.status));
    this.#failures = answered ? 0 : this.#failures + 1;
    if (answered) this.#errors = bad ? this.#errors + 1 : 0;
    if (this.#config.failureShare > 0) this.#window.note(bad, this.#services.wheel.now);
    if (bad) this.#onBad(outcome);
    else if (this.#state === 'trial') this.#onPassed();
    else this.#spared = false;
  }

  onSuccesses(_server: EngineServer, count: number): void {
    if (this.#state === 'ejected' || !this.#server.isUp) return;
    this.#failures = 0;
    this.#errors = 0;
    if (this.#config.failureShare > 0) this.#window.noteGood(count, this.#services.wheel.now);
    this.#spared = false;
    for (let i = 0; i < count && this.#state === 'trial'; i++) this.#onPassed();
  }

  #isOld({ durationMs }: AttemptOutcome): boolean {
    return this.#services.clock.now() - durationMs < this.#letInAt;
  }

  /**
   * A timeout does not count if the server was seen to work meanwhile: a long poll waits longer than others. It worked if
   * it answered another request. A passed check counts only if no other server has answered since: the case that checks
   * pass while requests hang is what live requests are watched for.
   */
  #isExcused({ durationMs }: AttemptOutcome): boolean {
    const { answeredAt } = this.#server;
    const { passedAt } = this.#record;
    const since = this.#services.wheel.now - durationMs;
    return answeredAt > since || (passedAt > since && !this.#server.othersAnswered(since));
  }

  #onBad(outcome: AttemptOutcome): void {
    const last =
      outcome.kind === 'ok' || outcome.kind === 'error_status'
        ? `status ${outcome.status}`
        : WORDS[outcome.kind];
    if (this.#state === 'trial') {
      this.#eject(`failed its trial: ${last}`);
      return;
    }
    const { consecutiveFailures, consecutiveErrors, failureShare, minimumRequests, window } = this.#config;
    if (consecutiveFailures > 0 && this.#failures >= consecutiveFailures) {
      this.#eject(`${this.#failures} failures in a row: ${last}`);
    } else if (consecutiveErrors > 0 && this.#errors >= consecutiveErrors) {
      this.#eject(`${this.#errors} errors in a row: ${last}`);
    } else if (failureShare > 0 && this.#window.requests >= minimumRequests) {
      if (this.#window.badShare < failureShare) return;
      const { bad, requests } = this.#window;
      this.#eject(`${bad} of ${requests} requests failed within ${formatDuration(window)}: ${last}`);
    }
  }

  #eject(reason: string): void {
    const { clock, observer, wheel } = this.#services;
    const { name } = this.#server;
    const record = this.#record;
    if (!this.#server.canBeSpared(this.#config.maxEjected)) {
      this.#spare(reason);
      return;
    }
    const ms = this.#time.next(this.#config, wheel.now);
    this.#to('ejected');
    this.#deadline.arm(ms);
    record.ejections++;
    record.history.note(clock.wall(), 'ejected', `${reason}, for ${formatDuration(ms)}`);
    this.#server.beginHalfOpen(false);
    this.#server.eject(true);
    observer.event?.({ what: 'ejected', server: name, reason, forMs: ms });
  }

  /** Without another server, one that fails sometimes is better than none, but operators must know. */
  #spare(reason: string): void {
    const { clock, observer, wheel } = this.#services;
    const { name } = this.#server;
    const record = this.#record;
    this.#passed = 0;
    if (this.#spared) return;
    this.#spared = true;
    record.spared++;
    record.history.note(clock.wall(), 'spared', reason);
    if (wheel.now - this.#sparedEventAt < this.#config.ejectFor) return;
    this.#sparedEventAt = wheel.now;
    observer.event?.({ what: 'spared', server: name, reason });
  }

  /** The ejection is over, or the trial has lasted long enough. */
  onDeadline(): void {
    if (this.#state === 'ejected') this.#letIn('');
    else if (this.#passed > 0 || this.#server.active > 0) this.#return();
    // No request was tried: the trial continues.
    else this.#deadline.arm(this.#config.ejectFor);
  }

  onServerChange(): void {
    const { isUp } = this.#server;
    const recovered = isUp && !this.#wasUp;
    this.#wasUp = isUp;
    if (recovered && this.#state === 'ejected') this.#letIn('its checks pass again');
  }

  onNeeded(): void {
    if (this.#state === 'ejected') this.#letIn('no other server is left');
  }

  /** Starts a trial, if one is configured. */
  #letIn(why: string): void {
    const { clock, observer, wheel } = this.#services;
    this.#letInAt = clock.now();
    this.#time.over(wheel.now);
    if (this.#config.trialRequests === 0) {
      this.#return();
    } else {
      this.#to('trial');
      this.#deadline.arm(this.#config.ejectFor);
      this.#record.history.note(clock.wall(), 'trial', why);
      this.#server.beginHalfOpen(true);
    }
    this.#server.eject(false);
    observer.event?.({ what: 'returned', server: this.#server.name });
  }

  #onPassed(): void {
    this.#passed++;
    if (this.#passed >= this.#config.trialRequests) this.#return();
  }

  /** Ends the trial: the server is used as before. */
  #return(): void {
    this.#to('in');
    this.#deadline.disarm();
    this.#time.over(this.#services.wheel.now);
    this.#record.history.note(this.#services.clock.wall(), 'returned', '');
    this.#server.beginHalfOpen(false);
  }

  /** Counts of one state are not used in the next. */
  #to(state: State): void {
    this.#state = state;
    this.#failures = 0;
    this.#errors = 0;
    this.#passed = 0;
    this.#spared = false;
    this.#window.clear();
  }
}

/** The duration of ejections: longer each time, and shorter again after a time without one. */
export class EjectionTime {
  /** How many ejections count at present. */
  #times = 0;
  /** When the server was last let in again. */
  #since = 0;

  /** The duration in ms of an ejection at `now`. */
  next({ ejectFor, maxEjectFor }: PassiveHealthConfig, now: number): number {
    const good = Math.floor(Math.max(0, now - this.#since) / ejectFor);
    this.#times = Math.max(0, this.#times - good) + 1;
    return Math.min(maxEjectFor, ejectFor * this.#times);
  }

  /** The server is let in again at `now`. */
  over(now: number): void {
    this.#since = now;
  }
}

function leastOf(ranges: PassiveHealthConfig['errorStatus']): number {
  return ranges.reduce((least, { from }) => Math.min(least, from), Number.POSITIVE_INFINITY);
}

/** The window moves in this many parts. */
const PARTS = 10;

/**
 * Counts outcomes over the last ms of a window. The window slides: it consists of parts, and the oldest part is dropped
 * as a whole, so that nothing counted is older than the window, and at most a tenth of it is missing.
 */
export class OutcomeWindow {
  readonly #partMs: number;
  readonly #requests = new Uint32Array(PARTS);
  readonly #bad = new Uint32Array(PARTS);
  /** The part of the latest outcome, counted from time 0. */
  #part = 0;
  /** Counts of the whole window. */
  requests = 0;
  bad = 0;

  constructor(ms: number) {
    this.#partMs = ms / PARTS;
  }

  /** Share of bad outcomes, 0 to 1. */
  get badShare(): number {
    return this.requests === 0 ? 0 : this.bad / this.requests;
  }

  note(bad: boolean, now: number): void {
    const current = Math.floor(now / this.#partMs);
    if (current !== this.#part) this.#moveTo(current);
    const part = current % PARTS;
    this.#requests[part]!++;
    this.requests++;
    if (!bad) return;
    this.#bad[part]!++;
    this.bad++;
  }

  noteGood(count: number, now: number): void {
    const current = Math.floor(now / this.#partMs);
    if (current !== this.#part) this.#moveTo(current);
    this.#requests[current % PARTS]! += count;
    this.requests += count;
  }

  clear(): void {
    this.#requests.fill(0);
    this.#bad.fill(0);
    this.requests = 0;
    this.bad = 0;
  }

  #moveTo(part: number): void {
    if (part - this.#part >= PARTS) this.clear();
    else for (let next = this.#part + 1; next <= part; next++) this.#forget(next % PARTS);
    this.#part = part;
  }

  #forget(part: number): void {
    this.requests -= this.#requests[part]!;
    this.bad -= this.#bad[part]!;
    this.#requests[part] = 0;
    this.#bad[part] = 0;
  }
}
