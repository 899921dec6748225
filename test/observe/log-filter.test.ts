import t from 'tap';
import { AccessLog } from '../../lib/observe/batched-sink.js';
import { LogFilter } from '../../lib/observe/log-filter.js';
import { recordOf } from './record.js';

const none = { statuses: [], slowerThan: null, sample: 0 };

t.test('requests with a configured status, and answers that were cut off, are always logged', async (t) => {
  const filter = new LogFilter({
    ...none,
    statuses: [
      { from: 400, to: 403 },
      { from: 500, to: 599 },
    ],
  });
  const kept = [200, 302, 399, 400, 403, 404, 500, 599].filter((status) =>
    filter.keeps(recordOf({ status })),
  );
  t.same(kept, [400, 403, 500, 599]);
  t.equal(filter.keeps(recordOf({ status: 200, reason: 'reset_in_response' })), true);
  t.equal(filter.keeps(recordOf({ status: 0, reason: 'client_abort' })), true);
  t.equal(filter.keeps(recordOf({ status: 404, reason: 'no_route' })), false, 'this one is not cut');
});

t.test('requests slower than slower_than are always logged', async (t) => {
  const filter = new LogFilter({ ...none, slowerThan: 1000 });
  t.equal(filter.keeps(recordOf({ durationMs: 1000 })), false);
  t.equal(filter.keeps(recordOf({ durationMs: 1000.1 })), true);
});

t.test('a random share of all other requests is logged', async (t) => {
  let turn = 0;
  const filter = new LogFilter(
    { statuses: [{ from: 500, to: 599 }], slowerThan: null, sample: 0.25 },
    () => (turn++ % 10) / 10,
  );
  const kept = Array.from({ length: 100 }, () => filter.keeps(recordOf())).filter((keep) => keep);
  t.equal(kept.length, 30, '0, 0.1 and 0.2 of ten');
  t.equal(filter.keeps(recordOf({ status: 503 })), true);
  const real = new LogFilter({ ...none, sample: 0.1 });
  let count = 0;
  for (let i = 0; i < 20_000; i++) if (real.keeps(recordOf())) count++;
  t.ok(count > 1500 && count < 2500, `${count} of 20000`);
});

t.test('a log without a filter has every line, a log with a filter only those that it keeps', async (t) => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  const format = ({ status }: { status: number }): string => String(status);
  new AccessLog(format, sink).requestSettled(recordOf({ status: 204 }));
  const filtered = new AccessLog(
    format,
    sink,
    new LogFilter({ ...none, statuses: [{ from: 500, to: 500 }] }),
  );
  for (const status of [200, 500]) filtered.requestSettled(recordOf({ status }));
  t.same(lines, ['204', '500']);
});
