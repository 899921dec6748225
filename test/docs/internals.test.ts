import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGES = join(ROOT, 'docs/internals');

t.test('the files that the pages about the inside name are there', async (t) => {
  for (const page of readdirSync(PAGES).filter((name) => name.endsWith('.md'))) {
    const named = [
      ...readFileSync(join(PAGES, page), 'utf8').matchAll(/`((?:lib|test)\/[\w/.-]+\.\w+)`/g),
    ].map(([, file = '']) => file);
    t.ok(named.length > 0, page);
    t.same(
      named.filter((file) => !existsSync(join(ROOT, file))),
      [],
      page,
    );
  }
});

t.test('what the pages about the inside call by name is in the file they say', async (t) => {
  let named = 0;
  for (const page of readdirSync(PAGES).filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(PAGES, page), 'utf8');
    for (const [, name = '', file = ''] of text.matchAll(/`(#?\w+)`\s+in\s+`(lib\/[\w/.-]+\.ts)`/g)) {
      named++;
      const word = new RegExp(`(?<![\\w#])${name}(?!\\w)`);
      t.match(readFileSync(join(ROOT, file), 'utf8'), word, `${page}: ${name} in ${file}`);
    }
  }
  t.ok(named > 0, `${named} names`);
});
