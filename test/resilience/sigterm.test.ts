import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { startFixtureServer } from '../../fixtures/server.js';
import { Program } from '../cli/support.js';
import { until } from '../support/loop-ticks.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';
import { Load } from './load.js';

t.setTimeout(120_000);

/** By hand for longer: `node dist/test/resilience/sigterm.test.js --cycles 200`. */
const { values } = parseArgs({ options: { cycles: { type: 'string', default: '3' } }, strict: false });
const CYCLES = Number(values.cycles);

/** The real program before these servers, on `port` or any free one. */
async function startProgram(
  t: Test,
  port: number,
  directory: string,
): Promise<{ program: Program; port: number }> {
  const options = ['-c', join(directory, 'lb.yaml'), '--access-log', 'json'];
  const log = ['--access-log-file', join(directory, 'access.log')];
  const threads = SWITCHED_WORKERS > 1 ? ['--workers', String(SWITCHED_WORKERS)] : [];
  const program = new Program([String(port), ...options, ...log, ...threads]);
  t.teardown(() => program.kill());
  return { program, port: Number(await program.onStderr(/curl http:\/\/\S+?:(\d+)/)) };
}

/** A server that remembers what it was asked. */
async function rememberingServer(t: Test) {
  const executed = new Set<string>();
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      executed.add(request.url ?? '');
      setTimeout(() => response.end(`${request.method} ${request.url} `), executed.size % 5);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { executed, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

t.test(`${CYCLES} restarts by SIGTERM under load: no answer is lost`, { timeout: 0 }, async (t) => {
  const servers = await Promise.all([rememberingServer(t), rememberingServer(t)]);
  const directory = t.testdir();
  writeFileSync(
    join(directory, 'lb.yaml'),
    JSON.stringify({ health_check: false, servers: servers.map(({ address }) => address) }),
  );
  let { program, port } = await startProgram(t, 0, directory);
  const load = new Load(port, { clients: 12, posts: 30 });
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await load.more(150);
    const { refused } = load;
    const ending = program;
    ending.child.kill('SIGTERM');
    // The supervisor: as soon as the port is released, another one takes it over, while the first is still answering.
    await until(() => load.refused !== refused);
    ({ program } = await startProgram(t, port, directory));
    t.equal(await ending.end(), 0, 'the old one ends with 0');
  }
  await load.more(150);
  await load.stop();
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);

  const log = readFileSync(join(directory, 'access.log'), 'utf8').trimEnd().split('\n');
  const taken = new Set(log.map((line) => (JSON.parse(line) as { target: string }).target));
  t.ok(log.length >= load.answered);
  t.same(
    load.bad.filter(({ status }) => status !== 0),
    [],
    'no answer but the good ones',
  );
  // A request that crosses with the end of its idle connection was never taken: RFC 9112, 9.5 has clients repeat it.
  const crossed = load.bad.map(({ id }) => `/${id}`);
  t.same(
    crossed.filter((target) => taken.has(target)),
    [],
    'whatever was taken was answered',
  );
  t.same(
    crossed.filter((target) => servers.some(({ executed }) => executed.has(target))),
    [],
    'and nothing was executed whose answer was lost',
  );
  t.comment(
    `${load.answered} answered, ${load.refused} connects refused, ${crossed.length} requests crossed`,
  );
});

t.test('a tunnel has until timeouts.drain, then the process ends with 0', async (t) => {
  const server = await startFixtureServer({ name: 'a' });
  t.teardown(() => server.close());
  const directory = t.testdir();
  writeFileSync(
    join(directory, 'lb.yaml'),
    JSON.stringify({ health_check: false, servers: [server.address], timeouts: { drain: '1s' } }),
  );
  const { program, port } = await startProgram(t, 0, directory);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const since = performance.now();
  program.child.kill('SIGTERM');
  await program.onStderr(/stopping/);
  socket.send('still here');
  t.equal(String(await new Promise((resolve) => socket.once('message', resolve))), 'still here');
  await closed;
  const waited = performance.now() - since;
  t.ok(waited > 900, `closed after ${waited} ms`);
  t.equal(await program.end(), 0);
});
