import t from 'tap';
import { bestLanguage } from '../../lib/rules/language.js';

t.test('the language that suits best is chosen among those there are', async (t) => {
  const cases: [accepted: string, available: string[], best: string | null][] = [
    ['fr', ['fr', 'en'], 'fr'],
    ['FR', ['fr'], 'fr'],
    ['en;q=0.5, fr', ['en', 'fr'], 'fr'],
    ['en;q=0.5, fr;q=0.4', ['fr', 'en'], 'en'],
    ['fr, en', ['en', 'fr'], 'fr'],
    ['fr-CH, en;q=0.9', ['en', 'fr'], 'fr'],
    ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', ['de', 'en'], 'en'],
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
    ['fr;q=2, en;q=0.1', ['fr', 'en'], 'en'],
    ['fr;q=0.8888, , ;;, x y, en', ['fr', 'en'], 'en'],
    ['', ['fr'], null],
    ['ja', ['fr'], null],
  ];
  for (const [accepted, available, best] of cases) {
    t.equal(bestLanguage([accepted], available), best, `${accepted} of ${available}`);
  }
});

t.test('several Accept-Language fields are one', async (t) => {
  t.equal(bestLanguage(['en;q=0.2', 'fr'], ['en', 'fr']), 'fr');
  t.equal(bestLanguage([], ['en']), null);
});
