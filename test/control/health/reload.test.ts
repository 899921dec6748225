import t from 'tap';
import { createConfig } from '../../../lib/config/config.js';
import { type Started, startBalancer } from '../../support/balancer.js';
import { turns, until } from '../../support/loop-ticks.js';
import { GET, LATE, MANUAL, nextCheck, OK, startServer, status } from './support.js';

const listen = '127.0.0.1:0';
const check = { interval: '5s', timeout: '1h', rise: 2, fall: 1 };

async function ask(started: Started): Promise<number> {
  const client = await started.connect();
  client.send(GET);
  const { status: code } = await client.response();
  client.destroy();
  return code;
}

/** A server that fails its checks unless `healthy`, and resets requests unless it `works`. */
async function moody(t: Parameters<typeof startServer>[0]) {
  const state = { healthy: true, works: true, paths: [] as string[], address: '', accepted: () => 0 };
  const server = await startServer(t, async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      const isCheck = head.includes('lb-health');
      if (isCheck) state.paths.push(head.split(' ')[1] as string);
      if (!isCheck && !state.works) return connection.reset();
      await connection.write(isCheck && !state.healthy ? status(500) : OK);
    }
  });
  state.address = server.address;
  state.accepted = () => server.accepted;
  return state;
}

t.test(
  'a server that is down stays down over a reload with another check, until it passes the new check',
  async (t) => {
    const server = await moody(t);
    const settings = (health_check: object) => ({ listen, servers: [server.address], health_check });
    const started = await startBalancer(t, settings(check), MANUAL);
    const { seen, clock, balancer } = started;
    server.healthy = false;
    await nextCheck(seen, clock);
    t.equal(seen.stateChanges.length, 1);
    t.equal(await ask(started), 503);
    await balancer.reload(createConfig(settings({ ...check, path: '/new', interval: '1h', rise: 3 })));
    t.equal(await ask(started), 503, 'it never counts as up meanwhile');
    server.healthy = true;
    clock.advance(1000 + LATE);
    await seen.when(() => seen.checks.length === 2);
    t.same(server.paths, ['/', '/new'], 'checked soon, not in an hour');
    for (let i = 0; i < 2; i++) {
      clock.advance(1100 + LATE);
      await seen.when(() => seen.checks.length === 3 + i);
    }
    t.same(seen.stateChanges.slice(1), [`up ${server.address}`], 'after three: the new rise');
    t.equal(await ask(started), 200);
  },
);

t.test(
  'health_check: false makes a down server up, and checks that are added later start from up',
  async (t) => {
    const server = await moody(t);
    const settings = (health_check: object | false) => ({ listen, servers: [server.address], health_check });
    const started = await startBalancer(t, settings(check), MANUAL);
    const { seen, clock, balancer } = started;
    server.healthy = false;
    await nextCheck(seen, clock);
    await balancer.reload(createConfig(settings(false)));
    t.same(seen.stateChanges.slice(1), [`up ${server.address}`]);
    t.equal(await ask(started), 200);
    clock.advance(3_600_000);
    await turns(30);
    t.equal(seen.checks.length, 1, 'it is not checked any more');
    await balancer.reload(createConfig(settings({ ...check, initial: 'down' })));
    t.equal(await ask(started), 200, 'initial applies only to new servers');
    await nextCheck(seen, clock);
    t.match(seen.stateChanges.slice(2), [`down ${server.address} status 500`]);
  },
);

t.test('a reload that does not change a server does not shift its checks', async (t) => {
  const server = await moody(t);
  const settings = (body_bytes: number) => ({
    listen,
    servers: [server.address],
    health_check: { ...check, jitter: '0%' },
    limits: { body_bytes },
  });
  const { seen, clock, balancer } = await startBalancer(t, settings(1), MANUAL);
  await nextCheck(seen, clock, 0);
  for (let i = 2; i < 12; i++) {
    clock.advance(450);
    await balancer.reload(createConfig(settings(i)));
    await turns(8);
  }
  t.equal(seen.checks.length, 1, '4.5 s have passed');
  clock.advance(500 + LATE);
  await seen.when(() => seen.checks.length === 2);
});

t.test('an ejection outlasts a reload for its whole duration, and then the new settings apply', async (t) => {
  const [bad, good] = [await moody(t), await moody(t)];
  const settings = (passive_health: object | false) => ({
    listen,
    servers: [bad.address, good.address],
    health_check: false as const,
    passive_health,
  });
  const passive = { consecutive_failures: 2, eject_for: '10s' };
  const started = await startBalancer(t, settings(passive), MANUAL);
  const { seen, clock, balancer } = started;
  bad.works = false;
  for (let i = 0; i < 4; i++) await ask(started);
  t.equal(seen.stateChanges.length, 1);
  await balancer.reload(createConfig(settings({ ...passive, eject_for: '1m', max_eject_for: '1h' })));
  const before = bad.accepted();
  for (let i = 0; i < 4; i++) t.equal(await ask(started), 200);
  t.equal(bad.accepted(), before, 'it gets no requests');
  clock.advance(10_000 + LATE);
  t.same(seen.stateChanges.slice(1), [`returned ${bad.address}`]);
  for (let i = 0; i < 2; i++) await ask(started);
  t.match(
    seen.stateChanges.at(-1),
    `ejected ${bad.address} 120000 failed its trial`,
    'the second time, of a minute each',
  );
  await balancer.reload(createConfig(settings(false)));
  bad.works = true;
  const later = bad.accepted();
  for (let i = 0; i < 4; i++) t.equal(await ask(started), 200);
  await until(() => bad.accepted() > later);
  t.pass('switched off: the server is used again');
});

t.test('two routes with different checks of one server keep their own results', async (t) => {
  const server = await moody(t);
  const settings = (order: readonly string[], interval: string) => ({
    listen,
    hosts: order.map((path) => ({
      host: path.slice(1),
      servers: [server.address],
      health_check: { ...check, path, interval, ...(path === '/b' && { expect_status: 500 }) },
    })),
  });
  const started = await startBalancer(t, settings(['/a', '/b'], '5s'), MANUAL);
  const { seen, clock, balancer, connect } = started;
  clock.advance(1000 + LATE);
  await seen.when(() => seen.stateChanges.length === 1);
  const statuses = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const host of ['a', 'b']) {
      const client = await connect();
      client.send(GET.replace('Host: a', `Host: ${host}`));
      found.push((await client.response()).status);
    }
    return found;
  };
  t.same(await statuses(), [200, 503]);
  await balancer.reload(createConfig(settings(['/b', '/a'], '5s')));
  t.same(await statuses(), [200, 503], 'in another order');
  await balancer.reload(createConfig(settings(['/b'], '5s')));
  t.same(await statuses(), [404, 503], 'only one of them');
});
