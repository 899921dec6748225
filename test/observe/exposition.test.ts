import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { Metrics } from '../../lib/observe/metrics.js';
import type { LiveBalancer, LiveServer } from '../../lib/observe/server-families.js';
import { recordOf } from './record.js';

const NASTY = 'a"b\\c\nd';

function server(changes: Partial<LiveServer> = {}): LiveServer {
  return {
    name: 'mango-1',
    state: 'up',
    effectiveWeight: 1,
    active: 2,
    waiting: 0,
    open: 5,
    idle: 3,
    totals: {
      requests: 10,
      byStatus: { '1xx': 0, '2xx': 8, '3xx': 0, '4xx': 0, '5xx': 1, none: 0 },
      failures: 1,
      retries: 1,
      ejections: 0,
      bytesIn: 100,
      bytesOut: 2000,
    },
    ...changes,
  };
}

const LIVE: LiveBalancer = {
  version: '1.2.3',
  ready: true,
  clients: 7,
  requests: { inFlight: 2 },
  servers: [server(), server({ name: NASTY, state: 'ejected', effectiveWeight: 0 })],
  firewall: [{ rule: 'firewall_rules', verdicts: [{ guard: 'ip_reject', refused: 4, observed: 1 }] }],
};

async function exposed(): Promise<string> {
  const metrics = new Metrics();
  for (const durationMs of [0.5, 1, 3, 20_000]) metrics.requestSettled(recordOf({ durationMs, bytesIn: 5 }));
  metrics.requestSettled(recordOf({ route: NASTY, status: 502, reason: 'connect_refused' }));
  metrics.reloaded(false);
  const exposition = new Exposition({
    metrics,
    status: () => LIVE,
    droppedLines: () => 3,
    droppedEvents: () => 2,
  });
  const text = await exposition.text();
  exposition.close();
  t.match(exposition.contentType, /^text\/plain; version=0\.0\.4/);
  return text;
}

t.test('what was counted is exposed, with labels that are ours', async (t) => {
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
    `lb_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ])
    t.ok(lines.includes(line), line);
});

t.test('a balancer has all that is asked for', async (t) => {
  const servers = ['127.0.0.1:5001', { address: '127.0.0.1:5002', name: 'big' }];
  const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', servers }));
  t.teardown(() => balancer.stop());
  balancer.setWeight('big', 3);
  const exposition = new Exposition({ metrics: balancer.metrics, status: () => balancer.status() });
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
  const exposition = new Exposition({ metrics, status: () => LIVE });
  t.notMatch(await exposition.text(), /odd|ODD|203\.0\.113/);
  exposition.close();
});

t.test('names and types are as Prometheus wants them', async (t) => {
  const text = await exposed();
  const families = new Map<string, { help: string; type: string }>();
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (\S+) (.*)$/gm))
    families.set(name, { help, type: '' });
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (.*)$/gm))
    families.get(name)!.type = type;
  t.ok(families.size > 35, `${families.size} families`);
  for (const [name, { help, type }] of families) {
    t.match(name, /^(lb|process|nodejs)_[a-z0-9_]+$/, `${name}: one prefix, lower case`);
    t.match(help, /^\S.*\.$/, `${name}: a sentence of help`);
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: _total is for counters`);
    t.notMatch(
      name,
      /_(counter|gauge|histogram|count|sum|bucket|info_total)$/,
      `${name}: no type in the name`,
    );
    t.notMatch(name, /milliseconds|_ms(_|$)|_kb|kilobytes|minutes|percent/, `${name}: base units`);
    t.match(type, /^(counter|gauge|histogram)$/, name);
  }
  for (const line of text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))) {
    const name = /^[a-z0-9_]+/.exec(line)?.[0] ?? '';
    t.ok(
      families.has(name) || families.has(name.replace(/_(bucket|sum|count)$/, '')),
      `${line}: has a family`,
    );
    t.match(line, / (-?\d[\d.e+-]*|\+Inf|Nan)$/i, line);
  }
});

t.test('the event loop and the process are measured', async (t) => {
  const metrics = new Metrics();
  const exposition = new Exposition({ metrics, status: () => LIVE });
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

// A parser that was written elsewhere, by those who defined the format.
const PARSE = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
json.dump([[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in families], sys.stdout)
`;
const pythons = ['python3', '/usr/bin/python3'];
const python = pythons.find(
  (name) => spawnSync(name, ['-c', 'import prometheus_client.parser']).status === 0,
);
const isRequired = (process.env.LB_REQUIRE_PROMETHEUS ?? '') !== '';
const missing = 'no python3 with prometheus_client (Debian: python3-prometheus-client)';

t.test(
  "Prometheus' own parser reads it",
  { skip: python === undefined && !isRequired && missing },
  async (t) => {
    if (python === undefined) {
      t.fail(missing);
      return;
    }
    const { status, stdout, stderr } = spawnSync(python, ['-c', PARSE], {
      input: await exposed(),
      encoding: 'utf8',
    });
    t.equal(status, 0, stderr);
    const families = new Map(
      (JSON.parse(stdout) as [string, string, [string, Record<string, string>, number][]][]).map(
        ([name, type, samples]) => [name, { type, samples }],
      ),
    );
    t.match(families.get('lb_requests'), {
      type: 'counter',
      samples: [
        ['lb_requests_total', { route: 'www.mango.com', code: '200' }, 4],
        ['lb_requests_total', { route: NASTY, code: '502' }, 1],
      ],
    });
    const histogram = families.get('lb_request_duration_seconds');
    t.equal(histogram?.type, 'histogram');
    const buckets =
      histogram?.samples.filter(([name, { route }]) => name.endsWith('_bucket') && route !== NASTY) ?? [];
    t.same(
      buckets.map(([, , value]) => value),
      buckets.map(([, , value]) => value).toSorted((a, b) => a - b),
    );
    t.equal(buckets.at(-1)?.[1].le, '+Inf');
    for (const [name, { type, samples }] of families) {
      t.not(type, 'unknown', name);
      t.ok(samples.length > 0, `${name} has a value`);
    }
  },
);
