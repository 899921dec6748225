import fc from 'fast-check';
import t from 'tap';
import { type Growth, growthOf } from '../../lib/config/backtracking.js';
import { processorTime } from '../support/processor-time.js';

const cases: Record<Exclude<Growth, 'unknown'>, string[]> = {
  linear: [
    'abc',
    '\\.php$',
    'Android|iPhone',
    '^/old/(.*)',
    '^(a|b)*$',
    '^[a-z]+\\.[a-z]+$',
    '(?:sqlmap|nikto)',
    '^a?b?c?$',
  ],
  quadratic: [
    '.*x',
    '\\s+$',
    'foo.*bar',
    '^a*a*$',
    '^.*foo.*bar',
    '^([a-z0-9-]+\\.)*example\\.com$|x+y',
    '^(.*)/(.*)/(.*)$',
  ],
  cubic: ['.*foo.*bar', 'Mozilla.*Windows.*Chrome', '^.*a.*b.*c', '\\d+\\d+x', '^\\w*\\w*\\w*$'],
  exponential: [
    '(a+)+$',
    '(a*)*$',
    '(a|a)*$',
    '(a|aa)+$',
    '^(\\w+\\s?)*$',
    '([a-z]+)*\\d',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(x+x+)+y',
    '(.*)*x',
    '^(a{1,20}){2,20}$',
    '(?=(a+)+b)',
    '(a|b|ab)*c',
    '^(?:(?:a?){1,30})*$',
  ],
};

for (const [growth, sources] of Object.entries(cases)) {
  t.test(`patterns of ${growth} time are told`, async (t) => {
    for (const source of sources) t.equal(growthOf(source, 's'), growth, source);
  });
}

t.test('case folding counts', async (t) => {
  t.equal(growthOf('^(a|A)*$', ''), 'linear');
  t.equal(growthOf('^(a|A)*$', 'i'), 'exponential');
});

t.test('backreferences and monsters cannot be judged', async (t) => {
  t.equal(growthOf('(a+)\\1', ''), 'unknown');
  t.equal(growthOf('(?<x>a)\\k<x>', ''), 'unknown');
  t.equal(growthOf('((a{9}){9}){9}b{9}((a{9}){9}){9}((a{9}){9}){9}', ''), 'unknown');
});

t.test('a long list of words is judged at once', async (t) => {
  const words = Array.from({ length: 120 }, (_, index) => `scanner${index}`).join('|');
  const started = processorTime();
  t.equal(growthOf(words, 'i'), 'linear');
  t.ok(processorTime() - started < 500);
});

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '\\w', 'c');
const pattern = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2,}', '{1,3}'))
      .map(([item, times]) => `(?:${item})${times}`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
  ),
})).node as fc.Arbitrary<string>;

t.test('what is let through is quick on texts made to be slow', async (t) => {
  fc.assert(
    fc.property(pattern, fc.constantFrom('a', 'ab', 'b', 'abc', 'aab'), (source, pump) => {
      const growth = growthOf(`${source}!`, 's');
      if (growth !== 'linear' && growth !== 'quadratic') return;
      const regex = new RegExp(`${source}!`, 's');
      const started = processorTime();
      regex.test(pump.repeat(400));
      if (processorTime() - started > 500) throw new Error(`${source} on ${pump}`);
    }),
    { numRuns: 500 },
  );
  t.pass();
});
