import t from 'tap';
import { RoundRobin } from '../../../lib/servers/scheduler/round-robin.js';
import { Chooser, servers, type TestServer } from './candidates.js';

const NO_KEY = -1;
const create = (): Chooser => new Chooser((list) => new RoundRobin(list));

const order = (chooser: Chooser, list: readonly TestServer[], count: number): string =>
  Array.from({ length: count }, () => list[chooser.pick(list, NO_KEY)]?.name ?? '?')
    .join(' ')
    .replaceAll('s', '');

t.test('servers of equal weight take turns in order', async (t) => {
  t.equal(order(create(), servers(1, 1, 1), 7), '0 1 2 0 1 2 0');
});

t.test('a server with a high weight does not get its share in a row', async (t) => {
  t.equal(order(create(), servers(5, 1, 1), 14), '0 0 1 0 2 0 0 0 0 1 0 2 0 0');
  t.equal(order(create(), servers(4, 3, 2), 9), '0 1 2 0 1 0 2 1 0');
});

t.test('every server has its exact share in every full round', async (t) => {
  const weights = [256, 3, 17, 1];
  const list = servers(...weights);
  const scheduler = create();
  for (let round = 0; round < 3; round++) {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 277; i++) counts[scheduler.pick(list, NO_KEY)]!++;
    t.strictSame(counts, weights);
  }
});

t.test('a server that is skipped for one request keeps its credit', async (t) => {
  const list = servers(1, 1, 1);
  const scheduler = create();
  const picked: number[] = [];
  for (let i = 0; i < 300; i++) {
    const index = scheduler.pick(list, NO_KEY);
    picked.push(index);
    // The first server always fails: if it counted as new afterwards, it would be the first each time.
    if (index === 0) scheduler.pick(list, NO_KEY, list.slice(0, 1));
  }
  t.equal(picked.filter((index) => index === 0).length, 100);
});

t.test('a server that returns does not catch up on missed turns', async (t) => {
  const list = servers(1, 1);
  const scheduler = create();
  scheduler.pick(list, NO_KEY);
  const alone = list.slice(0, 1);
  for (let i = 0; i < 50; i++) scheduler.pick(alone, NO_KEY);
  t.match(order(scheduler, [...list], 6), /^(1 0 1 0 1 0|0 1 0 1 0 1)$/);
});
