import type { Reason } from '../base/observer.js';

/**
 * Why a message is not acted upon. Its connection is closed afterwards, because it is uncertain where the next message
 * begins. A refused response is answered with `status` 502 to the client.
 */
export interface Refusal {
  readonly status: number;
  readonly reason: Reason;
  /** The fault, for the log: lower case, no full stop. */
  readonly detail: string;
}

/** A constant refusal; all are made when their module is loaded. */
export function refusal(status: number, detail: string): Refusal {
  const reason: Reason = status === 502 ? 'bad_response' : status === 413 ? 'body_too_large' : 'bad_request';
  return Object.freeze({ status, reason, detail });
}
