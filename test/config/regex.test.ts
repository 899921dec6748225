import fc from 'fast-check';
import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { BudgetExhausted, WorkBudget } from '../../lib/base/work-budget.js';
import { LinearRegex, warmUpSteps } from '../../lib/config/linear-regex.js';
import { Regex } from '../../lib/config/regex.js';
import { readRegex } from '../../lib/config/regex-source.js';
import { FUZZ_RUNS } from '../support/fuzz.js';

/** Of a request: 32 KB of head. */
const HEAD = 32 * 1024;

/** ms of the processor that a search takes, the middle of five texts that are new to it; and whether the budget was enough. */
function cost(source: string, text: string, ignoreCase = false): { ms: number; enough: boolean } {
  const times: number[] = [];
  let enough = true;
  for (let i = 0; i < 5; i++) {
    const regex = new Regex(source, ignoreCase);
    const started = processorTime();
    try {
      regex.exec(text, new WorkBudget());
    } catch (error) {
      if (!(error instanceof BudgetExhausted)) throw error;
      enough = false;
    }
    times.push(processorTime() - started);
  }
  return { ms: times.sort((a, b) => a - b)[2] as number, enough };
}

/** Random letters, the same each time. */
function letters(alphabet: string, length: number): string {
  let seed = 1;
  let text = '';
  for (let i = 0; i < length; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    text += alphabet[(seed >>> 16) % alphabet.length];
  }
  return text;
}

t.test('patterns that backtrack without bounds elsewhere are matched at once', async (t) => {
  for (const [source, text] of [
    ['^([a-z]{1,10}-?){1,8}$', `${'a'.repeat(60)}!`],
    ['^([\\w.-]{1,10}/?){1,9}$', `${'a'.repeat(60)}!`],
    ['(a+)+$', `${'a'.repeat(100)}!`],
    ['(a|aa)+$', `${'a'.repeat(100)}!`],
    ['^(\\w+\\s?)*$', `${'a'.repeat(100)}!`],
    ['^(?:(?:a?){1,30})*$', `${'a'.repeat(100)}!`],
  ] as const) {
    const { ms, enough } = cost(source, text);
    t.ok(enough, source);
    t.ok(ms < 50, `${source}: ${ms} ms`);
    t.equal(new Regex(source, false).test(text, new WorkBudget()), false, source);
  }
});

t.test('no pattern costs more than 5 ms on 32 KB of text', async (t) => {
  const cases: (readonly [source: string, text: string])[] = [
    ['x.*y', `y${'x'.repeat(HEAD)}`],
    ['union.{0,100}select', `select${'union'.repeat(HEAD / 5)}`],
    ...[200, 1000, 4000, HEAD].flatMap((length): (readonly [string, string])[] => [
      ['[ab]*a[ab]{12}[!?]', letters('ab', length)],
      ['[ab]*a[ab]{60}[!?]', letters('ab', length)],
      ['(?:[ab]*a[ab]{60}|[ab]*b[ab]{50})+[!?]', letters('ab', length)],
      ['(?:(a)|(b)|(c)|(d)|[a-d]{2})+[!?]', letters('abcd', length)],
    ]),
    ['(.*)(.*)(.*)(.*)x', 'a'.repeat(HEAD)],
    ['\\s+$', `${' '.repeat(HEAD)}x`],
    ['[\\wà-ÿ]{1,30}[A-Z]{1,30}x', 'éA'.repeat(HEAD / 2)],
    ['(?:()()()()()()()()()()x)*y', 'x'.repeat(HEAD)],
    [Array.from({ length: 120 }, (_, n) => `scanner${n}`).join('|'), 'scanner'.repeat(HEAD / 7)],
    [`(?:${Array.from({ length: 200 }, (_, n) => 'a'.repeat(1 + (n % 7))).join('|')})b`, 'a'.repeat(HEAD)],
    ['a{1,60}b', 'a'.repeat(HEAD)],
    ['(?:a|b|c){1,3}d', 'abc'.repeat(HEAD / 3)],
    ['^(.*)b$', 'a'.repeat(HEAD)],
  ];
  for (const [source, text] of cases) {
    for (const ignoreCase of [false, true]) {
      const { ms } = cost(source, text, ignoreCase);
      // A quarter of it on a machine with nothing else to do.
      t.ok(ms < 20, `${source.slice(0, 40)}: ${ms} ms`);
    }
  }
});

t.test('a budget is for all searches of a request', async (t) => {
  const regex = new Regex('a.*b|(c)+d', false);
  const budget = new WorkBudget();
  const text = 'ac'.repeat(2000);
  let searches = 0;
  t.throws(
    () => {
      for (; searches < 10_000; searches++) regex.test(text, budget);
    },
    { name: 'BudgetExhausted' },
  );
  t.ok(searches > 10, String(searches));
  budget.renew();
  t.equal(regex.test(text, budget), false);
});

t.test('the budget is charged for steps, characters and written text', async (t) => {
  const steps = (act: (budget: WorkBudget) => void): number => {
    let [low, high] = [0, 1 << 20];
    while (low < high) {
      const middle = (low + high) >> 1;
      try {
        act(new WorkBudget(middle));
        high = middle;
      } catch (error) {
        if (!(error instanceof BudgetExhausted)) throw error;
        low = middle + 1;
      }
    }
    return low;
  };
  const text = 'xy'.repeat(500);
  const groups = new Regex('(x[^z]*)+z|(x)(y)', false);
  t.ok(steps((budget) => groups.exec(text, budget)) > text.length, 'a search for groups');
  const cold = steps((budget) => new Regex('(?:x[^z]*)+[z!]|y[^q]*[q!]', false).test(text, budget));
  const warm = new Regex('(?:x[^z]*)+[z!]|y[^q]*[q!]', false);
  warm.test(text, new WorkBudget());
  t.ok(cold > steps((budget) => warm.test(text, budget)), 'one that goes new ways');
  const letter = new Regex('x', false);
  const short = steps((budget) => letter.replace(text, budget, () => ''));
  t.ok(
    steps((budget) => letter.replace(text, budget, () => 'x'.repeat(1000))) > 2 * short,
    'what is written',
  );
  t.ok(steps((budget) => new LinearRegex('^(?:a|b)c', false).test(text, budget)) > 0);
});

t.test('a pattern that is linear by its form stays with V8, another goes to RE2', async (t) => {
  for (const source of [
    'Android|iPhone',
    '\\.php$',
    '^/old/(.*)',
    '^/api/v\\d+/',
    'sqlmap|nikto|nmap|masscan|zgrab|curl|wget',
    '^(a|b)*$',
    '^\\d{1,3}\\.\\d{1,3}$',
    '^[\\w-]{1,255}$',
    '.{1,1000}!',
    '',
  ])
    t.ok(new Regex(source, true).isLinearByForm, source);
  for (const source of ['.*x', 'foo.*bar', '^([^/]+)/([^/]+)$', '(a+)+', '(?:a?){1,30}', '\\w{1,100}'])
    t.notOk(new Regex(source, false).isLinearByForm, source);
});

t.test('an expression that cannot be matched in linear time is refused, with an alternative', async (t) => {
  const refused = (source: string, message: RegExp, hint: RegExp | string): void => {
    t.throws(() => new Regex(source, false), { name: 'ValueError', message, hint }, source);
  };
  refused('foo(?=bar)', /^character 4: \(\?=bar\) looks around/, /^Write foo\(\?:bar\):/);
  refused('(?<=foo)bar', /^character 1: \(\?<=foo\) looks around/, /^Write \(\?:foo\)bar:/);
  refused('foo(?!\\d)', /looks around/, 'Write foo(?:\\D|$).');
  refused('foo(?![a-z])', /looks around/, 'Write foo(?:[^a-z]|$).');
  refused('(?<!x)foo', /looks around/, 'Write (?:^|[^x])foo.');
  refused('^(?!/admin)', /^character 2: /, /^Write a separate route or path before this one/);
  refused('(?=.*a)(?=.*b)', /looks around/, /a\.\*b\|b\.\*a/);
  refused('(a|b)\\1', /^character 6: \\1 refers back to a group/, /^Write out what it may be/);
  refused('(?<q>a)\\k<q>', /^character 8: /, /^Write out/);
  refused('\\Afoo\\z', /^character 1: \\A means nothing here$/, 'Write ^ for the beginning of the text.');
  refused('a{1,2000}', /more than 1000/, '');
  refused('(?:[a-z]{1,20}x){1,40}y', /steps, more than 500$/, /shorter/);
  refused('a(', /^bad regular expression: unterminated group$/, '');
});

/** Patterns that have one meaning in JavaScript and in RE2, loops over what may be empty aside. */
const atom = fc.constantFrom(
  ...[
    'a',
    'b',
    'B',
    '.',
    '[ab]',
    '[^a]',
    '\\w',
    '\\W',
    '\\d',
    '\\s',
    '\\S',
    '[\\w-]',
    '[\\w-.]',
    '[^\\s/]',
    '\\.',
    '\\-',
  ],
  ...['/', 'é', '[à-ÿ]', '\\x41', '\\u00e9', '(a)', '(b|ab)', '[]b]'.slice(1), '\\t', '{', '}', '😀'],
);
const pattern = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: atom },
    fc
      .tuple(atom, fc.constantFrom('*', '+', '?', '{2,}', '{1,3}', '*?', '+?'))
      .map(([item, times]) => `(?:${item})${times}`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
    tie('node').map((item) => `^${item}`),
    tie('node').map((item) => `${item}$`),
    tie('node').map((item) => `\\b(${item})`),
  ),
})).node as fc.Arbitrary<string>;
const subject = fc
  .array(
    fc.constantFrom('a', 'b', 'A', 'B', 'é', 'É', '/', '.', '-', ' ', '\u00a0', '\n', '1', '_', '{', '😀'),
    { maxLength: 12 },
  )
  .map((characters) => characters.join(''));

t.test('both engines find what a pattern says in JavaScript', async () => {
  fc.assert(
    fc.property(pattern, subject, fc.boolean(), (source, text, ignoreCase) => {
      const { text: read } = readRegex(source, ignoreCase);
      const v8 = new RegExp(read, ignoreCase ? 'sui' : 'su').exec(text);
      const re2 = new LinearRegex(read, ignoreCase).exec(text, new WorkBudget());
      const shown = (found: RegExpExecArray | null): string =>
        JSON.stringify(found && [found.index, ...found]);
      if (shown(v8) !== shown(re2))
        throw new Error(`${source} as ${read} in ${JSON.stringify(text)}: ${shown(v8)} ${shown(re2)}`);
      const plain = /[\u{10000}-\u{10ffff}]/u.test(source + text)
        ? null
        : new RegExp(source, ignoreCase ? 'si' : 's');
      if (plain !== null && shown(plain.exec(text)) !== shown(v8))
        throw new Error(`${source} in ${JSON.stringify(text)}: ${shown(plain.exec(text))} ${shown(v8)}`);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

t.test('every match is replaced, groups and all, by either engine', async (t) => {
  for (const [source, text, expected] of [
    ['(a)(b)?', 'ab-a-b', '<ab,a,b>-<a,a,>-b'],
    ['x*', 'axb', '<>a<x><>b<>'],
    ['(\\w+)=(\\w*?);?', 'a=1;b=2', '<a=,a,>1;<b=,b,>2'],
    ['[^/]+(?=)?'.slice(0, 5), '/a/bc', '/<a>/<bc>'],
  ] as const) {
    const regex = new Regex(source, false);
    const write = (found: readonly (string | undefined)[]): string =>
      `<${found.map((group) => group ?? '').join(',')}>`;
    t.equal(regex.replace(text, new WorkBudget(), write), expected, source);
    const { text: read } = readRegex(source, false);
    let edited = '';
    let run = 0;
    for (const found of new LinearRegex(read, false).matchAll(text, new WorkBudget())) {
      edited += text.slice(run, found.index) + write([...found]);
      run = found.index + found[0].length;
    }
    t.equal(edited + text.slice(run), expected, `${source} by RE2`);
  }
});

t.test(
  'what matches expressions is warmed up once, in short steps between which requests are served',
  async (t) => {
    const regex = new LinearRegex('a+', false);
    t.equal(regex.test('aa', new WorkBudget()), true);
    const warmUp = warmUpSteps();
    const before = processorTime();
    let longest = 0;
    let steps = 0;
    for (let began = processorTime(), step = warmUp.next(); step.done !== true; step = warmUp.next()) {
      const now = processorTime();
      longest = Math.max(longest, now - began);
      began = now;
      steps++;
    }
    t.ok(steps > 100, `${steps} steps in ${processorTime() - before} ms`);
    t.ok(longest < 30, `the longest takes ${longest} ms of the processor`);
    t.equal(warmUpSteps().next().done, true, 'once');
  },
);
