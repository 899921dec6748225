// Writes dashboard.json beside this file: `node packaging/grafana/make-dashboard.mjs`. The panels are listed here so
// that a person can review them; the JSON is what Grafana imports.
import { writeFileSync } from 'node:fs';

const source = { type: 'prometheus', uid: '${datasource}' };
const only = '{instance=~"$instance"}';

/** title, unit, expressions with their legends */
const PANELS = [
  ['Requests per second', 'reqps', [[`sum by (route) (rate(lb_requests_total${only}[$__rate_interval]))`, '{{route}}']]],
  ['Answers by class', 'reqps', [[`sum by (code) (rate(lb_requests_total${only}[$__rate_interval]))`, '{{code}}']]],
  ['Failures by reason', 'reqps', [[`sum by (reason) (rate(lb_request_failures_total${only}[$__rate_interval]))`, '{{reason}}']]],
  ['Latency', 's', [0.5, 0.9, 0.99].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(lb_request_duration_seconds_bucket${only}[$__rate_interval])))`, `p${q * 100}`])],
  ['Servers that may get requests', 'short', [[`lb_server_up${only}`, '{{server}}']]],
  ['Requests on each server', 'short', [[`lb_server_requests_active${only}`, '{{server}}'], [`lb_server_requests_waiting${only}`, '{{server}} waiting']]],
  ['Server errors', 'reqps', [[`sum by (server) (rate(lb_server_failures_total${only}[$__rate_interval]))`, '{{server}} failed'], [`sum by (server) (rate(lb_server_responses_total{instance=~"$instance",code="5xx"}[$__rate_interval]))`, '{{server}} 5xx']]],
  ['Retries and ejections', 'short', [[`sum by (server) (increase(lb_server_retries_total${only}[$__rate_interval]))`, '{{server}} retries'], [`sum by (server) (increase(lb_server_ejections_total${only}[$__rate_interval]))`, '{{server}} ejections']]],
  ['Connections', 'short', [[`lb_client_connections${only}`, 'clients'], [`sum(lb_server_connections_open${only})`, 'servers'], [`sum(lb_server_connections_idle${only})`, 'idle']]],
  ['Bytes', 'Bps', [[`rate(lb_request_body_bytes_total${only}[$__rate_interval])`, 'from clients'], [`rate(lb_response_body_bytes_total${only}[$__rate_interval])`, 'to clients']]],
  ['Refused by the firewall', 'reqps', [[`sum by (rule) (rate(lb_firewall_verdicts_total${only}[$__rate_interval]))`, '{{rule}}']]],
  ['Event loop', 'percentunit', [[`rate(nodejs_eventloop_busy_seconds_total${only}[$__rate_interval])`, 'busy'], [`nodejs_eventloop_lag_seconds${only}`, 'lag (s)']]],
  ['Threads, busy', 'percentunit', [[`lb_thread_busy_ratio${only}`, 'thread {{thread}}']]],
  ['Threads, requests per second', 'reqps', [[`rate(lb_thread_requests_total${only}[$__rate_interval])`, 'thread {{thread}}']]],
  ['Requests that wait for a server to come back', 'short', [[`lb_route_requests_waiting${only}`, '{{route}}'], [`sum by (route, result) (increase(lb_route_hold_failures_total${only}[$__rate_interval]))`, '{{route}} {{result}}']]],
  ['Sources of servers', 'short', [[`lb_provider_servers${only}`, '{{source}}'], [`1 - lb_provider_up${only}`, '{{source}} fails']]],
  ['Nodes that share', 'short', [[`lb_shared_nodes${only}`, 'nodes, as {{instance}} sees them'], [`lb_shared_up${only}`, '{{instance}} shares']]],
  ['Redis, time for an answer', 's', [[`rate(lb_shared_answer_seconds_total${only}[$__rate_interval]) / rate(lb_shared_answers_total${only}[$__rate_interval])`, '{{instance}}']]],
  ['Redis, commands', 'reqps', [[`rate(lb_shared_commands_total${only}[$__rate_interval])`, '{{instance}}'], [`rate(lb_shared_errors_total${only}[$__rate_interval])`, '{{instance}} failed']]],
  ['Spans for the collector', 'short', [[`sum by (result) (rate(lb_otlp_spans_total${only}[$__rate_interval]))`, '{{result}} per second'], [`sum(lb_otlp_spans_waiting${only})`, 'waiting']]],
  ['Requests to collectors', 'reqps', [[`sum by (signal, result) (rate(lb_otlp_requests_total${only}[$__rate_interval]))`, '{{signal}} {{result}}']]],
  ['Paths, 99th percentile', 's', [[`histogram_quantile(0.99, sum by (path, le) (rate(lb_path_request_duration_seconds_bucket${only}[$__rate_interval])))`, '{{path}}']]],
  ['Memory', 'bytes', [[`process_resident_memory_bytes${only}`, 'resident'], [`nodejs_heap_size_used_bytes${only}`, 'heap']]],
  ['Open files', 'short', [[`process_open_fds${only}`, 'open'], [`process_max_fds${only}`, 'most']]],
];

const panels = PANELS.map(([title, unit, targets], index) => ({
  id: index + 1,
  title,
  type: 'timeseries',
  datasource: source,
  gridPos: { h: 8, w: 12, x: (index % 2) * 12, y: Math.floor(index / 2) * 8 },
  fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 8, showPoints: 'never' } }, overrides: [] },
  options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
  targets: targets.map(([expr, legendFormat], at) => ({ refId: String.fromCharCode(65 + at), datasource: source, expr, legendFormat })),
}));

const dashboard = {
  title: 'lb',
  uid: 'lb-overview',
  tags: ['lb'],
  schemaVersion: 39,
  time: { from: 'now-1h', to: 'now' },
  refresh: '10s',
  templating: {
    list: [
      { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
      { name: 'instance', type: 'query', datasource: source, query: 'label_values(lb_build_info, instance)', refresh: 2, multi: true, includeAll: true, label: 'Instance' },
    ],
  },
  panels,
};

writeFileSync(new URL('dashboard.json', import.meta.url), `${JSON.stringify(dashboard, null, 2)}\n`);
