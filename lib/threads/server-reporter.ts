import type { Failure } from '../base/failure.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import { statusIn } from '../config/statuses.js';
import type { PassiveHealthConfig } from '../config/types.js';
import { HealthRecord } from '../control/health/health-record.js';
import type { HealthTerms, ServerJudge } from '../control/health/server-health.js';
import type { AttemptOutcome } from '../servers/contracts.js';
import type { EngineServer, ServerWatcher } from '../servers/engine-contract.js';
import type { SuccessCounts } from '../shared/success-counts.js';
import type { BadOutcome, FailedConnect, ServerHealthState, ServerReports } from './messages.js';

/**
 * Collects what an engine reports about its servers, and posts it at the end of the event-loop tick. Successes are only counted,
 * in memory that the control plane sees.
 */
export class ServerReporter {
  readonly #post: (reports: ServerReports) => void;
  readonly #wheel: TimerWheel;
  readonly successes: SuccessCounts;
  #outcomes: BadOutcome[] = [];
  #failedConnects: FailedConnect[] = [];
  #errors = new Map<number, number>();
  #passed = new Set<number>();
  #needed = new Set<number>();
  #isScheduled = false;

  constructor(wheel: TimerWheel, successes: SuccessCounts, post: (reports: ServerReports) => void) {
    this.#wheel = wheel;
    this.successes = successes;
    this.#post = post;
  }

  /** Who judges a server of this thread: the control plane does. */
  judgeOf(server: EngineServer, terms: HealthTerms, number: number, onStop: () => void): ServerJudge {
    return new ReportedServer({ reporter: this, server, number, wheel: this.#wheel, onStop }, terms);
  }

  /** A server on trial has passed a request. */
  notePassed(number: number): void {
    this.#passed.add(number);
    this.#schedule();
  }

  noteBad(outcome: BadOutcome): void {
    this.#outcomes.push(outcome);
    this.#schedule();
  }

  noteFailedConnect(failed: FailedConnect): void {
    this.#failedConnects.push(failed);
    this.#schedule();
  }

  noteError(number: number): void {
    this.#errors.set(number, (this.#errors.get(number) ?? 0) + 1);
    this.#schedule();
  }

  noteNeeded(number: number): void {
    this.#needed.add(number);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.report());
  }

  /** Posts everything now. */
  report(): void {
    this.#isScheduled = false;
    this.#post({
      outcomes: this.#outcomes,
      passed: [...this.#passed],
      failedConnects: this.#failedConnects,
      errors: [...this.#errors],
      needed: [...this.#needed],
    });
    this.#outcomes = [];
    this.#failedConnects = [];
    this.#errors = new Map();
    this.#passed = new Set();
    this.#needed = new Set();
  }
}

interface ReportedParts {
  readonly reporter: ServerReporter;
  readonly server: EngineServer;
  readonly number: number;
  readonly wheel: TimerWheel;
  readonly onStop: () => void;
}

/** Reports what happens to one server. */
class ReportedServer implements ServerJudge, ServerWatcher {
  readonly record: HealthRecord;
  readonly number: number;
  readonly isChecked = false;
  readonly #reporter: ServerReporter;
  readonly #server: EngineServer;
  readonly #onStop: () => void;
  #outcomes: OutcomeReporter | null = null;

  constructor({ reporter, server, number, wheel, onStop }: ReportedParts, terms: HealthTerms) {
    this.#reporter = reporter;
    this.#server = server;
    this.number = number;
    this.record = new HealthRecord(wheel);
    this.#onStop = onStop;
    server.watch(this);
    this.applyTerms(terms);
  }

  start(): void {}

  applyTerms({ passiveHealth }: HealthTerms): boolean {
    if (this.#outcomes !== null) this.#server.unwatch(this.#outcomes);
    this.#outcomes = passiveHealth === null ? null : new OutcomeReporter(this, passiveHealth);
    if (this.#outcomes !== null) this.#server.watch(this.#outcomes);
    return false;
  }

  stop(): void {
    this.#server.unwatch(this);
    if (this.#outcomes !== null) this.#server.unwatch(this.#outcomes);
    this.#onStop();
  }

  onConnectFailed(_server: EngineServer, { reason }: Failure, detail: string): void {
    this.#reporter.noteFailedConnect({ number: this.number, reason, detail });
  }

  onError(): void {
    this.#reporter.noteError(this.number);
  }

  onNeeded(): void {
    this.#reporter.noteNeeded(this.number);
  }

  noteSuccess(): void {
    this.#reporter.successes.note(this.number);
    if (this.#server.isHalfOpen) this.#reporter.notePassed(this.number);
  }

  noteBad({ kind, status, durationMs }: AttemptOutcome): void {
    const { number } = this;
    const successes = this.#reporter.successes.own(number);
    this.#reporter.noteBad({ number, kind, status, durationMs, successes });
  }
}

/** Separates successes from what the outlier detector needs to know at once. */
class OutcomeReporter implements ServerWatcher {
  readonly #owner: ReportedServer;
  readonly #config: PassiveHealthConfig;

  constructor(owner: ReportedServer, config: PassiveHealthConfig) {
    this.#owner = owner;
    this.#config = config;
  }

  onOutcome(_server: EngineServer, outcome: AttemptOutcome): void {
    const { kind, status } = outcome;
    const isAnswered = kind === 'ok' || kind === 'error_status';
    if (isAnswered && !statusIn(this.#config.errorStatus, status)) this.#owner.noteSuccess();
    else this.#owner.noteBad(outcome);
  }
}

/** What is known of the health of servers, by their numbers: of those that are not made yet, too. */
export class KnownHealth {
  readonly #states = new Map<number, ServerHealthState>();
  readonly #servers = new Map<number, EngineServer>();

  constructor(states: readonly ServerHealthState[]) {
    for (const state of states) this.#states.set(state.number, state);
  }

  /** The server has been made. */
  add(server: EngineServer, number: number): void {
    this.#servers.set(number, server);
    const state = this.#states.get(number);
    if (state !== undefined) apply(server, state);
  }

  /** The server has left. */
  remove(number: number): void {
    this.#servers.delete(number);
    this.#states.delete(number);
  }

  note(state: ServerHealthState): void {
    this.#states.set(state.number, state);
    const server = this.#servers.get(state.number);
    if (server !== undefined) apply(server, state);
  }

  cut(number: number): void {
    this.#servers.get(number)?.cut();
  }
}

function apply(server: EngineServer, { up, ejected, halfOpen, slowSince }: ServerHealthState): void {
  server.beginHalfOpen(halfOpen);
  server.judge(up);
  server.eject(ejected);
  if (slowSince !== null) server.startSlowly(slowSince);
}
