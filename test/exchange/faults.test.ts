import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import type { RawConnection, Script } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { inFlight, nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';

/** One faulty server, with a client; `go` lets the script of the server take the next step. */
async function faulty(
  t: Test,
  script: (connection: RawConnection, go: () => Promise<void>) => unknown,
  settings: Partial<Parameters<typeof startBalancer>[1]> = {},
) {
  let next = (): void => {};
  const server = await origin(t, (async (connection) => {
    const go = () =>
      new Promise<void>((resolve) => {
        next = resolve;
      });
    await script(connection, go);
  }) as Script);
  const started = await startBalancer(t, { servers: [server.address], ...settings }, { manual: true });
  return { ...started, server, client: await started.connect(), go: () => next() };
}

/** Which case a request is about. */
function caseOf(head: string): number {
  return Number(/^\w+ \/(\d+) /.exec(head)?.[1]);
}

t.test('a fault before the head is complete is a 502, and the client stays connected', async (t) => {
  const cases = [
    ['a reset at once', '', 'reset', 'reset_before_response'],
    ['a FIN at once', '', 'end', 'reset_before_response'],
    ['a reset in the status line', 'HTTP/1.1 2', 'reset', 'reset_in_response'],
    ['a FIN in the status line', 'HTTP/1.1 2', 'end', 'reset_in_response'],
    ['a FIN in the fields', 'HTTP/1.1 200 OK\r\nContent-Le', 'end', 'reset_in_response'],
    ['garbage', '\x16\x03\x01\x02\x00\r\n\r\n', '', 'bad_response'],
    ['garbage without an end', '\x00\x01\x02\x03', '', 'bad_response'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', '', 'bad_response'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
      '',
      'bad_response',
    ],
    ['an invalid length', 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok', '', 'bad_response'],
    [
      '101 unasked',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      '',
      'bad_response',
    ],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'X-Long: y\r\n'.repeat(10_000)}`, '', 'bad_response'],
  ] as const;
  const { client, seen } = await faulty(t, async (connection) => {
    const [, bytes = '', ending] = cases[caseOf(await connection.readHead())] ?? [];
    await connection.write(bytes);
    if (ending === 'reset') {
      await pause(10);
      connection.reset();
    } else if (ending === 'end') {
      connection.end();
    } else {
      await connection.hang();
      connection.end();
    }
  });
  for (const [index, [name, , , reason]] of cases.entries()) {
    for (let i = 1; i <= 2; i++) {
      client.send(`POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
      const { status, head } = await client.response();
      t.equal(status, 502, name);
      t.notMatch(head, /connection: close/i);
      t.match(await seen.request(2 * index + i), { reason, status: 502, attempts: 1 }, name);
    }
  }
});

t.test("a fault after the response head resets the client's connection", async (t) => {
  const cases = [
    ['a reset within a length', LONG, 'reset', 'reset_in_response'],
    ['a FIN within a length', LONG, 'end', 'reset_in_response'],
    ['a reset within chunks', CHUNKED, 'reset', 'reset_in_response'],
    ['a FIN within chunks', CHUNKED, 'end', 'reset_in_response'],
    ['a FIN in the last chunk', CHUNKED, '0\r\n', 'reset_in_response'],
    ['an invalid chunk size', CHUNKED, 'xyz\r\n', 'bad_response'],
    ['a chunk longer than its size', CHUNKED, '2\r\nabc\r\n', 'bad_response'],
    ['a reset of a body without length', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset', 'reset_in_response'],
  ] as const;
  const { connect, seen, go } = await faulty(t, async (connection, step) => {
    const [, bytes = '', fault = ''] = cases[caseOf(await connection.readHead())] ?? [];
    await connection.write(bytes);
    await step();
    if (fault === 'reset') return connection.reset();
    if (fault !== 'end') await connection.write(fault);
    connection.end();
  });
  for (const [index, [name, , , reason]] of cases.entries()) {
    const client = await connect();
    client.send(GET.replace('/', `/${index}`));
    await client.until('hello');
    go();
    await client.gone();
    t.equal(client.error?.code, 'ECONNRESET', name);
    t.match(await seen.request(index + 1), { reason, status: 200, bytesOut: 5 }, name);
  }
});

t.test('a reset after a body without length is not taken for the end of the body', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\n\r\nhello');
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  for (const request of [
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  ]) {
    for (let i = 0; i < 10; i++) {
      const client = await connect();
      client.send(request);
      t.notMatch(await client.toEnd(), /\r\n0\r\n\r\n$/);
      client.destroy();
    }
  }
  await seen.when(({ requests }) => requests.length === 20);
  t.ok(seen.requests.every(({ reason }) => reason.startsWith('reset_')));
});

t.test('an HTTP/1.0 client also gets a reset when its answer breaks off', async (t) => {
  const { client, go } = await faulty(t, async (connection, step) => {
    await connection.readHead();
    await connection.write(CHUNKED);
    await step();
    connection.end();
  });
  client.send('GET / HTTP/1.0\r\n\r\n');
  await client.until('hello');
  go();
  await client.gone();
  t.equal(client.error?.code, 'ECONNRESET');
});

t.test('a server that hangs before the end of its head is a 504 after its timeout', async (t) => {
  for (const bytes of ['', 'HTTP/1.1 200 OK\r\nContent-', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
    const { client, clock, seen, server } = await faulty(t, async (connection) => {
      await connection.readHead();
      await connection.write(bytes);
      await connection.hang();
      connection.end();
    });
    client.send(GET);
    await until(() => server.connections !== 0);
    await pause(20);
    clock.advance(59_000);
    t.equal(seen.requests.length, 0);
    clock.advance(1200);
    await client.until('HTTP/1.1 504 Gateway Timeout\r\n');
    t.match(await seen.request(), { reason: 'response_timeout', attempts: 1 });
    t.strictSame(inFlight(), { pooledObjects: 0, active: 0, poolWaiting: 0 });
  }
});

t.test('the client is cut when a server hangs in a body for its timeout', async (t) => {
  const { client, clock, seen } = await faulty(t, async (connection) => {
    await connection.readHead();
    await connection.write(LONG);
    await connection.hang();
    connection.end();
  });
  client.send(GET);
  await client.until('hello');
  clock.advance(59_000);
  t.equal(seen.requests.length, 0);
  clock.advance(1200);
  await client.gone();
  t.equal(client.error?.code, 'ECONNRESET');
  t.match(await seen.request(), { reason: 'response_stalled' });
});

t.test('a client that reads nothing is cut after its timeout', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
    for (let i = 0; i < 100 && !connection.socket.destroyed; i++) await connection.write(pattern(1_000_000));
  });
  const { connect, seen, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.socket.pause();
  client.send(GET);
  for (let waited = 0; seen.requests.length === 0 && waited < 200; waited++) {
    await pause(10);
    if (waited > 30) clock.advance(5000);
  }
  t.match(await seen.request(), { reason: 'client_stalled', status: 200 });
});

t.test('a server that does not read the request is a 504', async (t) => {
  const server = await origin(t, async (connection) => {
    connection.stopReading();
    await new Promise((resolve) => connection.socket.once('close', resolve));
  });
  const { connect, seen, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  client.send(Buffer.alloc(100_000_000));
  for (let waited = 0; seen.requests.length === 0 && waited < 200; waited++) {
    await pause(10);
    if (waited > 30) clock.advance(5000);
  }
  t.match(await seen.request(), { reason: 'response_timeout', status: 504 });
  client.destroy();
});

t.test('timeouts.total ends a request in the queue, at a second server, and during its answer', async (t) => {
  let asked = 0;
  const hang = async (connection: RawConnection): Promise<void> => {
    await connection.readHead();
    asked++;
    await connection.hang();
    connection.end();
  };
  const [silent, again, slow] = [await origin(t, hang), await origin(t, hang), await origin(t, hang)];
  const talking = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(CHUNKED);
    while (!connection.socket.destroyed) {
      await pause(2);
      await connection.write('1\r\nx\r\n');
    }
  });
  const { connect, seen, clock } = await startBalancer(
    t,
    {
      timeouts: { total: '2s', response_header: '1500ms', queue: '10s' },
      hosts: [
        { host: 'silent', servers: [{ address: silent.address, max_connections: 1 }], retry: false },
        {
          host: 'twice',
          algorithm: 'first',
          servers: [slow.address, again.address],
          retry: { on: ['timeout'] },
        },
        { host: 'talking', servers: [talking.address] },
        { host: 'patient', servers: [slow.address], timeouts: { total: '3s', response_header: 0 } },
      ],
    },
    { manual: true },
  );
  const ask = async (host: string): Promise<RawClient> => {
    const client = await connect();
    client.send(GET.replace('Host: a', `Host: ${host}`));
    return client;
  };
  const first = await ask('silent');
  await until(() => asked === 1);
  const inLine = await ask('silent');
  await until(() => inFlight().poolWaiting === 1);
  const twice = await ask('twice');
  await until(() => asked === 2);
  const inAnswer = await ask('talking');
  await inAnswer.until('\r\n1\r\nx');
  const patient = await ask('patient');
  await until(() => asked === 3);
  clock.advance(1400);
  clock.advance(200);
  // The request in the queue has the connection now, and the second server is asked.
  await until(() => asked === 5);
  await first.until('HTTP/1.1 504 Gateway Timeout\r\n');
  await seen.request();
  t.match(
    seen.requests,
    [{ host: 'silent', reason: 'response_timeout' }],
    'this request was at the silent server',
  );
  clock.advance(350);
  t.equal(seen.requests.length, 1);
  clock.advance(100);
  await inLine.until('HTTP/1.1 504 Gateway Timeout\r\n');
  await twice.until('HTTP/1.1 504 Gateway Timeout\r\n');
  await inAnswer.gone();
  t.equal(inAnswer.error?.code, 'ECONNRESET');
  await seen.request(4);
  const ended = seen.requests.slice(1).map(({ host, reason, attempts }) => `${host} ${reason} ${attempts}`);
  t.strictSame(ended.sort(), ['silent total_timeout 1', 'talking total_timeout 1', 'twice total_timeout 2']);
  clock.advance(1100);
  await patient.until('HTTP/1.1 504 Gateway Timeout\r\n');
  t.match(await seen.request(5), { host: 'patient', reason: 'total_timeout' });
  t.strictSame(inFlight(), { pooledObjects: 0, active: 0, poolWaiting: 0 });
});

t.test(
  'timeouts.total counts against the silent server, not against a server that was not asked',
  async (t) => {
    let asked = 0;
    const { client, clock, balancer } = await faulty(
      t,
      async (connection) => {
        await connection.readHead();
        asked++;
        await connection.hang();
        connection.end();
      },
      { timeouts: { total: '1s' } },
    );
    client.send(GET);
    await until(() => asked === 1);
    clock.advance(1100);
    t.equal((await client.response()).status, 504);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhal');
    await until(() => asked === 2);
    clock.advance(1100);
    await client.until('HTTP/1.1 504 Gateway Timeout\r\n');
    await balancer.collectFigures();
    t.match(
      balancer.status().servers,
      [{ totals: { failures: 1, requests: 2 } }],
      'the second server did not have the whole request',
    );
  },
);

t.test('timeouts.total does not end a tunnel', async (t) => {
  const { client, clock } = await faulty(
    t,
    async (connection, go) => {
      await connection.readHead();
      await connection.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      );
      await connection.readUntil('ping');
      await connection.write('pong');
      await go();
    },
    { timeouts: { total: '1s' } },
  );
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until('\r\n\r\n');
  clock.advance(5000);
  client.send('ping');
  await client.until('pong');
  client.destroy();
});

t.test('whatever happened on one connection, the next request is not affected', async (t) => {
  const faults: ((connection: RawConnection) => unknown)[] = [
    (connection) => connection.write(`${CHUNKED}xyz\r\n`),
    (connection) => connection.write(LONG).then(() => connection.reset()),
    (connection) => connection.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`),
    (connection) => connection.write('HTTP/1.1 2').then(() => connection.end()),
    (connection) => connection.write(`${CHUNKED}0\r\nX: y\r\n\r\npoison`),
    (connection) => connection.reset(),
  ];
  const server = await origin(t, async (connection, index) => {
    await connection.readHead();
    await faults[index]?.(connection);
    if (index < faults.length) return connection.end();
    for (const byte of OK) await connection.write(byte);
    connection.end();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  for (let i = 0; i < faults.length; i++) {
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    t.notMatch(await client.toEnd(), 'poison');
  }
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, 'ok');
});

nothingIsLeft(t);
