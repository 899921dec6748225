import t, { type Test } from 'tap';
import { RawClient } from '../support/client.js';
import { turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { FakeSubject } from './fake-subject.js';
import { openAdmin } from './support.js';

async function connect(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  return client;
}

t.test('bytes that are not HTTP are answered and the connection is cut', async (t) => {
  const { port, ask } = await openAdmin(t, new FakeSubject());
  const cases: readonly [bytes: string, status: string][] = [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', '400'],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    [
      'POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      '400',
    ],
    ['GET / HTTP/1.1\r\n\r\n', '400'],
  ];
  for (const [bytes, status] of cases) {
    const client = await connect(t, port);
    client.send(bytes);
    const { head, body } = await client.response();
    t.equal(head.slice(9, 12), status);
    t.match(JSON.parse(body), { error: { code: /^[a-z_]+$/, message: /./, hint: /./ } }, head);
    client.destroy();
  }
  t.match(await ask('/livez'), { status: 200 });
});

t.test('clients that leave at any point do no harm', async (t) => {
  const { port, ask } = await openAdmin(t, new FakeSubject());
  const whole =
    'PATCH /api/servers/apple HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
    'Content-Length: 17\r\n\r\n{"state":"drain"}';
  for (let length = 0; length < whole.length; length += 7) {
    const client = await connect(t, port);
    client.send(whole.slice(0, length));
    await new Promise((resolve) => setImmediate(resolve));
    client.reset();
  }
  const events = await connect(t, port);
  events.send('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await events.until('retry');
  events.reset();
  t.match(await ask('/livez'), { status: 200 });
});

t.test('the number of admin connections is limited', async (t) => {
  const { port } = await openAdmin(t, new FakeSubject());
  const clients: RawClient[] = [];
  for (let count = 0; count < 140; count++) clients.push(await connect(t, port));
  const closed = () => clients.filter((client) => client.ended || client.closed).length;
  await until(() => closed() >= 12, '12 of 140 connections are closed');
  t.equal(closed(), 12);
  clients.find((client) => !client.closed)?.send('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
});

t.test('the connection of a head that never ends is closed', async (t) => {
  const { port } = await openAdmin(t, new FakeSubject());
  const client = await connect(t, port);
  client.send('GET / HTTP/1.1\r\n');
  t.match(await client.until('\r\n'), /^HTTP\/1\.1 408 /);
  await client.toEnd();
});

t.test('a connection that sends nothing is closed after 5 s', async (t) => {
  const clock = new ManualClock();
  const { port, ask } = await openAdmin(t, new FakeSubject(), { clock });
  const client = await connect(t, port);
  t.match(await ask('/livez'), { status: 200 });
  clock.advance(4400);
  await turns();
  t.notOk(client.ended);
  clock.advance(1200);
  t.equal(await client.toEnd(), '');
});

t.test(
  'hundreds of silent connections do not keep a health check out, nor do some with half a request',
  async (t) => {
    const { port, ask } = await openAdmin(t, new FakeSubject());
    const clients: RawClient[] = [];
    for (let i = 0; i < 300; i++) {
      const client = await connect(t, port);
      if (i % 2 === 0) client.send('GET /livez HTTP/1.1\r\nHost: localhost\r\n');
      clients.push(client);
      if (i % 50 === 49) t.match(await ask('/livez'), { status: 200 }, `beside ${i + 1}`);
    }
    t.ok(clients.filter(({ ended, closed }) => !ended && !closed).length <= 128);
    t.ok(clients[0]?.ended === true || clients[0]?.closed === true, 'the longest idle one had to make room');
    t.notOk(clients.at(-1)?.ended);
  },
);

t.test(
  'a connection is closed soon after its last response, even if the client keeps its side open',
  async (t) => {
    const clock = new ManualClock();
    const { port } = await openAdmin(t, new FakeSubject(), { clock });
    const client = await connect(t, port);
    client.send('nonsense\r\n\r\n');
    t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
    t.notOk(client.closed);
    clock.advance(2000);
    await turns();
    await until(
      () => client.closed,
      'a client that goes on sending is cut',
      () => {
        client.send('more');
        return turns(2);
      },
    );
  },
);
