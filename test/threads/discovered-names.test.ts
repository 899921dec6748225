import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { makeThrow, runningWorkers } from '../support/worker-threads.js';
import { answerers, connectMany, threadsEnded } from './load.js';

t.setTimeout(60_000);

const THREE = ['a', 'b', 'c'] as const;

t.test('servers of one name have the same names in every thread, whenever it began', THREADS, async (t) => {
  const [a, b, c] = (await namedOrigins(t, ...THREE)) as [NamedOrigin, NamedOrigin, NamedOrigin];
  const path = join(t.testdir(), 'targets.json');
  const write = (...origins: readonly NamedOrigin[]): void => {
    const groups = origins.map(({ address }) => ({ targets: [address], labels: { __lb_name: 'web' } }));
    writeFileSync(`${path}.new`, JSON.stringify(groups));
    renameSync(`${path}.new`, path);
  };
  write(a, b);
  const started = await startBalancer(t, { servers: [{ file: path }] }, { workers: 2 });
  const { balancer, seen } = started;
  const names = (): readonly string[] => balancer.status().servers.map(({ name }) => name);
  t.same(names(), ['web', b.address]);
  t.same(await answerers(await connectMany(started)), ['a', 'b']);
  // b keeps the name that it got as the second one, and c takes over the name of a.
  write(b);
  await until(() => names().length === 1);
  write(b, c);
  await until(() => names().length === 2);
  t.same(names(), [b.address, 'web']);
  makeThrow(runningWorkers()[0]!);
  await until(() => threadsEnded(seen).length === 1);
  await until(() => runningWorkers().length === 2);
  await pause(500);
  t.same(await answerers(await connectMany(started)), ['b', 'c']);
  await balancer.reload(createConfig({ listen: '127.0.0.1:0', servers: [{ file: path }], via: true }));
  t.same(names(), [b.address, 'web']);
  // Threads go on with what is told after that.
  write(b, c, a);
  await until(() => names().length === 3);
  await balancer.settled();
  t.same(await answerers(await connectMany(started)), ['a', 'b', 'c']);
  t.equal(threadsEnded(seen).length, 1);
});
