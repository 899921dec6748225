import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { DockerEngine, type FakeContainer } from '../../fixtures/docker-engine.js';
import { startFixtureServer } from '../../fixtures/server.js';
import { until } from '../support/loop-ticks.js';
import { ReplacedProgram } from '../support/replaced-program.js';
import { start } from './program.js';
import type { Program } from './support.js';

/** Containers whose address is loopback: a fixture server for each, by name. */
async function mango(t: Test, id: string, labels: Readonly<Record<string, string>>): Promise<FakeContainer> {
  const server = await startFixtureServer({ name: `mango-${id}` });
  t.teardown(() => server.close());
  const port = Number(server.address.split(':').at(-1));
  const compose = { 'com.docker.compose.service': 'mango', 'com.docker.compose.container-number': id };
  return {
    id: `a${id}`,
    name: `shop-mango-${id}`,
    created: Number(id),
    ports: [port],
    networks: { web: '127.0.0.1' },
    labels: { ...compose, ...labels },
  };
}

async function engineOf(t: Test, ...containers: readonly FakeContainer[]): Promise<DockerEngine> {
  const engine = await DockerEngine.start();
  t.teardown(() => engine.close());
  engine.set(...containers);
  return engine;
}

/** The address in the banner, whose example asks for a host. */
async function url(program: Program): Promise<string> {
  return (await program.onStderr(/lb \S+ {2}(http:\S+?)\/\s/)).replace('localhost', '127.0.0.1');
}

/** Status and text of a GET with a host. */
function get(target: string, host: string, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${target}${path}`, { agent: false, headers: { Host: host } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (more: string) => {
        text += more;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text.trim().split('\n', 1)[0]}`));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function gets(target: string, host: string, path: string, expected: RegExp): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    const got = await get(target, host, path);
    if (expected.test(got)) return;
    if (performance.now() > end) throw new Error(`${host}${path}: expected ${expected}, got ${got}`);
    await pause(20);
  }
}

// Three programs start one after the other, on a machine that may do other things.
t.setTimeout(180_000);

function run(t: Test, engine: DockerEngine, args: readonly string[]) {
  return start(t, args, { env: { DOCKER_HOST: `unix://${engine.socket}` } });
}

t.test(
  '--docker: routes come and go with containers, and the members of a route without a reload',
  async (t) => {
    const [one, two, three] = [
      await mango(t, '1', { 'lb.host': 'mango.test' }),
      await mango(t, '2', { 'lb.host': 'mango.test' }),
      await mango(t, '3', { 'lb.host': 'other.test', 'lb.path': '/api' }),
    ];
    const engine = await engineOf(t, one);
    const program = run(t, engine, ['0', '--docker', '--admin', '0']);
    const target = await url(program);
    t.equal(
      await get(target, 'mango.test'),
      '200 Hello from mango-1',
      'there is no moment without the route',
    );
    t.match(await get(target, 'other.test', '/api/x'), /^404/);

    engine.set(one, two);
    engine.emit('start', 'a2');
    await gets(target, 'mango.test', '/', /mango-2/);
    t.notMatch(program.stderr, /routes of containers/, 'a member is no reason to reload');

    engine.set(one, two, three);
    engine.emit('start', 'a3');
    await gets(target, 'other.test', '/api', /200 Hello from mango-3/);
    await program.onStderr(/routes of containers: other\.test\/api came/);
    t.match(await get(target, 'other.test', '/'), /^404/);

    engine.emit('kill', 'a1', { signal: '15' });
    await program.onStderr(/mango-1 left|left.*mango-1/i);
    for (let i = 0; i < 6; i++) t.equal(await get(target, 'mango.test'), '200 Hello from mango-2');

    engine.set({ ...one, state: 'exited' }, { ...two, state: 'exited' });
    engine.emit('die', 'a2');
    engine.emit('destroy', 'a3');
    await gets(target, 'other.test', '/api', /^503/);
    t.match(await get(target, 'mango.test'), /^503/, 'stopped containers keep their route');
    // As `docker rm -f` and `docker run` do it.
    engine.set();
    engine.emit('destroy', 'a1');
    engine.emit('destroy', 'a2');
    await gets(target, 'other.test', '/api', /^404/);
    t.match(await get(target, 'mango.test'), /^(503|404)/);
    engine.set(two);
    engine.emit('start', 'a2');
    await gets(target, 'mango.test', '/', /mango-2/);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
    t.ok(
      engine.requests.every((line) => line.startsWith('GET ')),
      'the engine was only asked',
    );
  },
);

t.test(
  'a container that is replaced by another: 503 with Retry-After meanwhile, and no reload',
  async (t) => {
    const one = await mango(t, '1', { 'lb.host': 'mango.test' });
    const engine = await engineOf(t, one);
    const program = run(t, engine, ['0', '--docker']);
    const target = await url(program);
    t.match(await get(target, 'mango.test'), /^200/);
    engine.set();
    engine.emit('destroy', 'a1');
    await gets(target, 'mango.test', '/', /^503/);
    const response = await new Promise<IncomingMessage>((resolve) =>
      request(target, { agent: false, headers: { Host: 'mango.test' } }, resolve).end(),
    );
    response.resume();
    t.match(response, { statusCode: 503, headers: { 'retry-after': '1' } });
    engine.set({ ...one, id: 'a9' });
    engine.emit('start', 'a9');
    await gets(target, 'mango.test', '/', /^200/);
    t.notMatch(program.stderr, /routes of containers/);
  },
);

t.test('a signal while the engine has not answered ends it at once', async (t) => {
  const engine = await engineOf(t);
  engine.mood = 'silent';
  const file = join(t.testdir({}), 'lb.yaml');
  writeFileSync(file, 'listen: 127.0.0.1:0\ndocker: true\ntimeouts: { discovery: 1h }\n');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const before = engine.requests.length;
    const program = run(t, engine, ['-c', file]);
    await until(() => engine.requests.length > before);
    program.child.kill(signal);
    t.equal(await program.end(), 0);
    t.equal(
      program.stderr,
      'lb: stopped before it had started, while it waited for its sources of servers\n',
    );
  }
});

t.test('what containers ask for during an upgrade that fails is taken over after it', async (t) => {
  const [one, two] = [
    await mango(t, '1', { 'lb.host': 'mango.test' }),
    await mango(t, '2', { 'lb.host': 'other.test' }),
  ];
  const engine = await engineOf(t, one);
  const balancer = await ReplacedProgram.start(t, {
    listen: '127.0.0.1:0',
    docker: { socket: engine.socket },
  });
  const target = await url(balancer.program);
  t.match(await get(target, 'mango.test'), /^200/);
  // It ends when it is told to, without ever having been ready.
  const end = join(balancer.directory, 'end');
  balancer.replace(
    `import { existsSync } from 'node:fs';
if (process.argv.includes('--version')) console.log('lb 9.9.9');
else setInterval(() => existsSync(${JSON.stringify(end)}) && process.exit(1), 20);`,
  );
  const upgraded = balancer.upgrade();
  await balancer.program.onStderr(/upgrade: process \d+ is starting/);
  engine.set(one, two);
  engine.emit('start', 'a2');
  await pause(500);
  t.match(await get(target, 'other.test'), /^404/, 'nothing is changed meanwhile');
  writeFileSync(end, '');
  t.equal((await upgraded).status, 422);
  await gets(target, 'other.test', '/', /^200 Hello from mango-2/);
});

t.test(
  'docker in a file: what the file says stays, bad labels are reported, and SIGHUP keeps the routes',
  async (t) => {
    const own = await startFixtureServer({ name: 'own' });
    t.teardown(() => own.close());
    const good = await mango(t, '1', { 'lb.host': 'mango.test', 'lb.path': '/api' });
    const bad = await mango(t, '2', { 'lb.host': 'mango.test', 'lb.path': '/api', 'lb.weight': 'much' });
    const taken = await mango(t, '3', { 'lb.host': 'file.test' });
    const engine = await engineOf(t, good, bad, taken);
    const file = join(t.testdir({}), 'lb.yaml');
    const write = (more: string): void =>
      writeFileSync(
        file,
        `listen: 127.0.0.1:0
docker: true
hosts:
  - { host: file.test, servers: ["${own.address}"] }
${more}tests:
  - { request: GET http://mango.test/api, expect: { status: 404 } }
`,
      );
    write('');
    const program = run(t, engine, ['-c', file, '--admin', '0']);
    const target = await url(program);
    t.equal(await get(target, 'file.test'), '200 Hello from own');
    t.equal(await get(target, 'mango.test', '/api'), '200 Hello from mango-1');
    t.match(program.stderr, /mango-2: lb\.weight: expected a number from 0 to 256, got "much"/);
    t.match(program.stderr, /mango-3: the settings file has servers for file\.test/);

    // A file that is broken by now, and a change of containers.
    writeFileSync(file, 'servers: [nonsense]');
    const more = await mango(t, '4', { 'lb.host': 'more.test' });
    engine.set(good, bad, taken, more);
    engine.emit('start', 'a4');
    await gets(target, 'more.test', '/', /200 Hello from mango-4/);
    t.equal(await get(target, 'file.test'), '200 Hello from own');

    write('  - { host: new.test, respond: { body: here } }\n');
    program.child.kill('SIGHUP');
    await program.onStderr(/reloaded .*lb\.yaml/);
    t.equal(await get(target, 'new.test'), '200 here');
    t.equal(await get(target, 'more.test'), '200 Hello from mango-4');
    const late = await mango(t, '5', { 'lb.host': 'late.test', 'lb.port': 'http' });
    engine.set(good, bad, taken, more, late);
    engine.emit('start', 'a5');
    await program.onStderr(/docker routes: .*mango-5: lb\.port: expected a number/);

    writeFileSync(
      file,
      `listen: 127.0.0.1:0\nhosts:\n  - { host: file.test, servers: ["${own.address}"] }\n`,
    );
    program.child.kill('SIGHUP');
    await gets(target, 'more.test', '/', /^404/);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);

t.test(
  'an engine that is not there yet: the program starts, says so, and follows when it comes',
  async (t) => {
    const one = await mango(t, '1', { 'lb.host': 'mango.test' });
    const engine = await engineOf(t, one);
    engine.mood = 'broken';
    const program = run(t, engine, ['0', '--docker']);
    const target = await url(program);
    await program.onStderr(/docker routes: .*it is not ready/);
    t.match(await get(target, 'mango.test'), /^404/);
    engine.mood = 'answering';
    await gets(target, 'mango.test', '/', /200 Hello from mango-1/);
    engine.cut();
    engine.mood = 'broken';
    await program.onStderr(/the stream of events has ended/);
    t.equal(await get(target, 'mango.test'), '200 Hello from mango-1', 'what was known stays');
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);
