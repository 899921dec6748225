import t from 'tap';
import { snakeCase } from '../../lib/admin/config-view.js';
import { Latencies } from '../../lib/admin/latencies.js';
import { Traffic } from '../../lib/admin/traffic.js';
import { FAILURES, type Reason } from '../../lib/base/failure.js';
import { Failures } from '../../lib/observe/failures.js';
import { recordOf } from '../observe/record.js';
import { ManualClock } from '../support/manual-clock.js';
import { FakeSubject } from './fake-subject.js';
import { openAdmin } from './support.js';

t.test('percentiles are those of what was added, within a tenth', async (t) => {
  const latencies = new Latencies();
  t.equal(latencies.percentiles([0.5]), null);
  for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
  for (const [index, share] of [0.5, 0.9, 0.99].entries()) {
    const found = latencies.percentiles([0.5, 0.9, 0.99])?.[index] ?? 0;
    t.ok(Math.abs(found / (share * 1000) - 1) < 0.1, `${share}: ${found}`);
  }
});

t.test('times beyond all measure stay in the last bucket', async (t) => {
  for (const ms of [0, -1, Number.NaN, 0.001, 1e12, Number.POSITIVE_INFINITY]) {
    const latencies = new Latencies();
    latencies.add(ms);
    const [found = Number.NaN] = latencies.percentiles([0.5]) ?? [];
    t.ok(found > 0 && found < 2e6, `${ms}: ${found}`);
  }
});

t.test('traffic is counted by the second and kept for five minutes', async (t) => {
  const clock = new ManualClock();
  const traffic = new Traffic(clock);
  traffic.start();
  traffic.note(recordOf({ durationMs: 10 }));
  traffic.note(recordOf({ durationMs: 20, status: 500 }));
  traffic.note(recordOf({ status: 403, reason: 'blocked_ip' }));
  traffic.note(recordOf({ status: 502, reason: 'connect_refused' }));
  t.same(traffic.points(0), [], 'the second is not over');
  clock.advance(1000);
  const [first] = traffic.points(0);
  t.match(first, { requests: 4, errors: 2 });
  t.equal(first?.at, clock.wall());
  clock.advance(9000);
  const quiet = traffic.points(first?.at ?? 0);
  t.equal(quiet.length, 9);
  t.match(quiet.at(-1), { requests: 0, errors: 0, p99: Number }, 'percentiles are of ten seconds');
  clock.advance(1000);
  t.match(traffic.points(0).at(-1), { p50: null, p90: null, p99: null });
  clock.advance(600_000);
  t.equal(traffic.points(0).length, 300);
  traffic.stop();
  clock.advance(5000);
  t.equal(traffic.points(clock.wall() - 4000).length, 0);
});

t.test('an upgraded connection that lasts for hours is no latency', async (t) => {
  const clock = new ManualClock();
  const traffic = new Traffic(clock);
  traffic.start();
  traffic.note(recordOf({ status: 101, durationMs: 3_600_000 }));
  clock.advance(1000);
  t.match(traffic.points(0), [{ requests: 1, p50: null }]);
});

t.test('an answer with failures of all reasons has less than 20 KB, and one reason is whole', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  const failures = new Failures();
  const long = '\xe9"'.repeat(100);
  for (const reason of Object.keys(FAILURES) as Reason[])
    for (let count = 0; count < 20; count++)
      failures.note(
        recordOf({
          reason,
          status: 502,
          startedAt: count,
          requestId: long,
          method: long,
          target: `/${long}`,
          host: long,
          detail: long,
        }),
      );
  const list = failures.list(8 * 1024);
  t.equal(list.length, Object.keys(FAILURES).length);
  const bytes = Buffer.byteLength(JSON.stringify({ failures: snakeCase(list) }));
  t.ok(bytes < 20_000, `${bytes} bytes`);
  t.ok(list[0]?.count === 20 && list[0].lastAt > 0);
  t.ok(
    list.every(({ requests }) => requests.length === 1),
    'each reason has its newest request',
  );
  const [newest] = list[0]?.requests ?? [];
  t.equal(newest?.at, 20, 'which is not any other');
  t.match(newest?.path, /^\/\xe9"*.*…$/, 'with its texts cut');
  t.match(failures.listOf('no_route'), [{ reason: 'no_route', requests: { length: 10 } }]);
  t.equal(failures.listOf('no_route').length, 1);

  const few = new Failures();
  for (let count = 0; count < 20; count++) few.note(recordOf({ reason: 'no_route', status: 404 }));
  t.equal(few.list(8 * 1024)[0]?.requests.length, 10, 'one reason alone is whole');
  t.same((await ask('/api/failures?reason=no_route')).json, { failures: [] });
});

t.test('failures are kept by reason, the many beside the few', async (t) => {
  const failures = new Failures();
  failures.note(recordOf());
  failures.note(recordOf({ reason: 'connect_refused', status: 502, startedAt: 1000, target: '/a?token=x' }));
  for (let count = 0; count < 30; count++)
    failures.note(recordOf({ reason: 'blocked_path', status: 403, startedAt: 2000 + count }));
  failures.note(recordOf({ status: 503, startedAt: 500, target: `/${'x'.repeat(5000)}` }));
  const list = failures.list();
  t.same(
    list.map(({ reason, count, requests }) => [reason, count, requests.length]),
    [
      ['blocked_path', 30, 10],
      ['connect_refused', 1, 1],
      ['server_error', 1, 1],
    ],
  );
  t.match(list[1], { fault: 'server', meaning: /nothing listens/, requests: [{ path: '/a', status: 502 }] });
  t.ok((list[0]?.requests[0]?.at ?? 0) > (list[0]?.requests[9]?.at ?? 0), 'newest first');
  t.equal(list[2]?.requests[0]?.path.length, 200);
});
