import t from 'tap';
import { answering, type RawConnection, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { steady, turns, until } from '../support/loop-ticks.js';

const manual = { manual: true };

/** Deadlines fire up to two wheel ticks of 50 ms late. */
const LATE = 100;

t.test('timeouts.request_header counts from the first byte and later ones do not move it', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  clock.advance(30_000);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n');
  await turns();
  for (let second = 1; second < 10; second++) {
    clock.advance(1000);
    client.send(`X-${second}: slow\r\n`);
    await turns();
  }
  clock.advance(900);
  await turns();
  t.equal(client.received, '', 'nothing before the deadline');
  clock.advance(LATE + LATE);
  const answer = await client.toEnd();
  t.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  t.match(answer, /\r\nConnection: close\r\n/);
  t.match(await seen.request(), { status: 408, reason: 'request_timeout', server: '', attempts: 0 });
  t.match(await seen.request(), { method: 'GET', target: '/' }, 'as far as the head was read');
  t.equal(server.accepted, 0, 'no server was asked');
});

t.test('a 408 is followed by a lingering close, whatever an earlier connection asked for', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { balancer, connect, clock } = await startBalancer(t, { servers: [server.address] }, manual);
  // Its objects are reused for the next client.
  const first = await connect();
  first.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  await first.toEnd();
  await until(() => balancer.clientCount === 0);
  for (const [line, body] of [
    ['GET / HTTP/1.1', 'Request Timeout'],
    ['GET / HTTP/1.0', 'Request Timeout'],
    ['HEAD / HTTP/1.0', ''],
  ] as const) {
    const slow = await connect();
    slow.send(`${line}\r\nX-Slow`);
    await until(() => balancer.clientCount === 1);
    await turns();
    clock.advance(10_000 + LATE + LATE);
    t.match(await slow.until('\r\n\r\n'), /^HTTP\/1\.1 408 /);
    await turns();
    t.equal(slow.received, body, line);
    t.equal(balancer.clientCount, 1, 'further input is read');
    slow.send(': more\r\n');
    await turns();
    slow.destroy();
    await until(() => balancer.clientCount === 0);
  }
});

t.test('a second request on the same connection has a header deadline of its own', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect, clock } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send(`${GET}GET /slow HTTP/1.1\r\n`);
  t.equal((await client.response()).status, 200);
  await turns();
  clock.advance(9900);
  await turns();
  t.equal(client.ended, false);
  clock.advance(100 + LATE);
  t.match(await client.toEnd(), /^HTTP\/1\.1 408 /);
});

t.test('a client that sends nothing but empty lines is closed without an answer', async (t) => {
  const { connect, clock, seen } = await startBalancer(t, {}, manual);
  const client = await connect();
  client.send('\r\n\r\n');
  await turns();
  clock.advance(10_000 + LATE);
  t.equal(await client.toEnd(), '');
  t.same(seen.requests, []);
});

t.test('timeouts.keep_alive closes without an answer, also clients that never sent a request', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const silent = await connect();
  const idle = await connect();
  const prompt = await connect();
  await turns();
  clock.advance(5000);
  idle.send(GET);
  t.equal((await idle.response()).status, 200);
  clock.advance(59_000);
  prompt.send('GET');
  await turns();
  clock.advance(1000 + LATE);
  t.equal(await silent.toEnd(), '', 'counted from the connect');
  t.equal(idle.ended, false);
  clock.advance(5000);
  t.equal(await idle.toEnd(), '', 'counted from its answer');
  t.equal(prompt.ended, false, 'a first byte ends the idle time');
  t.equal(seen.requests.length, 1);
});

t.test('timeouts.request_body counts from the last byte', async (t) => {
  let closed = false;
  const server = await startRawServer(async (connection) => {
    await connection.readToEnd();
    closed = true;
    connection.end();
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
  await turns();
  for (let byte = 0; byte < 5; byte++) {
    clock.advance(29_000);
    client.send('x');
    await turns();
  }
  t.equal(client.received, '');
  clock.advance(30_000 + LATE);
  const answer = await client.toEnd();
  t.match(answer, /^HTTP\/1\.1 408 /);
  t.match(answer, /\r\nConnection: close\r\n/);
  t.match(await seen.request(), { status: 408, reason: 'request_timeout', bytesIn: 5 });
  await until(() => closed);
});

t.test('timeouts.request_body does not run while the server keeps the client waiting', async (t) => {
  const body = 24 * 1024 * 1024;
  let origin: RawConnection | undefined;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.readHead();
    connection.stopReading();
    for (let taken = 0; taken < body; taken += 64 * 1024) await connection.read(64 * 1024);
    await connection.write(OK);
  });
  t.teardown(() => server.close());
  const timeouts = { request_body: '30s', response_header: '10m' };
  const { connect, clock } = await startBalancer(t, { servers: [server.address], timeouts }, manual);
  const client = await connect();
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body}\r\n\r\n`);
  client.send(Buffer.alloc(body));
  t.ok((await steady(() => client.socket.writableLength)) > 0, 'every buffer on the way is full');
  clock.advance(300_000);
  await turns();
  t.equal(client.received, '');
  origin?.resumeReading();
  t.equal((await client.response()).status, 200);
});

t.test(
  'limits.body_rate: bytes that come without a pause do not put off the end of a body below it',
  async (t) => {
    const server = await startRawServer(async (connection) => connection.hang());
    t.teardown(() => server.close());
    const settings = { servers: [server.address], limits: { body_rate: '1kb' } };
    const { connect, clock } = await startBalancer(t, settings, manual);
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    await turns();
    const first = clock.now();
    // Always just before the deadlines are looked at, which is every 50 ms.
    while (clock.now() - first < 12_000 && client.received === '') {
      clock.advance(49.5);
      client.send('x');
      await turns();
      clock.advance(0.5);
      await turns();
    }
    t.match(client.received, /^HTTP\/1\.1 408 /);
    t.ok(clock.now() - first < 11_000, `after ${clock.now() - first} ms`);
  },
);

t.test('limits.body_rate: a client below the rate gets 408, one that keeps it does not', async (t) => {
  const server = await startRawServer(async (connection) => {
    await connection.readToEnd();
    connection.end();
  });
  t.teardown(() => server.close());
  const limits = { body_rate: 100 };
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address], limits }, manual);
  const steadily = await connect();
  const dripping = await connect();
  for (const client of [steadily, dripping]) {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    await turns();
  }
  // Ten seconds are allowed, plus ten milliseconds for each byte.
  for (let second = 1; second <= 40; second++) {
    clock.advance(1000);
    steadily.send('x'.repeat(100));
    if (second < 10) dripping.send('x'.repeat(10));
    await turns();
    t.equal(dripping.received === '', second < 11, `after ${second} s`);
  }
  t.match(await dripping.toEnd(), /^HTTP\/1\.1 408 .*\r\nConnection: close\r\n/s);
  t.match(await seen.request(), { status: 408, reason: 'request_timeout', bytesIn: 90 });
  t.equal(steadily.received, '');
});

t.test('limits.body_rate does not run while the server reads nothing, nor before its 100', async (t) => {
  const body = 24 * 1024 * 1024;
  let origin: RawConnection | undefined;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.readHead();
    connection.stopReading();
  });
  t.teardown(() => server.close());
  const started = await startBalancer(
    t,
    { servers: [server.address], timeouts: { response_header: '1h' }, limits: { body_rate: '1mb' } },
    manual,
  );
  const { clock } = started;
  const client = await started.connect();
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${body}\r\n\r\n`);
  await turns();
  clock.advance(60_000);
  await origin?.write('HTTP/1.1 100 Continue\r\n\r\n');
  await client.until('Continue\r\n\r\n');
  client.send(Buffer.alloc(body - 1));
  t.ok((await steady(() => client.socket.writableLength)) > 0, 'every buffer on the way is full');
  clock.advance(600_000);
  await turns();
  t.equal(client.received, '');
  origin?.resumeReading();
  await until(() => client.socket.writableLength === 0);
  await turns();
  clock.advance(5000);
  await turns();
  t.equal(client.received, '');
  client.send('x');
  await origin?.write(OK);
  t.equal((await client.response()).status, 200);
});

t.test(
  'limits.body_rate does not count the wait for a server, and not the rest that is dropped',
  async (t) => {
    const server = await startRawServer((connection) => connection.hang());
    t.teardown(() => server.close());
    const { clock, connect } = await startBalancer(
      t,
      {
        servers: [server.address],
        pool: { max_connections: 1 },
        timeouts: { queue: '60s', response_header: '1h' },
        limits: { body_rate: '100kb' },
      },
      manual,
    );
    const first = await connect();
    first.send(GET);
    await until(() => server.connections === 1);
    const client = await connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(66_000)}`);
    await turns();
    clock.advance(60_000 + LATE);
    t.equal((await client.response()).status, 503);
    clock.advance(5000);
    await turns();
    client.send(`${'x'.repeat(4000)}GET / HTTP/1.0\r\nHost: a\r\n\r\n`);
    await turns();
    clock.advance(60_000 + LATE);
    t.equal((await client.response()).status, 503, 'the connection stays open');
  },
);

t.test('timeouts.connection_age: the first answer after it ends the connection', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const timeouts = { connection_age: '10m', keep_alive: '1h' };
  const { connect, clock } = await startBalancer(t, { servers: [server.address], timeouts }, manual);
  const client = await connect();
  for (const [minutes, last] of [
    [8.9, false],
    [2.2, true],
  ] as const) {
    clock.advance(minutes * 60_000);
    await turns();
    t.notOk(client.ended, 'the connection is not closed while a client may be about to send a request');
    client.send(GET);
    const { status, head } = await client.response();
    t.equal(status, 200);
    t.equal(/\r\nConnection: close\r\n/.test(head), last);
  }
  t.equal(await client.toEnd(), '');
});

t.test('timeouts.response_header: a server that reads nothing of a body is a 504', async (t) => {
  const server = await startRawServer(async (connection) => {
    await connection.readHead();
    connection.stopReading();
    await connection.hang();
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  const body = 24 * 1024 * 1024;
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body}\r\n\r\n`);
  client.send(Buffer.alloc(body));
  await steady(() => client.socket.writableLength);
  clock.advance(60_000 + LATE);
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 504 /);
  t.match(await seen.request(), { status: 504, reason: 'response_timeout' });
});

t.test('timeouts.response_header counts from the end of the request; 1xx do not move it', async (t) => {
  let origin: RawConnection | undefined;
  let left = false;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.hang();
    left = true;
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n');
  await turns();
  clock.advance(29_000);
  client.send('a');
  await turns();
  clock.advance(29_000);
  client.send('b');
  await turns();
  clock.advance(59_000);
  await origin?.write('HTTP/1.1 102 Processing\r\n\r\n');
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 102 /);
  t.equal(client.received, '');
  clock.advance(1000 + LATE);
  const { status, head } = await client.response();
  t.equal(status, 504);
  t.notMatch(head, /Connection: close/, 'the client did nothing wrong and keeps its connection');
  t.match(await seen.request(), { status: 504, reason: 'response_timeout', attempts: 1 });
  await until(() => left);
});

t.test('while a server has not sent its 100, its deadline runs, that of the client does not', async (t) => {
  let origin: RawConnection | undefined;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.hang();
  });
  t.teardown(() => server.close());
  const timeouts = { request_body: '10s', response_header: '20s' };
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address], timeouts }, manual);
  const ask = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n';
  const waiting = await connect();
  waiting.send(ask);
  await turns();
  clock.advance(19_000);
  await turns();
  t.equal(waiting.received, '', 'the client owes nothing yet');
  clock.advance(1000 + LATE);
  t.match(await waiting.toEnd(), /^HTTP\/1\.1 504 /);
  t.match(await seen.request(), { status: 504, reason: 'response_timeout' });

  const late = await connect();
  late.send(ask);
  await turns();
  clock.advance(5000);
  await origin?.write('HTTP/1.1 100 Continue\r\n\r\n');
  await late.until('\r\n\r\n');
  clock.advance(9000);
  late.send('a');
  await turns();
  clock.advance(10_000 + LATE);
  t.match(await late.toEnd(), /^HTTP\/1\.1 408 /, 'after the 100 its deadline runs');
  t.match(await seen.request(2), { status: 408, reason: 'request_timeout' });
});

t.test('timeouts.response_body counts from the last byte, then the client is cut', async (t) => {
  let origin: RawConnection | undefined;
  let left = false;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
    await connection.hang();
    left = true;
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send(GET);
  await client.until('\r\n\r\n');
  for (let byte = 0; byte < 4; byte++) {
    clock.advance(59_000);
    await origin?.write('x');
    t.equal(await client.bytes(1), 'x');
  }
  clock.advance(60_000 + LATE);
  await client.gone();
  t.equal(client.received, '', 'no error page after half an answer');
  t.equal(client.error?.code, 'ECONNRESET');
  t.match(await seen.request(), { status: 200, reason: 'response_stalled', bytesOut: 4 });
  await until(() => left);
});

t.test('timeouts.tunnel: a byte either way keeps it open, silence closes it politely', async (t) => {
  let origin: RawConnection | undefined;
  const server = await startRawServer(async (connection) => {
    origin = connection;
    await connection.readHead();
    await connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await connection.hang();
  });
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 101 /);
  clock.advance(3_500_000);
  client.send('up');
  t.equal((await origin?.read(2))?.toString(), 'up');
  clock.advance(3_500_000);
  await origin?.write('down');
  t.equal(await client.bytes(4), 'down');
  clock.advance(3_500_000);
  await turns();
  t.equal(client.ended, false);
  clock.advance(100_000 + LATE);
  t.equal(await client.toEnd(), '');
  t.match(await seen.request(), { status: 101, reason: '', detail: 'silent', bytesIn: 2, bytesOut: 4 });
});
