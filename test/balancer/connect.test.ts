import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { startDeafServer } from '../support/deaf-server.js';
import { turns } from '../support/turns.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const manual = { manual: true };
const LATE = 100;

t.test('timeouts.connect: the only server does not accept, 504', async (t) => {
  const deaf = await startDeafServer(t);
  const { connect, clock, seen } = await startBalancer(t, { servers: [deaf] }, manual);
  const client = await connect();
  client.send(GET);
  await turns();
  clock.advance(2900);
  await turns();
  t.equal(client.received, '');
  clock.advance(100 + LATE);
  t.equal((await client.response()).status, 504);
  t.match(await seen.request(), { status: 504, reason: 'connect_timeout', attempts: 1 });
});

t.test('another server is tried in the same request, a POST too: nothing was sent', async (t) => {
  const deaf = await startDeafServer(t);
  const server = await startRawServer(async (connection) => {
    await connection.readUntil('\r\n\r\nbody');
    await connection.write(OK);
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [deaf, server.address] }, manual);
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
  await turns();
  clock.advance(3000 + LATE);
  t.equal((await client.response()).status, 200);
  t.match(await seen.request(), { status: 200, reason: '', attempts: 2, server: server.address });
});

t.test('a connect that may take longer than timeouts.queue is not taken for a queue', async (t) => {
  const deaf = await startDeafServer(t);
  const timeouts = { connect: '20s', queue: '5s' };
  const { connect, clock, seen } = await startBalancer(t, { servers: [deaf], timeouts }, manual);
  const client = await connect();
  client.send(GET);
  await turns();
  clock.advance(19_900);
  await turns();
  t.equal(client.received, '');
  clock.advance(100 + LATE);
  t.equal((await client.response()).status, 504);
  t.match(await seen.request(), { reason: 'connect_timeout' });
});

t.test('a client that leaves while a server is being connected to costs nothing but that', async (t) => {
  const deaf = await startDeafServer(t);
  const { balancer, connect, clock, seen } = await startBalancer(t, { servers: [deaf] }, manual);
  const client = await connect();
  client.send(GET);
  await turns();
  client.reset();
  t.match(await seen.request(), { status: 0, reason: 'client_abort' });
  clock.advance(3000 + LATE);
  await turns();
  t.equal(balancer.clientCount, 0);
  t.equal(seen.requests.length, 1);
});

t.test('every server refuses: 502 once all were tried, and the client keeps its connection', async (t) => {
  const gone = await Promise.all([0, 1, 2].map(() => startRawServer(answering(OK))));
  await Promise.all(gone.map((server) => server.close()));
  const { connect, seen } = await startBalancer(t, { servers: gone.map(({ address }) => address) });
  const client = await connect();
  for (const count of [1, 2]) {
    client.send(GET);
    t.equal((await client.response()).status, 502);
    t.match(await seen.request(count), {
      status: 502,
      reason: 'connect_refused',
      detail: 'ECONNREFUSED',
      attempts: 3,
    });
  }
});
