import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { Load } from '../resilience/load.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { hangAll, makeThrow, runningWorkers, startHangable } from '../support/worker-threads.js';
import { answerers, connectMany, isGone, threadsEnded } from './load.js';

t.setTimeout(300_000);
const SETTINGS = { health_check: false, passive_health: false } as const;

t.test('a port that another program has is said to be in use', THREADS, async (t) => {
  const other = await startBalancer(t, { servers: ['127.0.0.1:9'] }, { workers: 2 });
  const config = createConfig({ ...SETTINGS, listen: `127.0.0.1:${other.port}`, servers: ['127.0.0.1:9'] });
  const balancer = createBalancer(config, {}, { workers: 2 });
  await t.rejects(balancer.start(), { code: 'EADDRINUSE', port: other.port });
  t.equal(runningWorkers().length, 2);
});

t.test('a Unix socket has the mode of its settings and is served', THREADS, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-threads-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'lb.sock');
  const [a] = await namedOrigins(t, 'a');
  const listen = [{ address: `unix:${path}`, mode: '0600' }, '127.0.0.1:0'];
  const { port } = await startBalancer(t, { listen, servers: [a!.address] } as never, { workers: 3 });
  t.equal(port, 0);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const { request } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    request({ socketPath: path, path: '/' }, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end();
  });
  t.equal(status, 200);
});

t.test('the limit of connections of a listener is for all threads together', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const settings = { listen: [{ address: '127.0.0.1:0', connections: 10 }], servers: [a!.address] };
  const { balancer, connect, seen } = await startBalancer(t, settings, { workers: 3 });
  const open: RawClient[] = [];
  const enter = async (): Promise<boolean> => {
    try {
      const client = await connect();
      await ask(client);
      open.push(client);
      return true;
    } catch {
      // Turned away.
      return false;
    }
  };
  for (let i = 0; i < 30; i++) await enter();
  t.equal(open.length, 10);
  // What the connections of an ended thread held is free again.
  makeThrow(runningWorkers()[0]!);
  await until(() => threadsEnded(seen).length === 1);
  await pause(300);
  const left = open.filter((client) => !isGone(client)).length;
  let more = 0;
  for (let i = 0; i < 30; i++) if (await enter()) more++;
  t.equal(left + more, 10);
  balancer.stop();
  await until(() => runningWorkers().length === 0);
});

t.test('the kernel spreads connections over the threads', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  for (const [count, most] of [
    [64, 2],
    [1000, 1.3],
  ] as const) {
    const started = await startBalancer(t, { servers: [a!.address] }, { workers: 4 });
    const clients = await connectMany(started, count);
    t.same(await answerers(clients), ['a']);
    const shares: number[] = [];
    for (const worker of [...runningWorkers()]) {
      const before = clients.filter((client) => !isGone(client)).length;
      makeThrow(worker);
      await until(() => threadsEnded(started.seen).length === shares.length + 1);
      await pause(200);
      shares.push(before - clients.filter((client) => !isGone(client)).length);
    }
    started.balancer.stop();
    await until(() => runningWorkers().length === 0);
    t.equal(
      shares.reduce((sum, share) => sum + share),
      count,
    );
    t.ok(Math.max(...shares) <= (most * count) / 4, `${shares.join(', ')} of ${count}`);
  }
});

t.test('reloads under load fail no request', THREADS, async (t) => {
  const servers = await Promise.all(['a', 'b'].map((name) => startFixtureServer({ name })));
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const entries = servers.map(({ name, address }) => ({ name, address }));
  const { balancer, port, seen } = await startBalancer(t, { servers: entries }, { workers: 3 });
  const load = new Load(port, { clients: 24, posts: 20 });
  for (let reload = 0; reload < 30; reload++) {
    await load.more(20);
    const via = reload % 2 === 0;
    const hosts = [{ host: 'other.test', servers: [entries[reload % 2]!] }];
    await balancer.reload(createConfig({ ...SETTINGS, listen: '127.0.0.1:0', servers: entries, via, hosts }));
  }
  await load.stop();
  t.same(load.bad, []);
  t.ok(load.answered >= 600);
  t.same(threadsEnded(seen), []);
});

t.test('a drain answers what is in flight in every thread, and then all threads end', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  let answer = (): void => {};
  a!.hold = new Promise((resolve) => {
    answer = resolve;
  });
  const started = await startBalancer(t, { servers: [a!.address] }, { workers: 3 });
  const clients = await connectMany(started);
  const idle = await connectMany(started);
  const answered = Promise.all(clients.map((client) => ask(client)));
  await until(() => a!.heads.length === clients.length);
  const drained = started.balancer.drain();
  await until(() => idle.every(isGone));
  await t.rejects(RawClient.connect(started.port), { code: 'ECONNREFUSED' });
  answer();
  t.ok((await answered).every(({ status }) => status === 200));
  t.equal(await drained, true);
  await until(() => runningWorkers().length === 0);
});

t.test('a drain whose time is over cuts what is left, and says so', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  a!.hold = new Promise(() => {});
  const settings = { servers: [a!.address], timeouts: { drain: '300ms' } };
  const started = await startBalancer(t, settings, { workers: 2 });
  const [client] = await connectMany(started, 1);
  client!.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => a!.heads.length === 1);
  await started.balancer.drain();
  await until(() => isGone(client!));
  await until(() => runningWorkers().length === 0);
});

t.test('threads that hang do not keep the process running', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const settings = { servers: [a!.address], timeouts: { drain: '300ms' } };
  startHangable(true);
  const { balancer } = await startBalancer(t, settings, { workers: 2 });
  startHangable(false);
  await hangAll();
  const since = performance.now();
  await balancer.drain();
  await until(() => runningWorkers().length === 0);
  t.ok(performance.now() - since < 20_000);
});
