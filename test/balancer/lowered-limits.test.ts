import t, { type Test } from 'tap';
import { answering, type RawConnection } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { type Started, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';

const BASE = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
const LATE = 100;

/** A server that answers when it is told to, and counts the requests that it has at once. */
async function busyServer(t: Test) {
  const held: RawConnection[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      held.push(connection);
    }
  });
  return { server, held, answer: () => void held.shift()?.write(OK) };
}

/** Each client sends its next request as soon as it is answered, as clients under load do. */
function keepAsking(clients: readonly RawClient[]): { answered: number; stop: () => void } {
  const state = {
    answered: 0,
    goesOn: true,
    stop: () => {
      state.goesOn = false;
    },
  };
  for (const client of clients) {
    void (async () => {
      while (state.goesOn) {
        client.send(GET);
        await client.response();
        state.answered++;
      }
    })().catch(() => {});
  }
  return state;
}

for (const pool of [{}, { pipelining: 2 }]) {
  const how = 'pipelining' in pool ? ', with pipelined connections too' : '';
  t.test(`max_connections lowered under load: soon no more than that are open${how}`, async (t) => {
    const { server, held, answer } = await busyServer(t);
    const settings = (most: number) => ({
      ...BASE,
      pool,
      servers: [{ address: server.address, max_connections: most }],
    });
    const { balancer, connect } = await startBalancer(t, settings(8));
    const clients = await Promise.all(Array.from({ length: 16 }, connect));
    const load = keepAsking(clients);
    await until(() => server.connections === 8);
    await balancer.reload(createConfig(settings(2)));
    t.equal(server.connections, 8, 'a request that has begun is not cut');
    for (let round = 0; round < 40; round++) {
      answer();
      await turns(4);
    }
    await until(() => server.connections <= 2);
    for (let round = 0; round < 60; round++) {
      // The end of a connection may be read after the next one, of another thread, was accepted.
      if (server.connections > 2) await turns(20);
      t.ok(server.connections <= 2, `${server.connections} connections`);
      // Threads report one after another: for a moment the sum may have a connection of one and its successor of another.
      if (SWITCHED_WORKERS > 1) await until(() => balancer.status().servers[0]!.open <= 2);
      t.ok(balancer.status().servers[0]!.open <= 2);
      answer();
      await turns(4);
    }
    const before = load.answered;
    await balancer.reload(createConfig(settings(4)));
    await until(() => server.connections === 4);
    t.ok(held.length > 0, 'raised again, those in line get connections at once');
    load.stop();
    await until(
      () => load.answered >= before + 8,
      'each client has its last answer',
      () => {
        answer();
        return turns(2);
      },
    );
  });
}

async function startWith(
  t: Test,
  pool: object,
  idle: number,
  fields = '',
): Promise<Started & { accepted(): number; open(): number; follow(pool: object): Promise<void> }> {
  const held: RawConnection[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      held.push(connection);
    }
  });
  const settings = (pool: object) => ({ ...BASE, servers: [server.address], pool });
  const started = await startBalancer(t, settings(pool), { manual: true });
  const clients = await Promise.all(Array.from({ length: idle }, started.connect));
  for (const client of clients) client.send(GET.replace('\r\n\r\n', `\r\n${fields}\r\n`));
  await until(() => held.length === idle);
  for (const connection of held.splice(0)) void connection.write(OK);
  for (const client of clients) t.equal((await client.response()).status, 200);
  return {
    ...started,
    accepted: () => server.accepted,
    open: () => server.connections,
    follow: (pool) => started.balancer.reload(createConfig(settings(pool))),
  };
}

t.test(
  'max_connections lowered while nothing is in flight: unused connections beyond it close at once',
  async (t) => {
    const { open, follow, balancer } = await startWith(t, {}, 6);
    t.equal(balancer.status().servers[0]?.idle, 6);
    await follow({ max_connections: 2 });
    await until(() => open() === 2);
    t.equal(balancer.status().servers[0]?.idle, 2);
  },
);

t.test(
  'max_connections lowered: connections kept for clients that authenticated on them count too',
  async (t) => {
    const { open, follow } = await startWith(t, {}, 5, 'Authorization: NTLM TlRMTVNTUAABAAAA\r\n');
    await follow({ max_connections: 1 });
    await until(() => open() === 1);
    t.pass();
  },
);

t.test('max_idle lowered: unused connections beyond it close at once', async (t) => {
  const { open, follow } = await startWith(t, {}, 6);
  await follow({ max_idle: 1 });
  // Two threads may each close one at the same moment.
  await until(() => (SWITCHED_WORKERS > 1 ? open() <= 1 : open() === 1));
  await follow({ max_idle: 0 });
  await until(() => open() === 0);
  t.pass();
});

t.test('idle_timeout lowered: connections that are unused already close by the new time', async (t) => {
  const { open, follow, clock } = await startWith(t, { idle_timeout: '5m' }, 3);
  await follow({ idle_timeout: '4s' });
  clock.advance(3900);
  await turns();
  t.equal(open(), 3);
  clock.advance(100 + LATE);
  await until(() => open() === 0);
});

t.test('max_age lowered: connections that are open already end by the new age', async (t) => {
  const { open, follow, clock, connect, accepted } = await startWith(t, { idle_timeout: '1h' }, 1);
  clock.advance(60_000);
  await follow({ idle_timeout: '1h', max_age: '2m' });
  clock.advance(40_000);
  await turns();
  t.equal(open(), 1);
  clock.advance(32_000 + LATE);
  await until(() => open() === 0);
  t.equal(accepted(), 1);
  const client = await connect();
  client.send(GET);
  await until(() => accepted() === 2);
});

t.test('a limit that stays the same closes nothing', async (t) => {
  const { open, follow, accepted } = await startWith(t, { max_connections: 4 }, 4);
  await follow({ max_connections: 4, max_waiting: 5 });
  await turns();
  t.equal(open(), 4);
  t.equal(accepted(), 4);
});

t.test('max_connections lowered below the connections that are being opened', async (t) => {
  const server = await origin(t, answering(OK));
  const settings = (most: number) => ({
    ...BASE,
    servers: [{ address: server.address, max_connections: most }],
  });
  const { balancer, connect } = await startBalancer(t, settings(0));
  const clients = await Promise.all(Array.from({ length: 12 }, connect));
  for (const client of clients) client.send(GET);
  await balancer.reload(createConfig(settings(1)));
  for (const client of clients) t.equal((await client.response()).status, 200);
  await until(() => server.connections <= 1);
  t.ok(balancer.status().servers[0]!.open <= 1);
});

nothingIsLeft(t);
