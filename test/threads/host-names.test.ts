import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { answering, type RawServer } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { THREADS } from '../support/thread-switch.js';
import { makeThrow, runningWorkers } from '../support/worker-threads.js';
import { answerers, connectMany, threadsEnded } from './load.js';

t.setTimeout(60_000);

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;

async function origins(t: Parameters<typeof origin>[0]): Promise<RawServer[]> {
  const servers: RawServer[] = [];
  for (const host of HOSTS) {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`;
    servers.push(await origin(t, answering(answer), host, servers[0]?.port));
  }
  return servers;
}

t.test('a name is asked for once, whichever threads need it', THREADS, async (t) => {
  const dns = await DnsServer.start();
  t.teardown(() => dns.close());
  const [{ port }] = (await origins(t)) as [RawServer];
  dns.set('app.test', 600, '127.0.0.1');
  const settings = { servers: [`app.test:${port}`], dns: { servers: [dns.address], max_ttl: '10m' } };
  const started = await startBalancer(t, settings, { workers: 3 });
  t.same(await answerers(await connectMany(started)), ['127.0.0.1']);
  t.same([...dns.questions].sort(), ['app.test A', 'app.test AAAA']);
});

t.test('all threads follow the addresses of a name', THREADS, async (t) => {
  const dns = await DnsServer.start();
  t.teardown(() => dns.close());
  const [{ port }] = (await origins(t)) as [RawServer];
  dns.set('app.test', 1, '127.0.0.1');
  const entry = `app.test:${port}`;
  const settings = { servers: [entry], dns: { servers: [dns.address] } };
  const started = await startBalancer(t, settings, { workers: 3 });
  const { balancer, seen } = started;
  const names = (): string =>
    balancer
      .status()
      .servers.map(({ name }) => name.slice(entry.length))
      .join(' ');
  t.same(await answerers(await connectMany(started)), ['127.0.0.1']);
  t.same(seen.names, ['app.test 127.0.0.1'], 'told once');
  dns.set('app.test', 1, '127.0.0.2');
  await until(() => seen.names.length === 2);
  await balancer.settled();
  t.same(await answerers(await connectMany(started)), ['127.0.0.2'], 'one server at another address');
  dns.set('app.test', 1, ...HOSTS);
  await until(() => names() === '/127.0.0.1 /127.0.0.2 /127.0.0.3');
  await balancer.settled();
  t.same(await answerers(await connectMany(started)), HOSTS);

  makeThrow(runningWorkers()[0]!);
  await until(() => threadsEnded(seen).length === 1);
  await until(() => runningWorkers().length === 3);
  await pause(500);
  t.same(await answerers(await connectMany(started)), HOSTS, 'one that begins later knows of them');

  balancer.setAvailability(`${entry}/127.0.0.2`, 'draining');
  await balancer.settled();
  t.same(await answerers(await connectMany(started)), ['127.0.0.1', '127.0.0.3']);
  const more = { listen: '127.0.0.1:0', health_check: false, via: true } as const;
  await balancer.reload(createConfig({ ...more, ...settings, algorithm: 'least_connections' }));
  t.same(await answerers(await connectMany(started)), ['127.0.0.1', '127.0.0.3']);
  dns.set('app.test', 1, '127.0.0.3');
  await until(() => names() === '');
  await balancer.settled();
  t.same(await answerers(await connectMany(started)), ['127.0.0.3']);
  t.equal(threadsEnded(seen).length, 1);
});

t.test('threads learn that a name cannot be resolved, and when it can be again', THREADS, async (t) => {
  const dns = await DnsServer.start();
  t.teardown(() => dns.close());
  const [{ port }] = (await origins(t)) as [RawServer];
  const settings = { servers: [`late.test:${port}`], dns: { servers: [dns.address] }, retry: false } as const;
  const started = await startBalancer(t, settings, { workers: 2 });
  const { seen, connect } = started;
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 502);
  t.match(await seen.request(), { reason: 'connect_failed', detail: /^(ENOTFOUND|EAI_AGAIN)$/ });
  dns.set('late.test', 1, '127.0.0.1');
  await until(() => seen.names.at(-1) === 'late.test 127.0.0.1');
  await started.balancer.settled();
  t.same(await answerers(await connectMany(started)), ['127.0.0.1']);
});

t.test('localhost is one server in every thread', THREADS, async (t) => {
  const [{ port }] = (await origins(t)) as [RawServer];
  const started = await startBalancer(t, { servers: [`localhost:${port}`] }, { workers: 2 });
  t.same(await answerers(await connectMany(started)), ['127.0.0.1']);
  t.equal(started.balancer.status().servers.length, 1);
});
