import type { Failure } from '../base/failure.js';

/** What a route allows. */
export interface RetryTerms {
  /** Attempts behind the first. */
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  retriesStatus(status: number): boolean;
}

/** What a decision depends on besides. */
export interface AttemptState {
  /** Does sending the request twice do no more than sending it once? */
  readonly repeatable: boolean;
  /** Can its body be sent again from the first byte? */
  readonly replayable: boolean;
  /** Has the client seen any byte of an answer, an interim one included? */
  readonly clientSawResponse: boolean;
  /** Was the connection open before the request came? */
  readonly pooledConnection: boolean;
  /** Was a stale connection replaced for this request already? */
  readonly replacedStale: boolean;
  /** So far, the first included. */
  readonly attempts: number;
}

/**
 * `fresh`: the same server on a new connection, as the pooled one had gone stale; not an attempt of its own.
 * `retry`: another attempt.
 */
export type RetryDecision = 'fresh' | 'retry' | 'no';

/** May a request that failed be sent again, and how? Pure. */
export function decideRetry(failure: Failure, state: AttemptState, terms: RetryTerms): RetryDecision {
  if (state.clientSawResponse || failure.retry === 'never') return 'no';
  if (failure.retry === 'idempotent' && !(state.repeatable && state.replayable)) return 'no';
  const isReset = failure.reason === 'reset_before_response';
  if (isReset && terms.onStale && state.pooledConnection && !state.replacedStale) return 'fresh';
  return isCovered(failure, state, terms) && state.attempts <= terms.attempts ? 'retry' : 'no';
}

/** May a request that was answered with this status be sent again, so that the client sees another answer? Pure. */
export function decideStatusRetry(status: number, state: AttemptState, terms: RetryTerms): boolean {
  if (state.clientSawResponse || !state.repeatable || !state.replayable) return false;
  return terms.retriesStatus(status) && state.attempts <= terms.attempts;
}

function isCovered(
  { reason, retry }: Failure,
  { pooledConnection }: AttemptState,
  terms: RetryTerms,
): boolean {
  if (retry === 'always') return terms.onConnect;
  if (reason === 'response_timeout') return terms.onTimeout;
  // In its head, as the client has seen nothing: no stale connection answers.
  if (reason === 'reset_in_response') return terms.onReset;
  // What replaced a stale connection may have been given back by another request, and be as stale.
  return terms.onReset || (terms.onStale && pooledConnection);
}
