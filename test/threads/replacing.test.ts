import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { RespawnDelay } from '../../lib/threads/respawn.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { breakStarts, fillHeap, limitHeaps, makeThrow, runningWorkers } from '../support/worker-threads.js';
import { answerers, connectMany, isGone, threadsEnded } from './load.js';

t.setTimeout(180_000);

t.test('a thread that throws is replaced: only its connections end', THREADS, async (t) => {
  const [a, b] = await namedOrigins(t, 'a', 'b');
  const servers = [a, b].map((one) => ({ name: one!.name, address: one!.address }));
  const started = await startBalancer(t, { servers }, { workers: 3 });
  const { balancer, seen } = started;
  const settings = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
  await balancer.reload(createConfig({ ...settings, servers: [servers[1]!], via: true }));
  balancer.setWeight('b', 7);
  const clients = await connectMany(started, 48);
  t.same(await answerers(clients), ['b']);
  const [victim] = runningWorkers();
  makeThrow(victim!);
  await until(() => threadsEnded(seen).length === 1);
  t.match(threadsEnded(seen)[0], /^thread 1 has ended, .*; another one begins\. The reason: .*nobody/s);
  await until(() => runningWorkers().length === 3 && !runningWorkers().includes(victim!));
  await until(() => clients.some(isGone));
  const left = clients.filter((client) => !isGone(client));
  t.ok(left.length > 0 && left.length < 48, `${left.length} of 48 connections are left`);
  t.same(await answerers(left), ['b']);
  // The new thread has what was changed since the start.
  await pause(500);
  const others = await connectMany(started, 48);
  t.same(await answerers(others), ['b']);
  t.equal(threadsEnded(seen).length, 1);
  t.equal(balancer.serverStatus('b')?.weight, 7);
});

t.test('a thread that begins during the slow start of a server goes on with it', THREADS, async (t) => {
  const [a, b] = await namedOrigins(t, 'a', 'b');
  const servers = [a, b].map((one) => ({ name: one!.name, address: one!.address }));
  const started = await startBalancer(t, { servers, slow_start: '1h' }, { workers: 2 });
  const { balancer, seen } = started;
  balancer.setAvailability('b', 'maintenance');
  balancer.setAvailability('b', 'ready');
  await balancer.settled();
  for (const [index, victim] of runningWorkers().entries()) {
    makeThrow(victim);
    await until(() => threadsEnded(seen).length === index + 1 && runningWorkers().length === 2);
    await until(() => !runningWorkers().includes(victim));
    // The other one ends when this one serves.
    await pause(1000);
  }
  const clients = await connectMany(started, 60);
  const answers = await Promise.all(clients.map((client) => ask(client)));
  t.same([...new Set(answers.map(({ status }) => status))], [200]);
  const ofB = answers.filter(({ server }) => server === 'b').length;
  t.ok(ofB < 20, `${ofB} of 60 requests with a tenth of the weight`);
});

t.test('a thread that runs out of memory is replaced', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  limitHeaps(80);
  const started = await startBalancer(t, { servers: [{ name: 'a', address: a!.address }] }, { workers: 2 });
  const { seen } = started;
  const [victim] = runningWorkers();
  fillHeap(victim!);
  await until(() => threadsEnded(seen).length === 1);
  t.match(threadsEnded(seen)[0], /out of memory/);
  limitHeaps(0);
  await until(() => runningWorkers().length === 2);
  await pause(500);
  t.same(await answerers(await connectMany(started)), ['a']);
});

t.test('threads that end again and again are never given up', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const { seen, connect } = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  for (let deaths = 1; deaths <= 6; deaths++) {
    await until(() => runningWorkers().length === 2);
    makeThrow(runningWorkers()[0]!);
    await until(() => threadsEnded(seen).length === deaths);
  }
  for (const line of threadsEnded(seen)) t.match(line, /another one begins( in \d+ s)?\./);
  await until(() => runningWorkers().length === 2);
  await pause(1000);
  t.equal((await ask(await connect())).status, 200);
});

t.test('threads that end again and again are started less often', (t) => {
  const respawn = new RespawnDelay();
  t.same(
    [0, 2, 4, 6].map((second) => respawn.next(second * 1000)),
    [0, 0, 0, 0],
  );
  t.same(
    [8, 9, 11].map((second) => respawn.next(second * 1000)),
    [1000, 2000, 4000],
    'from the fifth within 10 s',
  );
  t.equal(respawn.next(60_000), 0, 'after a while without one the next is an accident again');
  for (let deaths = 0; deaths < 20; deaths++) respawn.next(100_000 + deaths);
  t.equal(respawn.next(100_100), 30_000, 'the longest');
  const other = new RespawnDelay();
  const delays: number[] = [];
  for (let now = 0; delays.length < 14; now += (delays.at(-1) as number) + 400) delays.push(other.next(now));
  t.same(
    delays,
    [0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000],
    'each start fails',
  );
  t.end();
});

t.test('the start fails with the reason when no thread can start', THREADS, async (t) => {
  breakStarts(true);
  t.teardown(() => breakStarts(false));
  await t.rejects(
    startBalancer(t, { servers: ['127.0.0.1:9'] }, { workers: 2 }),
    /thread 1 has ended: .*broken/s,
  );
  await until(() => runningWorkers().length === 0);
});
