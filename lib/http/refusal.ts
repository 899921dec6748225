import type { Reason } from '../base/observer.js';

/**
 * Why a message is not acted upon. The connection it came on is closed afterwards: where one message ends and the
 * next begins is not certain any more. For a response `status` is what the client is answered, 502.
 */
export interface Refusal {
  readonly status: number;
  readonly reason: Reason;
  /** What was wrong, for the log: lower case, no full stop. */
  readonly detail: string;
}

/** A constant refusal; they are all made at load. */
export function refusal(status: number, detail: string): Refusal {
  const reason: Reason = status === 502 ? 'bad_response' : status === 413 ? 'body_too_large' : 'bad_request';
  return Object.freeze({ status, reason, detail });
}
