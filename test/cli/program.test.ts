import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { until } from '../support/loop-ticks.js';
import { get, start, url } from './program.js';

t.test('help and version go to stdout, exit 0', async (t) => {
  const help = start(t, ['--help']);
  t.equal(await help.end(), 0);
  t.match(help.stdout, /^lb balances/);
  t.equal(help.stderr, '');
  for (const line of help.stdout.split('\n')) t.ok(line.length <= 80, line);

  const version = start(t, ['-V']);
  t.equal(await version.end(), 0);
  t.match(version.stdout, /^lb \d+\.\d+\.\d+\n$/);
});

t.test('a bad command line is one line on stderr, exit 2', async (t) => {
  const program = start(t, ['8080', '--acces-log', 'json']);
  t.equal(await program.end(), 2);
  t.equal(program.stdout, '');
  t.match(program.stderr, /^lb: unknown option --acces-log\. Did you mean --access-log\? Try .* --help\.\n$/);
});

t.test('a settings file in a wrong place: the command line that was meant can be copied', async (t) => {
  const cwd = t.testdir({ 'lb.yaml': 'servers: [localhost:5001]\n' });
  const program = start(t, ['lb.yaml', '-q'], { cwd });
  t.equal(await program.end(), 2);
  t.match(program.stderr, /^lb: "lb\.yaml" is not a port\. Did you mean this\?\n {4}.*\S -c lb\.yaml -q\n$/);
  const checked = start(t, ['check', 'lb.yaml'], { cwd });
  t.equal(await checked.end(), 0, checked.stderr);
  t.match(checked.stdout, /^lb\.yaml is fine: /);
  const unclear = start(t, ['drain'], { cwd });
  t.equal(await unclear.end(), 2);
  t.match(unclear.stderr, /^lb: an argument is missing: lb drain NAME\. Try .* drain --help\.\n$/);
});

t.test('a configuration that cannot be used, exit 1', async (t) => {
  const cwd = t.testdir({ 'loadbalancer.yaml': 'servers: [localhost:5001]\nlisen: 8080\n' });
  const found = start(t, ['0'], { cwd });
  t.equal(await found.end(), 1);
  t.match(found.stderr, /^loadbalancer\.yaml:2:1 .*listen/);

  const missing = start(t, ['-c', 'nowhere.yaml'], { cwd });
  t.equal(await missing.end(), 1);
  t.equal(missing.stderr, 'lb: cannot read nowhere.yaml: there is no such file or directory.\n');
});

t.test('the demo answers, logs JSON to a pipe and ends cleanly', async (t) => {
  const program = start(t, ['0'], { cwd: t.testdir({}) });
  const target = await url(program);
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { status, text } = await get(target);
    t.equal(status, 200);
    seen.add(text);
  }
  t.equal(seen.size, 3, 'each of the three servers');
  await program.onStdout(/(?:.*\n){3}/);
  const lines = program.stdout.trimEnd().split('\n');
  t.equal(lines.length, 3);
  for (const line of lines)
    t.match(JSON.parse(line), { method: 'GET', target: '/', status: 200, reason: '' });
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
  t.match(program.stderr, /stopped after 3 requests in .*, every request was answered\n$/);
});

t.test('no request in flight is lost at SIGTERM', async (t) => {
  const server = await startFixtureServer({ name: 'slow' });
  t.teardown(() => server.close());
  const program = start(t, ['0', server.address, '--health-path', '/healthcheck']);
  const target = await url(program);
  const answer = get(`${target}x?delay=400`);
  await until(() => server.requests > 0);
  program.child.kill('SIGTERM');
  t.match(await answer, { status: 200, text: /Hello from slow/ });
  t.equal(await program.end(), 0);
  t.match(JSON.parse(program.stdout), { status: 200, reason: '' }, 'and its line is written');
});

t.test('-v shows the heads as they crossed the wire', async (t) => {
  const server = await startFixtureServer({ name: 'plain' });
  t.teardown(() => server.close());
  const program = start(t, ['0', server.address, '-v']);
  const target = await url(program);
  await fetch(`${target}seen`, { headers: { connection: 'close', authorization: 'Bearer s3cret' } });
  await program.onStderr(
    /\n> GET \/seen HTTP\/1\.1\n(?:> .*\n)*>\n>> GET \/seen HTTP\/1\.1\n(?:>> .*\n)*>>\n< HTTP\/1\.1 200 OK\n(?:< .*\n)*<\n/,
  );
  t.match(program.stderr, /\n> authorization: Bearer \*\*\*\n/i);
  t.match(program.stderr, /\n>> authorization: Bearer \*\*\*\n/i);
  t.notMatch(program.stderr, 's3cret');
  await program.onStderr(/ check \S+: status 200 in /);
});
