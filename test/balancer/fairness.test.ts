import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { ask, namedOrigins } from '../support/named-origins.js';

const BASE = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
type Settings = Parameters<typeof startBalancer>[1];

interface Site extends Started {
  /** Who serves each of the next `count` requests, which come one after the other. */
  next(count: number): Promise<string[]>;
  entry(name: string, terms?: object): { name: string; address: string };
}

/** A balancer before `a`, `b` and `c`; `settings` is told how to list them. */
async function site(t: Test, settings: (entry: Site['entry']) => Settings): Promise<Site> {
  const origins = await namedOrigins(t, 'a', 'b', 'c');
  const entry: Site['entry'] = (name, terms = {}) => {
    const { address } = origins.find((origin) => origin.name === name)!;
    return { name, address, ...terms };
  };
  const started = await startBalancer(t, settings(entry), { manual: true });
  const client = await started.connect();
  let visits = 0;
  const next = async (count: number): Promise<string[]> => {
    const servers: string[] = [];
    for (let i = 0; i < count; i++) servers.push((await ask(client, `/${visits++}`)).server);
    return servers;
  };
  return { ...started, next, entry };
}

function count(names: readonly string[], name: string): number {
  return names.filter((other) => other === name).length;
}

/** The most requests in a row that one server got. */
function longestRun(names: readonly string[]): number {
  let [longest, run] = [0, 0];
  for (const [index, name] of names.entries()) {
    run = name === names[index - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

for (const algorithm of ['round_robin', 'least_connections'] as const) {
  t.test(`${algorithm}: a weight lowered from 99 to 1 counts from the next request on`, async (t) => {
    for (const before of [1, 20, 50, 80, 99]) {
      const { balancer, next } = await site(t, (entry) => ({
        algorithm,
        servers: [entry('a', { weight: 99 }), entry('b', { weight: 1 })],
      }));
      await next(before);
      balancer.setWeight('a', 1);
      const names = await next(40);
      t.ok(longestRun(names) <= 2, `after ${before}: ${names.join('')}`);
      t.ok(Math.abs(count(names, 'a') - 20) <= 1, `after ${before}: ${count(names, 'a')} of 40`);
    }
  });

  t.test(`${algorithm}: a weight raised from 1 to 99 counts from the next request on`, async (t) => {
    const { balancer, next } = await site(t, (entry) => ({
      algorithm,
      servers: [entry('a'), entry('b')],
    }));
    await next(7);
    balancer.setWeight('a', 99);
    t.ok(Math.abs(count(await next(100), 'b') - 1) <= 1);
    balancer.setWeight('b', 99);
    const names = await next(40);
    t.ok(longestRun(names) <= 2, names.join(''));
  });

  t.test(`${algorithm}: weights that a reload changes count from the next request on`, async (t) => {
    const { balancer, next, entry } = await site(t, (entry) => ({
      algorithm,
      servers: [entry('a', { weight: 99 }), entry('b', { weight: 1 })],
    }));
    await next(50);
    await balancer.reload(createConfig({ ...BASE, algorithm, servers: [entry('a'), entry('b')] }));
    const names = await next(40);
    t.ok(longestRun(names) <= 2, names.join(''));
  });

  t.test(`${algorithm}: a server that is added gets its share, and no more than that`, async (t) => {
    const { balancer, next, entry } = await site(t, (entry) => ({
      algorithm,
      servers: [entry('a', { weight: 50 }), entry('b', { weight: 50 })],
    }));
    for (let times = 0; times < 5; times++) {
      await next(37);
      balancer.addServer('default', { ...entry('c'), weight: 50 });
      const names = await next(30);
      t.ok(longestRun(names) <= 2, names.join(''));
      t.ok(Math.abs(count(names, 'c') - 10) <= 1, names.join(''));
      balancer.removeServer('c');
    }
  });

  t.test(`${algorithm}: a server that is back does not catch up on what it missed`, async (t) => {
    const { balancer, next } = await site(t, (entry) => ({
      algorithm,
      servers: [entry('a', { weight: 3 }), entry('b', { weight: 3 }), entry('c', { weight: 3 })],
    }));
    for (const missed of [1, 10, 101]) {
      balancer.setAvailability('b', 'maintenance');
      await next(missed);
      balancer.setAvailability('b', 'ready');
      const names = await next(30);
      t.ok(longestRun(names) <= 2, names.join(''));
      t.ok(Math.abs(count(names, 'b') - 10) <= 1, `${count(names, 'b')} of 30`);
    }
  });

  t.test(`${algorithm}: each step of slow start gives the share that it stands for`, async (t) => {
    const { balancer, next, clock } = await site(t, (entry) => ({
      algorithm,
      slow_start: '20s',
      servers: [entry('a', { weight: 10 }), entry('b', { weight: 10 })],
    }));
    balancer.setAvailability('b', 'maintenance');
    await next(33);
    balancer.setAvailability('b', 'ready');
    for (let second = 0; second < 20; second += 5) {
      const share = Math.max(0.1, second / 20);
      const names = await next(60);
      const expected = (60 * share) / (1 + share);
      t.ok(Math.abs(count(names, 'b') - expected) <= 2, `at ${second} s ${count(names, 'b')} of 60`);
      clock.advance(5000);
    }
    clock.advance(1100);
    const names = await next(40);
    t.ok(longestRun(names) <= 2, names.join(''));
    t.equal(count(names, 'b'), 20);
  });
}

t.test('hash: a weight that is lowered moves keys away from its server and no others', async (t) => {
  const { balancer, connect } = await site(t, (entry) => ({
    algorithm: { name: 'hash', on: 'uri' },
    servers: [entry('a', { weight: 99 }), entry('b'), entry('c')],
  }));
  const client = await connect();
  const places = async (): Promise<string[]> => {
    const servers: string[] = [];
    for (let i = 0; i < 150; i++) servers.push((await ask(client, `/item/${i}`)).server);
    return servers;
  };
  const before = await places();
  t.ok(count(before, 'a') > 135);
  balancer.setWeight('a', 1);
  const after = await places();
  t.ok(Math.abs(count(after, 'a') - 50) < 25, String(count(after, 'a')));
  for (const [index, name] of before.entries()) if (name !== 'a') t.equal(after[index], name);
});
