import type { Backend } from '../backend/backend.js';
import type { Outcome, OutcomeKind } from '../backend/outcome.js';
import { FAILURES, type Failure } from '../base/failure.js';

/** Told of and used again: an attempt that ends allocates nothing. */
const outcome: { -readonly [Key in keyof Outcome]: Outcome[Key] } = { kind: 'ok', status: 0, durationMs: 0 };

/** An attempt on `backend` has ended in this way, `durationMs` behind its beginning. */
export function noteOutcome(backend: Backend, kind: OutcomeKind, status: number, durationMs: number): void {
  const { totals } = backend;
  if (kind !== 'ok' && kind !== 'error_status') totals.failures++;
  if (kind === 'connect') totals.connectFailures++;
  else if (kind === 'reset') totals.resets++;
  outcome.kind = kind;
  outcome.status = status;
  outcome.durationMs = durationMs;
  backend.noteOutcome(outcome);
}

/** A final response head came, `ms` after the server was asked. */
export function noteAnswer(backend: Backend, status: number, ms: number): void {
  backend.noteResponse(ms);
  const digit = Math.floor(status / 100);
  const { responses } = backend.totals;
  if (digit < responses.length) responses[digit] = (responses[digit] as number) + 1;
}

/** What an answer says of its server. */
export function kindOfAnswer(status: number): OutcomeKind {
  return status >= 500 ? 'error_status' : 'ok';
}

/**
 * What a failure says of the server; null: nothing. That a connection from the pool had gone stale is no fault of the
 * server's, which may close what is idle.
 */
export function kindOfFailure(failure: Failure, reused: boolean): OutcomeKind | null {
  switch (failure) {
    case FAILURES.connect_refused:
    case FAILURES.connect_timeout:
    case FAILURES.connect_failed:
      return 'connect';
    case FAILURES.reset_before_response:
      return reused ? null : 'reset';
    case FAILURES.reset_in_response:
    case FAILURES.bad_response:
      return 'reset';
    case FAILURES.response_timeout:
    case FAILURES.response_stalled:
      return 'timeout';
    default:
      return null;
  }
}
