import t from 'tap';
import { ConsistentHash } from '../../../lib/servers/scheduler/consistent-hash.js';
import { First } from '../../../lib/servers/scheduler/first.js';
import { LeastConnections } from '../../../lib/servers/scheduler/least-connections.js';
import { LeastResponseTime } from '../../../lib/servers/scheduler/least-response-time.js';
import { PowerOfTwo } from '../../../lib/servers/scheduler/power-of-two.js';
import { Random } from '../../../lib/servers/scheduler/random.js';
import { RoundRobin } from '../../../lib/servers/scheduler/round-robin.js';
import { bytesPerCall } from './allocation.js';
import { Chooser, fits, servers, tally } from './candidates.js';
import { type Conformance, conforms } from './conformance.js';

// Each test takes seconds, but a busy machine compiles late.
t.setTimeout(120_000);

const ALL: { readonly [name: string]: Conformance } = {
  round_robin: { create: (list) => new RoundRobin(list), weighted: true },
  least_connections: { create: (list) => new LeastConnections(list), weighted: true },
  random: { create: (list, random) => new Random(list, random), weighted: true },
  power_of_two: { create: (list, random) => new PowerOfTwo(list, random), weighted: true },
  least_response_time: {
    create: (list, random, clock) => new LeastResponseTime(list, random, clock),
    weighted: true,
  },
  hash: { create: (list) => new ConsistentHash(list, new RoundRobin(list)), weighted: true },
  'hash with a bound': {
    create: (list) => new ConsistentHash(list, new RoundRobin(list), 1.25),
    weighted: true,
  },
  first: { create: (list) => new First(list), weighted: false },
};

for (const [name, conformance] of Object.entries(ALL)) {
  t.test(name, async (t) => conforms(t, conformance));
}

t.test('each check of the conformance suite can fail', async (t) => {
  const biased = { pick: (list: readonly unknown[]) => (Math.random() < 0.1 ? 0 : list.length - 1) };
  t.notOk(fits(tally(biased, servers(1, 1), 1000), [1, 1]), 'an unfair scheduler is detected');
  t.notOk(
    fits(tally(new Chooser((list) => new RoundRobin(list)), servers(1, 1, 1), 20_000), [1, 1, 1.1]),
    'and weights that are 3 % off',
  );
  // All objects are kept: those collected meanwhile would not be measured.
  const kept: { last: object | null } = { last: null };
  const bytes = bytesPerCall((index) => {
    kept.last = { index, before: kept.last };
  }, 50);
  t.ok(bytes > 8, `one small object per call is detected: ${bytes.toFixed(1)} bytes`);
});
