import t from 'tap';
import type { BalancerEvent } from '../../../lib/base/observer.js';
import { createConfig } from '../../../lib/config/config.js';
import type { MetricsConfig } from '../../../lib/config/types.js';
import { Exposition } from '../../../lib/observe/exposition.js';
import type { Family, Sample } from '../../../lib/observe/families.js';
import { Metrics } from '../../../lib/observe/metrics.js';
import { ObserverList } from '../../../lib/observe/observer-list.js';
import { MetricExport } from '../../../lib/observe/otlp/metric-export.js';
import { dataPoints, METRIC_END, metricStart } from '../../../lib/observe/otlp/metric-json.js';
import { startBalancer } from '../../support/balancer.js';
import { FakeCollector } from '../../support/collector.js';
import { GET, OK } from '../../support/http.js';
import { nothingIsLeft } from '../../support/leaks.js';
import { until } from '../../support/loop-ticks.js';
import { ManualClock } from '../../support/manual-clock.js';
import { origin, readRequest } from '../../support/origin.js';
import { faultsOf } from '../../support/otlp-protocol.js';

// biome-ignore lint/suspicious/noExplicitAny: whatever was written
type Json = any;

const PERIOD = { start: 1_767_225_600_000, end: 1_767_225_660_500 };

function written(family: Partial<Family>, samples: readonly Sample[]): Json {
  const whole: Family = { name: 'lb_x', help: 'Help "x".', type: 'gauge', read: () => samples, ...family };
  return JSON.parse(`${metricStart(whole)}${[...dataPoints(whole, PERIOD)].join(',')}${METRIC_END}`);
}

t.test('a counter is a sum since the start, a gauge a value, with the unit that the name says', async (t) => {
  const labels = { server: 'caf\u00e9 "1"', route: 'r' };
  const sum = written({ name: 'lb_sent_bytes_total', type: 'counter' }, [{ labels, value: 3 }]);
  t.same(sum, {
    name: 'lb_sent_bytes_total',
    description: 'Help "x".',
    unit: 'By',
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [
        {
          attributes: [
            { key: 'server', value: { stringValue: 'caf\u00e9 "1"' } },
            { key: 'route', value: { stringValue: 'r' } },
          ],
          startTimeUnixNano: '1767225600000000000',
          timeUnixNano: '1767225660500000000',
          asDouble: 3,
        },
      ],
    },
  });
  const gauge = written({ name: 'lb_delay_seconds' }, [{ labels: {}, value: 0.25 }]);
  t.same(gauge, {
    name: 'lb_delay_seconds',
    description: 'Help "x".',
    unit: 's',
    gauge: { dataPoints: [{ timeUnixNano: '1767225660500000000', asDouble: 0.25 }] },
  });
});

t.test('a histogram has the count of each bucket alone, and explicit bounds', async (t) => {
  const of = (server: string, counts: readonly number[], sum: number): Sample[] => [
    ...['0.1', '0.5', '+Inf'].map((le, index) => ({
      labels: { server, le },
      value: counts[index] as number,
      suffix: '_bucket',
    })),
    { labels: { server }, value: sum, suffix: '_sum' },
    { labels: { server }, value: counts[2] as number, suffix: '_count' },
  ];
  const { histogram } = written({ type: 'histogram' }, [
    ...of('a', [1, 4, 9], 2.5),
    ...of('b', [0, 0, 1], 7),
  ]);
  t.equal(histogram.aggregationTemporality, 2);
  t.same(
    histogram.dataPoints.map(({ attributes, bucketCounts, explicitBounds, count, sum }: Json) => [
      attributes[0].value.stringValue,
      bucketCounts,
      explicitBounds,
      count,
      sum,
    ]),
    [
      ['a', ['1', '3', '5'], [0.1, 0.5], '9', 2.5],
      ['b', ['0', '0', '1'], [0.1, 0.5], '1', 7],
    ],
  );
});

async function started(t: Parameters<typeof startBalancer>[0], servers: number, metrics: object = {}) {
  const collector = await FakeCollector.start(t);
  const server = await origin(t, async (connection) => {
    for (;;) {
      await readRequest(connection);
      await connection.write(OK);
    }
  });
  const others = Array.from({ length: servers - 1 }, (_, index) => `127.1.${index >> 8}.${index & 255}:9`);
  const list = [server.address, ...others];
  const lb = await startBalancer(
    t,
    { servers: list, metrics: { otlp: collector.url, every: '1s', ...metrics } },
    { manual: true },
  );
  return { ...lb, collector };
}

function metricsOf({ json }: { readonly json: Json }): readonly Json[] {
  return json.resourceMetrics.flatMap(({ scopeMetrics }: Json) =>
    scopeMetrics.flatMap(({ metrics }: Json) => metrics),
  );
}

t.test('a collector gets every figure that /metrics has, under its name', async (t) => {
  const { connect, clock, collector, balancer } = await started(t, 1);
  const client = await connect();
  client.send(GET);
  await client.response();
  clock.advance(1000);
  await until(() => collector.exports.length === 1);
  const [sent] = collector.exports as [(typeof collector.exports)[0]];
  t.same(faultsOf(sent.json, 'ExportMetricsServiceRequest'), []);
  t.equal(sent.path, '/v1/metrics');
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  const text = await exposition.text();
  exposition.close();
  const names = [...text.matchAll(/^(lb_\w+|process_\w+|nodejs_\w+)(?=[ {])/gm)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );
  const metrics = metricsOf(sent);
  t.same(new Set(metrics.map(({ name }) => name)), new Set(names));
  const requests = metrics.find(({ name }) => name === 'lb_requests_total');
  t.match(requests.sum.dataPoints, [{ asDouble: 1 }]);
  const durations = metrics.find(({ name }) => name === 'lb_request_duration_seconds');
  t.match(durations.histogram.dataPoints, [{ count: '1' }]);
  t.equal(
    durations.histogram.dataPoints[0].bucketCounts.length,
    durations.histogram.dataPoints[0].explicitBounds.length + 1,
  );
});

t.test('many figures are sent in several requests, one after the other', async (t) => {
  const { clock, collector } = await started(t, 1200);
  clock.advance(1000);
  await until(
    () =>
      collector.exports.length >= 3 && collector.exports.some((one) => one.text.includes('lb_build_info')),
  );
  for (const { json } of collector.exports) t.same(faultsOf(json, 'ExportMetricsServiceRequest'), []);
  const ups = collector.exports.flatMap(metricsOf).filter(({ name }) => name === 'lb_server_up');
  const names = ups.flatMap(({ gauge }) =>
    gauge.dataPoints.map(({ attributes }: Json) => attributes[0].value.stringValue),
  );
  t.equal(names.length, 1200);
  t.equal(new Set(names).size, 1200);
});

t.test('a collector that is away is reported once, and asked again after its Retry-After', async (t) => {
  const { clock, collector, seen, balancer } = await started(t, 1);
  const events: BalancerEvent[] = [];
  seen.listen((event) => events.push(event));
  collector.answer = (count) => (count === 1 ? { status: 503, headers: { 'Retry-After': '3' } } : {});
  clock.advance(1000);
  await until(() => events.length === 1);
  clock.advance(1000);
  clock.advance(1000);
  t.equal(collector.exports.length, 1);
  clock.advance(1000);
  await until(() => events.length === 2);
  t.match(events, [
    { what: 'export_failed', signal: 'metrics', detail: 'status 503' },
    { what: 'export_recovered', signal: 'metrics' },
  ]);
  balancer.stop();
  await balancer.ended;
  t.equal(collector.exports.length, 3, 'a stop sends the last figures');
});

t.test('after a program has handed over, figures are sent once more and then no longer', async (t) => {
  const { clock, collector, balancer } = await started(t, 1);
  clock.advance(1000);
  await until(() => collector.exports.length === 1);
  balancer.handOver(1, '9.9.9');
  await until(() => collector.exports.length === 2);
  clock.advance(10_000);
  balancer.stop();
  await balancer.ended;
  t.equal(collector.exports.length, 2, 'the new program goes on under the same name');
});

t.test('an error while figures are read is reported, and does not end the process', async (t) => {
  const events: BalancerEvent[] = [];
  const clock = new ManualClock();
  const { metrics } = createConfig({ metrics: { otlp: 'http://127.0.0.1:9', every: '1s' } });
  const exported = new MetricExport(metrics as MetricsConfig, {
    clock,
    observer: new ObserverList([{ event: (event) => void events.push(event) }]),
    userAgent: 'lb/1.2.3',
    sources: {
      metrics: new Metrics(),
      live: () => {
        throw new Error('no figures');
      },
    },
    collect: () => null,
    since: 0,
  });
  clock.advance(1000);
  await until(() => events.length === 1);
  t.match(events, [{ what: 'export_failed', signal: 'metrics', detail: /no figures/ }]);
  await exported.close();
});

nothingIsLeft(t);
