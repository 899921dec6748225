import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { anchorsOf, pages, proseOf, ROOT } from './markdown.js';

const all = pages();
const byPath = new Map(all.map((page) => [page.path, page]));

t.test('every link of the documentation leads to a file that is there, and to a heading of it', async (t) => {
  let links = 0;
  for (const page of all) {
    for (const [, target = ''] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      const [file = '', anchor = ''] = target.split('#');
      const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
      t.ok(existsSync(join(ROOT, path)), `${page.path}: ${target}`);
      const linked = byPath.get(path);
      if (anchor !== '' && linked !== undefined)
        t.ok(anchorsOf(linked).has(anchor), `${page.path}: ${target}`);
    }
  }
  t.ok(links > 50);
});
