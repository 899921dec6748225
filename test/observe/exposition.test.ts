import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { Histogram } from '../../lib/base/collections.js';
import type { Steps } from '../../lib/base/slices.js';
import { createConfig } from '../../lib/config/config.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { Metrics } from '../../lib/observe/metrics.js';
import type { LiveBalancer, LiveServer } from '../../lib/observe/server-families.js';
import { withPrometheus } from './prometheus-parser.js';
import { promlint } from './promlint.js';
import { recordOf } from './record.js';

const NASTY = 'a"b\\c\nd';

const QUICK = new Histogram();
for (const ms of [0.5, 3, 3]) QUICK.observe(ms);
const SLOW = new Histogram();
SLOW.observe(700);

function server(changes: Partial<LiveServer> = {}): LiveServer {
  return {
    name: 'mango-1',
    state: 'up',
    effectiveWeight: 1,
    active: 2,
    waiting: 0,
    open: 5,
    idle: 3,
    responseTimes: [QUICK, SLOW],
    totals: {
      requests: 10,
      byStatus: { '1xx': 0, '2xx': 8, '3xx': 0, '4xx': 0, '5xx': 1, none: 0 },
      failures: 1,
      connectFailures: 1,
      resets: 0,
      retries: 1,
      ejections: 0,
      spared: 0,
      connections: 0,
      unsolicited: 0,
      bytesIn: 100,
      bytesOut: 2000,
    },
    ...changes,
  };
}

const LIVE: LiveBalancer = {
  version: '1.2.3',
  instance: 'edge-1',
  ready: true,
  clients: 7,
  threads: [
    { number: 1, requests: 30, connections: 4, loopDelayMs: 1.5, busy: 0.25, restarts: 0 },
    { number: 2, requests: 12, connections: 3, loopDelayMs: 0, busy: 0.5, restarts: 1 },
  ],
  bufferedBytes: 8192,
  handshakes: new Map([
    ['ok', 5],
    ['timeout', 1],
  ]),
  proxyHeaders: new Map([['accepted', 4]]),
  listeners: [{ address: '127.0.0.1:8080', connections: 3, turnedAway: 1 }],
  requests: { inFlight: 2 },
  routes: [
    { name: 'www.mango.com', isUp: true, usableServers: 2, hold: null },
    { name: NASTY, isUp: false, usableServers: 0, hold: { waiting: 2, held: 9, timedOut: 3, refused: 1 } },
  ],
  servers: [server(), server({ name: NASTY, state: 'ejected', effectiveWeight: 0 })],
  firewall: [
    { rule: 'firewall_rules', verdicts: [{ guard: 'ip_reject', refused: 4, observed: 1 }], bans: 3 },
  ],
  certificates: [
    { name: 'www.mango.com', serial: '1A2B', source: 'file', notAfter: 1_800_000_000_000 },
    { name: NASTY, serial: '01', source: 'acme', notAfter: 1_800_000_000_999 },
  ],
  exports: {
    spans: { sent: 12, rejected: 1, dropped: 3 },
    waiting: 4,
    requests: [{ signal: 'traces', ok: 2, failed: 1 }],
  },
  shared: {
    state: 'shared',
    nodes: [1, 2, 3],
    commands: 120,
    errors: 2,
    answerSeconds: 0.25,
    answers: 118,
    keys: 4,
    leased: 900,
    returned: 30,
  },
  providers: [
    {
      source: 'dns api.internal:8080',
      kind: 'dns',
      state: 'current',
      servers: 3,
      answeredAt: 1_800_000_000_500,
      errors: 2,
    },
    { source: NASTY, kind: 'file', state: 'waiting', servers: 0, answeredAt: null, errors: 1 },
  ],
};

function* lookAtLive(): Steps<LiveBalancer> {
  yield;
  return LIVE;
}

async function exposed(): Promise<string> {
  const metrics = new Metrics();
  metrics.measure(createConfig({ metrics: { paths: ['/api', '~ "\\d'] } }).measuredPaths);
  for (const durationMs of [0.5, 1, 3, 20_000]) metrics.requestSettled(recordOf({ durationMs, bytesIn: 5 }));
  metrics.requestSettled(recordOf({ route: NASTY, status: 502, reason: 'connect_refused' }));
  metrics.reloaded(false);
  const exposition = new Exposition({
    metrics,
    live: lookAtLive,
    droppedLines: () => 3,
    droppedEvents: () => 2,
  });
  const text = await exposition.text();
  exposition.close();
  t.match(exposition.contentType, /^text\/plain; version=0\.0\.4/);
  return text;
}

t.test('counts are exposed with labels that no client chooses', async (t) => {
  const lines = (await exposed()).split('\n');
  for (const line of [
    'lb_requests_total{route="www.mango.com",code="200"} 4',
    'lb_requests_total{route="a\\"b\\\\c\\nd",code="502"} 1',
    'lb_request_failures_total{reason="connect_refused",fault="server"} 1',
    'lb_request_duration_seconds_bucket{route="www.mango.com",le="0.001"} 2',
    'lb_request_duration_seconds_bucket{route="www.mango.com",le="0.005"} 3',
    'lb_request_duration_seconds_bucket{route="www.mango.com",le="10"} 3',
    'lb_request_duration_seconds_bucket{route="www.mango.com",le="+Inf"} 4',
    'lb_request_duration_seconds_sum{route="www.mango.com"} 20.0045',
    'lb_request_duration_seconds_count{route="www.mango.com"} 4',
    'lb_request_body_bytes_total{route="www.mango.com"} 20',
    'lb_route_up{route="www.mango.com"} 1',
    'lb_route_up{route="a\\"b\\\\c\\nd"} 0',
    'lb_route_usable_servers{route="www.mango.com"} 2',
    'lb_server_response_duration_seconds_bucket{server="mango-1",le="0.001"} 1',
    'lb_server_response_duration_seconds_bucket{server="mango-1",le="0.005"} 3',
    'lb_server_response_duration_seconds_bucket{server="mango-1",le="+Inf"} 4',
    'lb_server_response_duration_seconds_sum{server="mango-1"} 0.7065',
    'lb_server_response_duration_seconds_count{server="mango-1"} 4',
    'lb_server_up{server="mango-1"} 1',
    'lb_server_up{server="a\\"b\\\\c\\nd"} 0',
    'lb_server_state{server="a\\"b\\\\c\\nd",state="ejected"} 1',
    'lb_server_connections_idle{server="mango-1"} 3',
    'lb_server_responses_total{server="mango-1",code="5xx"} 1',
    'lb_server_sent_bytes_total{server="mango-1"} 100',
    'lb_firewall_verdicts_total{rule="firewall_rules",guard="ip_reject",verdict="observed"} 1',
    'lb_reloads_total{result="failure"} 1',
    'lb_config_last_reload_successful 0',
    'lb_client_connections 7',
    'lb_ready 1',
    'lb_access_log_dropped_lines_total 3',
    'lb_webhook_dropped_events_total 2',
    'lb_route_requests_waiting{route="a\\"b\\\\c\\nd"} 2',
    'lb_route_requests_held_total{route="a\\"b\\\\c\\nd"} 9',
    'lb_route_hold_failures_total{route="a\\"b\\\\c\\nd",result="timed_out"} 3',
    `lb_build_info{version="1.2.3",node="${process.versions.node}",instance_name="edge-1"} 1`,
  ])
    t.ok(lines.includes(line), line);
});

t.test('a balancer has all that is asked for', async (t) => {
  const servers = ['127.0.0.1:5001', { address: '127.0.0.1:5002', name: 'big' }];
  const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', servers }));
  t.teardown(() => balancer.stop());
  balancer.setWeight('big', 3);
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  const text = await exposition.text();
  exposition.close();
  t.match(text, 'lb_server_weight{server="big"} 3\n');
  t.match(text, 'lb_server_requests_total{server="127.0.0.1:5001"} 0\n');
  t.match(text, 'lb_ready 0\n', 'it was not started');
});

t.test('a client chooses no label, whatever it sends', async (t) => {
  const metrics = new Metrics();
  const odd = { method: 'ODDMETHOD', target: '/odd-target', host: 'odd-host', userAgent: 'odd-agent' };
  metrics.requestSettled(
    recordOf({ ...odd, clientAddress: '203.0.113.77', requestId: 'odd-id', referer: 'odd-ref' }),
  );
  const exposition = new Exposition({ metrics, live: lookAtLive });
  t.notMatch(await exposition.text(), /odd|ODD|203\.0\.113/);
  exposition.close();
});

t.test('names and types are as Prometheus wants them', async (t) => {
  const text = await exposed();
  t.same(promlint(text), []);
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
  t.ok(names.length > 35, `${names.length} families`);
  for (const name of names) t.match(name, /^(?:lb|process|nodejs)_/, `${name}: one prefix`);
});

t.test('the event loop and the process are measured', async (t) => {
  const metrics = new Metrics();
  const exposition = new Exposition({ metrics, live: lookAtLive });
  await new Promise((resolve) => setTimeout(resolve, 60));
  const blocked = performance.now() + 120;
  while (performance.now() < blocked);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const text = await exposition.text();
  exposition.close();
  const sampleOf = (name: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  const lag = sampleOf('nodejs_eventloop_lag_seconds{stat="max"}');
  t.ok(lag > 0.05 && lag < 5, `late by ${lag} s`);
  t.ok(sampleOf('process_resident_memory_bytes') > 1e6);
  t.ok(sampleOf('process_cpu_seconds_total') > 0);
  t.ok(sampleOf('process_open_fds') > 2);
  t.ok(Math.abs(sampleOf('process_start_time_seconds') - Date.now() / 1000) < 600);
  t.ok(sampleOf('nodejs_eventloop_busy_seconds_total') > 0.1);
});

await withPrometheus(t, "Prometheus' own parser reads it", async (t, parse) => {
  const [parsed = []] = parse([await exposed()]);
  const families = new Map(parsed.map(([name, type, samples]) => [name, { type, samples }]));
  t.match(families.get('lb_requests'), {
    type: 'counter',
    samples: [
      ['lb_requests_total', { route: 'www.mango.com', code: '200' }, 4],
      ['lb_requests_total', { route: NASTY, code: '502' }, 1],
    ],
  });
  t.equal(families.get('lb_request_duration_seconds')?.type, 'histogram');
  for (const [name, { type, samples }] of families) {
    t.not(type, 'unknown', name);
    t.ok(samples.length > 0, `${name} has a value`);
  }
});

t.test('families of many lines are printed in several steps with the same text as in one', async (t) => {
  const servers = Array.from({ length: 250 }, (_, index) => server({ name: `mango-${index}` }));
  const exposition = new Exposition({
    metrics: new Metrics(),
    live: function* () {
      yield;
      return { ...LIVE, servers };
    },
  });
  t.teardown(() => exposition.close());
  const [text, again] = await Promise.all([exposition.text(), exposition.text()]);
  t.same(promlint(text), []);
  t.equal(text.match(/^# HELP lb_server_up /gm)?.length, 1);
  t.equal(text.match(/^lb_server_up\{/gm)?.length, 250);
  t.equal(text.match(/^lb_server_state\{/gm)?.length, 250 * 6);
  t.notMatch(text, /\n\n\n/);
  t.match(text, /[^\n]\n$/);
  t.equal(again.split('\n').length, text.split('\n').length, 'two that scrape at once get the same lines');
});
