import t from 'tap';
import { RoundRobin } from '../../lib/scheduler/round-robin.js';
import { servers } from './candidates.js';

const order = (scheduler: RoundRobin, list: ReturnType<typeof servers>, count: number): string =>
  Array.from({ length: count }, () => list[scheduler.pick(list)]?.name ?? '?')
    .join(' ')
    .replaceAll('s', '');

t.test('equals take turns in their order', async (t) => {
  t.equal(order(new RoundRobin(), servers(1, 1, 1), 7), '0 1 2 0 1 2 0');
});

t.test('a heavy one does not get its share in one go', async (t) => {
  t.equal(order(new RoundRobin(), servers(5, 1, 1), 14), '0 0 1 0 2 0 0 0 0 1 0 2 0 0');
  t.equal(order(new RoundRobin(), servers(4, 3, 2), 9), '0 1 2 0 1 0 2 1 0');
});

t.test('every server has its exact share in every full round', async (t) => {
  const weights = [256, 3, 17, 1];
  const list = servers(...weights);
  const scheduler = new RoundRobin();
  for (let round = 0; round < 3; round++) {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 277; i++) counts[scheduler.pick(list)]!++;
    t.strictSame(counts, weights);
  }
});

t.test('who is passed over for one request keeps what it has to its credit', async (t) => {
  const list = servers(1, 1, 1);
  const scheduler = new RoundRobin();
  const without = list.slice(1);
  const picked: number[] = [];
  for (let i = 0; i < 300; i++) {
    const index = scheduler.pick(list);
    picked.push(index);
    // The first always fails: if that made it new to the rotation, it would be first each time.
    if (index === 0) scheduler.pick(without);
  }
  t.equal(picked.filter((index) => index === 0).length, 100);
});

t.test('who returns does not catch up on what it missed', async (t) => {
  const list = servers(1, 1);
  const scheduler = new RoundRobin();
  scheduler.pick(list);
  const alone = list.slice(0, 1);
  for (let i = 0; i < 50; i++) scheduler.pick(alone);
  t.match(order(scheduler, [...list], 6), /^(1 0 1 0 1 0|0 1 0 1 0 1)$/);
});
