import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { FileWatch } from '../../lib/cli/file-watch.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { get, start, url } from './program.js';

t.test('SIGHUP loads a good file, and keeps the old settings when the file is bad', async (t) => {
  const first = await startFixtureServer({ name: 'first' });
  const second = await startFixtureServer({ name: 'second' });
  t.teardown(() => Promise.all([first.close(), second.close()]));
  const directory = mkdtempSync(join(tmpdir(), 'lb-reload-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'lb.yaml');
  const write = (servers: string, more = ''): void =>
    writeFileSync(
      file,
      `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nhealth_check: { path: /healthcheck }\nservers: [${servers}]\n${more}`,
    );
  write(first.address);
  const program = start(t, ['-c', file]);
  const target = await url(program);
  const admin = await program.onStderr(/(localhost:\d+)\/ +status page/);
  const refused = async () => (await get(`http://${admin}/api/status`)).text;
  t.match(await get(target), { text: /Hello from first/ });

  write(second.address);
  program.child.kill('SIGHUP');
  await program.onStderr(/reloaded .*lb\.yaml/);
  t.match(await get(target), { text: /Hello from second/ }, 'on the same port');

  write(first.address, 'timeots: {}\nlimits: { headers: many }\n');
  program.child.kill('SIGHUP');
  await program.onStderr(/not loaded/);
  t.match(program.stderr, /lb\.yaml:5:1 {2}timeots: unknown key\. Did you mean timeouts\?/);
  t.match(program.stderr, /lb\.yaml:6:20 {2}limits\.headers: /, 'every problem is told');
  t.match(await refused(), /timeots: unknown key\..* \(lb check shows 1 other problem\)/);
  t.match(await get(target), { text: /Hello from second/ });

  write(first.address, 'tests:\n  - { request: GET http://a/x, expect: { path: /y } }\n');
  program.child.kill('SIGHUP');
  await program.onStderr(/not loaded[\s\S]*not loaded/);
  t.match(program.stderr, /- path: \/y\n.*\+ path: \/x\n/, 'a test that fails refuses the file');
  t.match(await get(target), { text: /Hello from second/ });

  for (const nothing of ['', '# later\n', 'listen: 127.0.0.1:0\n']) {
    const said = program.stderr.length;
    writeFileSync(file, nothing);
    program.child.kill('SIGHUP');
    await until(() => /was not loaded/.test(program.stderr.slice(said)), 'the file is refused');
    t.match(program.stderr.slice(said), /lb\.yaml:1:1 {2}nothing to balance, redirect or answer/);
    t.match(await get(target), { text: /Hello from second/ });
  }

  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test('a listener that a reload moves is reported, and so is one that cannot be bound', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const file = join(t.testdir({}), 'lb.yaml');
  const write = (listen: string): void => writeFileSync(file, `listen: ${listen}\nrespond: { body: here }\n`);
  write('127.0.0.1:0');
  const program = start(t, ['-c', file]);
  const target = await url(program);
  t.notMatch(program.stderr, /listening on/, 'the banner says where');

  write(`127.0.0.1:${port}`);
  program.child.kill('SIGHUP');
  await program.onStderr(/was not loaded/);
  t.match(program.stderr, `port ${port} is in use. `);
  t.match(await get(target), { text: 'here' });
  t.notMatch(program.stderr, /listening on/);

  const old = new URL(target).port;
  write(`"*:${old}"`);
  program.child.kill('SIGHUP');
  await program.onStderr(/was not loaded[\s\S]*was not loaded/);
  t.match(
    program.stderr,
    `port ${old} is in use by lb itself, as 127.0.0.1:${old}: such a move takes a restart.`,
  );

  write('127.0.0.2:0');
  program.child.kill('SIGHUP');
  await program.onStderr(/reloaded /);
  const moved = await program.onStderr(/Z {2}listening on (127\.0\.0\.2:\d+)\n/);
  t.match(program.stderr, `no longer listening on 127.0.0.1:${old}\n`);
  t.match(await get(`http://${moved}/`), { text: 'here' });
  await t.rejects(get(target));
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test('--watch reloads when the file, or one that it names, has changed', async (t) => {
  const server = await startFixtureServer({ name: 'any' });
  t.teardown(() => server.close());
  const directory = t.testdir({
    'bad.txt': '192.0.2.1\n',
    'lb.yaml': `listen: 127.0.0.1:0
health_check: false
firewall_rules: { ip_reject: [{ file: bad.txt }] }
servers: [${server.address}]
`,
  });
  const program = start(t, ['-c', join(directory, 'lb.yaml'), '--watch']);
  const target = await url(program);
  t.match(program.stderr, /settings +\S+ {2}reloaded when it changes/);
  t.match(await get(target), { status: 200 });
  // As most editors save.
  writeFileSync(join(directory, 'bad.txt~'), '127.0.0.0/8\n');
  renameSync(join(directory, 'bad.txt~'), join(directory, 'bad.txt'));
  await program.onStderr(/reloaded .*lb\.yaml/);
  await t.rejects(get(target), 'refused at accept');
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test(
  '--watch reads included files again: those that change, those that come, and those that are mended',
  async (t) => {
    const directory = t.testdir({
      'lb.yaml': 'listen: 127.0.0.1:0\ninclude: conf.d/*.yaml\nrespond: { body: any }\n',
      'conf.d': { 'a.yaml': 'hosts:\n  - { host: localhost, respond: { body: one } }\n' },
    });
    const write = (name: string, text: string): void => writeFileSync(join(directory, 'conf.d', name), text);
    const program = start(t, ['-c', join(directory, 'lb.yaml'), '--watch']);
    const target = `http://localhost:${new URL(await url(program)).port}/`;
    t.match(await get(target), { text: 'one' });

    write('a.yaml', 'hosts:\n  - { host: localhost, respond: { body: two } }\n');
    await program.onStderr(/reloaded .*lb\.yaml/);
    t.match(await get(target), { text: 'two' });

    write('b.yaml', 'hosts:\n  - host: 127.0.0.1\n    respnd: {}\n');
    await program.onStderr(/was not loaded/);
    t.match(
      program.stderr,
      /conf\.d\/b\.yaml:3:5 {2}hosts\[0\]\.respnd: unknown key\. Did you mean respond\?/,
    );
    t.match(await get(target), { text: 'two' });

    write('b.yaml', 'hosts:\n  - host: 127.0.0.1\n    respond: { body: three }\n');
    await program.onStderr(/was not loaded[\s\S]*reloaded /);
    t.match(await get(target.replace('localhost', '127.0.0.1')), { text: 'three' });
    t.equal(program.stderr.match(/was not loaded/g)?.length, 1, 'told once');
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);

t.test(
  'a file that is watched from now on is no news if what was read of it is its current state',
  async (t) => {
    const directory = t.testdir({ file: 'one', other: 'two' });
    const files = [join(directory, 'file')];
    const told: string[] = [];
    const watch = new FileWatch(
      () => files,
      (changed) => told.push(changed.map((name) => name.slice(directory.length)).join()),
      new ManualClock(),
    );
    await watch.start();
    t.teardown(() => watch.stop());
    await watch.look();
    const made = Date.now();
    await until(() => Date.now() - made > 50);
    const settle = async (): Promise<string[]> => {
      for (let i = 0; i < 3; i++) await watch.look();
      return told;
    };
    utimesSync(files[0]!, 1, 1);
    t.same(await settle(), ['/file']);
    files.push(join(directory, 'other'));
    t.same(await settle(), ['/file']);
    writeFileSync(files[1]!, 'three');
    t.same(await settle(), ['/file', '/other']);
    writeFileSync(join(directory, 'late'), '');
    files.push(join(directory, 'late'));
    t.same(await settle(), ['/file', '/other', '/late'], 'it may have changed since it was read');
  },
);

t.test('a watched file counts as changed when it has come to rest', async (t) => {
  const file = join(t.testdir({ file: 'one' }), 'file');
  const clock = new ManualClock();
  let changes = 0;
  const watch = new FileWatch(
    () => [file],
    () => {
      changes++;
    },
    clock,
  );
  await watch.start();
  t.teardown(() => watch.stop());
  const look = async (): Promise<number> => {
    await watch.look();
    return changes;
  };
  t.equal(await look(), 0);
  utimesSync(file, 1, 1);
  t.equal(await look(), 0, 'it may still be written');
  utimesSync(file, 2, 2);
  t.equal(await look(), 0, 'as it was');
  t.equal(await look(), 1);
  t.equal(await look(), 1, 'once');
  renameSync(file, `${file}~`);
  t.equal(await look(), 1);
  t.equal(await look(), 1, 'one that is gone is no other');
  writeFileSync(file, 'two');
  t.equal(await look(), 1);
  t.equal(await look(), 2);
});
