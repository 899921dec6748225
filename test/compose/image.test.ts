import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { VERSION } from '../../lib/base/version.js';
import { commandsOf, sectionOf } from '../docs/markdown.js';
import { freePort, PROJECT, statusOf, until } from './compose-set.js';
import { buildImage, docker, whyNoDocker } from './image.js';

const missing = await whyNoDocker();
if (missing !== undefined) {
  if (process.env.LB_REQUIRE_DOCKER === '1') t.fail(`LB_REQUIRE_DOCKER=1, but ${missing}`);
  else process.stderr.write(`\nSKIPPED, the container image is not tested: ${missing}\n\n`);
}

const IMAGE = `lb-test:${process.pid}`;
const NAME = `lb-test-${process.pid}`;
const SETTINGS = `listen: 8080
admin: 9090
servers: ["one:8080", "two:8080"]
health_check: { path: /healthcheck }
`;

/** What Node alone takes to start on a machine that is not busy, ms of a processor. */
const NODE_START = 50;

t.setTimeout(240_000);

await t.test('the container image', { skip: missing ?? false }, async (t) => {
  const folder = t.testdir({ settings: { 'loadbalancer.yaml': SETTINGS } });
  t.teardown(() => docker('rmi', '--force', IMAGE));
  await buildImage(IMAGE, folder);

  await t.test('says what it is, runs as a number that is not root, and asks itself how it is', async (t) => {
    const { Config } = (JSON.parse(await docker('inspect', IMAGE)) as [{ Config: ImageConfig }])[0];
    t.equal(Config.User, '65532:65532');
    t.equal(Config.StopSignal, 'SIGTERM');
    t.same(Config.Entrypoint, ['node', '/app/bin/lb.js']);
    t.same(Config.Healthcheck.Test, ['CMD', 'node', '/app/bin/lb.js', 'healthcheck']);
    t.same(Object.keys(Config.ExposedPorts), ['8080/tcp']);
    t.equal(Config.Labels['org.opencontainers.image.version'], VERSION, 'VERSION of the Dockerfile');
  });

  await t.test('without a settings file it says which one is missing', async (t) => {
    const refused = docker('run', '--rm', '--read-only', IMAGE);
    await t.rejects(refused, { message: /cannot read \/etc\/lb\/loadbalancer\.yaml/ });
  });

  await t.test('by the commands of the documentation it balances two servers and stops cleanly', (t) =>
    balances(t, folder),
  );

  await t.test('the compose example starts, balances and stops', (t) => composeExample(t));
});

interface ImageConfig {
  readonly User: string;
  readonly StopSignal: string;
  readonly Entrypoint: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly ExposedPorts: object;
  readonly Labels: { readonly [name: string]: string };
}

interface State {
  readonly StartedAt: string;
  readonly ExitCode: number;
  readonly Health?: { readonly Status: string };
}

async function stateOf(container: string): Promise<State> {
  return JSON.parse(await docker('inspect', '--format', '{{json .State}}', container)) as State;
}

async function balances(t: Test, folder: string): Promise<void> {
  await docker('network', 'create', NAME);
  const containers = ['one', 'two'].map((name) => `${NAME}-${name}`);
  t.teardown(async () => {
    await docker('rm', '--force', '--volumes', NAME, ...containers);
    await docker('network', 'rm', NAME);
  });
  for (const name of ['one', 'two'])
    await docker(
      ...[
        'run',
        '-d',
        '--name',
        `${NAME}-${name}`,
        '--network',
        NAME,
        '--network-alias',
        name,
        '--no-healthcheck',
      ],
      ...['--read-only', '--entrypoint', 'node', IMAGE, '/app/dist/fixtures/server.js'],
      ...['--name', name, '--host', '0.0.0.0', '--port', '8080'],
    );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [, start = [], status = [], reload = [], stop = []] = commandsOf(
    sectionOf('docs/operations.md', 'Containers'),
  ).map((command) =>
    command
      .replace('8080:8080', `127.0.0.1:${port}:8080`)
      .replace('"$PWD/settings:/etc/lb:ro"', `${folder}/settings:/etc/lb:ro`)
      .split(' ')
      .slice(1),
  );
  const named = (words: readonly string[]): string[] =>
    words.map((word, index) => (word === 'lb' && words[index - 1] !== 'lb' ? NAME : word));
  const started = start.slice(0, -1);
  await docker(...named(started), '--network', NAME, '--health-interval', '500ms', IMAGE);
  await until('it answers', async () => (await statusOf(`${url}/`)) === 200).catch(async (error: Error) => {
    error.message += `\n${await docker('logs', NAME)}`;
    throw error;
  });

  const cost = await startCost();
  t.ok(cost > 0 && cost < 1000, `it is up after ${Math.round(cost)} ms`);
  const answers = await Promise.all([1, 2, 3, 4].map(async () => (await fetch(`${url}/`)).text()));
  t.same([...new Set(answers)].sort(), ['Hello from one\n', 'Hello from two\n']);
  await until('it is healthy', async () => (await stateOf(NAME)).Health?.Status === 'healthy');

  const inside = (script: string): Promise<string> => docker('exec', NAME, 'node', '-e', script);
  t.equal(await inside('console.log(process.getuid(), process.getgid())'), '65532 65532\n');
  for (const path of ['/x', '/app/x', '/etc/lb/x', '/tmp/x'])
    t.match(
      await inside(`try { fs.writeFileSync('${path}', '') } catch (e) { console.log(e.code) }`),
      /EROFS|EACCES/,
      path,
    );

  t.match(await docker(...named(status)), /one:8080/, 'a command inside');
  writeFileSync(join(folder, 'settings/loadbalancer.yaml'), SETTINGS.replace(', "two:8080"', ''));
  await docker(...named(reload));
  await until(
    'the change is taken over',
    async () => !(await docker('exec', NAME, 'lb', 'servers')).includes('two:8080'),
  );

  const slow = fetch(`${url}/?delay=6000`).then((response) => response.text());
  await until('it is with the server', async () =>
    /"active": 1/.test(await docker('exec', NAME, 'lb', 'servers', '--json')),
  );
  await docker(...named(stop));
  t.equal(await slow, 'Hello from one\n', 'what was in flight is answered');
  t.equal((await stateOf(NAME)).ExitCode, 0);
  t.match(await docker('logs', NAME), /every request was answered/);
}

/**
 * What the start has cost process 1 of the container, in ms of a processor that is not busy: the clock on the wall shows
 * what others do, and on a busy machine a processor is slow, for Node alone as well.
 */
async function startCost(): Promise<number> {
  const script = `const stat = fs.readFileSync('/proc/1/stat', 'utf8'), { user, system } = process.cpuUsage();
    console.log(stat.slice(stat.lastIndexOf(')') + 2), (user + system) / 1000)`;
  // After the name of the program, the twelfth and thirteenth: time as itself and in the kernel, in hundredths of a second.
  const fields = (await docker('exec', NAME, 'node', '-e', script)).trim().split(' ').map(Number);
  const slowness = Math.max(1, (fields.at(-1) ?? 0) / NODE_START);
  return (((fields[11] ?? 0) + (fields[12] ?? 0)) * 10) / slowness;
}

async function composeExample(t: Test): Promise<void> {
  const words = ['-f', join(PROJECT, 'packaging/docker/compose.yml')];
  const hasPlugin = spawnSync('docker', ['compose', 'version']).status === 0;
  const [command = '', ...first] = hasPlugin ? ['docker', 'compose'] : ['docker-compose'];
  const port = await freePort();
  const env = {
    ...process.env,
    LB_IMAGE: IMAGE,
    LB_PORT: String(port),
    COMPOSE_PROJECT_NAME: `${NAME}-example`,
  };
  const compose = async (...rest: string[]): Promise<number> => {
    const { status, stderr } = spawnSync(command, [...first, ...words, ...rest], { env, encoding: 'utf8' });
    if (status !== 0) t.comment(stderr);
    return status ?? 1;
  };
  t.teardown(() => compose('down', '--volumes', '--timeout', '5'));
  t.equal(await compose('up', '-d'), 0);
  await until('it answers', async () => (await statusOf(`http://127.0.0.1:${port}/`)) === 200);
  const answers = await Promise.all(
    [1, 2, 3, 4].map(async () => (await fetch(`http://127.0.0.1:${port}/`)).text()),
  );
  t.same([...new Set(answers)].sort(), ['Hello from one\n', 'Hello from two\n']);
  t.equal(await compose('stop', 'lb'), 0);
}
