import t from 'tap';
import { seeded } from '../support/random.js';
import { spreadOf, throughputOf } from './cores-throughput.js';

const near = (one: number, other: number): boolean => Math.abs(one / other - 1) < 1e-9;

t.test('cores that share nothing add up', (t) => {
  t.ok(near(throughputOf(1, 50_000, []), 20_000));
  t.ok(near(throughputOf(16, 50_000, []), 320_000));
  t.end();
});

t.test('a structure that all cores want bounds them by how long it is held', (t) => {
  const lines = [{ name: 'a', alone: 100, held: 10_000 }];
  t.ok(near(throughputOf(1, 50_000, lines), 20_000), 'one core alone does not wait');
  const rates = [2, 4, 8, 16, 64].map((cores) => throughputOf(cores, 50_000, lines));
  t.ok(
    rates.every((rate, i) => rate > (rates[i - 1] ?? 0) && rate < 100_001),
    rates.join(' '),
  );
  t.ok((rates.at(-1) as number) > 99_000, 'many cores reach the bound');
  t.end();
});

t.test('connections that a hash spreads are the more even the more there are', (t) => {
  const [few, many] = [64, 10_000].map((count) => spreadOf(4, count, seeded(1)));
  t.ok((few as number) > 1.1 && (few as number) < 1.6, String(few));
  t.ok((many as number) >= 1 && (many as number) < 1.05, String(many));
  t.end();
});
