import { FAILURES, type Failure } from '../base/failure.js';
import type { AttemptOutcome, OutcomeKind } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';

/** Told of and used again: an attempt that ends allocates nothing. */
const outcome: { -readonly [Key in keyof AttemptOutcome]: AttemptOutcome[Key] } = {
  kind: 'ok',
  status: 0,
  durationMs: 0,
};

/**
 * An attempt on `server` has ended in this way, `durationMs` after its beginning. `isJudged`: it counts for who judges
 * the server's health.
 */
export function noteOutcome(
  server: Server,
  kind: OutcomeKind,
  status: number,
  durationMs: number,
  isJudged: boolean,
): void {
  const { totals } = server;
  if (kind !== 'ok' && kind !== 'error_status') totals.failures++;
  if (kind === 'connect') totals.connectFailures++;
  else if (kind === 'reset') totals.resets++;
  if (!isJudged) return;
  outcome.kind = kind;
  outcome.status = status;
  outcome.durationMs = durationMs;
  server.noteOutcome(outcome);
}

/** A final response head came, `ms` after the server was asked. */
export function noteAnswer(server: Server, status: number, ms: number): void {
  server.noteResponse(ms);
  if (status >= 500) server.noteError();
  const digit = Math.floor(status / 100);
  const { responses } = server.totals;
  responses[digit] = (responses[digit] as number) + 1;
}

/** Failures in which the server had no part: it was told nothing, and moves no request of its own to an error page. */
const NO_ERROR: ReadonlySet<Failure> = new Set([FAILURES.server_gone, FAILURES.out_of_resources]);

/**
 * An attempt on `server` has failed, and a fresh connection to it is no way out: that is one of its recent errors,
 * unless it was the client's doing. `status`: what it had answered by then; one of 5xx was counted when it came.
 */
export function noteFailedAttempt(server: Server, failure: Failure, status: number): void {
  if (failure.fault === 'client' || NO_ERROR.has(failure) || status >= 500) return;
  server.noteError();
}

/** What an answer says of its server. */
export function kindOfAnswer(status: number): OutcomeKind {
  return status >= 500 ? 'error_status' : 'ok';
}

/** What an attempt was at when it failed, as far as that tells whose doing the failure is. */
export interface AttemptCircumstances {
  /** Was the connection open before its request came? */
  readonly reused: boolean;
  /** Has the client not sent all of its request? */
  readonly clientOwes: boolean;
  /** Does the server take no more of the request for now? */
  readonly serverBlocked: boolean;
  /** Has the client made the server wait for long, by taking little of the answer? */
  readonly clientHeldBack: boolean;
}

/**
 * What a failure says of the server; null: nothing. That a connection from the pool had gone stale is no fault of the
 * server's, which may close what is idle. Nor is what a client can bring about by itself: a server may give up on one
 * that sends its body slowly, or not at all, or does not read.
 */
export function kindOfFailure(failure: Failure, at: AttemptCircumstances): OutcomeKind | null {
  switch (failure) {
    case FAILURES.connect_refused:
    case FAILURES.connect_timeout:
    case FAILURES.connect_failed:
      return 'connect';
    case FAILURES.reset_before_response:
      return at.reused || at.clientOwes ? null : 'reset';
    case FAILURES.reset_in_response:
      return at.clientOwes || at.clientHeldBack ? null : 'reset';
    case FAILURES.bad_response:
      return 'bad_response';
    case FAILURES.response_timeout:
      // It may be waiting for the body that the client, told to go on or not, does not send.
      return at.clientOwes && !at.serverBlocked ? null : 'timeout';
    case FAILURES.response_stalled:
      return 'timeout';
    default:
      return null;
  }
}
