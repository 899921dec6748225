import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { get, start, url } from './program.js';
import { LAUNCHER, Program } from './support.js';

const WATCH = /watch +(http:\S+\/) /;

// Programs are started, which takes long while much else runs.
t.setTimeout(240_000);

t.test('colour', async (t) => {
  const coloured = start(t, ['--help'], { env: { FORCE_COLOR: '1' } });
  await coloured.end();
  t.match(coloured.stdout, '\x1b[');
  for (const env of [{ FORCE_COLOR: '1', NO_COLOR: '1' }, {}]) {
    const plain = start(t, ['--help'], { env });
    await plain.end();
    t.notMatch(plain.stdout, '\x1b[');
    t.equal(plain.stderr, '', 'and nobody complains about it');
  }
  const refused = start(t, ['--nonsense', '--no-color'], { env: { FORCE_COLOR: '1' } });
  await refused.end();
  t.notMatch(refused.stderr, '\x1b[');
});

t.test('the launcher says what to do when nothing is built', async (t) => {
  const directory = t.testdir({ bin: {}, 'package.json': '{ "type": "module" }' });
  cpSync(LAUNCHER, join(directory, 'bin', 'lb.js'));
  const program = new Program([], {}, join(directory, 'bin', 'lb.js'));
  t.equal(await program.end(), 1);
  t.equal(program.stderr, 'lb: not built yet, run: make setup\n');
});

t.test('a log file that cannot be opened, exit 1', async (t) => {
  const program = start(t, ['0', 'localhost:5001', '--access-log-file', 'no/such/directory/log'], {
    cwd: t.testdir({}),
  });
  t.equal(await program.end(), 1);
  t.equal(program.stderr, 'lb: cannot write no/such/directory/log: there is no such file or directory.\n');
});

t.test('a second signal ends it at once', async (t) => {
  const server = await startFixtureServer({ name: 'hanging' });
  t.teardown(() => server.close());
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const program = start(t, ['0', server.address, '--health-path', '/healthcheck']);
    const target = await url(program);
    const before = server.requests;
    const answer = get(`${target}x?hang=1`).catch(() => 'cut');
    await until(() => server.requests > before);
    program.child.kill('SIGTERM');
    await program.onStderr(/stopping/);
    program.child.kill(signal);
    t.equal(await program.end(), code);
    t.match(await answer, { status: 503 }, 'who waits is told');
  }
});

t.test('a port in use is one line, exit 1', async (t) => {
  const taken = createTcpServer().listen(0);
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const program = start(t, [String(port), 'localhost:5001']);
  t.equal(await program.end(), 1);
  t.match(program.stderr, new RegExp(`^lb: port ${port} is in use\\.[^\\n]*\\n$`));
});

t.test('with very few files allowed it says so, exit 1', async (t) => {
  const program = start(t, ['0', 'localhost:5001'], { files: 40 });
  t.equal(await program.end(), 1);
  t.equal(program.stderr, 'lb: too few files may be open: ulimit -n 256 or more is needed.\n');
});

t.test('out of files it answers 503, and no server is blamed for it', async (t) => {
  const server = await startFixtureServer({ name: 'blameless' });
  t.teardown(() => server.close());
  const args = ['0', server.address, '--admin', '127.0.0.1:0', '--health-interval', '50ms', '-v'];
  const program = start(t, args, { files: 256 });
  const port = Number(new URL(await url(program)).port);
  t.match(
    program.stderr,
    'limits.connections is 10000, but with ulimit -n 256 at most 96 clients are accepted',
  );
  const admin = Number(await program.onStderr(/watch +http:\/\/[^:]+:(\d+)/));
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  // It has started, which takes more files at a time; operators, of whom 128 are let in, can use up so few.
  execFileSync('prlimit', ['--pid', String(program.child.pid), '--nofile=140:140']);
  // Operators keep coming, so that they have every file there is, those that a check or another operator leaves too.
  const operators: RawClient[] = [];
  let coming = true;
  const comeIn = async (): Promise<void> => {
    while (coming) {
      operators.push(await RawClient.connect(admin));
      if (operators.length > 128) await pause(10);
    }
  };
  const leave = async (): Promise<void> => {
    coming = false;
    await arriving;
    for (const operator of operators) operator.destroy();
  };
  const arriving = comeIn();
  t.teardown(leave);
  await program.onStderr(/warning: \S+ could not be checked \(EMFILE\): .*ulimit -n/);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  const { status, head } = await client.response();
  t.equal(status, 503);
  t.match(head, /^Retry-After: \d+\r$/m);
  const line = JSON.parse(await program.onStdout(/.*\n/));
  t.match(line, { reason: 'out_of_resources', detail: 'EMFILE', server: server.address });
  await leave();
  await program.onStderr(/could not be checked[\s\S]* check \S+: status 200 in /);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
  t.notMatch(program.stderr, / is down/);
  t.equal(program.stderr.match(/EMFILE/g)?.length, 1, 'the operator is told once in a while');
});

t.test('a server that goes and comes back is logged', async (t) => {
  const first = await startFixtureServer({ name: 'stays' });
  const second = await startFixtureServer({ name: 'goes' });
  t.teardown(() => Promise.all([first.close(), second.close()]));
  const health = ['--health-path', '/healthcheck', '--health-interval', '50ms'];
  const program = start(t, ['0', first.address, second.address, ...health]);
  await url(program);
  second.healthy = false;
  await program.onStderr(new RegExp(`${second.address} is down: status 500 \\(1 of 2 left\\)\\n`));
  second.healthy = true;
  await program.onStderr(new RegExp(`${second.address} is back after [^(\\n]*\\n`));
});

t.test('a reader of stdout or stderr that goes away costs nothing but its lines', async (t) => {
  const server = await startFixtureServer({ name: 'alive' });
  t.teardown(() => server.close());
  const program = start(t, ['0', server.address, '-v']);
  const target = await url(program);
  program.child.stdout!.destroy();
  program.child.stderr!.destroy();
  for (let asked = 0; asked < 50; asked++) t.equal((await get(target)).status, 200);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
  t.test(`${signal} goes on in a new log file`, async (t) => {
    const server = await startFixtureServer({ name: 'logged' });
    t.teardown(() => server.close());
    const directory = t.testdir({});
    const log = join(directory, 'access.log');
    const program = start(t, ['0', server.address, '--access-log-file', log, '--access-log', 'combined']);
    const target = await url(program);
    await get(`${target}before`);
    renameSync(log, `${log}.1`);
    program.child.kill(signal);
    await until(() => existsSync(log), 'the program writes a new log');
    await get(`${target}after`);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
    t.match(readFileSync(`${log}.1`, 'utf8'), /^[^\n]*"GET \/before HTTP\/1\.1" 200 [^\n]*\n$/);
    t.match(readFileSync(log, 'utf8'), /^[^\n]*"GET \/after HTTP\/1\.1" 200 [^\n]*\n$/);
    t.equal(program.stdout, '');
    t.notMatch(program.stderr, /Debugger listening/);
  });
}

t.test(
  'a bug ends the program with one report with its stack, exit 1, after the log is written',
  async (t) => {
    const server = await startFixtureServer({ name: 'any' });
    t.teardown(() => server.close());
    const bug = 'process.once("SIGWINCH", () => { throw new Error("something impossible") })';
    const log = join(t.testdir({}), 'access.log');
    const program = start(t, ['0', server.address, '--access-log-file', log], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` },
    });
    await get(await url(program));
    program.child.kill('SIGWINCH');
    t.equal(await program.end(), 1);
    t.match(readFileSync(log, 'utf8'), /^\{.*"status":200.*\}\n$/);
    t.match(
      program.stderr,
      /lb: internal error, please report it \(lb .*, Node .*\):\nError: something impossible\n {4}at /,
    );
  },
);

t.test('a balancer in front sees that it goes before it is gone', async (t) => {
  const server = await startFixtureServer({ name: 'one' });
  t.teardown(() => server.close());
  const settings = `listen: 127.0.0.1:0
servers: [${server.address}]
readiness_path: /readyz
timeouts: { drain_delay: 1m }
`;
  const program = start(t, [], { cwd: t.testdir({ 'loadbalancer.yaml': settings }) });
  const target = await url(program);
  const ready = new URL('/readyz', target).href;
  t.match(await get(ready), { status: 200, text: 'ready\n' });
  program.child.kill('SIGTERM');
  await program.onStderr(/not ready: requests are served for another 1m/);
  t.match(await get(ready), { status: 503, text: 'not ready: draining\n' });
  t.equal((await get(target)).status, 200);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
  t.match(program.stderr, /stopped after 1 request .*, every request was answered/);
  t.notMatch(program.stdout, 'readyz');
});

t.test('there is no admin listener by default, and the demo can switch it off', async (t) => {
  const server = await startFixtureServer({ name: 'plain' });
  t.teardown(() => server.close());
  for (const args of [
    ['0', server.address],
    ['0', '--admin', 'off'],
  ]) {
    const program = start(t, args, { cwd: t.testdir({}) });
    await url(program);
    await program.onStderr(/stop /);
    t.notMatch(program.stderr, WATCH);
    program.kill();
  }
});

t.test('an admin port in use is one line, exit 1', async (t) => {
  const other = createTcpServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const program = start(t, ['0', '127.0.0.1:9', '--admin', String(port)]);
  t.equal(await program.end(), 1);
  t.match(program.stderr, `lb: port ${port} is in use.`);
});

t.test('an admin listener that other machines reach needs a token', async (t) => {
  const program = start(t, ['0', '127.0.0.1:9', '--admin', '0.0.0.0:0']);
  t.equal(await program.end(), 1);
  t.match(program.stderr, /admin\.listen: other machines reach 0\.0\.0\.0:0: it needs a token/);
});
