import t from 'tap';
import { age, grouped, latency, percent, rate, sparkline } from '../../../lib/cli/remote/figures.js';

t.test('amounts are grouped by thousands', async (t) => {
  t.same([0, 999, 1000, 1_234_567].map(grouped), ['0', '999', '1,000', '1,234,567']);
});

t.test('latencies have no more figures than mean something', async (t) => {
  t.same([0.004, 0.84, 1.24, 9.96, 12.4, 999.6, 1234, 12_345].map(latency), [
    '0.00 ms',
    '0.84 ms',
    '1.2 ms',
    '10 ms',
    '12 ms',
    '1.0 s',
    '1.2 s',
    '12 s',
  ]);
  t.equal(latency(null), '');
});

t.test('rates below ten have a decimal', async (t) => {
  t.same([0, 0.04, 0.44, 9.94, 9.96, 1234.4].map(rate), ['0', '0.0', '0.4', '9.9', '10', '1,234']);
});

t.test('a share is never rounded to all or nothing', async (t) => {
  t.same([0, 0.0001, 0.003, 0.01, 0.5, 0.999, 1].map(percent), [
    '0 %',
    '<0.1 %',
    '0.3 %',
    '1 %',
    '50 %',
    '99 %',
    '100 %',
  ]);
});

t.test('an age is shown in one unit', async (t) => {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  t.same([-1, 4400, 99_000, 5 * minute, 90 * minute, 5 * hour, 3 * day].map(age), [
    '0 s',
    '4 s',
    '99 s',
    '5 min',
    '90 min',
    '5 h',
    '3 d',
  ]);
});

t.test('the highest bar is the greatest value, nothing is a blank', async (t) => {
  t.equal(sparkline([0, 1, 4, 8]), ' ▁▄█');
  t.equal(sparkline([0, 0]), '  ');
  t.equal(sparkline([]), '');
});
