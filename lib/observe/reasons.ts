import type { Fault } from '../base/failure.js';
import type { Reason } from '../base/observer.js';

export type { Fault } from '../base/failure.js';

export interface ReasonEntry {
  readonly fault: Fault;
  /** One line, no full stop: what happened. */
  readonly meaning: string;
  /** One line: where to look, or what to change. */
  readonly remedy: string;
}

/** Every way a request can end badly. The access log shows the word, this table says what it is about. */
export const REASONS = {
  client_abort: {
    fault: 'client',
    meaning: 'the client left before it had the whole response',
    remedy: 'Usually nothing; many of these on slow paths mean that clients lose patience.',
  },
  bad_request: {
    fault: 'client',
    meaning: 'the request breaks the rules of HTTP',
    remedy: 'Look at what the client sends; -v shows the head as it came.',
  },
  request_timeout: {
    fault: 'client',
    meaning: 'the request did not arrive in time',
    remedy:
      'A slow network or a deliberate stall; see timeouts.request_header, .request_body and limits.body_rate.',
  },
  body_too_large: {
    fault: 'client',
    meaning: 'the request body is larger than allowed',
    remedy: 'Raise limits.body_bytes if such uploads are wanted.',
  },
  client_stalled: {
    fault: 'client',
    meaning: 'the client stopped sending, or stopped reading',
    remedy: 'Silence may last as long as timeouts.request_body and timeouts.response_body say.',
  },
  no_server: {
    fault: 'server',
    meaning: 'every server is down or was tried in vain',
    remedy: 'Start a server, or look at the health check if they do run.',
  },
  connect_refused: {
    fault: 'server',
    meaning: 'nothing listens at the address of the server',
    remedy: 'Is the server running, and on this port?',
  },
  connect_timeout: {
    fault: 'server',
    meaning: 'the server did not take the connection in time',
    remedy:
      'A firewall that drops packets, a wrong address or a full backlog; timeouts.connect is the limit.',
  },
  connect_failed: {
    fault: 'server',
    meaning: 'unknown name, or no route to the server',
    remedy: 'Check its address and the network between here and there.',
  },
  out_of_resources: {
    fault: 'balancer',
    meaning: 'no file, port or memory left to open a connection',
    remedy: 'A warning on stderr names what ran out: most often ulimit -n, or the range of local ports.',
  },
  server_gone: {
    fault: 'server',
    meaning: 'its server went down or was taken out as it waited',
    remedy: 'Nothing was sent yet, so another server is asked; no_server when there is none.',
  },
  queue_full: {
    fault: 'server',
    meaning: 'too many requests wait for a connection',
    remedy: 'Add servers, or allow more connections to each.',
  },
  queue_timeout: {
    fault: 'server',
    meaning: 'no connection to a server was free in time',
    remedy: 'The servers are at their limit; timeouts.queue is how long a request may wait.',
  },
  response_timeout: {
    fault: 'server',
    meaning: 'the server took the request and said nothing',
    remedy: 'A slow handler, a long poll or a hanging server; timeouts.response_header is the limit.',
  },
  response_stalled: {
    fault: 'server',
    meaning: 'the server stopped in the middle of the body',
    remedy: 'Look at its log; timeouts.response_body says how long silence may last.',
  },
  total_timeout: {
    fault: 'server',
    meaning: 'the request as a whole took too long',
    remedy:
      'Its tries and times tell where: in line, connecting, at a slow server; timeouts.total is the limit.',
  },
  reset_before_response: {
    fault: 'server',
    meaning: 'the server hung up without a response',
    remedy: 'It crashed, restarted or refuses such requests: its own log knows.',
  },
  reset_in_response: {
    fault: 'server',
    meaning: 'the server hung up in the middle of its response',
    remedy: 'It crashed or was stopped half way, or announced a wrong Content-Length.',
  },
  retry_budget: {
    fault: 'server',
    meaning: 'it failed, and so much does that no more is retried',
    remedy: 'The tries in the log name the failure; retry.budget is the share of requests that are retried.',
  },
  bad_response: {
    fault: 'server',
    meaning: 'what the server sent is not valid HTTP',
    remedy: 'Is it an HTTP/1.1 server at all? Ask it directly with curl -v.',
  },
  loop: {
    fault: 'balancer',
    meaning: 'the request came back to this balancer',
    remedy: 'One of the servers is this balancer itself, or sends requests back to it.',
  },
  no_route: {
    fault: 'client',
    meaning: 'no host, path or default route takes this request',
    remedy: 'If it should have one, lb explain shows how it was looked for.',
  },
  blocked_ip: {
    fault: 'client',
    meaning: 'its address is rejected, or not among those allowed',
    remedy: 'See ip_reject and ip_allow of the firewall that detail names.',
  },
  blocked_method: {
    fault: 'client',
    meaning: 'its method is rejected',
    remedy: 'See method_reject of the firewall that detail names.',
  },
  blocked_path: {
    fault: 'client',
    meaning: 'its path is rejected, in one way of reading it',
    remedy: 'See path_reject of the firewall that detail names.',
  },
  blocked_header: {
    fault: 'client',
    meaning: 'one of its headers is rejected',
    remedy: 'See header_reject of the firewall that detail names.',
  },
  regex_budget: {
    fault: 'client',
    meaning: 'matching the patterns of the settings takes too long',
    remedy: 'Made to be slow, or very long. If neither: begin them with ^, and make repeats shorter.',
  },
  banned: {
    fault: 'client',
    meaning: 'the client is shut out for what it did before',
    remedy: 'It passes by itself; ban of the firewall that detail names says after how long.',
  },
  rate_limited: {
    fault: 'client',
    meaning: 'the client sends more requests than it may',
    remedy: 'See rate_limit of the firewall that detail names; Retry-After tells when to come back.',
  },
  too_many_requests: {
    fault: 'client',
    meaning: 'the client has too many requests in flight',
    remedy: 'See max_connections_per_ip of the firewall that detail names.',
  },
  shutdown: {
    fault: 'balancer',
    meaning: 'the balancer was stopping',
    remedy: 'Raise timeouts.drain if such requests should be finished first.',
  },
} as const satisfies Record<Reason, ReasonEntry>;
