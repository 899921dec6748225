import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Printed, Program, printedBy } from './support.js';

const COURSE = readFileSync('fixtures/config/good/course.yaml', 'utf8');

const TESTS = `
tests:
  - request: GET http://www.mango.com/v1
    expect: { path: /v2, query: MyCustomParam=Test, header: { MyCustomHeader: Test, Host: "localhost:8081" } }
  - { request: GET http://www.mango.com/, ip: 10.192.0.1, expect: { status: 403 } }
  - { request: GET http://www.apple.com/messages, expect: { status: 403, route: www.apple.com } }
  - { request: GET http://nowhere.test/, expect: { status: 404 } }
`;

/** A folder with a file of this text in it, or with none. */
function folderWith(t: Test, text: string | null): string {
  return t.testdir(text === null ? {} : { 'loadbalancer.yaml': text });
}

/** `lb check` over a file of this text. */
function check(
  t: Test,
  text: string | null,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Printed {
  return printedBy(['check', ...args], folderWith(t, text), env);
}

t.test('a file that is fine', async (t) => {
  t.same(check(t, COURSE), {
    code: 0,
    stdout: 'loadbalancer.yaml is fine: 3 hosts, 6 routes, 7 servers, no tests\n',
    stderr: '',
  });
  t.match(check(t, COURSE + TESTS), { code: 0, stdout: /7 servers, 4 tests passed\n$/, stderr: '' });
});

t.test('a file with nothing to balance, redirect or answer is not fine', async (t) => {
  const problem = {
    line: 1,
    column: 1,
    length: 1,
    path: '',
    message: 'nothing to balance, redirect or answer',
    hint: 'Write servers: [localhost:5001], or hosts or paths that have some.',
  };
  for (const text of [
    '',
    '\n',
    '# servers: [localhost:5001]\n',
    'listen: 8080\n',
    'hosts: []\n',
    'routes: []\npaths: []\n',
    'hosts: [{ host: a, routes: [] }]\n',
    'admin: true\nhealth_check: false\n',
    '{}',
    '~',
    '---\n',
  ]) {
    const { code, stdout } = check(t, text);
    t.equal(code, 1, text);
    t.match(stdout, /^loadbalancer\.yaml:1:1 {2}nothing to balance, redirect or answer\. /);
    t.match(stdout, /\nloadbalancer\.yaml: 1 problem\n$/);
    t.match(JSON.parse(check(t, text, ['--json']).stdout), { ok: false, problems: [problem] });
  }
  // Half of a file: what is wrong with it is said, and not that nothing is left.
  for (const text of [
    'listen: 8080\nhosts:\n',
    'listen: 8080\nserv',
    'listen: 1\nservers: [localhost:5001, lo',
  ]) {
    const { code, stdout } = check(t, text);
    t.equal(code, 1, text);
    t.notMatch(stdout, /nothing to balance/);
    t.match(stdout, /^loadbalancer\.yaml:2:/);
  }
  for (const text of ['respond: { status: 204 }\n', 'redirect: { to: / }\n', 'servers: [a:1]\n'])
    t.equal(check(t, text).code, 0, text);
});

t.test('of thousands of problems the first are shown', async (t) => {
  const servers = Array.from(
    { length: 5000 },
    (_, i) => `  - { address: "localhost:${1000 + i}", wieght: 1 }\n`,
  );
  const { code, stdout } = check(t, `servers:\n${servers.join('')}`);
  t.equal(code, 1);
  t.equal(stdout.match(/unknown key/g)?.length, 20);
  t.match(stdout, /\nand 4,980 more\n\nloadbalancer\.yaml: 5000 problems\n$/);
});

t.test('of many warnings, and of many tests that fail, the first are shown', async (t) => {
  const networks = Array.from({ length: 200 }, (_, i) => `10.0.${i}.1/24`);
  const warned = check(t, `servers: [localhost:1]\ntrusted_proxies: [${networks.join(', ')}]\n`);
  t.equal(warned.code, 0);
  t.equal(warned.stdout.match(/warning:/g)?.length, 20);
  t.match(warned.stdout, /\nand 180 more\nloadbalancer\.yaml is fine: /);

  const cases = Array.from(
    { length: 200 },
    (_, i) => `  - { request: GET http://a/${i}, expect: { path: /y } }\n`,
  );
  const failed = check(t, `servers: [localhost:1]\ntests:\n${cases.join('')}`);
  t.equal(failed.code, 1);
  t.equal(failed.stdout.match(/- path: \/y/g)?.length, 20);
  t.match(failed.stdout, /\nand 180 more\nloadbalancer\.yaml: 200 of 200 tests failed/);
});

t.test('check shows server settings that are not the default', async (t) => {
  const text = `algorithm: least_connections
servers: [a.test:1, { address: b.test:1, backup: true }, { address: c.test:1, weight: 0 }]
paths: [{ path: /x, algorithm: { name: hash, on: uri }, servers: [a.test:1] }]
`;
  t.match(check(t, text), {
    code: 0,
    stdout:
      'loadbalancer.yaml is fine: 0 hosts, 2 routes, 3 servers (1 backup), least_connections and hash, no tests\n',
  });
  t.match(JSON.parse(check(t, text, ['--json']).stdout), {
    servers: 3,
    backups: 1,
    algorithms: ['least_connections', 'hash'],
  });
  const idle = check(t, 'servers: [{ address: a.test:1, weight: 0 }]\n');
  t.match(idle, { code: 0, stdout: /every server here has weight 0: new requests get 503/ });
});

t.test('a test that fails is shown with its line, what was expected and what came', async (t) => {
  const text = `servers: [a.test:1]
tests:
  - { request: GET http://x.test/a, expect: { status: 404, header: { X-A: "1" } } }
  - { request: GET http://x.test/b, ip: 192.0.2.7, expect: { path: /c } }
  - { request: GET http://x.test/c, expect: { path: /c } }
`;
  t.same(check(t, text), {
    code: 1,
    stdout: `loadbalancer.yaml:3  GET http://x.test/a
    - status: 404
    + status: forwarded to a.test:1
    - header.x-a: 1
    + header.x-a: no such field

loadbalancer.yaml:4  GET http://x.test/b from 192.0.2.7
    - path: /c
    + path: /b

loadbalancer.yaml: 2 of 3 tests failed (- expected, + what came)
`,
    stderr: '',
  });
});

t.test('lines of included files are shown as theirs: of tests, of certificates, by lb explain', async (t) => {
  const directory = t.testdir({
    'loadbalancer.yaml': 'include: more/*.yaml\nservers: [a.test:1]\n',
    more: {
      'a.yaml': `hosts:
  - host: a.test
    servers: [a.test:2]
tests:
  - { request: GET http://a.test/, expect: { path: /b } }
`,
    },
  });
  const run = (...args: string[]): string => printedBy(args, directory).stdout;
  t.match(run('check'), /^more\/a\.yaml:5 {2}GET http:\/\/a\.test\/\n/);
  t.match(JSON.parse(run('check', '--json')), { tests: [{ file: 'more/a.yaml', line: 5 }] });
  t.match(run('explain', 'GET', 'http://a.test/'), /route {5}a\.test {2}more\/a\.yaml:2\n/);
  t.match(JSON.parse(run('explain', '--json', 'GET', 'http://a.test/')), {
    route: { name: 'a.test', file: 'more/a.yaml', line: 2 },
  });
  t.match(JSON.parse(run('explain', '--json', 'GET', 'http://b.test/')), {
    route: { name: 'default', line: 2 },
  });

  const tls = 'tls:\n  certificates:\n    - { cert: none.pem }\nlisten: [{ address: 443, tls: true }]\n';
  writeFileSync(join(directory, 'more/a.yaml'), tls);
  t.match(run('check'), /^more\/a\.yaml:3 {2}.*none\.pem: /);
  const file = 'more/a.yaml';
  t.match(JSON.parse(run('check', '--json')), { certificates: [{ line: 3, settings: file }] });
  writeFileSync(join(directory, 'more/a.yaml'), 'hosts:\n  - hst: a.test\n');
  t.match(JSON.parse(run('check', '--json')), {
    problems: [{ file, line: 2, path: 'hosts[0].host' }, { file }],
  });
});

t.test('every problem, as at the start', async (t) => {
  const { code, stdout } = check(t, 'lisen: 8080\nservers: [localhost]\n');
  t.equal(code, 1);
  t.match(
    stdout,
    /^loadbalancer\.yaml:1:1 {2}lisen: unknown key\. Did you mean listen\?\n {5}1 \| lisen: 8080\n/,
  );
  t.match(stdout, /\nloadbalancer\.yaml:2:11 /);
  t.match(stdout, /\nloadbalancer\.yaml: 2 problems\n$/);
});

t.test('a warning is no failure', async (t) => {
  const { code, stdout } = check(t, 'servers: [a.test:1]\ntrusted_proxies: [0.0.0.0/0]\n');
  t.equal(code, 0);
  t.match(stdout, /^warning: loadbalancer\.yaml:2:\d+ /);
  t.match(stdout, /\nloadbalancer\.yaml is fine: 0 hosts, 1 route, 1 server, no tests\n$/);
});

t.test('a file that cannot be read', async (t) => {
  const { code, stdout, stderr } = check(t, null);
  t.same([code, stdout], [1, '']);
  t.equal(
    stderr,
    'lb: cannot read loadbalancer.yaml: there is no such file or directory. lb init writes one, -c FILE names another.\n',
  );
});

t.test('--json is for programs', async (t) => {
  const fine = check(t, COURSE + TESTS, ['--json']);
  t.match(JSON.parse(fine.stdout), { ok: true, problems: [], hosts: 3, routes: 6, servers: 7 });
  t.same((JSON.parse(fine.stdout) as { tests: object[] }).tests.length, 4);
  const bad = check(t, 'lisen: 8080\n', ['--json']);
  t.equal(bad.code, 1);
  t.match(JSON.parse(bad.stdout), {
    ok: false,
    problems: [{ line: 1, column: 1, path: 'lisen' }],
    tests: [],
  });
});

t.test('colour on request alone, and never with --no-color', async (t) => {
  t.notMatch(check(t, COURSE).stdout, '\x1b[');
  t.match(check(t, COURSE, [], { FORCE_COLOR: '1' }).stdout, '\x1b[');
  t.notMatch(check(t, COURSE, ['--no-color'], { FORCE_COLOR: '1' }).stdout, '\x1b[');
});

t.test('as a program it prints the same, and exits with 0, 1 or 2', async (t) => {
  for (const [text, code] of [
    [COURSE + TESTS, 0],
    ['lisen: 8080\n', 1],
  ] as const) {
    const cwd = folderWith(t, text);
    const program = new Program(['check'], { cwd });
    t.equal(await program.end(), code);
    const { stdout, stderr } = printedBy(['check'], cwd);
    t.strictSame([program.stdout, program.stderr], [stdout, stderr]);
  }
  const unclear = new Program(['check', '--health-path', '/'], { cwd: folderWith(t, COURSE) });
  t.equal(await unclear.end(), 2);
  t.match(unclear.stderr, /^lb: --health-path is an option of lb, not of lb check\. /);
});

t.test('the README shows a mistake as it is shown', async (t) => {
  const readme = document('README.md');
  const [text = ''] = fenced(readme, 'yaml');
  const [shown = ''] = fenced(readme, '').filter((block) => block.includes('helth_check'));
  const [line = ''] = /^ +6 \| .*$/m.exec(shown) ?? [];
  const bad = text.replace(/^health_check:.*$/m, line.replace(/^ +6 \| /, ''));
  t.match(check(t, bad).stdout, shown.trim());
});

const document = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

/** What stands between fences of a language. */
function fenced(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, of]) => of === language)
    .map(([, , block = '']) => block);
}

t.test('sources of servers are counted, not asked, and tests pass without their answers', async (t) => {
  const text = `
servers: [{ dns: nowhere.invalid:8080 }, { file: missing.json }]
preserve_host: false
tests:
  - { request: GET http://a/x, expect: { route: default, path: /x, header: { Host: nowhere.invalid:8080 } } }
`;
  t.same(check(t, text), {
    code: 0,
    stdout: 'loadbalancer.yaml is fine: 0 hosts, 1 route, 2 sources of servers (not asked), 1 test passed\n',
    stderr: '',
  });
  t.match(JSON.parse(check(t, text, ['--json']).stdout), { ok: true, servers: 0, sources: 2 });
});
