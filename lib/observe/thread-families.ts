import { counter, type Family, gauge, one, type Sample } from './families.js';

/** One of several threads that serve requests. */
export interface LiveThread {
  readonly number: number;
  readonly requests: number;
  readonly connections: number;
  readonly loopDelayMs: number;
  readonly busy: number;
  readonly restarts: number;
}

/**
 * The families of the threads that serve requests, by number. A process with one thread has lines of `lb_threads` alone:
 * its other figures are those of the whole.
 */
export function threadFamilies(live: () => readonly LiveThread[]): readonly Family[] {
  const each = (value: (thread: LiveThread) => number): Family['read'] =>
    function* (): Generator<Sample> {
      for (const thread of live()) yield { labels: { thread: String(thread.number) }, value: value(thread) };
    };
  return [
    gauge('lb_threads', 'Threads that serve requests.', () => one(Math.max(1, live().length))),
    counter(
      'lb_thread_requests_total',
      'Requests by the thread that served them; only with several threads, as all of lb_thread_*.',
      each(({ requests }) => requests),
    ),
    gauge(
      'lb_thread_connections',
      'Open client connections of the thread.',
      each(({ connections }) => connections),
    ),
    gauge(
      'lb_thread_event_loop_delay_seconds',
      'By how much the event loop of the thread is late: the 99th percentile of the last five to ten seconds.',
      each(({ loopDelayMs }) => loopDelayMs / 1000),
    ),
    gauge(
      'lb_thread_busy_ratio',
      'The share of time that the event loop of the thread works.',
      each(({ busy }) => busy),
    ),
    counter(
      'lb_thread_restarts_total',
      'How often a thread with this number ended and was replaced.',
      each(({ restarts }) => restarts),
    ),
  ];
}
