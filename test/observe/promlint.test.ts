import t from 'tap';
import { promlint } from './promlint.js';

const family = (name: string, type: string, ...samples: string[]): string =>
  `# HELP ${name} A sentence.\n# TYPE ${name} ${type}\n${samples.map((sample) => `${sample}\n`).join('')}`;

t.test('a request that succeeded has no reason', async (t) => {
  const histogram = family(
    'lb_wait_seconds',
    'histogram',
    'lb_wait_seconds_bucket{le="0.1"} 1',
    'lb_wait_seconds_bucket{le="+Inf"} 3',
    'lb_wait_seconds_sum 0.4',
    'lb_wait_seconds_count 3',
  );
  t.same(promlint(`${family('lb_a_total', 'counter', 'lb_a_total{b="c\\"d"} 1.5e+21')}${histogram}`), []);
});

for (const [what, text, complaint] of [
  ['a counter without _total', family('lb_a', 'counter', 'lb_a 1'), '_total'],
  ['a gauge with _total', family('lb_a_total', 'gauge', 'lb_a_total 1'), '_total'],
  [
    'a gauge that ends as a part of a histogram does',
    family('lb_a_count', 'gauge', 'lb_a_count 1'),
    'reserved',
  ],
  ['a type in a name', family('lb_gauge_a', 'gauge', 'lb_gauge_a 1'), 'type is in its name'],
  ['other units', family('lb_a_milliseconds', 'gauge', 'lb_a_milliseconds 1'), 'base units'],
  ['short units', family('lb_a_ms', 'gauge', 'lb_a_ms 1'), 'abbreviated'],
  ['camel case', family('lb_aB', 'gauge', 'lb_aB 1'), 'snake_case'],
  ['a colon', family('lb:a', 'gauge', 'lb:a 1'), 'snake_case'],
  ['a label in camel case', family('lb_a', 'gauge', 'lb_a{bC="d"} 1'), 'snake_case'],
  ['a reserved label', family('lb_a', 'gauge', 'lb_a{le="1"} 1'), 'reserved'],
  ['the same sample twice', family('lb_a', 'gauge', 'lb_a{b="c"} 1', 'lb_a{b="c"} 2'), 'twice'],
  [
    'a family in two places',
    `${family('lb_a', 'gauge', 'lb_a 1')}${family('lb_b', 'gauge')}${family('lb_a', 'gauge')}`,
    'one place',
  ],
  ['a sample without a family', 'lb_a 1\n', 'without a family'],
  ['a quote that is not escaped', family('lb_a', 'gauge', 'lb_a{b="c"d"} 1'), 'without a family'],
  ['no help', '# TYPE lb_a gauge\nlb_a 1\n', 'help'],
  [
    'a bucket with less',
    family('lb_a', 'histogram', 'lb_a_bucket{le="1"} 2', 'lb_a_bucket{le="+Inf"} 1'),
    'less than',
  ],
  [
    'a count of its own',
    family('lb_a', 'histogram', 'lb_a_bucket{le="+Inf"} 1', 'lb_a_count 2'),
    'last bucket',
  ],
] as const)
  t.test(`${what} is complained of`, async (t) => {
    t.match(promlint(text).join('\n'), complaint);
  });
