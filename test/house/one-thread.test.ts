import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const TESTS = fileURLToPath(new URL('../../../test', import.meta.url));

t.test('the tests that are about one thread are those that test/README.md lists', async (t) => {
  const found: string[] = [];
  for (const name of readdirSync(TESTS, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.test.ts') || name.startsWith('house')) continue;
    const text = readFileSync(`${TESTS}/${name}`, 'utf8');
    for (const [, reason] of text.matchAll(/\b(?:oneThread|unlessThreads)\(\s*'([^']*)'/g))
      found.push(`${name.slice(0, -'.test.ts'.length)}: ${reason}`);
  }
  const readme = readFileSync(`${TESTS}/README.md`, 'utf8');
  const section = readme.slice(readme.indexOf('## With several threads'));
  const listed = [...section.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)].map(
    ([, file, why]) => `${file}: ${why}`,
  );
  t.same([...new Set(found)].sort(), listed);
});
