import type { Failure } from '../base/failure.js';

/** What a retry decision depends on. */
export interface AttemptState {
  readonly failure: Failure;
  readonly idempotent: boolean;
  /** Can the request's body be sent again from its first byte? */
  readonly replayable: boolean;
  /** Has the client seen any byte of an answer, an interim one included? (features 35) */
  readonly clientSawResponse: boolean;
  /** Was the connection open before the request came? */
  readonly pooledConnection: boolean;
  /** Was a stale connection replaced for this request already? */
  readonly replacedStale: boolean;
  /** Servers tried. */
  readonly attempts: number;
  readonly maxAttempts: number;
}

/**
 * `fresh`: the same server on a new connection, as the pooled one had gone stale; not an attempt of its own.
 * `other`: a server not tried yet.
 */
export type RetryDecision = 'fresh' | 'other' | 'no';

/** May this attempt be repeated, and where? Pure. */
export function decideRetry(state: AttemptState): RetryDecision {
  const { failure } = state;
  if (state.clientSawResponse || failure.retry === 'never') return 'no';
  if (failure.retry === 'idempotent' && !(state.idempotent && state.replayable)) return 'no';
  if (failure.reason === 'reset_before_response' && state.pooledConnection && !state.replacedStale)
    return 'fresh';
  return state.attempts < state.maxAttempts ? 'other' : 'no';
}
