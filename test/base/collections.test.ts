import fc from 'fast-check';
import t from 'tap';
import { ObjectPool, Recent, Ring } from '../../lib/base/collections.js';
import { FUZZ_RUNS } from '../support/fuzz.js';

t.test('a ring is a queue, whatever is done to it', async () => {
  const step = fc.oneof(
    fc.nat(9),
    fc.constant('shift' as const),
    fc.nat(9).map((n) => ({ remove: n })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const ring = new Ring<number>();
      const queue: number[] = [];
      for (const it of steps) {
        let got: unknown = null;
        let expected: unknown = null;
        if (typeof it === 'number') {
          ring.push(it);
          queue.push(it);
        } else if (it === 'shift') {
          got = ring.shift();
          expected = queue.shift();
        } else {
          got = ring.remove(it.remove);
          const at = queue.indexOf(it.remove);
          expected = at !== -1;
          if (at !== -1) queue.splice(at, 1);
        }
        if (got !== expected || ring.length !== queue.length)
          throw new Error(`${String(got)}, ${ring.length}`);
      }
      for (const expected of queue) if (ring.shift() !== expected) throw new Error('order');
    }),
    { numRuns: FUZZ_RUNS },
  );
});

t.test('a ring grows in any position', async (t) => {
  for (let offset = 0; offset < 16; offset++) {
    const ring = new Ring<number>();
    for (let i = 0; i < offset; i++) ring.push(-1);
    for (let i = 0; i < offset; i++) ring.shift();
    for (let i = 0; i < 100; i++) ring.push(i);
    t.same(
      Array.from({ length: 100 }, () => ring.shift()),
      Array.from({ length: 100 }, (_, i) => i),
    );
    t.equal(ring.shift(), undefined);
  }
});

t.test(
  'an object pool makes objects that it lacks, keeps those it has room for, and discards the rest',
  async (t) => {
    let made = 0;
    const discarded: number[] = [];
    const objectPool = new ObjectPool<number>(
      2,
      () => ++made,
      (item) => discarded.push(item),
    );
    const items = [objectPool.take(), objectPool.take(), objectPool.take()];
    t.same(items, [1, 2, 3]);
    for (const item of items) objectPool.put(item);
    t.same(discarded, [3]);
    t.equal(objectPool.take(), 2, 'the one used last is the warmest');
    t.equal(objectPool.take(), 1);
    t.equal(objectPool.take(), 4);
  },
);

t.test('Recent keeps the latest values, oldest first', async (t) => {
  const recent = new Recent<number>(3);
  t.same(recent.toArray(), []);
  t.equal(recent.last, undefined);
  const seen: number[][] = [];
  for (let i = 1; i <= 7; i++) {
    recent.push(i);
    t.equal(recent.last, i);
    seen.push(recent.toArray());
  }
  t.same(seen, [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]);
  t.equal(recent.length, 3);
});

t.test('the newest value of a Recent can be replaced at any position', async (t) => {
  const recent = new Recent<number>(3);
  recent.replaceLast(9);
  t.same(recent.toArray(), [], 'there is none');
  for (let i = 1; i <= 7; i++) {
    recent.push(i);
    recent.replaceLast(i * 10);
    t.equal(recent.last, i * 10);
  }
  t.same(recent.toArray(), [50, 60, 70]);
});
