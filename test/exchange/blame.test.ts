import t, { type Test } from 'tap';
import type { RawConnection } from '../../fixtures/raw-server.js';
import { atOnce } from '../../lib/base/slices.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { steady, turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

const passive = { consecutive_failures: 3, consecutive_errors: 3, eject_for: '10s', trial_requests: 0 };

/** Three servers that treat each connection alike, and a balancer that ejects after three failures in a row. */
async function three(
  t: Test,
  script: (connection: RawConnection) => unknown,
  settings: object = {},
): Promise<Started> {
  const servers: string[] = [];
  for (let i = 0; i < 3; i++) {
    const server = await origin(t, async (connection) => {
      await script(connection);
    });
    servers.push(server.address);
  }
  return startBalancer(
    t,
    { servers, algorithm: 'first', passive_health: passive, ...settings },
    { manual: true },
  );
}

async function failures({ balancer }: Started): Promise<number[]> {
  await balancer.collectFigures();
  return balancer.status().servers.map(({ totals }) => totals.failures);
}

/** Sends `request` repeatedly, each time on a new connection, and waits for each outcome. */
async function repeat(started: Started, request: string, times: number): Promise<void> {
  const { connect, seen } = started;
  for (let i = 0; i < times; i++) {
    const before = seen.requests.length;
    const client = await connect();
    client.send(request);
    await seen.request(before + 1);
    client.destroy();
  }
}

t.test('a request that is cut on three servers is one failure, not three', async (t) => {
  const started = await three(t, async (connection) => {
    await connection.readHead();
    connection.reset();
  });
  await repeat(started, GET, 2);
  t.strictSame(
    started.seen.requests.map(({ attempts, reason }) => [attempts, reason]),
    Array(2).fill([3, 'reset_before_response']),
  );
  t.strictSame(await failures(started), [2, 2, 2], 'each server shows its own failures');
  t.strictSame(started.seen.stateChanges, []);
  await repeat(started, GET, 1);
  t.equal(
    started.seen.stateChanges.length,
    1,
    'the third ejects the server it failed on first, and no other',
  );
});

t.test('a request that three servers answer with a retried status is one failure', async (t) => {
  for (const status of [503, 429]) {
    const started = await three(
      t,
      async (connection) => {
        for (;;) {
          await connection.readHead();
          await connection.write(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
        }
      },
      { retry: { on: [status], budget: false }, passive_health: { ...passive, error_status: [status] } },
    );
    await repeat(started, GET, 2);
    t.equal(started.seen.requests.at(-1)?.attempts, 3);
    t.strictSame(started.seen.stateChanges, []);
    await repeat(started, GET, 1);
    t.equal(started.seen.stateChanges.length, 1);
  }
});

t.test('each server that refuses connections is blamed, as nothing of a request was sent', async (t) => {
  const servers = ['127.0.0.1:1', '127.0.0.1:2'];
  const live = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(OK);
    }
  });
  const started = await startBalancer(
    t,
    {
      servers: [...servers, live.address],
      algorithm: 'first',
      passive_health: { ...passive, max_ejected: '100%' },
      retry: { budget: false },
    },
    { manual: true },
  );
  await repeat(started, GET, 3);
  t.strictSame(
    started.seen.stateChanges.map((change) => change.split(' ').slice(0, 2).join(' ')),
    servers.map((server) => `ejected ${server}`),
  );
});

t.test('a server that cuts the connection while the client still sends its body is not blamed', async (t) => {
  for (const answer of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab']) {
    const started = await three(t, async (connection) => {
      await connection.readHead();
      await connection.read(3);
      await connection.write(answer);
      connection.reset();
    });
    await repeat(started, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc', 5);
    t.match(started.seen.requests.at(-1)?.reason, /^reset_/);
    t.strictSame(started.seen.stateChanges, []);
    t.strictSame(await failures(started), [0, 0, 0]);
  }
});

t.test('a server that cuts the connection after it received the body is blamed', async (t) => {
  const started = await three(t, async (connection) => {
    await connection.readHead();
    await connection.read(10);
    connection.reset();
  });
  await repeat(started, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcdefghij', 3);
  t.equal(started.seen.stateChanges.length, 1);
});

t.test('a server that waits for a body that the client does not send is not blamed', async (t) => {
  let asked = 0;
  const started = await three(
    t,
    async (connection) => {
      await connection.readHead();
      asked++;
      await connection.hang();
      connection.end();
    },
    { timeouts: { response_header: '2s', request_body: '60s' } },
  );
  const { connect, clock, seen } = started;
  for (let i = 1; i <= 4; i++) {
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n');
    await until(() => asked === i);
    clock.advance(2200);
    t.equal((await seen.request(i)).reason, 'response_timeout');
    client.destroy();
  }
  t.strictSame(seen.stateChanges, []);
  t.strictSame(await failures(started), [0, 0, 0]);
});

t.test('a server that gives up on a slow reader is not blamed', async (t) => {
  for (const slow of [true, false]) {
    const state = { written: 0, reset: (): void => {} };
    const started = await three(t, async (connection) => {
      await connection.readHead();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
      state.reset = () => connection.reset();
      while (!connection.socket.destroyed) {
        await connection.write(Buffer.alloc(100_000));
        state.written++;
      }
    });
    const { connect, clock, seen, balancer } = started;
    for (let i = 1; i <= 3; i++) {
      state.written = 0;
      const client = await connect();
      client.send(GET);
      await client.bytes(1000);
      client.socket.pause();
      await steady(() => state.written);
      clock.advance(slow ? 5000 : 500);
      state.reset();
      // The server is read again as soon as the client reads.
      client.socket.resume();
      t.equal((await seen.request(i)).reason, 'reset_in_response');
      client.destroy();
      await until(() => balancer.clientCount === 0);
    }
    t.equal(seen.stateChanges.length, slow ? 0 : 1);
  }
});

t.test('timeouts.total counts against a server only if it had at least half of that time', async (t) => {
  let asked = 0;
  const started = await three(
    t,
    async (connection) => {
      await connection.readHead();
      asked++;
      await connection.hang();
      connection.end();
    },
    { timeouts: { total: '2s' }, retry: false },
  );
  const { connect, clock, seen } = started;
  for (const [owing, counted] of [
    [1500, 0],
    [900, 1],
  ] as const) {
    const before = seen.requests.length;
    asked = 0;
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab');
    await until(() => asked === 1);
    clock.advance(owing);
    client.send('c');
    await turns();
    clock.advance(2200 - owing);
    t.equal((await seen.request(before + 1)).reason, 'total_timeout');
    t.equal((await failures(started))[0], counted, `after ${owing} ms of waiting for the client`);
    client.destroy();
  }
});

t.test('the time that a client takes to send its body is not counted as latency of the server', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.read(3);
    await connection.write(OK);
  });
  const { connect, clock, balancer } = await startBalancer(
    t,
    { servers: [server.address] },
    { manual: true },
  );
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab');
  await until(() => balancer.status().servers[0]?.totals.requests === 1);
  clock.advance(9000);
  client.send('c');
  await client.response();
  await balancer.collectFigures();
  const [figures] = atOnce(balancer.figureSteps()).servers;
  const [times] = figures?.responseTimes ?? [];
  t.match(times, { sum: 0 });
  t.equal(
    times?.counts.reduce((sum, count) => sum + count),
    1,
    'one response, after 0 ms',
  );
});

nothingIsLeft(t);
