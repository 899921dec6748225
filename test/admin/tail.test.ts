import t, { type Test } from 'tap';
import { Admin } from '../../lib/admin/admin.js';
import { RequestFilter } from '../../lib/observe/request-filter.js';
import { recordOf } from '../observe/record.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { THREADS } from '../support/thread-switch.js';
import { FakeSubject } from './fake-subject.js';
import { adminConfig, openAdmin, SERVICES } from './support.js';

async function open(t: Test, port: number, query = ''): Promise<RawClient> {
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  client.send(`GET /api/tail${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return client;
}

const keeps: readonly [filter: ConstructorParameters<typeof RequestFilter>[0], yes: object, no: object][] = [
  [{ host: 'A.test' }, { host: 'a.test:8080' }, { host: 'b.a.test' }],
  [{ host: '*.a.test' }, { host: 'B.a.test.' }, { host: 'a.test' }],
  [{ path: '/api' }, { target: '/api/x?y' }, { target: '/x/api' }],
  [{ path: '/api/*/edit' }, { target: 'http://a/api/7/edit' }, { target: '/api/7?/edit' }],
  [{ status: '5xx,404' }, { status: 404 }, { status: 403 }],
  [{ status: '400-499' }, { status: 499 }, { status: 500 }],
  [{ status: '0' }, { status: 0 }, { status: 200 }],
  [{ server: 'big' }, { server: 'big' }, { server: 'bigger' }],
  [
    { server: 'big' },
    { server: 'x', tries: [{ server: 'big', reason: 'stale', status: 0, durationMs: 1, reused: true }] },
    { server: 'x', tries: [] },
  ],
  [{ client: '10.0.0.0/8' }, { clientAddress: '10.1.2.3' }, { clientAddress: '11.1.2.3' }],
  [{ client: '2001:db8::/32' }, { clientAddress: '2001:db8::7' }, { clientAddress: 'unix' }],
  [{ min_duration: '200ms' }, { durationMs: 200 }, { durationMs: 199.9 }],
  [
    { host: 'a', status: '200' },
    { host: 'a', status: 200 },
    { host: 'a', status: 201 },
  ],
];

t.test('a filter keeps what fits all that is asked', async (t) => {
  for (const [asked, yes, no] of keeps) {
    const filter = new RequestFilter(asked);
    t.ok(filter.keeps(recordOf(yes)), `${JSON.stringify(asked)} keeps ${JSON.stringify(yes)}`);
    t.notOk(filter.keeps(recordOf(no)), `${JSON.stringify(asked)} leaves ${JSON.stringify(no)}`);
  }
  for (const bad of [
    { host: 'a/b' },
    { status: 'x' },
    { status: '9xx' },
    { client: 'x' },
    { min_duration: 'x' },
  ])
    t.throws(() => new RequestFilter(bad), JSON.stringify(bad));
});

t.test('nobody observes requests while nobody reads', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  const { port } = await openAdmin(t, subject, { clock });
  t.equal(subject.readerCount, 0);
  const [one, other] = [await open(t, port, '?status=404'), await open(t, port)];
  for (const client of [one, other]) t.match(await client.until('\r\n\r\n'), /application\/x-ndjson/);
  await until(() => subject.readerCount > 0);
  t.equal(subject.readerCount, 1, 'one for all streams');
  subject.settle(recordOf({ status: 200, target: '/a' }));
  subject.settle(recordOf({ status: 404, target: '/b' }));
  clock.advance(100);
  t.notMatch(await one.until('"/b"'), '"/a"');
  t.match(await other.until('"/b"'), '"/a"');
  one.destroy();
  other.destroy();
  await until(() => subject.readerCount === 0);
});

t.test('a filter that cannot be read is refused', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject());
  t.match((await ask('/api/tail?status=x')).json, { error: { code: 'bad_value' } });
  t.match((await ask('/api/tail?what=x')).json, { error: { code: 'bad_value', message: 'what is unknown' } });
});

t.test('more than 5,000 requests a second, and those a reader is too slow for, are counted', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  const { port } = await openAdmin(t, subject, { clock });
  const client = await open(t, port);
  await client.until('\r\n\r\n');
  await until(() => subject.readerCount > 0);
  for (let i = 0; i < 600; i++) subject.settle(recordOf({}));
  clock.advance(100);
  await client.until('{"dropped":100}\n');
  client.socket.pause();
  const long = recordOf({ target: `/${'x'.repeat(4000)}` });
  // The buffers of the sockets take a few megabytes.
  for (let i = 0; i < 40; i++) {
    for (let k = 0; k < 500; k++) subject.settle(long);
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.socket.resume();
  let told = '';
  const beat = setInterval(() => clock.advance(100), 10);
  t.teardown(() => clearInterval(beat));
  told = await client.until('{"dropped":');
  t.ok(told.length < 40 * 500 * 4000, `${told.length} bytes`);
});

t.test('long lines of one flush are bounded too, before any of them is sent', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  const { port } = await openAdmin(t, subject, { clock });
  const client = await open(t, port);
  await client.until('\r\n\r\n');
  await until(() => subject.readerCount > 0);
  const long = recordOf({ target: `/${'x'.repeat(60_000)}` });
  for (let i = 0; i < 100; i++) subject.settle(long);
  clock.advance(100);
  const told = await client.until('{"dropped":');
  const lines = told.split('xxxx"').length - 1;
  t.ok(lines >= 10 && lines <= 18, `${lines} of 100 lines`);
});

for (const workers of [1, 3])
  t.test(`requests are seen with ${workers} threads`, workers === 1 ? {} : THREADS, async (t) => {
    const { balancer, connect } = await startBalancer(t, { respond: {} }, { workers });
    const admin = new Admin(adminConfig());
    await admin.open(balancer, SERVICES);
    t.teardown(() => admin.close());
    const { address } = admin;
    const client = await open(t, address.kind === 'tcp' ? address.port : 0, '?path=/seen');
    await client.until('\r\n\r\n');
    let stop = false;
    const found = client.until('"/seen/').then(() => {
      stop = true;
    });
    // Threads are told, and begin a moment later.
    for (let i = 0; !stop && i < 2000; i++) {
      const one = await connect();
      one.send(`GET /seen/${i} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      await one.response();
      one.destroy();
    }
    await found;
    t.pass('it came');
  });
