import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { until } from '../support/loop-ticks.js';

/** A head of exactly `bytes` bytes. */
function headOf(bytes: number): string {
  const frame = 'GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n';
  return frame.replace('X: ', `X: ${'x'.repeat(bytes - frame.length)}`);
}

/** A head with exactly `count` fields. */
function fields(count: number): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`;
}

/** A head whose target is exactly `bytes` long. */
function target(bytes: number): string {
  return `GET /${'t'.repeat(bytes - 1)} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

const limits = { header_bytes: '2kb', headers: 10, uri_bytes: '1kb', body_bytes: 1000 };

const cases = [
  { what: 'limits.header_bytes', fits: headOf(2048), exceeds: headOf(2049), status: 431 },
  { what: 'limits.headers', fits: fields(10), exceeds: fields(11), status: 431 },
  { what: 'limits.uri_bytes', fits: target(1024), exceeds: target(1025), status: 414 },
] as const;

for (const { what, fits, exceeds, status } of cases) {
  for (const [how, pieces] of [
    ['at once', (text: string) => [text]],
    ['byte by byte', (text: string) => text.split('')],
  ] as const) {
    t.test(`${what} is exact, ${how}: beyond it ${status}, and the connection ends`, async (t) => {
      const server = await startRawServer(answering(OK));
      t.teardown(() => server.close());
      const { connect, seen } = await startBalancer(t, { servers: [server.address], limits });
      const client = await connect();
      await client.sendPieces(pieces(fits));
      t.equal((await client.response()).status, 200);
      await client.sendPieces(pieces(exceeds));
      const answer = await client.response();
      t.equal(answer.status, status);
      t.match(answer.head, /\r\nConnection: close\r\n/);
      t.equal(await client.toEnd(), '');
      t.match(await seen.request(2), { status, reason: 'bad_request' });
      t.equal(server.accepted, 1, 'no request reached a server');
    });
  }
}

t.test('an endless head is refused as soon as it is too long', async (t) => {
  const { connect } = await startBalancer(t, { limits });
  for (const [start, status] of [
    ['GET / HTTP/1.1\r\nHost: a\r\nX: ', 431],
    ['GET /', 414],
    [`GET / HTTP/1.1\r\nHost: a\r\n`, 431],
  ] as const) {
    const client = await connect();
    client.send(start);
    const more = start.endsWith('\r\n') ? 'X: y\r\n' : 'xxxxxx';
    let sent = 0;
    while (client.received === '' && sent < 100_000) {
      await client.sendPieces([more]);
      sent += more.length;
    }
    t.equal((await client.response()).status, status);
    // 2 KiB are too many already; the answer takes its time on a busy machine.
    t.ok(sent < 32_768, `after ${sent} bytes`);
  }
});

t.test('limits.body_bytes by Content-Length: 413 at once, before any of it', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, { servers: [server.address], limits });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n');
  t.equal((await client.response()).status, 413);
  t.match(await seen.request(), { status: 413, reason: 'body_too_large', attempts: 0 });
  t.equal(server.accepted, 0);
  client.send('x'.repeat(1001));
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(
    (await client.response()).status,
    200,
    'a short body is read and dropped, and the connection stays open',
  );
});

t.test('a long refused body ends the connection, and the client still gets the refusal', async (t) => {
  const { connect, balancer } = await startBalancer(t, { servers: ['localhost:1'], limits });
  const client = await connect();
  const size = 2 * 1024 * 1024;
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
  client.send(Buffer.alloc(size));
  const { status, head } = await client.response();
  t.equal(status, 413);
  t.match(head, /\r\nConnection: close\r\n/);
  t.equal(await client.toEnd(), '');
  t.equal(client.error, null, 'no reset');
  client.end();
  await until(() => balancer.clientCount === 0);
});

t.test('with Expect: 100-continue the refusal is sent instead of the 100', async (t) => {
  const { connect } = await startBalancer(t, { servers: ['localhost:1'], limits });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n');
  const { status, head } = await client.response();
  t.equal(status, 413);
  t.match(head, /\r\nConnection: close\r\n/, 'it is uncertain whether the body will come');
});

t.test('limits.body_bytes of a chunked body: 413 in the middle of it', async (t) => {
  let received = '';
  let asked = false;
  let isOver = false;
  const server = await startRawServer(async (connection) => {
    await connection.readHead();
    asked = true;
    // A reset takes what was not read yet.
    received = (await connection.readToEnd().catch(() => Buffer.alloc(0))).toString('latin1');
    isOver = true;
    connection.end();
  });
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, { servers: [server.address], limits });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  await until(() => asked);
  const chunk = `1f4\r\n${'x'.repeat(500)}\r\n`;
  await client.sendPieces([chunk, chunk]);
  t.equal(client.received, '', 'the exact limit is allowed');
  client.send('1\r\ny\r\n0\r\n\r\n');
  const { status, head } = await client.response();
  t.equal(status, 413);
  t.match(head, /\r\nConnection: close\r\n/);
  t.match(await seen.request(), { status: 413, reason: 'body_too_large', bytesIn: 1001 });
  await until(() => isOver);
  t.notMatch(received, /0\r\n\r\n$/, 'the server does not get an end of the body');
});

t.test('exactly limits.body_bytes passes, chunked and by length', async (t) => {
  const server = await startRawServer(async (connection) => {
    await connection.readUntil('0\r\n\r\n');
    await connection.write(OK);
    await connection.readHead();
    await connection.read(1000);
    await connection.write(OK);
  });
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [server.address], limits });
  const client = await connect();
  client.send(
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n${'x'.repeat(1000)}\r\n0\r\n\r\n`,
  );
  t.equal((await client.response()).status, 200);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`);
  t.equal((await client.response()).status, 200);
});

t.test('a response head may be twice as large as a request head, and no larger: 502', async (t) => {
  const frame = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n';
  let size = 4096;
  const server = await startRawServer(async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(frame.replace('X: ', `X: ${'x'.repeat(size - frame.length)}`));
    }
  });
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, { servers: [server.address], limits });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
  size++;
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 502);
  t.match(await seen.request(2), { status: 502, reason: 'bad_response' });
});

t.test('limits.header_bytes also limits a trailer section: 431', async (t) => {
  const server = await startRawServer((connection) => connection.hang());
  t.teardown(() => server.close());
  const settings = { servers: [server.address], limits: { header_bytes: '2kb' } };
  const { connect, seen } = await startBalancer(t, settings);
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n');
  client.send(`X-Long: ${'x'.repeat(3000)}\r\n`);
  t.match(await client.toEnd(), /^HTTP\/1\.1 431 .*\r\nConnection: close\r\n/s);
  t.match(await seen.request(), { status: 431, reason: 'bad_request' });
});
