import t from 'tap';
import { HealthHistory } from '../../../lib/control/health/health-history.js';

t.test('at most a hundred health events are kept', async (t) => {
  const history = new HealthHistory();
  for (let i = 0; i < 1000; i++) history.note(i, 'down', `reason ${i}`);
  const { events } = history;
  t.equal(events.length, 100);
  t.match(events[0], { at: 900, what: 'down', reason: 'reason 900', times: 1 });
  t.match(events[99], { at: 999, reason: 'reason 999' });
});

t.test(
  'equal events in a row are one event with a count, so that the beginning of a long outage is kept',
  async (t) => {
    const history = new HealthHistory();
    history.note(1, 'down', 'refused');
    for (let at = 2; at < 10_000; at++)
      history.noteCheck({ ok: false, result: 'refused', at, durationMs: 1 });
    t.same(history.events, [
      { at: 1, what: 'down', reason: 'refused', times: 1 },
      { at: 2, what: 'check_failed', reason: 'refused', times: 9998 },
    ]);
  },
);

t.test('a passed check is an event only after a failed one', async (t) => {
  const history = new HealthHistory();
  t.equal(history.lastCheck, null);
  const check = (ok: boolean, at: number): void =>
    history.noteCheck({ ok, result: ok ? 'status 200' : 'status 500', at, durationMs: 2 });
  check(true, 1);
  check(true, 2);
  check(false, 3);
  check(true, 4);
  check(true, 5);
  t.same(
    history.events.map(({ at, what, reason }) => [at, what, reason]),
    [
      [3, 'check_failed', 'status 500'],
      [4, 'check_passed', 'status 200'],
    ],
  );
  t.same(history.lastCheck, { ok: true, result: 'status 200', at: 5, durationMs: 2 });
});
