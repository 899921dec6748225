import type { Reason } from './observer.js';

/** Whose doing a failure is. */
export type Fault = 'client' | 'server' | 'balancer';

/**
 * May the request be tried on another server?
 * `always`: nothing of it was sent. `idempotent`: it may have been acted upon, so only when doing it twice is the
 * same as doing it once (RFC 9110, 9.2.2). `never`: the client saw part of an answer, or the client is the cause.
 */
export type RetryClass = 'always' | 'idempotent' | 'never';

/** What is known of a failure the moment it is noticed. Constant: failing allocates nothing. */
export interface Failure {
  readonly reason: Reason;
  readonly fault: Fault;
  readonly retry: RetryClass;
  /** What the client is answered as long as no byte of a response was sent; 0 when there is nobody to answer. */
  readonly status: number;
}

function failure(reason: Reason, fault: Fault, retry: RetryClass, status: number): Failure {
  return Object.freeze({ reason, fault, retry, status });
}

/**
 * The one place where a failure becomes a status: 502 for a server that refuses, resets or answers nonsense, 504 for one
 * that is silent, 503 where there is no server or no room (RFC 9110, 15.6).
 */
export const FAILURES: { readonly [reason in Reason]: Failure } = Object.freeze({
  client_abort: failure('client_abort', 'client', 'never', 0),
  bad_request: failure('bad_request', 'client', 'never', 400),
  request_timeout: failure('request_timeout', 'client', 'never', 408),
  body_too_large: failure('body_too_large', 'client', 'never', 413),
  client_stalled: failure('client_stalled', 'client', 'never', 0),
  no_server: failure('no_server', 'server', 'never', 503),
  connect_refused: failure('connect_refused', 'server', 'always', 502),
  connect_timeout: failure('connect_timeout', 'server', 'always', 504),
  connect_failed: failure('connect_failed', 'server', 'always', 502),
  out_of_resources: failure('out_of_resources', 'balancer', 'always', 503),
  server_gone: failure('server_gone', 'balancer', 'always', 503),
  queue_full: failure('queue_full', 'balancer', 'always', 503),
  queue_timeout: failure('queue_timeout', 'balancer', 'never', 503),
  response_timeout: failure('response_timeout', 'server', 'idempotent', 504),
  response_stalled: failure('response_stalled', 'server', 'never', 504),
  total_timeout: failure('total_timeout', 'server', 'never', 504),
  reset_before_response: failure('reset_before_response', 'server', 'idempotent', 502),
  reset_in_response: failure('reset_in_response', 'server', 'idempotent', 502),
  // The status is that of the failure that would have been retried.
  retry_budget: failure('retry_budget', 'server', 'never', 502),
  bad_response: failure('bad_response', 'server', 'never', 502),
  loop: failure('loop', 'balancer', 'never', 508),
  no_route: failure('no_route', 'client', 'never', 404),
  blocked_ip: failure('blocked_ip', 'client', 'never', 403),
  blocked_method: failure('blocked_method', 'client', 'never', 403),
  blocked_path: failure('blocked_path', 'client', 'never', 403),
  blocked_header: failure('blocked_header', 'client', 'never', 403),
  regex_budget: failure('regex_budget', 'client', 'never', 431),
  banned: failure('banned', 'client', 'never', 403),
  rate_limited: failure('rate_limited', 'client', 'never', 429),
  too_many_requests: failure('too_many_requests', 'client', 'never', 429),
  shutdown: failure('shutdown', 'balancer', 'never', 503),
});
