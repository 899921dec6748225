import fc from 'fast-check';
import t from 'tap';
import { RecentMap } from '../../lib/firewall/recent-map.js';

t.test('recently used entries stay, others are dropped', async (t) => {
  const map = new RecentMap<number>(10, 1000);
  map.set('a', 1, 0);
  map.set('b', 2, 0);
  t.equal(map.get('a', 999), 1);
  t.equal(map.get('a', 1500), 1);
  t.equal(map.get('a', 2600), 1);
  t.equal(map.get('b', 2600), undefined);
  t.equal(map.size, 1);
});

t.test('a value that is changed or deleted is so at once', async (t) => {
  const map = new RecentMap<number>(4, 1000);
  for (const [i, key] of ['a', 'b', 'c'].entries()) map.set(key, i, 0);
  map.set('a', 9, 0);
  t.equal(map.get('a', 0), 9);
  map.delete('a');
  map.delete('b');
  t.equal(map.get('a', 0), undefined);
  t.equal(map.get('b', 0), undefined);
});

t.test(
  'it never holds more than its capacity, and never loses what was asked for within the last half of it',
  async () => {
    const key = fc.integer({ min: 0, max: 30 }).map(String);
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200 }), (keys) => {
        const map = new RecentMap<string>(10, Number.POSITIVE_INFINITY);
        const used: string[] = [];
        return keys.every((each) => {
          const recent = [...new Set(used.slice().reverse())].slice(0, 5);
          const found = map.get(each, 0);
          if (found === undefined) map.set(each, each, 0);
          used.push(each);
          return map.size <= 10 && (found === each || !recent.includes(each));
        });
      }),
      { numRuns: 1000 },
    );
  },
);

t.test('a value that is asked for within its time is never lost to time', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 50 }), (waits) => {
      const map = new RecentMap<number>(1000, 100);
      let now = 0;
      map.set('a', 1, now);
      return waits.every((wait, i) => {
        now += wait;
        map.set(`other ${i}`, i, now);
        return map.get('a', now) === 1;
      });
    }),
  );
});
