import { renameSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { createConfig } from '../../lib/config/config.js';
import { Load } from '../resilience/load.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { answerers, connectMany, threadsEnded } from './load.js';

t.setTimeout(180_000);

t.test('what operators change is changed in all threads', THREADS, async (t) => {
  const [a, b, c] = await namedOrigins(t, 'a', 'b', 'c');
  const servers = [a, b].map((one) => ({ name: one!.name, address: one!.address }));
  const started = await startBalancer(t, { servers }, { workers: 3 });
  const { balancer, seen } = started;
  const clients = await connectMany(started);
  t.same(await answerers(clients), ['a', 'b']);

  balancer.setAvailability('a', 'draining');
  await balancer.settled();
  t.same(await answerers(clients), ['b']);

  balancer.setAvailability('a', 'ready');
  balancer.setWeight('b', 0);
  await balancer.settled();
  t.same(await answerers(clients), ['a']);

  balancer.addServer('default', { address: c!.address, name: 'c' });
  balancer.removeServer('a');
  await balancer.settled();
  t.same(await answerers(clients), ['c']);
  t.throws(() => balancer.removeServer('nobody'), { code: 'unknown_server' });
  t.same(await answerers(clients), ['c']);
  t.same(threadsEnded(seen), []);
});

t.test('changes are kept over a reload, also those made while it is prepared', THREADS, async (t) => {
  const [a, b, c] = await namedOrigins(t, 'a', 'b', 'c');
  const servers = [a, b].map((one) => ({ name: one!.name, address: one!.address }));
  const started = await startBalancer(t, { servers }, { workers: 3 });
  const { balancer, seen } = started;
  const clients = await connectMany(started);
  balancer.setAvailability('a', 'maintenance');
  const settings = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
  const hosts = Array.from({ length: 2000 }, (_, i) => ({ host: `h${i}.test`, servers: [servers[i % 2]!] }));
  const reloaded = balancer.reload(createConfig({ ...settings, servers, hosts }));
  balancer.addServer('default', { address: c!.address, name: 'c' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  balancer.removeServer('b');
  await reloaded;
  t.same(await answerers(clients), ['c']);
  balancer.setAvailability('a', 'ready');
  await balancer.settled();
  t.same(await answerers(clients), ['a', 'c']);
  t.same(threadsEnded(seen), []);
});

t.test('a configuration that cannot be used is refused in all threads', THREADS, async (t) => {
  const [a, b] = await namedOrigins(t, 'a', 'b');
  const started = await startBalancer(t, { servers: [a!.address] }, { workers: 3 });
  const { balancer, port } = started;
  const other = await startBalancer(t, { servers: [b!.address] }, { workers: 1 });
  const clients = await connectMany(started);
  const settings = { health_check: false, passive_health: false } as const;
  const listen = [`127.0.0.1:${port}`, `127.0.0.1:${other.port}`];
  await t.rejects(balancer.reload(createConfig({ ...settings, listen, servers: [b!.address] })), {
    code: 'EADDRINUSE',
  });
  t.same(await answerers(clients), ['a']);
  await balancer.reload(createConfig({ ...settings, listen: '127.0.0.1:0', servers: [b!.address] }));
  t.same(await answerers(clients), ['b']);
  t.same(balancer.addresses.length, 1);
});

t.test(
  'what sources tell is followed in all threads, also while a configuration is prepared',
  THREADS,
  async (t) => {
    const [a, b, c] = await namedOrigins(t, 'a', 'b', 'c');
    const folder = t.testdir();
    const write = (...servers: (typeof a)[]): void => {
      writeFileSync(`${folder}/next`, JSON.stringify([{ targets: servers.map((one) => one!.address) }]));
      renameSync(`${folder}/next`, `${folder}/targets.json`);
    };
    write(a, b);
    const servers = [{ file: `${folder}/targets.json` }];
    const started = await startBalancer(t, { servers }, { workers: 3 });
    const { balancer, seen } = started;
    const clients = await connectMany(started);
    t.same(await answerers(clients), ['a', 'b']);
    write(b, c);
    await until(() => balancer.serverStatus(c!.address) !== undefined);
    await balancer.settled();
    t.same(await answerers(clients), ['b', 'c']);
    balancer.setAvailability(b!.address, 'draining');
    await balancer.settled();
    t.same(await answerers(clients), ['c']);
    const settings = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
    const hosts = Array.from({ length: 500 }, (_, i) => ({ host: `h${i}.test`, servers: [a!.address] }));
    const reloaded = balancer.reload(createConfig({ ...settings, servers, hosts }));
    write(a, b, c);
    await reloaded;
    await until(() => balancer.status().providers[0]?.servers === 3);
    await balancer.settled();
    t.same(await answerers(clients), ['a', 'c']);
    balancer.setAvailability(b!.address, 'ready');
    write(b);
    await until(() => balancer.status().providers[0]?.servers === 1);
    await balancer.settled();
    t.same(await answerers(clients), ['b']);
    t.same(threadsEnded(seen), []);
  },
);

t.test('a server is reported as drained when no thread sends it requests any more', THREADS, async (t) => {
  const servers = await Promise.all(['a', 'b'].map((name) => startFixtureServer({ name })));
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const entries = servers.map(({ name, address }) => ({ name, address }));
  const { balancer, port } = await startBalancer(t, { servers: entries }, { workers: 3 });
  let drained = 0;
  balancer.subscribe(({ what }) => {
    if (what === 'drained') drained++;
  });
  const load = new Load(port, { clients: 12 });
  for (let round = 1; round <= 30; round++) {
    await load.more(10);
    balancer.setAvailability('a', 'draining');
    await until(() => drained === round);
    const before = servers[0]!.requests;
    await load.more(20);
    t.equal(servers[0]!.requests, before);
    balancer.setAvailability('a', 'ready');
  }
  await load.stop();
  t.same(load.bad, []);
});
