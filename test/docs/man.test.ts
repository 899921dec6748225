import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SettingsReference } from '../../lib/config/reference.js';
import { commandPage, settingsPage } from './man-page.js';
import { ROOT } from './markdown.js';

const PAGES = ['docs/man/lb.1', 'docs/man/loadbalancer.yaml.5'] as const;
const isRequired = process.env.LB_REQUIRE_PACKAGING === '1';
const groff = spawnSync('groff', ['--version']).error === undefined;
const man = spawnSync('man', ['--version']).error === undefined;

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

t.test('the man pages say what --help and the schema say (make docs writes them)', async (t) => {
  t.equal(read(PAGES[0]), commandPage());
  t.equal(read(PAGES[1]), settingsPage(new SettingsReference()));
});

t.test('every key of the settings has an entry in loadbalancer.yaml(5)', async (t) => {
  const entries = new Set([...read(PAGES[1]).matchAll(/^\.B (.*)$/gm)].map(([, key]) => key));
  const missing = new SettingsReference().settings.filter(
    ({ key }) => !entries.has(key.replaceAll('-', '\\-')),
  );
  t.same(missing, []);
});

t.test(
  'groff formats the man pages without a warning',
  { skip: !groff && !isRequired && 'no groff' },
  async (t) => {
    for (const page of PAGES) {
      const { status, stdout, stderr } = spawnSync(
        'groff',
        ['-man', '-Tutf8', '-P-bcou', '-ww', join(ROOT, page)],
        {
          encoding: 'utf8',
        },
      );
      t.equal(status, 0, page);
      t.equal(stderr, '', page);
      t.match(stdout, /SEE ALSO/);
    }
  },
);

t.test('man shows the page as lb --help has it', { skip: !man && !isRequired && 'no man' }, async (t) => {
  for (const page of PAGES) {
    const { status, stdout, stderr } = spawnSync('man', ['--warnings', '-l', join(ROOT, page)], {
      encoding: 'utf8',
      env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MANPAGER: 'cat', MAN_KEEP_FORMATTING: '' },
    });
    t.equal(status, 0, page);
    t.equal(stderr, '', page);
    if (page === PAGES[0]) t.match(stdout, /explain METHOD URL\n\s+shows\s+which\s+firewalls,\s+route/);
  }
});

t.test('package.json names the man pages for npm', async (t) => {
  const { man: named, files } = JSON.parse(read('package.json')) as { man: string[]; files: string[] };
  t.same(named, PAGES);
  t.ok(files.includes('docs'));
});
