import t from 'tap';
import type { Steps } from '../../lib/base/slices.js';
import { createConfig, loadConfig } from '../../lib/config/config.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { MeasuredPaths } from '../../lib/observe/measured-paths.js';
import { Metrics } from '../../lib/observe/metrics.js';
import type { LiveBalancer } from '../../lib/observe/server-families.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { Reporting } from '../threads/reporting.js';
import { recordOf } from './record.js';

const PATHS = ['/', '/api', '/api/users', '= /api/users', '~ ^/orders/[^/]+$', '~ ^/orders/\\d+$', '/orders'];

function measured(...paths: string[]) {
  return createConfig({ metrics: { paths } }).measuredPaths;
}

t.test('a path is exact, then the first expression that matches, then the longest prefix', async (t) => {
  const paths = MeasuredPaths.of(measured(...PATHS.slice(1)));
  const found: readonly (readonly [target: string, label: string])[] = [
    ['/api', '/api'],
    ['/api/', '/api'],
    ['/apis', 'other'],
    ['/api/users?id=3', '= /api/users'],
    ['/api/users/3', '/api/users'],
    ['/orders/3', '~ ^/orders/[^/]+$'],
    ['/orders/3/items', '/orders'],
    ['/api//users', '= /api/users'],
    ['/%61pi/x/../users/1', '/api/users'],
    ['http://a.example/api/x?y', '/api'],
    ['http://a.example', 'other'],
    ['*', 'other'],
    ['', 'other'],
    ['/%', 'other'],
  ];
  for (const twice of [1, 2])
    for (const [target, label] of found) t.equal(paths?.labelOf(target), label, `${target} ${twice}`);
  t.equal(MeasuredPaths.of(measured('/'))?.labelOf('http://a.example'), '/');
  t.equal(MeasuredPaths.of([]), null, 'nothing is asked for without paths');
});

t.test('the memory for targets is bounded', async (t) => {
  const paths = MeasuredPaths.of(measured('/api'));
  for (let i = 0; i < 20_000; i++) paths?.labelOf(`/api/${i}`);
  t.equal(paths?.labelOf(`/api/${'x'.repeat(100_000)}`), '/api');
});

async function exposed(metrics: Metrics): Promise<readonly string[]> {
  // Nothing of it is read before the families of paths.
  const live = (): Steps<LiveBalancer> => [][Symbol.iterator]() as never;
  const exposition = new Exposition({ metrics, live });
  const lines: string[] = [];
  try {
    for await (const piece of exposition.stream()) {
      lines.push(...piece.toString().split('\n'));
      if (lines.some((line) => line.startsWith('lb_callback_failures_total '))) break;
    }
  } finally {
    exposition.close();
  }
  return lines.filter((line) => line.startsWith('lb_path_'));
}

t.test('requests are counted by path and class, and their durations', async (t) => {
  const metrics = new Metrics();
  metrics.requestSettled(recordOf({ target: '/api/before' }));
  t.same(await exposed(metrics), []);
  metrics.measure(measured('/api', '~ "\\\\'));
  for (const changes of [
    { target: '/api/a', durationMs: 3 },
    { target: '/api/b', durationMs: 30, status: 503 },
    { target: '/x', status: 0 },
    { target: '/api/ws', status: 101, durationMs: 3_600_000 },
    { target: '/"\\' },
  ])
    metrics.requestSettled(recordOf(changes));
  const lines = await exposed(metrics);
  for (const line of [
    'lb_path_requests_total{path="/api",code="1xx"} 1',
    'lb_path_requests_total{path="/api",code="2xx"} 1',
    'lb_path_requests_total{path="/api",code="5xx"} 1',
    'lb_path_requests_total{path="other",code="none"} 1',
    'lb_path_requests_total{path="~ \\"\\\\\\\\",code="2xx"} 1',
    'lb_path_request_duration_seconds_bucket{path="/api",le="0.005"} 1',
    'lb_path_request_duration_seconds_sum{path="/api"} 0.033',
    'lb_path_request_duration_seconds_count{path="/api"} 2',
  ])
    t.ok(lines.includes(line), line);
  metrics.measure(measured('/other'));
  t.notOk(
    (await exposed(metrics)).some((line) => line.includes('"/api"')),
    'a reload forgets the others',
  );
  metrics.measure([]);
  t.same(await exposed(metrics), []);
});

t.test('the counts of threads are summed', async (t) => {
  const reporting = new Reporting(t);
  const paths = measured('/api');
  reporting.metrics.measure(paths);
  const reporters = [1, 2].map((thread) => reporting.start(thread));
  for (const reporter of reporters) {
    reporter.measure(paths);
    for (const target of ['/api/a', '/api/b', '/c'])
      reporter.requestSettled(recordOf({ target, durationMs: 3 }));
  }
  await reporting.collect();
  const [api, other] = [...reporting.metrics.paths].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  t.match(api, { path: '/api', duration: { sum: 12 } });
  t.equal(api?.classes[2], 4);
  t.equal(other?.classes[2], 2);
  for (const reporter of reporters) reporter.measure(measured('/new'));
  for (const reporter of reporters) reporter.requestSettled(recordOf({ target: '/new' }));
  await reporting.collect();
  t.notOk(
    [...reporting.metrics.paths].some(({ path }) => path === '/new'),
    'what the main thread does not measure yet is left out',
  );
  reporting.metrics.measure(measured('/new'));
  for (const reporter of reporters) reporter.requestSettled(recordOf({ target: '/new' }));
  await reporting.collect();
  t.equal([...reporting.metrics.paths].find(({ path }) => path === '/new')?.classes[2], 2);
});

t.test('a balancer measures the paths of its settings, and those of a reload', async (t) => {
  const settings = { listen: '127.0.0.1:0', respond: { status: 200 } };
  const { balancer, connect } = await startBalancer(t, { ...settings, metrics: { paths: ['/api'] } });
  const client = await connect();
  const measures = async (path: string): Promise<void> => {
    client.send(`GET ${path}/1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.response();
    // With several threads they report.
    const known = () => [...balancer.metrics.paths].map((one) => one.path);
    await until(
      () => known().includes(path),
      `${path} is measured`,
      () => balancer.collectFigures(),
    );
    t.strictSame(known(), [path]);
  };
  await measures('/api');
  await balancer.reload(createConfig({ ...settings, metrics: { paths: ['/web'] } }));
  await measures('/web');
  client.destroy();
});

t.test('paths need no collector, and what is for a collector needs one', async (t) => {
  const problems = (metrics: object): string => {
    const result = loadConfig(JSON.stringify({ servers: ['a:1'], metrics }), { env: {} });
    return result.ok ? '' : result.problems.map(({ message, hint }) => `${message} ${hint}`).join('\n');
  };
  t.equal(problems({ paths: ['/api'] }), '');
  t.match(problems({ paths: ['/api'], every: '15s' }), 'has no effect: no figures are sent to a collector');
  t.match(problems({ paths: ['api'] }), 'A path begins with a slash');
  t.match(problems({ paths: ['/a', '/a'] }), 'each once');
  t.match(problems({ paths: ['/a', '= /a', '/a/'] }), '/a is given twice, first in');
  t.match(problems({ paths: ['= /a', '=/a'] }), '= /a is given twice, first in');
  t.match(problems({ paths: ['~ ('] }), 'expression');
  t.match(problems({}), 'empty map');
  t.equal(createConfig({ metrics: { paths: ['/api'] } }).metrics, null);
});

nothingIsLeft(t);
