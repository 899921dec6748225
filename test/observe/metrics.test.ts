import fc from 'fast-check';
import t from 'tap';
import { BOUNDS, Histogram } from '../../lib/base/collections.js';
import { Metrics, NO_ROUTE, RecentLatency } from '../../lib/observe/metrics.js';
import { OTHER_NAME } from '../../lib/observe/metrics-snapshot.js';
import { CODES, STATUS_INDEXES } from '../../lib/observe/status-codes.js';
import { ManualClock } from '../support/manual-clock.js';
import { recordOf } from './record.js';

t.test('a histogram counts each duration in the first bucket that holds it', async (t) => {
  const histogram = new Histogram();
  for (const ms of [0, 1, 1.001, 2.5, 9999, 10_000, 10_001, 86_400_000]) histogram.observe(ms);
  t.same([...histogram.counts], [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
  t.equal(histogram.counts.length, BOUNDS.length + 1);
  t.equal(histogram.sum, 0 + 1 + 1.001 + 2.5 + 9999 + 10_000 + 10_001 + 86_400_000);
});

t.test('recent percentiles are within a sixteenth of the true ones', async () => {
  const duration = fc.oneof(
    fc.double({ min: 0.01, max: 50, noNaN: true }),
    fc.double({ min: 0.01, max: 3e6, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), (durations) => {
      const recent = new RecentLatency();
      for (const ms of durations) recent.note(ms, 0);
      const { count, percentiles } = recent.summary(0);
      const sorted = durations.toSorted((a, b) => a - b);
      const near = (found: number, share: number): boolean => {
        const rank = sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] as number;
        return Math.abs(found - rank) <= rank / 16 + 0.0011;
      };
      return (
        count === durations.length &&
        percentiles !== null &&
        near(percentiles.p50, 0.5) &&
        near(percentiles.p90, 0.9) &&
        near(percentiles.p99, 0.99)
      );
    }),
  );
});

t.test('odd durations break nothing', async (t) => {
  const recent = new RecentLatency();
  for (const ms of [0, -1, 1e12, Number.POSITIVE_INFINITY]) recent.note(ms, 0);
  t.equal(recent.summary(0).count, 4);
  t.equal(new RecentLatency().summary(0).percentiles, null);
});

t.test('every status has a series of its own or shares that of its class', async (t) => {
  for (const status of [0, 101, 200, 404, 429, 599, 299, 999]) {
    const code = CODES[STATUS_INDEXES[status] ?? 0];
    t.ok(code === String(status) || code === `${Math.floor(status / 100)}xx`, `${status} is ${code}`);
  }
  t.equal(CODES[STATUS_INDEXES[299] ?? 0], '2xx');
  t.equal(CODES[STATUS_INDEXES[503] ?? 0], '503');
});

t.test('requests are counted by route, status and reason', async (t) => {
  const metrics = new Metrics(new ManualClock());
  metrics.requestSettled(record({ route: 'a', bytesIn: 10, bytesOut: 20 }));
  metrics.requestSettled(record({ route: 'a', status: 299 }));
  metrics.requestSettled(record({ route: 'b', status: 502, reason: 'connect_refused' }));
  metrics.requestSettled(record({ route: '', status: 404, reason: 'no_route', server: '', attempts: 0 }));
  metrics.requestSettled(record({ route: 'b', status: 0, reason: 'client_abort' }));
  const { requests, routes } = metrics.snapshot();
  t.same(requests, {
    total: 5,
    byStatus: { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 1, '5xx': 1, none: 1 },
    byReason: { connect_refused: 1, no_route: 1, client_abort: 1 },
  });
  t.match(
    routes.map(({ name, requests, byStatus }) => [
      name,
      requests,
      byStatus['2xx'],
      byStatus['5xx'],
      byStatus.none,
    ]),
    [
      ['a', 2, 2, 0, 0],
      ['b', 2, 0, 1, 1],
      [NO_ROUTE, 1, 0, 0, 0],
    ],
  );
  const [a] = metrics.routes;
  t.match(a, { bytesIn: 10, bytesOut: 81 });
});

t.test(
  'the latency of a server is counted without waiting, and so is its share of the requests',
  async (t) => {
    const metrics = new Metrics(new ManualClock());
    for (let i = 0; i < 3; i++)
      metrics.requestSettled(
        record({ server: 'a', firstByteMs: 130, queueMs: 20, connectMs: 10, durationMs: 5000 }),
      );
    const failed = {
      server: 'a',
      reason: 'connect_refused',
      status: 0,
      durationMs: 7,
      reused: false,
    } as const;
    const last = { server: 'b', reason: '', status: 200, durationMs: 40, reused: true } as const;
    metrics.requestSettled(record({ server: 'b', attempts: 2, tries: [failed, last], firstByteMs: 47 }));
    metrics.requestSettled(record({ server: 'c', firstByteMs: -1, status: 504, reason: 'response_timeout' }));
    const servers = metrics.snapshot().servers;
    t.same(
      servers.map(({ name, share }) => [name, share]),
      [
        ['a', 0.75],
        ['b', 0.25],
      ],
      'one that never answered took nothing',
    );
    t.ok(Math.abs((servers[0]?.latency?.p50 ?? 0) - 100) < 7);
    t.ok(Math.abs((servers[1]?.latency?.p99 ?? 0) - 40) < 3);
  },
);

t.test('an upgraded connection is counted, its hours are no latency', async (t) => {
  const metrics = new Metrics(new ManualClock());
  metrics.requestSettled(record({ status: 101, durationMs: 3_600_000 }));
  t.match(metrics.snapshot().routes, [{ requests: 1, latency: null }]);
  t.same(metrics.snapshot().requests.byStatus['1xx'], 1);
});

t.test('what is older than the last minute is forgotten, the counts are not', async (t) => {
  const clock = new ManualClock();
  const metrics = new Metrics(clock);
  metrics.requestSettled(record({ startedAt: clock.wall() }));
  clock.advance(59_000);
  t.not(metrics.snapshot().routes[0]?.latency, null);
  metrics.requestSettled(record({ startedAt: clock.wall(), durationMs: 400 }));
  clock.advance(15_000);
  t.ok((metrics.snapshot().routes[0]?.latency?.p50 ?? 0) > 350, 'the first is gone');
  clock.advance(3_600_000);
  t.match(metrics.snapshot().routes, [{ requests: 2, latency: null }]);
});

t.test('a clock that is set back stops nothing', async (t) => {
  const manual = new ManualClock();
  let wall = manual.wall();
  const metrics = new Metrics({ now: () => 0, wall: () => wall, every: () => () => {} });
  metrics.requestSettled(record({ startedAt: wall }));
  wall -= 7_200_000;
  for (let second = 0; second < 3; second++)
    metrics.requestSettled(record({ startedAt: wall + second * 1000, durationMs: 400 }));
  t.ok((metrics.snapshot().routes[0]?.latency?.p50 ?? 0) > 350);
});

t.test('names that are configured no more go, and there can never be too many', async (t) => {
  const metrics = new Metrics(new ManualClock());
  for (const name of ['a', 'b']) metrics.requestSettled(record({ route: name, server: name }));
  metrics.requestSettled(record({ route: '' }));
  metrics.retain(new Set(['b']), new Map([['b', 1]]));
  t.same(
    metrics.snapshot().routes.map(({ name }) => name),
    ['b', NO_ROUTE],
  );
  t.same(
    metrics.snapshot().servers.map(({ name }) => name),
    ['b'],
  );
  for (let i = 0; i < 10_100; i++) metrics.requestSettled(record({ route: `r${i}`, server: '' }));
  const names = [...metrics.routes].map(({ name }) => name);
  t.equal(names.length, 10_001);
  t.ok(names.includes(OTHER_NAME));
});

t.test('reloads are counted, and when the last good one was', async (t) => {
  const clock = new ManualClock();
  const metrics = new Metrics(clock);
  const start = clock.wall();
  t.same(metrics.reloads, { good: 0, refused: 0, lastIsGood: true, lastGoodAt: start });
  clock.advance(5000);
  metrics.reloaded(false);
  t.same(metrics.reloads, { good: 0, refused: 1, lastIsGood: false, lastGoodAt: start });
  metrics.reloaded(true);
  t.same(metrics.reloads, { good: 1, refused: 1, lastIsGood: true, lastGoodAt: start + 5000 });
});

function record(changes: Parameters<typeof recordOf>[0]): ReturnType<typeof recordOf> {
  return recordOf({ startedAt: new ManualClock().wall(), ...changes });
}
