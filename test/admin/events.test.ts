import { once } from 'node:events';
import t, { type Test } from 'tap';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { FakeSubject } from './fake-subject.js';
import { openAdmin } from './support.js';

async function listen(t: Test, port: number, fields = '', path = '/api/events'): Promise<RawClient> {
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  client.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`);
  return client;
}

t.test('events are sent as they happen, to every open stream', async (t) => {
  const subject = new FakeSubject();
  const { port } = await openAdmin(t, subject);
  subject.note('down', 'apple', 'refused');
  const clients = [await listen(t, port), await listen(t, port)];
  for (const client of clients)
    t.match(await client.until('retry: 2000\n\n'), /content-type: text\/event-stream/i);
  subject.note('up', 'apple', 'after 3 s');
  for (const client of clients) {
    const text = await client.until('}\n\n');
    t.match(
      text,
      /^\r?\n?[0-9a-f]*\r\nid: 2\nevent: up\ndata: \{"id":2,.*"reason":"after 3 s","instance":".*"\}\n\n$/s,
    );
  }
});

t.test('a client that reconnects gets the events it missed', async (t) => {
  const subject = new FakeSubject();
  const { port } = await openAdmin(t, subject);
  for (const name of ['a', 'b', 'c']) subject.note('down', name);
  const later = await listen(t, port, 'Last-Event-ID: 2\r\n');
  t.match(await later.until('}\n\n'), /id: 3\n/);
  const all = await listen(t, port, '', '/api/events?since=0');
  t.match(await all.until('"c"'), /id: 1\n.*id: 2\n.*id: 3\n/s);
  const before = await listen(t, port, 'Last-Event-ID: 77\r\n');
  t.match(await before.until('"c"'), /id: 1\n/, 'a number of the process before this one');
});

t.test('a heartbeat keeps a stream open, and one subscription serves all streams', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  const { admin, port } = await openAdmin(t, subject, { clock });
  const clients = [await listen(t, port), await listen(t, port)];
  for (const client of clients) await client.until('retry: 2000\n\n');
  t.equal(subject.listenerCount, 1);
  clock.advance(15_000);
  for (const client of clients) await client.until(': still here\n\n');
  clients[0]?.destroy();
  clients[1]?.destroy();
  await until(() => subject.listenerCount === 0);
  const last = await listen(t, port);
  await last.until('retry: 2000\n\n');
  admin.close();
  await last.toEnd();
  t.equal(subject.listenerCount, 0);
});

t.test('the number of event streams is limited', async (t) => {
  const { port } = await openAdmin(t, new FakeSubject());
  const clients: RawClient[] = [];
  for (let count = 0; count < 32; count++) clients.push(await listen(t, port));
  for (const client of clients) await client.until('retry: 2000\n\n');
  const one = await listen(t, port);
  t.match(await one.response(), { status: 503, body: /too_many_streams/ });
  clients[0]?.destroy();
  await once(clients[0]!.socket, 'close');
  const isLetIn = async (): Promise<boolean> => {
    const again = await listen(t, port);
    return (await again.until('\r\n\r\n')).startsWith('HTTP/1.1 200');
  };
  await until(isLetIn, 'there is room for another stream');
});

t.test('a client that does not read its stream is cut off', async (t) => {
  const subject = new FakeSubject();
  const { port } = await openAdmin(t, subject);
  const client = await listen(t, port);
  await client.until('retry: 2000\n\n');
  client.socket.pause();
  const reason = 'x'.repeat(100_000);
  for (let count = 0; count < 500 && subject.listenerCount > 0; count++) {
    subject.note('warning', '', reason);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(subject.listenerCount, 0);
});
