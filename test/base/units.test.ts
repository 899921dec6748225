import t from 'tap';
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  parseSpan,
  ValueError,
} from '../../lib/base/units.js';

t.test('a duration is read in ms', async (t) => {
  const cases: [string | number, number][] = [
    ['5s', 5000],
    ['200ms', 200],
    ['1m', 60_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    ['0', 0],
    [0, 0],
    ['0.0', 0],
    ['0s', 0],
    ['5S', 5000],
    ['2d', 172_800_000],
  ];
  for (const [text, ms] of cases) t.equal(parseDuration(text), ms, String(text));
});

t.test('what is no duration is named', async (t) => {
  for (const text of [
    'fast',
    '5 s',
    '',
    's',
    '-1',
    '1w',
    '1e3',
    '5s ',
    '1h30m',
    'Infinity',
    -1,
    Number.NaN,
    1e21,
  ]) {
    t.throws(() => parseDuration(text), ValueError, String(text));
  }
  t.throws(() => parseDuration('fast'), {
    message: 'expected a duration such as 5s, 200ms, 1m or 1h, got "fast"',
  });
});

t.test('a duration without a unit is refused, with what may be meant', async (t) => {
  for (const value of ['5', 5, '250', '1.5', 5000])
    t.throws(() => parseDuration(value), {
      message: `expected a duration such as 5s, 200ms, 1m or 1h, got ${JSON.stringify(value)}`,
      hint: `Write ${value}s or ${value}ms.`,
    });
});

t.test('a unit that is written another way is refused, with what to write', async (t) => {
  const cases: [string, string][] = [
    ['30 sec', 'Write 30s.'],
    ['5 s', 'Write 5s.'],
    ['1 hour', 'Write 1h.'],
    ['1h30m', 'Write 1.5h.'],
    ['2 min 30 sec', 'Write 2.5m.'],
    ['-1s', ''],
    ['5 parsecs', ''],
  ];
  for (const [text, hint] of cases)
    t.equal(
      hintOf(() => parseDuration(text)),
      hint,
      text,
    );
  const sizes: [string, string][] = [
    ['32k', 'Write 32kb.'],
    ['8KiB', 'Write 8kb.'],
    ['1.5 MB', 'Write 1.5mb.'],
    ['1tb', ''],
  ];
  for (const [text, hint] of sizes)
    t.equal(
      hintOf(() => parseSize(text)),
      hint,
      text,
    );
});

t.test('a duration longer than a timer can wait is refused', async (t) => {
  t.equal(parseDuration('596h'), 2_145_600_000);
  t.throws(() => parseDuration('597h'), { message: 'expected at most 596h, got "597h"' });
  t.throws(() => parseDuration(2 ** 31), ValueError);
});

t.test('a size is read in bytes of 1024', async (t) => {
  const cases: [string | number, number][] = [
    ['64kb', 65_536],
    ['1mb', 1_048_576],
    ['2GB', 2_147_483_648],
    ['512b', 512],
    ['1.5kb', 1536],
    ['100', 100],
    [0, 0],
  ];
  for (const [text, bytes] of cases) t.equal(parseSize(text), bytes, String(text));
});

t.test('what is no size is named', async (t) => {
  for (const text of ['64k', 'kb', '64 kb', '-1kb', '1tb', '9999999999gb', '']) {
    t.throws(() => parseSize(text), ValueError, text);
  }
  t.throws(() => parseSize('big'), { message: 'expected a size such as 64kb or 1mb, got "big"' });
});

t.test('amounts are written in the largest unit that needs one decimal at most', async (t) => {
  t.same([0, 200, 1500, 5000, 90_000, 61_000, 3_600_000].map(formatDuration), [
    '0ms',
    '200ms',
    '1.5s',
    '5s',
    '1.5m',
    '61s',
    '1h',
  ]);
  t.same([0, 300, 65_536, 1_048_576, 1536].map(formatSize), ['0b', '300b', '64kb', '1mb', '1.5kb']);
});

t.test('a written duration is read back the same', async (t) => {
  const all = Array.from({ length: 5000 }, (_, index) => index * 37);
  t.same(
    all.map((ms) => parseDuration(formatDuration(ms))),
    all,
  );
});

t.test('a time that no timer waits for may be longer than a timer can wait', async (t) => {
  t.equal(parseSpan('1y'), 31_536_000_000);
  t.equal(parseSpan('365d'), 31_536_000_000);
  t.equal(parseSpan(0), 0);
  t.throws(() => parseSpan(5), { message: 'expected a duration such as 5s, 200ms, 1m or 1h, got 5' });
  t.throws(() => parseDuration('1y'), { message: 'expected at most 596h, got "1y"' });
});

function hintOf(parse: () => number): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof ValueError) return error.hint;
    throw error;
  }
  return 'accepted';
}
