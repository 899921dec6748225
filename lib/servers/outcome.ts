/**
 * ok: a whole answer that nobody objects to. error_status: a whole answer of 500 or more. connect: no connection.
 * bad_response: an answer that is not valid HTTP/1.1.
 * reset: cut before the answer was whole. timeout: no answer in time.
 */
export type OutcomeKind = 'ok' | 'error_status' | 'bad_response' | 'connect' | 'reset' | 'timeout';

/** How one attempt ended on a server. Whoever is told reads it during the call: the object may be used again. */
export interface AttemptOutcome {
  readonly kind: OutcomeKind;
  /** 0 when there was no answer. */
  readonly status: number;
  /** ms from the attempt's beginning to its end. */
  readonly durationMs: number;
}
