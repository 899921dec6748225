import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { start, url } from './program.js';
import type { Program } from './support.js';

const NOTICE = /warning: sockets: documented means only, which cost more CPU per request \((.*)\)\n/;

/** What Node runs before the program. */
function before(source: string): string {
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

/** Starts the program before one server, and sends it a request. */
async function serving(t: Test, environment: NodeJS.ProcessEnv): Promise<Program> {
  const server = await startFixtureServer({ name: 'only' });
  t.teardown(() => server.close());
  const program = start(t, ['0', server.address], { env: { LB_SOCKETS: '', ...environment } });
  const target = await url(program);
  for (let i = 0; i < 3; i++) t.equal((await fetch(target)).status, 200);
  return program;
}

async function stopped(t: Test, program: Program): Promise<string> {
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0, program.stderr);
  return program.stderr;
}

t.test('a start by the fast means says nothing about sockets', async (t) => {
  t.notMatch(await stopped(t, await serving(t, {})), 'sockets:');
});

t.test('LB_SOCKETS=documented is reported in one line, also with -q', async (t) => {
  const stderr = await stopped(t, await serving(t, { LB_SOCKETS: 'documented' }));
  t.equal(NOTICE.exec(stderr)?.[1], 'LB_SOCKETS');
  t.equal(stderr.split('sockets:').length, 2, 'said once');
  const quiet = start(t, ['0', '127.0.0.1:1', '-q'], { env: { LB_SOCKETS: 'documented' } });
  await quiet.onStderr(NOTICE);
});

t.test(
  'LB_SOCKETS=documented touches no binding of Node, whatever is listened and connected to',
  async (t) => {
    const spy =
      'const was = process.binding; process.binding = (name) => (console.error("bound " + name), was(name));';
    const folder = t.testdir({});
    const path = join('/tmp', `lb-${process.pid}.sock`);
    const server = createServer((_, response) => response.end('by path')).listen(path);
    await once(server, 'listening');
    t.teardown(() => server.close());
    const program = start(t, ['0', `unix:${path}`], {
      cwd: folder,
      env: { NODE_OPTIONS: before(spy), LB_SOCKETS: 'documented' },
    });
    const target = await url(program);
    t.equal(await (await fetch(target)).text(), 'by path');
    t.notMatch(await stopped(t, program), 'bound ');
    const fast = await serving(t, { NODE_OPTIONS: before(spy) });
    t.match(await stopped(t, fast), 'bound tcp_wrap', 'which the fast means do');
  },
);

t.test('an LB_SOCKETS with an unknown value ends the start with a line that says so', async (t) => {
  const program = start(t, ['0', '127.0.0.1:1'], { env: { LB_SOCKETS: 'slow' } });
  t.equal(await program.end(), 1);
  t.equal(program.stderr, 'lb: LB_SOCKETS is fast or documented, not "slow".\n');
});

t.test(
  'where process.binding is missing or refused the same line is printed, and requests are served',
  async (t) => {
    for (const [source, cause] of [
      ['process.binding = undefined', 'process.binding is missing'],
      [
        'process.binding = () => { throw Object.assign(new Error("no"), { code: "ERR_ACCESS_DENIED" }) }',
        'process.binding is refused: ERR_ACCESS_DENIED',
      ],
      ['process.binding = () => ({})', 'process.binding has other parts than it had'],
    ] as const) {
      const stderr = await stopped(t, await serving(t, { NODE_OPTIONS: before(source) }));
      t.equal(NOTICE.exec(stderr)?.[1], cause);
    }
  },
);

t.test('fast means that have changed their meaning are found by the test at the start', async (t) => {
  // As if the figures of a read lay somewhere else: the shape is the same, the lengths are wrong.
  const moved = `
    const was = process.binding;
    process.binding = (name) => {
      const found = was(name);
      return name === 'stream_wrap' ? { ...found, kReadBytesOrError: found.kBytesWritten } : found;
    };`;
  const stderr = await stopped(t, await serving(t, { NODE_OPTIONS: before(moved) }));
  t.match(NOTICE.exec(stderr)?.[1], /^the fast ones failed their test: /);
});

t.test('under the permission model of Node the same line is printed', async (t) => {
  const flags = process.allowedNodeEnvironmentFlags;
  const permission = flags.has('--permission') ? '--permission' : '--experimental-permission';
  const allowed = ['--allow-fs-read=*', '--allow-fs-write=*', flags.has('--allow-net') ? '--allow-net' : ''];
  const stderr = await stopped(t, await serving(t, { NODE_OPTIONS: [permission, ...allowed].join(' ') }));
  t.match(NOTICE.exec(stderr)?.[1], /^process\.binding is /);
});

t.test('--throw-deprecation does not end the program, which then does without process.binding', async (t) => {
  const program = await serving(t, { NODE_OPTIONS: '--pending-deprecation --throw-deprecation' });
  t.match(NOTICE.exec(await stopped(t, program))?.[1], /--throw-deprecation is set$/);
});
