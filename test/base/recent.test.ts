import t from 'tap';
import { Recent } from '../../lib/base/recent.js';

t.test('it keeps the latest, oldest first', async (t) => {
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

t.test('the newest can be put right, wherever it lies', async (t) => {
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
