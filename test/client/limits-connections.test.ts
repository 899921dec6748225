import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { turns, until } from '../support/turns.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Is a new connection closed, at the latest when it is used? */
async function turnedAway(port: number, localAddress?: string): Promise<boolean> {
  const client = await RawClient.connect(port, localAddress).catch(() => null);
  if (client === null) return true;
  client.send(GET);
  const text = await client.toEnd();
  client.destroy();
  return text === '';
}

for (const key of ['connections', 'connections_per_ip'] as const) {
  t.test(
    `limits.${key}: one more is closed at accept, and there is room again when one leaves`,
    async (t) => {
      const server = await startRawServer(answering(OK));
      t.teardown(() => server.close());
      const { balancer, connect, port, seen } = await startBalancer(t, {
        servers: [server.address],
        limits: { [key]: 3 },
      });
      const clients = [await connect(), await connect(), await connect()];
      await until(() => balancer.clientCount === 3);
      t.ok(await turnedAway(port));
      t.equal(balancer.clientCount, 3);
      t.same(seen.requests, [], 'it never was a client');
      for (const client of clients) {
        client.send(GET);
        t.equal((await client.response()).status, 200, 'those that are there are not disturbed');
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
      }
    },
  );
}

t.test('limits.connections_per_ip counts each address for itself', async (t) => {
  const { balancer, connect, port } = await startBalancer(t, { limits: { connections_per_ip: 1 } });
  await connect();
  await until(() => balancer.clientCount === 1);
  const other = await RawClient.connect(port, '127.0.0.2');
  t.teardown(() => other.destroy());
  other.send(GET);
  t.equal((await other.response()).status, 404);
  t.equal(await turnedAway(port, '127.0.0.2'), true);
  t.equal(balancer.clientCount, 2);
});

t.test(
  'limits.requests_per_connection: the last answer says so, and what is behind it is not asked',
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

t.test('after an answer that ends the connection input is dropped for 5 s, not for ever', async (t) => {
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

t.test('and not more than a few megabytes of it', async (t) => {
  const { balancer, connect } = await startBalancer(t, {}, { manual: true });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
  client.send(Buffer.alloc(8 * 1024 * 1024));
  await until(() => balancer.clientCount === 0);
});
