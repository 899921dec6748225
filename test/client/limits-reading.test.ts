import t from 'tap';
import { answering, type RawConnection, startRawServer } from '../../fixtures/raw-server.js';
import { Deadline, TimerWheel } from '../../lib/base/timer-wheel.js';
import type { ClientDeps } from '../../lib/client/connection.js';
import { SlowReader } from '../../lib/client/deadlines.js';
import type { Channel } from '../../lib/net/channel.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { steady, turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { deadAddress } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

const manual = { manual: true };
const LATE = 100;
const MEBIBYTE = 1024 * 1024;

t.test('after a request that failed while its body was paused, the connection is read again', async (t) => {
  const { connect } = await startBalancer(t, { servers: [await deadAddress()], retry: { attempts: 0 } });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
    const { status, head } = await client.response();
    t.equal(status, 502);
    t.notMatch(head, /Connection: close/);
  }
});

t.test('no more requests are read from a client that reads no answers', async (t) => {
  // Each answer arrives in one read, so that none waits in its server connection.
  const body = 'x'.repeat(32 * 1024);
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const server = await startRawServer(answering(answer));
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.socket.pause();
  const requests = 600;
  for (let i = 0; i < requests; i++) {
    client.send(GET);
    await turns(4);
  }
  const answered = await steady(() => seen.requests.length);
  t.ok(answered < requests, `${answered} of ${requests} answered, the rest waits`);
  client.socket.resume();
  for (let i = 0; i < requests; i++) {
    const { status, body: received } = await client.response();
    if (status !== 200 || received !== body) t.fail(`answer ${i} is incomplete`);
  }
  t.match(await seen.request(requests), { status: 200 });
  t.equal(seen.requests.length, requests);
});

t.test(
  'a server paused for a slow client is read again when another request gets its connection',
  async (t) => {
    const body = 'x'.repeat(32 * 1024);
    const server = await startRawServer(
      answering(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    );
    t.teardown(() => server.close());
    const { connect, seen } = await startBalancer(
      t,
      { servers: [server.address] },
      oneThread('a connection to a server stays in its thread'),
    );
    const slow = await connect();
    slow.socket.pause();
    slow.send(GET.repeat(600));
    await steady(() => seen.requests.length);
    const other = await connect();
    other.send(GET);
    t.equal((await other.response()).body, body);
    t.equal(server.accepted, 1);
  },
);

t.test('local replies to a client that does not read do not accumulate', async (t) => {
  const { connect, seen } = await startBalancer(t, {});
  const client = await connect();
  client.socket.pause();
  const flood = Buffer.from(GET.repeat(60_000));
  while (client.socket.writableLength === 0 && seen.requests.length < 600_000) {
    client.send(flood);
    await steady(() => seen.requests.length + client.socket.writableLength);
  }
  t.ok(client.socket.writableLength > 0, 'the balancer has stopped reading');
  const { requests } = seen;
  t.ok(requests.every(({ status }) => status === 404));
});

t.test('a tunnel works when its client sent bytes too early', async (t) => {
  const early = 'x'.repeat(200 * 1024);
  const server = await startRawServer(async (connection) => {
    await connection.readHead();
    await turns();
    await connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await connection.write(`${(await connection.read(early.length + 4)).toString('latin1').slice(-4)}`);
  });
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  client.send(`${early}last`);
  await client.until('\r\n\r\n');
  t.equal(await client.bytes(4), 'last');
});

t.test('a client that half-closed after several requests gets all their answers', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(GET.repeat(3));
  client.end();
  for (let i = 0; i < 3; i++) {
    const { status, head } = await client.response();
    t.equal(status, 200);
    t.equal(/Connection: close/.test(head), i === 2, 'only the last answer closes');
  }
  await client.gone();

  const partial = await connect();
  partial.send(`${GET}GET /never HTT`);
  partial.end();
  t.equal((await partial.response()).status, 200);
  t.equal(await partial.toEnd(), '', 'an incomplete request is not waited for');
});

/** A server that sends an endless body as long as it is read. */
async function endless(connection: RawConnection): Promise<void> {
  await connection.readHead();
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
  const piece = Buffer.alloc(64 * 1024, 'x');
  while (!connection.socket.destroyed) await connection.write(piece);
}

t.test('a client that reads nothing for timeouts.response_body is cut', async (t) => {
  const server = await startRawServer(endless);
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send(GET);
  await client.until('\r\n\r\n');
  client.socket.pause();
  await steady(() => client.socket.bytesRead);
  clock.advance(60_000 + LATE);
  // What the system has taken after the client stopped, over TLS a little, counts as progress once.
  await turns(300);
  clock.advance(60_000 + LATE);
  t.match(await seen.request(), { status: 200, reason: 'client_stalled' });
  client.socket.resume();
  t.ok((await client.toEnd()).length < 10_000_000, 'the client does not get what was unsent');
});

t.test('a client that reads slowly but steadily is not cut: progress counts, not completion', async (t) => {
  const server = await startRawServer(endless);
  t.teardown(() => server.close());
  const { connect, clock, seen } = await startBalancer(t, { servers: [server.address] }, manual);
  const client = await connect();
  client.send(GET);
  await client.until('\r\n\r\n');
  client.socket.removeAllListeners('data').on('data', () => {});
  client.socket.pause();
  await turns(200);
  for (let minute = 0; minute < 5; minute++) {
    // Less than fits into the buffers, so that the current write never completes.
    const target = client.socket.bytesRead + 3 * MEBIBYTE;
    client.socket.resume();
    await until(() => client.socket.bytesRead >= target);
    client.socket.pause();
    await turns(200);
    clock.advance(59_000);
    await turns();
  }
  t.same(seen.requests, []);
  clock.advance(120_000 + LATE);
  t.match(await seen.request(), { reason: 'client_stalled' });
});

t.test('a slow reader that has read a byte gets the same time again', async (t) => {
  let destroyed = false;
  const channel = {
    backlog: 100,
    destroy: () => {
      destroyed = true;
    },
  };
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const deadline = new Deadline(wheel, { onDeadline: () => reader.judge() });
  const services = { timeouts: { responseBody: 10_000 } };
  const reader = new SlowReader(channel as unknown as Channel, deadline, services as ClientDeps);
  reader.wait();
  for (let round = 0; round < 3; round++) {
    channel.backlog--;
    clock.advance(10_000 + LATE);
    t.notOk(destroyed, `round ${round}`);
  }
  clock.advance(10_000 + LATE);
  t.ok(destroyed);
});

t.test(
  'a complete answer that is not read is kept for timeouts.response_body, then the connection is closed',
  async (t) => {
    const body = 'x'.repeat(512 * 1024);
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const server = await startRawServer(answering(answer));
    t.teardown(() => server.close());
    const timeouts = { keep_alive: '5m', response_body: '10s' };
    const { balancer, connect, clock, seen } = await startBalancer(
      t,
      { servers: [server.address], timeouts },
      manual,
    );
    const client = await connect();
    client.socket.pause();
    client.send(GET.repeat(100));
    await steady(() => seen.requests.length);
    clock.advance(10_000 + LATE);
    await until(() => balancer.clientCount === 0);
    t.ok(seen.requests.every(({ reason }) => reason === '' || reason === 'client_stalled'));
  },
);
