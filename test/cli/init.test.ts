import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/args.js';
import { init } from '../../lib/cli/init/init.js';
import type { Ask } from '../../lib/cli/init/questions.js';
import { starterFile } from '../../lib/cli/init/starter-file.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { LAUNCHER, MemoryStream, type Printed, printedBy } from './support.js';

/** Runs `lb init` in a folder; `answers` are typed at its questions, and without them there is no terminal. */
async function initIn(cwd: string, words: readonly string[], answers?: readonly string[]): Promise<Printed> {
  const { command } = parseArguments(['init', '-c', join(cwd, 'lb.yaml'), ...words]);
  if (command.name !== 'init') throw new Error(`this is ${command.name}`);
  const [stdout, stderr] = [new MemoryStream(), new MemoryStream()];
  const typed = [...(answers ?? [])];
  const ask: Ask = async (question) => {
    stderr.write(question);
    return typed.shift() ?? null;
  };
  const code = await init(command.options, {
    stdout: new Terminal(stdout, { colour: false, env: {} }),
    stderr: new Terminal(stderr, { colour: false, env: {} }),
    program: 'lb',
    exists: existsSync,
    ask: answers === undefined ? null : ask,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function written(cwd: string): string {
  return readFileSync(join(cwd, 'lb.yaml'), 'utf8');
}

/** Is this text a good settings file, and is there nothing doubtful in it? */
function isFine(t: Test, cwd: string, text: string, what: string): void {
  writeFileSync(join(cwd, 'tried.yaml'), text);
  const { code, stdout, stderr } = printedBy(['check', '-c', 'tried.yaml'], cwd);
  t.equal(code, 0, `${what}\n${stdout}${stderr}`);
  t.notMatch(stdout, /^warning/m, what);
}

t.test('a file is written from arguments, passes the check and says what to do next', async (t) => {
  const cwd = t.testdir();
  const { code, stdout, stderr } = await initIn(cwd, ['localhost:5001', 'localhost:5002']);
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(stdout, /lb\.yaml is written: 2 servers, requests come in on 8080\. Next:\n/);
  t.match(stdout, /^ {2}lb check -c \S+lb\.yaml /m);
  t.match(written(cwd), 'listen: 8080\n');
  t.match(written(cwd), 'servers:\n  - localhost:5001\n  - localhost:5002\n');
  isFine(t, cwd, written(cwd), 'as it was written');
});

t.test('lb init writes what its arguments say into the file', async (t) => {
  const cwd = t.testdir();
  const words = ['--listen', '127.0.0.1:80', '--host', 'example.com', '--host', '*.example.org'];
  const more = ['--health-path', '/up', '--admin', 'off', '-a', 'least_connections', '10.0.0.1:80'];
  t.equal((await initIn(cwd, [...words, ...more])).code, 0);
  for (const line of [
    'listen: "127.0.0.1:80"',
    '  - host: [example.com, "*.example.org"]',
    '      - "10.0.0.1:80"',
    'health_check: { path: /up, interval: 5s }',
    'algorithm: least_connections',
    '#admin: 9090',
  ])
    t.match(written(cwd), new RegExp(`^${line.replace(/[[\].*{}]/g, '\\$&')}$`, 'm'), line);
  isFine(t, cwd, written(cwd), 'as it was written');
});

t.test(
  'every setting that is off in the file is right when it is switched on, alone and with all others',
  async (t) => {
    const common = {
      listen: '8080',
      servers: ['localhost:5001'],
      healthPath: null,
      admin: null,
      algorithm: null,
    };
    let settings = 0;
    for (const hosts of [[], ['www.example.com'], ['*.example.com', 'example.com']]) {
      const cwd = t.testdir();
      const lines = starterFile({ ...common, hosts }).split('\n');
      // A `#` with no blank, or more than one, after it.
      const off = lines.flatMap((line, index) => (/^#(?! [^ ])/.test(line) ? [index] : []));
      isFine(
        t,
        cwd,
        lines.map((line, index) => (off.includes(index) ? line.slice(1) : line)).join('\n'),
        'all of them',
      );
      // Lines that follow each other belong together when the later ones are indented.
      const groups = off.filter((index) => !(off.includes(index - 1) && /^# {2}/.test(lines[index] ?? '')));
      for (const first of groups) {
        settings++;
        let last = first;
        while (off.includes(last + 1) && !groups.includes(last + 1)) last++;
        const on = lines.map((line, index) => (index >= first && index <= last ? line.slice(1) : line));
        isFine(t, cwd, on.join('\n'), `${hosts.join()}: ${on.slice(first, last + 1).join(' / ')}`);
      }
    }
    t.ok(settings > 35);
  },
);

t.test('a file that is there is not touched without --force', async (t) => {
  const cwd = t.testdir({ 'lb.yaml': 'listen: 1\n' });
  const refused = await initIn(cwd, ['localhost:5001']);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /lb\.yaml exists already\. --force replaces it, -c names another file\.\n$/);
  t.equal((await initIn(cwd, [], ['localhost:5001'])).code, 1, 'nothing is asked for nothing');
  t.equal(written(cwd), 'listen: 1\n');
  t.equal((await initIn(cwd, ['--force', 'localhost:5001'])).code, 0);
  t.match(written(cwd), 'listen: 8080\n');
});

t.test(
  '--force replaces what a link leads to, keeps who may read it, and refuses what is no file',
  async (t) => {
    const cwd = t.testdir({ real: { 'settings.yaml': 'listen: 1\n' } });
    const real = join(cwd, 'real/settings.yaml');
    chmodSync(real, 0o664);
    symlinkSync(real, join(cwd, 'lb.yaml'));
    t.equal((await initIn(cwd, ['--force', 'localhost:5001'])).code, 0);
    t.ok(lstatSync(join(cwd, 'lb.yaml')).isSymbolicLink());
    t.match(readFileSync(real, 'utf8'), 'localhost:5001');
    t.equal(statSync(real).mode & 0o777, 0o664);
    t.same(readdirSync(join(cwd, 'real')), ['settings.yaml'], 'nothing is left beside it');

    const other = t.testdir();
    mkdirSync(join(other, 'lb.yaml'));
    const folder = await initIn(other, ['--force', 'localhost:5001']);
    t.equal(folder.code, 1);
    t.match(folder.stderr, /cannot write .*lb\.yaml: it is not a regular file\.\n$/);
  },
);

t.test('lb init reports why a file cannot be written', async (t) => {
  const cwd = t.testdir();
  const { code, stderr } = await initIn(join(cwd, 'nowhere'), ['localhost:5001']);
  t.equal(code, 1);
  t.match(stderr, /^lb: cannot write \S+: there is no such file or directory\.\n$/);
});

t.test('lb init does not write a file that lb would refuse', async (t) => {
  const cwd = t.testdir();
  const bad: readonly (readonly [words: readonly string[], complaint: RegExp])[] = [
    [['--host', 'a b', 'localhost:5001'], /^lb: hosts\[0\]\.host: expected a host/],
    [['localhost:5001', 'localhost:5001'], /^lb: servers\[1\]: .*twice/],
    [['--admin', '0.0.0.0:9090', 'localhost:5001'], /^lb: admin\S*: .*token/],
    [['--host', 'example.com', '--host', 'EXAMPLE.com', 'localhost:5001'], /^lb: hosts\[0\]\.host/],
  ];
  for (const [words, complaint] of bad) {
    const { code, stderr } = await initIn(cwd, words);
    t.equal(code, 2, words.join(' '));
    t.match(stderr, complaint);
  }
  t.same(readdirSync(cwd), []);
});

t.test('words that lb init does not take are refused before anything is written', async (t) => {
  const words = (text: string): unknown => parseArguments(['init', ...text.split(' ')]);
  t.throws(() => words('8080 localhost:5001'), { message: /^8080 may be a port to listen on or a server/ });
  t.throws(() => words('--listen nonsense'), { message: /^--listen: expected host:port/ });
  t.throws(() => words('http://localhost:5001/x'), { message: /without a path/ });
  t.throws(() => words('--weight 3'), { message: /^--weight is an option of lb add, not of lb init\.$/ });
});

t.test('without servers and without a terminal it says what to write', async (t) => {
  const cwd = t.testdir();
  const { code, stderr } = await initIn(cwd, []);
  t.equal(code, 2);
  t.match(stderr, /^lb: servers are needed, or a terminal to ask on: lb init localhost:5001/);
});

t.test('on a terminal it asks, and an empty line is the answer in brackets', async (t) => {
  const cwd = t.testdir();
  const { code, stderr } = await initIn(cwd, [], ['', '', '', '', '']);
  t.equal(code, 0);
  t.equal(stderr.match(/\[[^\]]*\]: /g)?.length, 5);
  t.match(written(cwd), 'servers:\n  - localhost:5001\n  - localhost:5002\n');
  isFine(t, cwd, written(cwd), 'as it was written');
});

t.test('an answer that cannot be used is asked for again', async (t) => {
  const cwd = t.testdir();
  const answers = ['localhost', 'app1:80, app2:80', '99999', '9000', 'all', 'up', '/up', 'off'];
  const { code, stderr } = await initIn(cwd, [], answers);
  t.equal(code, 0);
  t.match(stderr, 'servers[0]: ');
  t.match(stderr, 'listen: ');
  t.match(stderr, 'health_check.path: ');
  t.match(written(cwd), 'listen: 9000\n');
  t.match(written(cwd), 'servers:\n  - app1:80\n  - app2:80\n');
  t.match(written(cwd), '\nhealth_check: { path: /up, interval: 5s }\n');
  t.match(written(cwd), '\n#admin: 9090\n');
});

t.test(
  'lb init does not ask for what the command line says, and writes nothing if input ends early',
  async (t) => {
    const cwd = t.testdir();
    const asked = await initIn(cwd, ['--listen', '9000', '--host', 'example.com', '--admin', 'off'], ['a:1']);
    t.equal(asked.code, 1);
    t.notMatch(asked.stderr, /Port|Host/);
    t.match(asked.stderr, /lb: nothing was written: the answers ended too early\.\n$/);
    t.same(readdirSync(cwd), []);
  },
);

const HAS_SCRIPT = spawnSync('script', ['--version']).status === 0;

t.test(
  'a person at a real terminal is asked',
  { skip: !HAS_SCRIPT && 'no script (Debian: bsdutils)' },
  async (t) => {
    const cwd = t.testdir();
    const command = `${process.execPath} ${LAUNCHER} init --no-color`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      cwd,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let screen = '';
    const asks = ['Servers', 'Port to listen', 'Host names', 'Path that', 'Port of the'];
    const answers = ['localhost:5001', '9000', 'example.com', '', ''];
    terminal.stdout.on('data', (text) => {
      screen += text;
      const [next] = asks;
      if (next === undefined || !new RegExp(`${next}[^\\n]*: $`).test(screen)) return;
      asks.shift();
      terminal.stdin.write(`${answers.shift()}\n`);
    });
    const [code] = await once(terminal, 'close');
    t.equal(code, 0, screen);
    t.match(screen, 'loadbalancer.yaml is written: 1 server');
    t.match(readFileSync(join(cwd, 'loadbalancer.yaml'), 'utf8'), '  - host: example.com\n');
  },
);
