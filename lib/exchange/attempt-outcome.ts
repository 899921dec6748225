import type { Outcome, OutcomeKind } from '../backend/outcome.js';
import type { Clock } from '../base/clock.js';
import type { Failure } from '../base/failure.js';
import type { AttemptLog } from './attempt-log.js';

/** How an attempt ended, as its server is told. Used for one after the other; the time is only asked for on request. */
export class AttemptOutcome implements Outcome {
  readonly #log: AttemptLog;
  readonly #clock: Clock;
  kind: OutcomeKind = 'ok';
  status = 0;

  constructor(log: AttemptLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get durationMs(): number {
    return this.#log.elapsed(this.#clock.now());
  }

  /** A whole answer, or one that became a tunnel. */
  answered(status: number): this {
    this.kind = status >= 500 ? 'error_status' : 'ok';
    this.status = status;
    return this;
  }

  /**
   * No answer, or not all of it; null when that says nothing of the server: it is the client's doing or ours, or the
   * connection was `reused` and had gone stale.
   */
  failed(failure: Failure, reused: boolean): this | null {
    const kind = reused && failure.reason === 'reset_before_response' ? undefined : KINDS[failure.reason];
    if (kind === undefined) return null;
    this.kind = kind;
    this.status = 0;
    return this;
  }
}

const KINDS: { readonly [reason in Failure['reason']]?: OutcomeKind } = {
  connect_refused: 'connect',
  connect_timeout: 'connect',
  connect_failed: 'connect',
  response_timeout: 'timeout',
  response_stalled: 'timeout',
  reset_before_response: 'reset',
  reset_in_response: 'reset',
  bad_response: 'reset',
};
