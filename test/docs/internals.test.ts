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

t.test('life-of-a-request.md has every table of moves, with all of its states', async (t) => {
  const text = readFileSync(join(PAGES, 'life-of-a-request.md'), 'utf8');
  const rows = [...text.matchAll(/^\| [^|]+ \| `(\w+)` in `(lib\/[\w/-]+)\.ts` \| ([^|]+) \|$/gm)];
  for (const [, name = '', file = '', states = ''] of rows) {
    const module = (await import(new URL(`../../${file}.js`, import.meta.url).href)) as Record<
      string,
      object
    >;
    for (const state of Object.keys(module[name] ?? {}))
      t.ok(state === 'closed' || new RegExp(`\\b${state}\\b`).test(states), `${name}: ${state}`);
  }
  const tables = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [
      ...readFileSync(join(ROOT, 'lib', name), 'utf8').matchAll(/^export const (\w+): Moves</gm),
    ]);
  t.same(rows.map(([, name]) => name).sort(), tables.map(([, name]) => name).sort());
});

const MAP = readFileSync(join(ROOT, 'lib/README.md'), 'utf8');

/** The lines below a heading of the map. */
function sectionOf(heading: string): string {
  return MAP.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
}

t.test('the table of rooms in lib/README.md has every room once, and files that are there', async (t) => {
  const rows = [...sectionOf('Rooms').matchAll(/^\| `([\w.]+)\/?` \|[^|]+\|([^|]*)\|$/gm)];
  const rooms = rows.map(([, room = '']) => room);
  const there = readdirSync(join(ROOT, 'lib')).filter((name) => name !== 'README.md' && name !== 'index.ts');
  t.strictSame([...rooms].sort(), there.sort());
  for (const [, room = '', start = ''] of rows)
    for (const [, file = ''] of start.matchAll(/`([^`]+)`/g))
      t.ok(existsSync(join(ROOT, 'lib', room, file)), `${room}: ${file}`);
});

t.test(
  'the files that lib/README.md names are there, each in the room that it is said to be in',
  async (t) => {
    const files = ['lib', 'test', 'fixtures'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => `/${folder}/${name}`,
      ),
    );
    const named = [...MAP.matchAll(/`([\w/.-]+\.(?:ts|json))`/g)].map(([, name = '']) => name);
    t.same(
      named.filter((name) => !files.some((file) => file.endsWith(`/${name}`))),
      [],
    );
    let inRooms = 0;
    for (const paragraph of sectionOf('Rooms in detail').split(/^(?=\*\*`)/m)) {
      const room = /^\*\*`(\w+)\/`/.exec(paragraph)?.[1];
      if (room === undefined) continue;
      for (const [, name = ''] of paragraph.matchAll(/`([a-z][a-z0-9-]*)`/g)) {
        inRooms++;
        const path = join(ROOT, 'lib', room, name);
        t.ok(existsSync(path) || existsSync(`${path}.ts`), `${name} in ${room}/`);
      }
    }
    t.ok(inRooms > 100, `${inRooms} names in rooms`);
  },
);
