import { FAILURES } from '../base/failure.js';
import { counter, durationsOf, type Family, gauge, one, type Sample } from './families.js';
import type { Metrics, RouteFigures } from './metrics.js';
import { statusClasses } from './metrics-snapshot.js';
import { CODES } from './status-codes.js';

/**
 * The families of `Metrics`. Labels are names of the configuration and words of ours: nothing a client sends becomes
 * one.
 */
export function requestFamilies(metrics: Metrics): readonly Family[] {
  const each = (value: (route: RouteFigures) => number): Family['read'] =>
    function* () {
      for (const route of metrics.routes) yield { labels: { route: route.name }, value: value(route) };
    };
  return [
    counter('lb_requests_total', 'Requests by route and status; code 0: the client was sent nothing.', () =>
      responses(metrics),
    ),
    {
      name: 'lb_request_duration_seconds',
      help: 'Time from the head of a request to the end of the response; without upgraded connections.',
      type: 'histogram',
      read: () => durations(metrics),
    },
    counter(
      'lb_request_body_bytes_total',
      'Body bytes received from clients.',
      each((route) => route.bytesIn),
    ),
    counter(
      'lb_response_body_bytes_total',
      'Body bytes sent to clients.',
      each((route) => route.bytesOut),
    ),
    counter(
      'lb_request_failures_total',
      'Failed requests, by the reason word of the access log and by who is at fault.',
      () => failures(metrics),
    ),
    counter(
      'lb_path_requests_total',
      'Requests by the paths of metrics.paths, and by the class of the status; none: the client was sent nothing.',
      () => pathResponses(metrics),
    ),
    {
      name: 'lb_path_request_duration_seconds',
      help: 'The same time as lb_request_duration_seconds, by the paths of metrics.paths.',
      type: 'histogram',
      read: () => pathDurations(metrics),
    },
    counter(
      'lb_callback_failures_total',
      'Calls of observers, event listeners and the store for changes that threw; the first of each is a warning.',
      () => one(metrics.callbackFailures),
    ),
    counter(
      'lb_unreported_requests_total',
      'Requests of other threads that were not reported to observers of requests, because the observers took too long.',
      () => one(metrics.lostRecords),
    ),
    counter('lb_reloads_total', 'Reloads of the configuration.', () => [
      { labels: { result: 'success' }, value: metrics.reloads.good },
      { labels: { result: 'failure' }, value: metrics.reloads.refused },
    ]),
    counter('lb_acme_orders_total', 'Orders of certificates by ACME.', () => [
      { labels: { result: 'success' }, value: metrics.orders.ok },
      { labels: { result: 'failure' }, value: metrics.orders.failed },
    ]),
    gauge('lb_config_last_reload_successful', 'Whether the last reload succeeded.', () => [
      { labels: {}, value: metrics.reloads.lastIsGood ? 1 : 0 },
    ]),
    gauge(
      'lb_config_last_reload_success_timestamp_seconds',
      'Time of the last successful reload; before any, of the start.',
      () => [{ labels: {}, value: metrics.reloads.lastGoodAt / 1000 }],
    ),
  ];
}

function* responses({ routes }: Metrics): Generator<Sample> {
  for (const { name, responses } of routes) {
    for (const [index, value] of responses.entries()) {
      if (value > 0) yield { labels: { route: name, code: CODES[index] as string }, value };
    }
  }
}

function* durations({ routes }: Metrics): Generator<Sample> {
  for (const { name, duration } of routes) yield* durationsOf({ route: name }, [duration]);
}

function* pathResponses({ paths }: Metrics): Generator<Sample> {
  for (const { path, classes } of paths) {
    for (const [code, value] of Object.entries(statusClasses(classes)))
      if (value > 0) yield { labels: { path, code }, value };
  }
}

function* pathDurations({ paths }: Metrics): Generator<Sample> {
  for (const { path, duration } of paths) yield* durationsOf({ path }, [duration]);
}

function* failures({ reasons }: Metrics): Generator<Sample> {
  for (const [reason, value] of reasons) yield { labels: { reason, fault: FAILURES[reason].fault }, value };
}
