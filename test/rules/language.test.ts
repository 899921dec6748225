import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { bestLanguage } from '../../lib/rules/language.js';

t.test('the language that suits best is chosen among those there are', async (t) => {
  const cases: [accepted: string, available: string[], best: string | null][] = [
    ['fr', ['fr', 'en'], 'fr'],
    ['FR', ['fr'], 'fr'],
    ['en;q=0.5, fr', ['en', 'fr'], 'fr'],
    ['en;q=0.5, fr;q=0.4', ['fr', 'en'], 'en'],
    ['fr, en', ['en', 'fr'], 'fr'],
    ['fr-CH, en;q=0.9', ['en', 'fr'], 'fr'],
    ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', ['de', 'en'], null],
    ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', ['fr', 'en'], 'fr'],
    ['pt', ['pt-br'], 'pt-br'],
    ['pt-BR', ['pt-pt'], null],
    ['pt-BR', ['pt', 'pt-br'], 'pt-br'],
    ['zh-Hant-TW', ['zh', 'zh-hant'], 'zh-hant'],
    ['de-a-x', ['de'], 'de'],
    ['de', ['den'], null],
    ['*', ['fr'], null],
    ['fr;q=0', ['fr'], null],
    ['fr, fr-CA;q=0', ['fr-ca'], null],
    ['fr;q=0, fr-CA', ['fr', 'fr-ca'], 'fr-ca'],
    ['fr ; q=0.8 , en ;q=0.9', ['fr', 'en'], 'en'],
    ['fr;q=.5, en;q=.4', ['fr', 'en'], 'fr'],
    ['fr;q=.4, en;q=.5', ['fr', 'en'], 'en'],
    ['FR;Q=0.1, en;q=0.2', ['fr', 'en'], 'en'],
    ['fr;q=many, en;q=0.1', ['fr', 'en'], 'en'],
    ['fr;q=0.8888, , ;;, en', ['fr', 'en'], 'en'],
    ['', ['fr'], null],
    ['ja', ['fr'], null],
  ];
  for (const [accepted, available, best] of cases) {
    t.equal(bestLanguage([accepted], available, []), best, `${accepted} of ${available}`);
  }
});

t.test(
  'a client that prefers a language without a condition gets what has no language condition',
  async (t) => {
    const cases: [accepted: string, available: string[], best: string | null][] = [
      ['en-US,en;q=0.9,fr;q=0.5', ['fr'], null],
      ['en-US,en;q=0.9,fr;q=.5', ['fr'], null],
      ['en-US,en;q=0.9,fr;q=0.5', ['fr', 'de'], null],
      ['en-US,en;q=0.9,fr;q=0.5', ['en', 'fr'], 'en'],
      ['fr,en;q=0.9', ['fr'], 'fr'],
      ['fr-CA,fr;q=0.9,en;q=0.8', ['fr'], 'fr'],
      ['fr-CA,en-US;q=0.95,fr;q=0.9', ['fr'], 'fr'],
      ['fr,*;q=0.5', ['fr'], 'fr'],
      ['*,fr;q=0.5', ['fr'], null],
      ['fr;q=0.5,*;q=0.8', ['fr'], null],
      ['fr;q=0,en', ['fr'], null],
      // The same language, only less exact.
      ['en-US,en;q=0.9,fr;q=0.5', ['en-gb', 'fr'], 'en-gb'],
      ['en-US,de;q=0.95,en;q=0.9', ['en-gb'], null],
      ['en-US,fr;q=0.5', ['en-gb', 'fr'], null],
    ];
    for (const [accepted, available, best] of cases)
      t.equal(bestLanguage([accepted], available, []), best, `${accepted} of ${available}`);
  },
);

t.test('language: of a place takes part in the choice like those of its routes', async (t) => {
  const cases: [accepted: string, available: string[], own: string[], best: string | null][] = [
    ['en-US,en;q=0.9,fr;q=0.5', ['fr'], ['en'], null],
    ['fr,en;q=0.9', ['fr'], ['en'], 'fr'],
    ['de,fr;q=0.5', ['fr'], ['en'], 'fr'],
    ['de,fr;q=0.5', ['fr'], ['de', 'en'], null],
    ['de,en;q=0.8,fr;q=0.5', ['fr'], ['en'], null],
    ['de-CH,en;q=0.8,fr;q=.9', ['fr'], ['en'], 'fr'],
    ['de', ['fr'], ['en'], null],
    ['*', ['fr'], ['en'], null],
    ['en;q=0,fr;q=0.1', ['fr'], ['en'], 'fr'],
    ['de,*;q=0.5,fr;q=0.1', ['fr'], ['en'], null],
    ['en-GB', ['en-us'], ['en'], null],
    ['en-US,en;q=0.9', ['en-us'], ['en'], 'en-us'],
  ];
  for (const [accepted, available, own, best] of cases)
    t.equal(bestLanguage([accepted], available, own), best, `${accepted} of ${available} and ${own}`);
});

t.test('several Accept-Language fields are read as one', async (t) => {
  t.equal(bestLanguage(['en;q=0.2', 'fr'], ['en', 'fr'], []), 'fr');
  t.equal(bestLanguage([], ['en'], []), null);
});

t.test('of a long Accept-Language the beginning counts, in whole ranges', async (t) => {
  const many = Array.from({ length: 400 }, (_, i) => `x-a${i}`).join(',');
  t.equal(bestLanguage([`fr,${many}`], ['fr'], []), 'fr');
  t.equal(bestLanguage([`fr;q=0.5${' '.repeat(3000)}`], ['fr'], []), null);
});

t.test('a long Accept-Language costs next to nothing', async (t) => {
  const fields = ['a,', 'a-b-c-d;', '"', 'a;q=0,', 'fr-a;q=0.1,', ';q='].map((part) =>
    part.repeat(32_000 / part.length),
  );
  for (const field of fields) {
    const ask = (): string | null => bestLanguage([field], ['fr', 'de', 'en-gb'], ['en']);
    ask();
    const started = processorTime();
    for (let i = 0; i < 20; i++) ask();
    const spent = (processorTime() - started) / 20;
    t.ok(spent < 3, `${field.slice(0, 20)}: ${spent} ms`);
  }
});
