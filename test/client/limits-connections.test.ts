import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { AddressSet } from '../../lib/base/address-set.js';
import { ObjectPool } from '../../lib/base/collections.js';
import { NO_LISTENER } from '../../lib/base/listener-state.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { type AcceptorDeps, ClientAcceptor } from '../../lib/client/acceptor.js';
import { createConfig } from '../../lib/config/config.js';
import { ShortageAlarm } from '../../lib/net/shortage.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { oneThread } from '../support/thread-switch.js';

/** Is a new connection closed, at the latest when it is used? */
async function turnedAway(port: number, localAddress?: string): Promise<boolean> {
  const client = await RawClient.connect(port, localAddress).catch(() => null);
  if (client === null) return true;
  client.send(GET);
  const text = await client.toEnd();
  client.destroy();
  return text === '';
}

t.test(
  'limits.connections_per_ip: a further one is closed at accept, and accepted when another has left',
  async (t) => {
    const server = await startRawServer(answering(OK));
    t.teardown(() => server.close());
    const { balancer, connect, port, seen } = await startBalancer(t, {
      servers: [server.address],
      limits: { connections_per_ip: 3 },
    });
    const clients = [await connect(), await connect(), await connect()];
    await until(() => balancer.clientCount === 3);
    t.ok(await turnedAway(port));
    t.equal(balancer.clientCount, 3);
    t.same(seen.requests, [], 'it was not recorded as a client');
    for (const client of clients) {
      client.send(GET);
      t.equal((await client.response()).status, 200, 'other clients are not affected');
    }
    for (let round = 0; round < 5; round++) {
      const leaving = clients.shift() as RawClient;
      if (round % 2 === 0) leaving.reset();
      else leaving.destroy();
      await until(() => balancer.clientCount === 2);
      const next = await connect();
      next.send(GET);
      t.equal((await next.response()).status, 200);
      clients.push(next);
      await until(() => balancer.clientCount === 3);
    }
  },
);

t.test('limits.connections: the longest idle client is closed for a new one', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const settings = { servers: [server.address], limits: { connections: 20 } };
  const inOne = oneThread('each thread closes the longest idle of its own clients');
  const { balancer, connect, clock, seen } = await startBalancer(t, settings, { manual: true, ...inOne });
  const clients: RawClient[] = [];
  for (let i = 0; i < 20; i++) {
    clients.push(await connect());
    await until(() => balancer.clientCount === i + 1);
    clock.advance(100);
  }
  // The first has been used since; the others have never sent anything.
  clients[0]?.send(GET);
  t.equal((await (clients[0] as RawClient).response()).status, 200);
  for (let i = 1; i <= 5; i++) {
    clock.advance(100);
    const next = await connect();
    next.send(GET);
    t.equal((await next.response()).status, 200);
    t.equal(await clients[i]?.toEnd(), '');
    t.equal(balancer.clientCount, 20, 'the limit holds');
  }
  t.strictSame(
    clients.map(({ ended }) => ended),
    Array.from({ length: 20 }, (_, i) => i >= 1 && i <= 5),
  );
  t.equal(seen.requests.length, 6);
});

t.test('limits.connections: a client that waits for an answer is not closed for a new one', async (t) => {
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const server = await startRawServer(async (connection) => {
    for (;;) {
      await connection.readHead();
      await held;
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const settings = { servers: [server.address], limits: { connections: 3 } };
  const { balancer, connect, port } = await startBalancer(t, settings);
  const clients = [await connect(), await connect(), await connect()];
  for (const client of clients) client.send(GET);
  await until(() => server.accepted === 3);
  for (let i = 0; i < 5; i++) t.ok(await turnedAway(port));
  answer();
  for (const client of clients) t.equal((await client.response()).status, 200);
  const next = await connect();
  next.send(GET);
  t.equal((await next.response()).status, 200, 'clients that have their answer are');
  await until(() => balancer.clientCount === 3);
});

t.test('limits.connections: no client is closed for a refused one', async (t) => {
  const { balancer, connect, port } = await startBalancer(t, {
    limits: { connections: 2 },
    firewall_rules: { ip_reject: ['127.0.0.2'] },
  });
  const clients = [await connect(), await connect()];
  await until(() => balancer.clientCount === 2);
  for (let i = 0; i < 3; i++) t.ok(await turnedAway(port, '127.0.0.2'));
  t.strictSame(
    clients.map(({ ended, closed }) => ended || closed),
    [false, false],
  );
});

/** Which of an acceptor's clients, given by their addresses, are accepted. */
function letIn(perIp: number, addresses: readonly string[]): boolean[] {
  const wheel = new TimerWheel(new ManualClock());
  const config = createConfig({ limits: { connections_per_ip: perIp } });
  const requests = new ObjectPool<never>(0, () => {
    throw new Error('nobody asks');
  });
  const means = { wheel, requests, handlers: requests, whyNotReady: () => '' } as unknown as AcceptorDeps;
  const policy = {
    trusted: new AddressSet([]),
    tellsForwarded: false,
    tellsVia: false,
    firewall: null,
    shared: SharedMemory.create(),
  };
  const acceptor = new ClientAcceptor(means, policy, config, new ShortageAlarm(wheel, {}));
  const taken = addresses.map((address) => acceptor.admit(address, NO_LISTENER, null) !== null);
  wheel.close();
  return taken;
}

t.test('limits.connections_per_ip counts the addresses of one /64 as one client', async (t) => {
  t.strictSame(
    letIn(2, ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1', '2001:db8:0:1::2']),
    [true, true, false, true, true],
  );
  t.strictSame(letIn(1, ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2']), [true, false, true]);
});

t.test('limits.connections_per_ip counts each IPv4 address separately', async (t) => {
  const { balancer, connect, port } = await startBalancer(t, { limits: { connections_per_ip: 1 } });
  await connect();
  await until(() => balancer.clientCount === 1);
  const other = await RawClient.connect(port, '127.0.0.2');
  t.teardown(() => other.destroy());
  other.send(GET);
  t.equal((await other.response()).status, 404);
  t.equal(await turnedAway(port, '127.0.0.2'), true);
  await until(() => balancer.clientCount === 2);
});

t.test(
  'limits.requests_per_connection: the last answer has Connection: close, and later requests are not processed',
  async (t) => {
    const heads: string[] = [];
    const server = await startRawServer(async (connection) => {
      for (;;) {
        heads.push(await connection.readHead());
        await connection.write(OK);
      }
    });
    t.teardown(() => server.close());
    const limits = { requests_per_connection: 3 };
    const { connect } = await startBalancer(t, { servers: [server.address], limits });
    for (const ask of ['one by one', 'all at once']) {
      heads.length = 0;
      const client = await connect();
      if (ask === 'all at once') client.send(`\r\n${GET}`.repeat(5));
      for (const last of [false, false, true]) {
        if (ask === 'one by one') client.send(GET);
        const { status, head } = await client.response();
        t.equal(status, 200);
        t.equal(/\r\nConnection: close\r\n/.test(head), last, ask);
      }
      t.equal(await client.toEnd(), '');
      t.equal(heads.length, 3);
    }
  },
);

t.test('after an answer that ends the connection, input is dropped for at most 5 s', async (t) => {
  const { balancer, connect, clock } = await startBalancer(t, {}, { manual: true });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
  for (let second = 0; second < 4; second++) {
    client.send('more');
    await turns();
    clock.advance(1000);
  }
  await turns();
  t.equal(balancer.clientCount, 1);
  clock.advance(1100);
  await until(() => balancer.clientCount === 0);
});

t.test('a client that sends without a pause has no longer than that', async (t) => {
  const { balancer, connect, clock } = await startBalancer(t, {}, { manual: true });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
  const first = clock.now();
  // Always just before the deadlines are looked at, which is every 50 ms.
  while (clock.now() - first < 6000 && balancer.clientCount > 0) {
    clock.advance(49.5);
    client.send('more');
    await turns();
    clock.advance(0.5);
  }
  t.ok(clock.now() - first < 5200, `closed after ${clock.now() - first} ms`);
});

t.test('at most a few megabytes of a refused upload are read', async (t) => {
  const { balancer, connect } = await startBalancer(t, {}, { manual: true });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
  client.send(Buffer.alloc(8 * 1024 * 1024));
  await until(() => balancer.clientCount === 0);
});
