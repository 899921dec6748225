import t from 'tap';
import { summarise } from './summary.js';
import type { Sample } from './trial.js';

function samples(...costs: number[]): Sample[] {
  return costs.map((cost) => ({ cost, rss: 0, pss: 0, remark: '' }));
}

function ratioOf(peer: string, rounds: Record<string, Sample[]>, yardsticks = ['nginx', 'haproxy']) {
  return summarise(new Map(Object.entries(rounds)), yardsticks).find((summary) => summary.peer === peer)
    ?.ratio;
}

t.test('a ratio is to the yardstick with the lower median, round by round', (t) => {
  const rounds = { lb: samples(22, 30, 24), nginx: samples(30, 15, 30), haproxy: samples(20, 25, 20) };
  t.strictSame(ratioOf('lb', rounds), { median: 1.2, min: 1.1, max: 1.2 });
  t.end();
});

t.test('of two equal peers that are disturbed in turn neither is behind', (t) => {
  const rounds = {
    lb: samples(20, 20, 20, 20),
    nginx: samples(16, 24, 16, 24),
    haproxy: samples(24, 16, 24, 16),
  };
  t.equal(ratioOf('lb', rounds)?.median, (20 / 16 + 20 / 24) / 2);
  t.end();
});

t.test('a yardstick that is not there is not measured against', (t) => {
  const rounds = { lb: samples(30, 30), nginx: samples(), haproxy: samples(20, 20) };
  t.equal(ratioOf('lb', rounds)?.median, 1.5);
  t.equal(ratioOf('lb', { lb: samples(30) }), undefined);
  t.equal(ratioOf('lb', rounds, []), undefined);
  t.end();
});

t.test('a peer that failed counts in the rounds that it finished', (t) => {
  const rounds = { lb: samples(30), nginx: samples(20, 20, 20) };
  t.strictSame(ratioOf('lb', rounds), { median: 1.5, min: 1.5, max: 1.5 });
  t.strictSame(ratioOf('nginx', { lb: samples(30, 30), nginx: samples(20) }), { median: 1, min: 1, max: 1 });
  t.end();
});
