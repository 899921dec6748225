import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { IdleLimit } from '../../lib/servers/pool.js';
import { Lifetime } from '../../lib/servers/server-connection.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { createPool, poolSupplies } from '../support/pool.js';

const LATE = 100;

t.test(
  'pool.max_requests: a connection is closed after its last request, and no request fails',
  async (t) => {
    const server = await origin(t, answering(OK));
    const { connect, seen } = await startBalancer(t, {
      servers: [server.address],
      pool: { max_requests: 2 },
    });
    const client = await connect();
    for (let i = 0; i < 6; i++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
    }
    t.equal(server.accepted, 3);
    t.ok(seen.requests.every(({ tries }) => tries.length === 1));
  },
);

t.test('pool.max_age: a connection in use is closed after its request, an idle one at once', async (t) => {
  const server = await origin(t, answering(OK));
  const settings = { servers: [server.address], pool: { max_age: '10s', idle_timeout: '1m' } };
  const { connect, clock } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  client.send(GET);
  await client.response();
  clock.advance(8900);
  client.send(GET);
  await client.response();
  t.equal(server.accepted, 1);
  clock.advance(2100 + LATE);
  await until(() => server.connections === 0);
  client.send(GET);
  await client.response();
  t.equal(server.accepted, 2);
});

t.test(
  'pool.max_age varies by up to a tenth, so that connections opened together do not end together',
  async (t) => {
    const deps = poolSupplies(t);
    const pool = createPool(t, '127.0.0.1:1', { maxAge: 100_000 }, deps);
    const lifetimes = Array.from({ length: 300 }, () => new Lifetime(pool, deps.wheel));
    const left = (): number => lifetimes.filter((lifetime) => lifetime.hasRoomFor(1)).length;
    deps.clock.advance(89_900);
    t.equal(left(), 300);
    deps.clock.advance(10_100);
    t.ok(left() > 75 && left() < 225, `${left()} of 300 are left half way`);
    deps.clock.advance(10_100);
    t.equal(left(), 0);
  },
);

t.test('pool.max_idle: 0 keeps no idle connection', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, { servers: [server.address], pool: { max_idle: 0 } });
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    await client.response();
  }
  t.equal(server.accepted, 2);
});

t.test('pool.max_idle holds for the connections of all threads together', async (t) => {
  const held: (() => void)[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await new Promise<void>((resolve) => held.push(resolve));
      await connection.write(OK);
    }
  });
  const pool = { max_idle: 2, idle_timeout: '5m' };
  const { balancer, connect } = await startBalancer(t, { servers: [server.address], pool }, { manual: true });
  const clients = await Promise.all(Array.from({ length: 12 }, connect));
  for (const client of clients) client.send(GET);
  await until(() => held.length === 12);
  for (const answer of held.splice(0)) answer();
  for (const client of clients) t.equal((await client.response()).status, 200);
  await until(() => server.connections <= 2 && balancer.status().servers[0]?.open === server.connections);
  t.ok((balancer.status().servers[0]?.idle ?? 3) <= 2);
});

t.test(
  'pool.max_waiting: the next request gets 503 with Retry-After, and an event is emitted once a second',
  async (t) => {
    const server = await origin(t, (connection) => connection.hang());
    const pool = { max_connections: 1, max_waiting: 1 };
    const { connect, clock, seen } = await startBalancer(
      t,
      { servers: [server.address], pool },
      { manual: true },
    );
    const clients = await Promise.all(Array.from({ length: 5 }, connect));
    for (const client of clients) {
      client.send(GET);
      await turns();
    }
    const refused = clients.slice(2);
    for (const client of refused) {
      const { status, head } = await client.response();
      t.equal(status, 503);
      t.match(head, /\r\nRetry-After: \d+\r\n/);
    }
    t.ok(seen.requests.every(({ reason }) => reason === 'queue_full'));
    t.same(seen.full, [server.address]);
    clock.advance(1000);
    refused[0]?.send(GET);
    await refused[0]?.response();
    t.equal(seen.full.length, 2);
  },
);

t.test('a request that leaves the queue is never sent to the server', async (t) => {
  const targets: string[] = [];
  const answers: (() => void)[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      targets.push(/ (\S+)/.exec(await connection.readHead())?.[1] ?? '');
      await new Promise<void>((resolve) => answers.push(resolve));
      await connection.write(OK);
    }
  });
  const { balancer, connect, seen } = await startBalancer(t, {
    servers: [server.address],
    pool: { max_connections: 1 },
  });
  const [first, second, third] = await Promise.all([connect(), connect(), connect()]);
  for (const [client, id] of [
    [first, 1],
    [second, 2],
    [third, 3],
  ] as const) {
    client.send(GET.replace('/', `/${id}`));
    // In this order.
    if (id === 1) await until(() => answers.length > 0);
    else await until(() => balancer.status().servers[0]?.waiting === id - 1);
  }
  second.reset();
  await seen.request(1);
  for (const client of [first, third]) {
    await until(() => answers.length > 0);
    answers.pop()?.();
    t.equal((await client.response()).status, 200);
  }
  t.same(targets, ['/1', '/3']);
});

t.test('Keep-Alive: timeout= limits the idle time, less a second', async (t) => {
  const server = await origin(
    t,
    answering(OK.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=3, max=100\r\n\r\n')),
  );
  const { connect, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.send(GET);
  await client.response();
  clock.advance(1900);
  t.equal(server.connections, 1);
  clock.advance(100 + LATE);
  await until(() => server.connections === 0);
});

t.test(
  'the idle timeout of a server is learnt when it has closed idle connections three times',
  async (t) => {
    const server = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write(OK);
      ends.push(() => connection.end());
      await connection.hang();
      connection.end();
    });
    const ends: (() => void)[] = [];
    const { connect, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
    const client = await connect();
    for (let i = 0; i < 3; i++) {
      client.send(GET);
      await client.response();
      clock.advance(3000);
      ends.pop()?.();
      await until(() => server.connections === 0);
      await pause(1);
    }
    client.send(GET);
    await client.response();
    clock.advance(2000 + LATE);
    await until(() => server.connections === 0);
    t.equal(ends.length, 1, 'now closed by the balancer');
  },
);

t.test('a longer time announced by a server is used, unless idle_timeout is set', async (t) => {
  const announcing = answering(OK.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=60\r\n\r\n'));
  for (const [pool, kept, closed] of [
    [{ max_idle: 5 }, 58_900, 100],
    [{ idle_timeout: '4s' }, 3900, 100],
    [{ idle_timeout: '5m' }, 58_900, 100],
  ] as const) {
    const server = await origin(t, announcing);
    const { connect, clock } = await startBalancer(t, { servers: [server.address], pool }, { manual: true });
    const client = await connect();
    client.send(GET);
    await client.response();
    clock.advance(kept);
    t.equal(server.connections, 1);
    clock.advance(closed + LATE);
    await until(() => server.connections === 0);
  }
  t.equal(new IdleLimit(4000, 600_000).at(0), 4000, 'the default while nothing is known');
});

t.test('a learned idle timeout never exceeds the configured one', async (t) => {
  const limit = new IdleLimit(4000);
  limit.noteField('timeout=60');
  t.equal(limit.at(0), 4000);
  limit.noteField('timeout=1');
  t.equal(limit.at(0), 500, 'half of what is shorter than two seconds');
  limit.noteField('timeout=x');
  t.equal(limit.at(0), 4000);
  limit.noteField('');
  t.equal(limit.at(0), 4000);
});

t.test('simultaneous closes count as a restart, and closes at different ages teach nothing', async (t) => {
  const together = new IdleLimit(4000);
  for (let i = 0; i < 5; i++) together.noteClose(3000, 10_000 + i);
  t.equal(together.at(11_000), 4000);
  const scattered = new IdleLimit(4000);
  for (const [index, age] of [300, 2500, 900, 3800].entries())
    scattered.noteClose(age, 10_000 + index * 5000);
  t.equal(scattered.at(30_000), 4000);
  const steady = new IdleLimit(4000);
  for (const [index, age] of [3000, 3100, 2950].entries()) steady.noteClose(age, 10_000 + index * 5000);
  t.equal(steady.at(30_000), 1950);
  t.equal(steady.at(30_000 + 600_000), 4000, 'forgotten after ten minutes');
});

nothingIsLeft(t);
