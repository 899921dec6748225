import t from 'tap';
import { startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

t.test('max_connections: requests beyond it wait in line, and are served in their order', async (t) => {
  const answers: (() => void)[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      await connection.readHead();
      await new Promise<void>((resolve) => answers.push(resolve));
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, {
    servers: [{ address: server.address, max_connections: 1 }],
  });
  const clients = [await connect(), await connect(), await connect()];
  for (const [index, client] of clients.entries()) {
    client.send(GET.replace('/', `/${index}`));
    while (index === 0 && answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const client of clients) {
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    t.equal(server.connections, 1);
    answers.shift()?.();
    t.equal((await client.response()).status, 200);
  }
  await seen.request(3);
  t.strictSame(
    seen.requests.map(({ target }) => target),
    ['/0', '/1', '/2'],
  );
  t.equal(server.accepted, 1);
});

t.test('max_connections: who waits longer than timeouts.queue is answered 503', async (t) => {
  const server = await startRawServer((connection) => connection.hang());
  t.teardown(() => server.close());
  const servers = [{ address: server.address, max_connections: 1 }];
  const { connect, seen, clock } = await startBalancer(
    t,
    { servers, timeouts: { queue: '2s' } },
    { manual: true },
  );
  const first = await connect();
  first.send(GET);
  while (server.connections === 0) await new Promise((resolve) => setImmediate(resolve));
  const second = await connect();
  second.send(GET);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(2200);
  const { status, body } = await second.response();
  t.strictSame([status, body], [503, 'Service Unavailable']);
  t.match(await seen.request(), { reason: 'queue_timeout', attempts: 1 });
});
