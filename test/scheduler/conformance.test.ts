import t from 'tap';
import { ConsistentHash } from '../../lib/scheduler/consistent-hash.js';
import { First } from '../../lib/scheduler/first.js';
import { LeastConnections } from '../../lib/scheduler/least-connections.js';
import { LeastResponseTime } from '../../lib/scheduler/least-response-time.js';
import { PowerOfTwo } from '../../lib/scheduler/power-of-two.js';
import { Random } from '../../lib/scheduler/random.js';
import { RoundRobin } from '../../lib/scheduler/round-robin.js';
import type { Scheduler } from '../../lib/scheduler/scheduler.js';
import { bytesPerCall } from './allocation.js';
import { fits, servers, tally } from './candidates.js';
import { type Conformance, conforms } from './conformance.js';

const ALL: { readonly [name: string]: Conformance } = {
  round_robin: { create: () => new RoundRobin(), weighted: true },
  least_connections: { create: () => new LeastConnections(), weighted: true },
  random: { create: (random) => new Random(random), weighted: true },
  power_of_two: { create: (random) => new PowerOfTwo(random), weighted: true },
  least_response_time: { create: (random, clock) => new LeastResponseTime(random, clock), weighted: true },
  hash: { create: () => new ConsistentHash(new RoundRobin()), weighted: true },
  'hash with a bound': { create: () => new ConsistentHash(new RoundRobin(), 1.25), weighted: true },
  first: { create: () => new First(), weighted: false },
};

for (const [name, conformance] of Object.entries(ALL)) {
  t.test(name, async (t) => conforms(t, conformance));
}

t.test('what is asked above can be failed', async (t) => {
  const biased: Scheduler = { pick: (candidates) => (Math.random() < 0.1 ? 0 : candidates.length - 1) };
  t.notOk(fits(tally(biased, servers(1, 1), 1000), [1, 1]), 'an unfair scheduler is told');
  t.notOk(
    fits(tally(new RoundRobin(), servers(1, 1, 1), 20_000), [1, 1, 1.1]),
    'so are weights that are 3 % off',
  );
  const kept: { last: object | null } = { last: null };
  const bytes = bytesPerCall((index) => {
    kept.last = { index };
  }, 200);
  t.ok(bytes > 8, `one small object each is seen: ${bytes.toFixed(1)} bytes`);
});
