import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { clientRoom, fileLimit, isShortage, ShortageAlarm } from '../../lib/net/shortage.js';
import { startBalancer } from '../support/balancer.js';
import { startDeafServer } from '../support/deaf-server.js';
import { GET, OK } from '../support/http.js';
import { turns } from '../support/loop-ticks.js';
import { poolSupplies } from '../support/pool.js';

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

t.test(
  'when a client leaves during a connect, there is one record of client_abort and nothing more',
  async (t) => {
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
  },
);

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

t.test('a shortage in this process is not taken for a failure of a server', async (t) => {
  const failed = (code: string, address = '127.0.0.1'): boolean =>
    isShortage(Object.assign(new Error(code), { code, address }));
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']) t.ok(failed(code), code);
  for (const code of [
    'ECONNREFUSED',
    'ETIMEDOUT',
    'ENETUNREACH',
    'EHOSTUNREACH',
    'ENOENT',
    '',
    'constructor',
  ])
    t.notOk(failed(code), code);
  t.notOk(isShortage(new Error('without a code')));
});

t.test('each shortage is reported at most once in ten seconds', async (t) => {
  const told: string[] = [];
  const { wheel, clock } = poolSupplies(t);
  const alarm = new ShortageAlarm(wheel, {
    event: (event) => {
      if (event.what === 'warning') told.push(event.message);
    },
  });
  for (const code of ['EMFILE', 'EMFILE', 'EADDRNOTAVAIL', 'EMFILE']) alarm.note(code, 'no connection');
  t.match(told, [/^no connection \(EMFILE\): .*ulimit -n/, /EADDRNOTAVAIL.*ip_local_port_range/]);
  clock.advance(11_000);
  alarm.note('EMFILE', 'no connection');
  t.equal(told.length, 3);
});

t.test('clients get no more than half of the files there may be', async (t) => {
  t.equal(clientRoom(1024), 480);
  t.equal(clientRoom(40), 1);
  t.equal(clientRoom(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
  t.equal(clientRoom(-1), Number.POSITIVE_INFINITY, 'where the system does not tell');
  t.ok(fileLimit() === -1 || fileLimit() > 64);
});
