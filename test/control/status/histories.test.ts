import t from 'tap';
import { atOnce } from '../../../lib/base/slices.js';
import type { ManagedServers } from '../../../lib/control/managed-servers.js';
import { countsOfRoute, Histories, SAMPLE_MS } from '../../../lib/control/status/histories.js';
import { Metrics } from '../../../lib/observe/metrics.js';
import { recordOf } from '../../observe/record.js';
import { ManualClock } from '../../support/manual-clock.js';

/** A server that the test counts for. */
class Counted {
  readonly server = { totals: { requests: 0, failures: 0, responses: new Array<number>(10).fill(0) } };
}

function setUp() {
  const clock = new ManualClock();
  const metrics = new Metrics(clock);
  const histories = new Histories(clock);
  const apple = new Counted();
  const servers = {
    names: ['apple'],
    named: (name: string) => (name === 'apple' ? [apple] : []),
  } as unknown as ManagedServers;
  const request = (status: number, durationMs: number): void =>
    metrics.requestSettled(recordOf({ status, durationMs, route: 'shop', startedAt: clock.wall() }));
  const sample = (): void => {
    clock.advance(SAMPLE_MS);
    atOnce(histories.sampleSteps(metrics, servers));
  };
  return { clock, metrics, histories, apple, request, sample };
}

t.test('the history of a route has requests, errors and latencies of each ten seconds', async (t) => {
  const { histories, request, sample, clock } = setUp();
  t.same(histories.of('route', 'shop'), []);
  request(200, 10);
  request(500, 20);
  sample();
  sample();
  request(404, 40);
  sample();
  const points = histories.of('route', 'shop');
  t.match(points, [
    { requests: 2, errors: 1 },
    { requests: 0, errors: 0, p50: null, p99: null },
    { requests: 1, errors: 0 },
  ]);
  t.ok(Math.abs((points[0]?.p99 ?? 0) - 20) < 2, `p99 of ${points[0]?.p99} ms`);
  t.equal(points[2]?.at, clock.wall());
});

t.test('a history has five minutes and no more, and goes with its route', async (t) => {
  const { histories, metrics, request, sample } = setUp();
  for (let count = 0; count < 70; count++) {
    for (let left = count; left > 0; left--) request(200, 1);
    sample();
  }
  const points = histories.of('route', 'shop');
  t.same(
    points.map(({ requests }) => requests),
    Array.from({ length: 30 }, (_, index) => 40 + index),
  );
  metrics.retain(new Set(), new Set());
  sample();
  t.ok(histories.of('route', 'shop').every(({ requests }) => requests === 0));
});

t.test('what is recent is of about the last minute, for a server too', async (t) => {
  const { histories, metrics, apple, request, sample } = setUp();
  const { totals } = apple.server;
  totals.requests = 60;
  totals.failures = 2;
  totals.responses[5] = 1;
  t.match(histories.recentOfServer('apple', { requests: 60, errors: 3 }), { requests: 60, errors: 3 });
  for (let count = 0; count < 12; count++) {
    request(200, 1);
    sample();
  }
  totals.requests += 50;
  t.same(histories.recentOfServer('apple', { requests: 110, errors: 3 }), {
    requests: 50,
    errors: 0,
    rate: 1,
  });
  const figures = metrics.routeFigures('shop')!;
  t.match(histories.recentOfRoute('shop', countsOfRoute(figures)), { requests: 5, rate: 0.1 });
  const anew = histories.recentOfServer('apple', { requests: 5, errors: 0 });
  t.match(anew, { requests: 0, rate: 0 }, 'a server that has come back is counted anew');
});
