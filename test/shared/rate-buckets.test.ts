import fc from 'fast-check';
import t from 'tap';
import { RATE_BUCKETS } from '../../lib/shared/rate-buckets.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { resultsOf, startCrowd } from './crowd.js';
import { hashOf, TASKS, TERMS } from './tasks.js';

t.test('four threads together let in what the bucket allows, in every interval', async (t) => {
  const shared = SharedMemory.create(5);
  const part = { lasts: 2000, key: 'hot' };
  const crowd = await startCrowd(t, shared, 'hammer', [part, part, part, part]);
  const passed = (await resultsOf(crowd)).flat().sort((a, b) => a - b);
  let most = 0;
  for (let i = 0; i < passed.length; i++) {
    for (let j = i; j < passed.length; j++) {
      const allowed = 10 + ((passed[j] as number) - (passed[i] as number)) / TERMS.interval;
      most = Math.max(most, j - i + 1 - allowed);
    }
  }
  t.ok(most <= 1e-4, `${most} more than the bucket allows`);
  const lasted = (passed.at(-1) as number) - (passed[0] as number);
  // What flows in while the system lets none of them run is lost to a full bucket.
  t.ok(passed.length > 10 + lasted / TERMS.interval / 3, `${passed.length} passed in ${lasted} ms`);
});

t.test('as many pass as with one thread, whatever the order in which threads come', async (t) => {
  const times = Array.from({ length: 20_000 }, (_, i) => 1000 + Math.floor(i / 8) * 4);
  const alone = SharedMemory.create();
  const expected = TASKS.replay(alone, { times, key: 'client' });
  // All arrivals at one moment, from four threads: exactly the burst.
  const shared = SharedMemory.create(5);
  const same = { times: times.map(() => 1000), key: 'client' };
  const crowd = await startCrowd(t, shared, 'replay', [same, same, same, same]);
  const results = await resultsOf(crowd);
  t.equal(
    results.reduce((sum, each) => sum + each),
    10,
  );
  // The same arrivals, each taken by one of four threads.
  for (let round = 0; round < 5; round++) {
    const threads = [1, 2, 3, 4].map((thread) => SharedMemory.attach(shared.handle, thread));
    const hash = hashOf(threads[0] as SharedMemory);
    let passed = 0;
    for (const now of times) {
      const { clients } = threads[Math.floor(Math.random() * 4)] as SharedMemory;
      if (clients.rates.take(hash.ofText(`round ${round}`), TERMS, now) === 0) passed++;
    }
    t.equal(passed, expected);
  }
});

t.test('arrivals that reach the bucket out of order get no more than in order', async () => {
  const time = fc.integer({ min: 1000, max: 2000 });
  fc.assert(
    fc.property(fc.array(time, { maxLength: 200 }), (times) => {
      const taken = (order: readonly number[]): number =>
        TASKS.replay(SHARED, { times: order, key: `run ${runs++}` });
      return taken(times) <= taken([...times].sort((a, b) => a - b));
    }),
    { numRuns: 300 },
  );
});

t.test('a flood of keys from four threads stays within the table', async (t) => {
  const shared = SharedMemory.create(5);
  const { rates } = shared.clients;
  const parts = ['a', 'b', 'c', 'd'].map((name) => ({ count: 150_000, name }));
  const crowd = await startCrowd(t, shared, 'flood', parts);
  await resultsOf(crowd);
  const most = RATE_BUCKETS.sets * RATE_BUCKETS.ways;
  t.ok(rates.countAt(1000) > most * 0.95, `${rates.countAt(1000)} buckets`);
  t.ok(rates.countAt(1000) <= most);
  t.equal(rates.countAt(1010), 0, 'all of them are full again');
});

t.test(
  'in a full set the bucket gives way that was not asked for longest, and a full one before it',
  async (t) => {
    const { clients } = SharedMemory.create();
    const hash = hashOf({ clients } as SharedMemory);
    const spend = (key: string, now: number): boolean => {
      let passed = false;
      for (let i = 0; i < 10; i++) passed = clients.rates.take(hash.ofText(key), TERMS, now) === 0 || passed;
      return passed;
    };
    // As large as the table gets: with buckets that are full soon.
    for (let i = 0; i < 2 * RATE_BUCKETS.sets; i++) clients.rates.take(hash.ofText(`${i}`), TERMS, 0);
    // Keys of one set.
    const set = (hash.ofText('first')[0] as number) & (RATE_BUCKETS.sets - 1);
    const keys: string[] = [];
    for (let i = 0; keys.length < 8; i++)
      if (((hash.ofText(`key ${i}`)[0] as number) & (RATE_BUCKETS.sets - 1)) === set) keys.push(`key ${i}`);
    const [a, b, c, d, e, f, g, h] = keys as [string, string, string, string, string, string, string, string];
    for (const key of [a, b, c, d, e, f]) t.ok(spend(key, 1000));
    t.notOk(spend(a, 1000), 'asked again, and still known');
    t.ok(spend(g, 1000), 'takes the place of b');
    for (const key of [a, c, d, e, f, g]) t.notOk(spend(key, 1000), key);
    clients.rates.take(hash.ofText(a), TERMS, 1095);
    clients.rates.take(hash.ofText(c), TERMS, 1095);
    t.ok(spend(h, 1100), 'takes the place of a full one');
    for (const key of [a, c]) t.equal(clients.rates.countAt(1100) > 0 && tokensOf(key), 9, key);

    function tokensOf(key: string): number {
      let tokens = 0;
      while (clients.rates.take(hash.ofText(key), TERMS, 1100) === 0) tokens++;
      return tokens;
    }
  },
);

t.test(
  'a limit finds its buckets in every thread and by every name, and other limits have others',
  async (t) => {
    const shared = SharedMemory.create(2);
    const other = SharedMemory.attach(shared.handle, 1);
    const bits = (memory: SharedMemory, purpose: string, ...names: string[]): string =>
      memory.clients.scopes.hashFor(purpose, names).ofText('client').join();
    const first = bits(shared, 'limit', 'a.example', 'b.example');
    t.equal(bits(other, 'limit', 'a.example', 'b.example'), first);
    t.equal(bits(other, 'limit', 'b.example', 'c.example'), first, 'a name of it is gone, another one new');
    t.equal(bits(shared, 'limit', 'c.example'), first);
    t.not(bits(shared, 'other limit', 'a.example'), first);
    t.not(bits(shared, 'limit', 'd.example'), first);
    t.not(
      bits(SharedMemory.create(), 'limit', 'a.example', 'b.example'),
      first,
      'no balancer has the key of another',
    );
  },
);

const SHARED = SharedMemory.create();
let runs = 0;
