import type { Reason } from '../base/observer.js';

/** The error type of RFC 9209, 2.3 for each reason. A compiler error asks for the row of a new reason. */
const ERROR_TYPES: { readonly [reason in Reason]: string } = {
  client_abort: 'connection_terminated',
  bad_request: 'http_request_error',
  misdirected: 'http_request_error',
  request_timeout: 'http_request_error',
  body_too_large: 'http_request_error',
  client_stalled: 'http_request_error',
  no_server: 'destination_unavailable',
  connect_refused: 'connection_refused',
  connect_timeout: 'connection_timeout',
  connect_failed: 'destination_ip_unroutable',
  tls_failed: 'tls_protocol_error',
  out_of_resources: 'proxy_internal_error',
  server_gone: 'destination_unavailable',
  queue_full: 'connection_limit_reached',
  queue_timeout: 'connection_limit_reached',
  response_timeout: 'http_response_timeout',
  response_stalled: 'http_response_incomplete',
  total_timeout: 'http_response_timeout',
  reset_before_response: 'connection_terminated',
  reset_in_response: 'http_response_incomplete',
  retry_budget: 'destination_unavailable',
  bad_response: 'http_protocol_error',
  loop: 'proxy_loop_detected',
  no_route: 'destination_not_found',
  blocked_ip: 'http_request_denied',
  blocked_method: 'http_request_denied',
  blocked_path: 'http_request_denied',
  blocked_header: 'http_request_denied',
  regex_budget: 'http_request_denied',
  banned: 'http_request_denied',
  rate_limited: 'http_request_denied',
  too_many_requests: 'http_request_denied',
  maintenance: 'destination_unavailable',
  shutdown: 'proxy_internal_response',
};

/** Proxy-Status of an answer that `name` makes itself: the error type, and the reason word of the log as its details. */
export function statusOfError(name: string, reason: Reason): string {
  return `${name}; error=${ERROR_TYPES[reason]}; details="${reason}"`;
}

/** Proxy-Status of a response that `name` passes on, with the status that the server sent. */
export function statusOfResponse(name: string, status: number): string {
  return `${name}; received-status=${status}`;
}
