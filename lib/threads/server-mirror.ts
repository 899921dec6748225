import type { Failure } from '../base/failure.js';
import { FAILURES } from '../base/failure.js';
import type { Clock } from '../base/timer-wheel.js';
import type { HealthRecord } from '../control/health/health-record.js';
import type { HealthTerms, ServerJudge } from '../control/health/server-health.js';
import type { EngineServer, ServerWatcher } from '../servers/engine-contract.js';
import type { Server } from '../servers/server.js';
import type { SuccessCounts } from '../shared/success-counts.js';
import type { Command, ServerHealthState, ServerReports } from './messages.js';

/** How often successes are looked at without a failure, in ms: the window of a failure share has parts of a second. */
const SUCCESSES_EVERY = 500;

/**
 * The servers of the main thread, by number. Their health is judged here, as with one thread: what engines report
 * happens to these servers, and each change of their state is sent to all engines.
 */
export class ServerMirrors {
  readonly #tell: (command: Exclude<Command, { id: number }>) => void;
  readonly #successes: SuccessCounts;
  readonly #stop: () => void;
  readonly #mirrors = new Map<number, ServerMirror>();

  constructor(
    clock: Clock,
    successes: SuccessCounts,
    tell: (command: Exclude<Command, { id: number }>) => void,
  ) {
    this.#tell = tell;
    this.#successes = successes;
    this.#stop = clock.every(SUCCESSES_EVERY, () => {
      for (const mirror of this.#mirrors.values()) mirror.noteSuccesses(successes);
    });
  }

  /** From now on engines get the health of `server`, which `judge` decides. */
  watch(server: Server, number: number, judge: ServerJudge, onStop: () => void): ServerJudge {
    server.shareAnswers(this.#successes, number);
    const seen = Array.from({ length: this.#successes.threads }, (_, one) => this.#successes.of(one, number));
    const mirror = new ServerMirror(server, number, judge, seen, this.#tell, () => {
      this.#mirrors.delete(number);
      onStop();
    });
    this.#mirrors.set(number, mirror);
    return mirror;
  }

  /** Those that differ from new servers, for a thread that begins. */
  get health(): readonly ServerHealthState[] {
    return [...this.#mirrors.values()]
      .filter(({ isPlain }) => !isPlain)
      .map(({ state, server }) => ({ ...state, slowSince: server.slowSince }));
  }

  /** What the engine of a thread has told. */
  receive(thread: number, { outcomes, passed, failedConnects, errors, needed }: ServerReports): void {
    for (const { number, successes, ...outcome } of outcomes) {
      const mirror = this.#mirrors.get(number);
      mirror?.noteSuccesses(this.#successes, thread, successes);
      mirror?.server.noteOutcome(outcome);
    }
    for (const number of passed) this.#mirrors.get(number)?.noteSuccesses(this.#successes);
    for (const { number, reason, detail } of failedConnects)
      this.#mirrors.get(number)?.server.noteConnectFailure(FAILURES[reason as Failure['reason']], detail);
    for (const [number, count] of errors)
      for (let i = 0; i < count; i++) this.#mirrors.get(number)?.server.noteError();
    for (const number of needed) this.#mirrors.get(number)?.server.recall();
  }

  stop(): void {
    this.#stop();
  }
}

/** Tells the engines what becomes of one server. */
class ServerMirror implements ServerJudge, ServerWatcher {
  readonly server: Server;
  readonly #number: number;
  readonly #judge: ServerJudge;
  readonly #tell: (command: Exclude<Command, { id: number }>) => void;
  readonly #onStop: () => void;
  /** The counts of successes of each thread that were noted: at first what an earlier server of this number had. */
  readonly #seen: number[];
  /** As last sent to the engines. */
  state: ServerHealthState;

  constructor(
    server: Server,
    number: number,
    judge: ServerJudge,
    seen: number[],
    tell: (command: Exclude<Command, { id: number }>) => void,
    onStop: () => void,
  ) {
    this.#seen = seen;
    this.server = server;
    this.#number = number;
    this.#judge = judge;
    this.#tell = tell;
    this.#onStop = onStop;
    this.state = { number, up: true, ejected: false, halfOpen: false, slowSince: null };
    server.watch(this);
    this.onServerChange();
  }

  get record(): HealthRecord {
    return this.#judge.record;
  }

  get isChecked(): boolean {
    return this.#judge.isChecked;
  }

  start(delay: number): void {
    this.#judge.start(delay);
  }

  applyTerms(terms: HealthTerms): boolean {
    return this.#judge.applyTerms(terms);
  }

  stop(): void {
    this.#judge.stop();
    this.server.unwatch(this);
    this.#onStop();
  }

  /**
   * Successful attempts of all threads since the last time come before what happens next. A `thread` that reports a failure
   * had counted `ofThread` by then; what it has counted since comes after it.
   */
  noteSuccesses(counts: SuccessCounts, thread = -1, ofThread = 0): void {
    let sum = 0;
    for (let one = 0; one < counts.threads; one++) {
      const count = one === thread ? ofThread : counts.of(one, this.#number);
      const before = this.#seen[one] ?? 0;
      if (count === before) continue;
      const more = (count - before) >>> 0;
      // A failure that was reported late comes after what was looked at meanwhile.
      if (more > 2 ** 31) continue;
      this.#seen[one] = count;
      sum += more;
    }
    this.server.noteSuccesses(sum);
  }

  /** Is the server in the state of a new one? */
  get isPlain(): boolean {
    const { up, ejected, halfOpen } = this.state;
    return up && !ejected && !halfOpen && this.server.slowSince === null;
  }

  onServerChange(): void {
    const { isUp: up, isEjected: ejected, isHalfOpen: halfOpen } = this.server;
    const before = this.state;
    if (up === before.up && ejected === before.ejected && halfOpen === before.halfOpen) return;
    this.state = { number: this.#number, up, ejected, halfOpen, slowSince: null };
    this.#tell({ what: 'health', ...this.state });
  }

  onCut(_server: EngineServer): void {
    this.#tell({ what: 'cut', number: this.#number });
  }
}
