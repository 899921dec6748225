import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseArguments } from '../../lib/cli/args.js';
import { printedBy } from '../cli/support.js';
import { TestAuthority } from '../support/certificates.js';
import { blocksOf, commandsOf, pages, ROOT } from './markdown.js';

/** The variables that examples take secrets from. */
const ENV = {
  LB_SECRET: 'of-the-cookie-16',
  LB_ADMIN_TOKEN: '0123456789abcdef',
  LB_READ_TOKEN: 'fedcba9876543210',
  LB_HOOK_SECRET: 'of-the-hook',
  OTLP_TOKEN: 'of-the-collector',
  LB_ACME_HMAC_KEY: 'b2YtdGhlLWF1dGhvcml0eQ',
};

const authority = await TestAuthority.create('Docs');
const www = await authority.issue({ names: ['www.example.com', '*.example.com'] });
const rsa = await authority.issue({ names: ['www.example.com'], key: 'rsa' });

/** The files that examples name. */
const NAMED_FILES = {
  pages: { 'maintenance.html': '<h1>Back at noon</h1>', '404.html': '<h1>{title}</h1>', 'down.html': 'Soon' },
  'conf.d': { 'shop.yaml': 'hosts:\n  - { host: shop.example.com, servers: [localhost:5001] }\n' },
  'www.pem': www.cert,
  'www.key': www.key,
  'www-rsa.pem': rsa.cert,
  'www-rsa.key': rsa.key,
  'clients.pem': authority.cert,
  'clients.crl': await authority.revoke(),
  'internal-ca.pem': pemOf('internal.pem'),
  'lb.pem': pemOf('lb.pem'),
  'lb.key': pemOf('lb.key'),
};

function pemOf(name: string): string {
  return readFileSync(join(ROOT, 'fixtures/config', name), 'utf8');
}

/** Pages whose YAML is a key at a time: the test of the schema checks those examples. */
const FRAGMENTS: ReadonlySet<string> = new Set(['docs/configuration.md', 'lib/observe/reference.md']);

t.test(
  'every settings file of the documentation is fine, without a warning, and passes its tests',
  async (t) => {
    const before = { ...process.env };
    Object.assign(process.env, ENV);
    t.teardown(() => {
      process.env = before;
    });
    let files = 0;
    for (const page of pages()) {
      if (FRAGMENTS.has(page.path)) continue;
      for (const { language, program, text, line } of blocksOf(page)) {
        if (language !== 'yaml' || program !== '') continue;
        files++;
        const isPart = !/^(servers|hosts|paths|routes|listen):/m.test(text);
        const cwd = t.testdir({
          ...NAMED_FILES,
          'loadbalancer.yaml': isPart ? `${text}\nservers: [localhost:5001]\n` : text,
        });
        for (const name of Object.keys(NAMED_FILES))
          if (name.endsWith('.key')) chmodSync(join(cwd, name), 0o600);
        const { code, stdout, stderr } = printedBy(['check'], cwd, {});
        t.equal(code, 0, `${page.path}:${line}\n${stdout}${stderr}`);
        t.notMatch(stdout, /^warning/m, `${page.path}:${line}`);
      }
    }
    t.ok(files > 15);
  },
);

t.test('every lb command of the documentation is one that lb takes', async (t) => {
  let commands = 0;
  for (const page of pages()) {
    for (const { language, text, line } of blocksOf(page)) {
      if (language !== 'sh' && language !== 'console') continue;
      for (const command of commandsIn(text)) {
        commands++;
        t.doesNotThrow(() => parseArguments(wordsOf(command)), `${page.path}:${line}: ${command}`);
      }
    }
  }
  t.ok(commands > 10);
});

t.test('every file of ours that a command of the documentation names is there', async (t) => {
  let files = 0;
  for (const page of pages())
    for (const command of commandsOf(page))
      for (const [path] of command.matchAll(/(?<=^|\s)(?:packaging|compose|docs|lib)\/[\w./-]+/g)) {
        files++;
        t.ok(existsSync(join(ROOT, path)), `${page.path}: ${command}`);
      }
  t.ok(files > 2);
});

t.test('blocks of other programs are those that a test takes to that program', async (t) => {
  const programs = pages().flatMap((page) => blocksOf(page).map(({ program }) => program));
  t.same([...new Set(programs)].sort(), ['', 'prometheus']);
});

t.test('every make target of the documentation is in the Makefile', async (t) => {
  const makefile = readFileSync(join(ROOT, 'Makefile'), 'utf8');
  let named = 0;
  const targets = new Set([...makefile.matchAll(/^([a-z0-9-]+):/gm)].map(([, target]) => target));
  for (const page of pages()) {
    for (const [, target = ''] of page.text.matchAll(/(?:^|`)make ([a-z0-9-]+)/gm)) {
      named++;
      t.ok(targets.has(target), `${page.path}: make ${target}`);
    }
  }
  t.ok(named > 5, `${named} targets`);
});

/** The commands of a block that start lb, each without its comment; those of one line joined by `&&` apart. */
function commandsIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/^source <\((.*)\)/, '$1')
        .replace(/ +# .*$/, ''),
    )
    .flatMap((line) => line.split(/ && | & *$| \| /))
    .filter((line) => /^(lb|node bin\/lb\.js) /.test(line));
}

/** The words of a command after the program; single quotes hold a word together. */
function wordsOf(command: string): readonly string[] {
  const words = [...command.matchAll(/(?:'([^']*)'|(\S+))/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
  return words.slice(words[0] === 'lb' ? 1 : 2);
}
