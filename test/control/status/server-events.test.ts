import t from 'tap';
import type { HealthEvent, HealthEventKind } from '../../../lib/control/health/health-history.js';
import { serverEvents } from '../../../lib/control/status/server-events.js';
import type { EventKind, StatusEvent } from '../../../lib/control/status/status.js';

const told = (at: number, what: EventKind, reason = ''): StatusEvent => ({
  id: at,
  at,
  what,
  server: 'apple',
  reason,
});
const seen = (at: number, what: HealthEventKind, reason = '', times = 1): HealthEvent => ({
  at,
  what,
  reason,
  times,
});

t.test('the events of a server are merged with its health history without duplicates', async (t) => {
  const events = serverEvents(
    [
      told(3, 'down', 'status 500'),
      told(9, 'up', 'after 6 s'),
      told(12, 'ejected', 'five, for 30 s'),
      told(20, 'returned'),
      told(30, 'drained'),
    ],
    [
      seen(1, 'check_failed', 'status 500', 3),
      seen(3, 'down', 'status 500'),
      seen(4, 'check_failed', 'refused', 7),
      seen(9, 'check_passed', 'status 200'),
      seen(9, 'up', 'status 200'),
      seen(12, 'ejected', 'five, for 30s'),
      seen(20, 'trial'),
      seen(25, 'returned'),
    ],
  );
  t.strictSame(
    events.map(({ at, what, reason, times }) => [at, what, reason, times]),
    [
      [1, 'check_failed', 'status 500', 3],
      [3, 'down', 'status 500', 1],
      [4, 'check_failed', 'refused', 7],
      [9, 'check_passed', 'status 200', 1],
      [9, 'up', 'after 6 s', 1],
      [12, 'ejected', 'five, for 30 s', 1],
      [20, 'trial', '', 1],
      [25, 'returned', '', 1],
      [30, 'drained', '', 1],
    ],
  );
});

t.test('of events and history together the last hundred are kept', async (t) => {
  const even = Array.from({ length: 100 }, (_, index) => told(2 * index, 'weight'));
  const odd = Array.from({ length: 100 }, (_, index) => seen(2 * index + 1, 'connect_failed'));
  t.strictSame(
    serverEvents(even, odd).map(({ at }) => at),
    Array.from({ length: 100 }, (_, index) => index + 100),
  );
});
