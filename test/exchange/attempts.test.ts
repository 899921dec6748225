import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { chunked, deadAddress, origin, type ReceivedRequest, readRequest } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';

/** An origin that answers the first request of each connection, and does `then` at the second. */
async function stale(t: Test, then: 'end' | 'reset', healAfter = 1) {
  const received: string[] = [];
  const server = await origin(t, async (connection, index) => {
    received.push((await readRequest(connection)).head);
    await connection.write(OK);
    if (index >= healAfter) return answering(OK)(connection, index);
    received.push((await readRequest(connection)).head);
    if (then === 'end') connection.end();
    else connection.reset();
  });
  return { server, received };
}

t.test('a pooled connection that closes while a request is sent is replaced without an error', async (t) => {
  for (const then of ['end', 'reset'] as const) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']) {
      const { server } = await stale(t, then);
      const { connect, seen } = await startBalancer(t, { servers: [server.address] });
      const client = await connect();
      client.send(GET);
      await client.response();
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 OK/, `${method} after ${then}`);
      t.equal(server.accepted, 2);
      t.equal((await seen.request(2)).attempts, 1, 'the replacement does not count as an attempt');
    }
  }
});

t.test('a POST on a stale connection is not sent again', async (t) => {
  for (const then of ['end', 'reset'] as const) {
    for (const method of ['POST', 'PATCH', 'BREW']) {
      const { server, received } = await stale(t, then);
      const other = await origin(t, answering(OK));
      const { connect, seen } = await startBalancer(t, { servers: [server.address] });
      const client = await connect();
      client.send(GET);
      await client.response();
      client.send(POST.replace('POST', method));
      t.equal((await client.response()).status, 502);
      t.equal(received.filter((head) => head.startsWith(method)).length, 1);
      t.equal((await seen.request(2)).reason, 'reset_before_response');
      t.equal(server.accepted + other.accepted, 1);
    }
  }
});

t.test('when the new connection fails too, another server is tried', async (t) => {
  const { server, received } = await stale(t, 'reset', 0);
  const other = await origin(t, answering(OK));
  const failing = await origin(t, async (connection) => {
    await connection.readHead();
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, {
    algorithm: 'first',
    servers: [failing.address, other.address],
  });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 200);
  t.equal((await seen.request()).attempts, 2);
  t.equal(failing.accepted, 1);
  t.equal(server.accepted + received.length, 0);
});

t.test('no GET fails when a server restarts, however many connections were pooled', async (t) => {
  const sockets = new Set<Socket>();
  const listen = async (port: number) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
      socket.on('data', () => setTimeout(() => socket.write(OK), 5));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const { connect, seen } = await startBalancer(t, { servers: [`127.0.0.1:${port}`] });
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  for (let restart = 0; restart < 3; restart++) {
    for (const client of clients) client.send(GET);
    for (const client of clients) t.equal((await client.response()).status, 200);
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    server = await listen(port);
  }
  for (const client of clients) client.send(GET);
  for (const client of clients) t.equal((await client.response()).status, 200);
  t.strictSame(
    seen.requests
      .filter(({ reason }) => reason !== '')
      .map(({ reason, detail, attempts }) => ({ reason, detail, attempts })),
    [],
  );
  server.close();
  for (const socket of sockets) socket.destroy();
});

t.test('after a refused connect another server gets the request with its whole body', async (t) => {
  const dead = await deadAddress();
  const body = pattern(200_000);
  for (const [name, request] of [
    ['none', [GET]],
    ['with its head', [POST.replace('5\r\n\r\nhello', `${body.length}\r\n\r\n`), body]],
    [
      'chunked',
      [
        POST.replace('Content-Length: 5\r\n\r\nhello', 'Transfer-Encoding: chunked\r\n\r\n'),
        chunked(body, 999),
      ],
    ],
  ] as const) {
    let received: ReceivedRequest | null = null;
    const server = await origin(t, async (connection) => {
      for (;;) {
        received = await readRequest(connection);
        await connection.write(OK);
      }
    });
    const { connect, seen } = await startBalancer(t, { algorithm: 'first', servers: [dead, server.address] });
    const client = await connect();
    client.send(Buffer.concat(request.map((piece) => Buffer.from(piece as string, 'latin1'))));
    t.equal((await client.response()).status, 200, name);
    t.equal((await seen.request()).attempts, 2);
    if (name !== 'none')
      t.ok(body.equals((received as unknown as ReceivedRequest).body), 'every byte of the body, once');
  }
});

t.test('at most three servers are tried, and the last failure decides the status', async (t) => {
  const dead = await Promise.all([deadAddress(), deadAddress(), deadAddress(), deadAddress()]);
  const { connect, seen } = await startBalancer(t, { servers: dead });
  const client = await connect();
  client.send(POST);
  t.equal((await client.response()).status, 502);
  const { attempts, reason, detail, tries } = await seen.request();
  t.strictSame(
    { attempts, reason, detail },
    { attempts: 3, reason: 'connect_refused', detail: 'ECONNREFUSED' },
  );
  t.equal(new Set(tries.map(({ server }) => server)).size, 3, 'a different one each time');
  client.send(GET);
  t.equal((await client.response()).status, 502, 'and the connection stays open');
});

t.test('a server that accepts no connection fails after timeouts.connect', async (t) => {
  // It listens and never accepts; once its accept queue is full the kernel drops every SYN, as a host that is down does.
  const deaf = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
       require('fs').writeSync(1, String(this.address().port));
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     })`,
  ]);
  t.teardown(() => deaf.kill('SIGKILL'));
  const [said] = (await once(deaf.stdout, 'data')) as [Buffer];
  const port = Number(said);
  const fillers = Array.from({ length: 4 }, () => createConnection(port, '127.0.0.1').on('error', () => {}));
  t.teardown(() => fillers.forEach((socket) => void socket.destroy()));
  await once(fillers[0] as Socket, 'connect');
  await pause(50);

  const settings = { servers: [`127.0.0.1:${port}`], timeouts: { connect: '1s' } };
  const { connect, clock, seen } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  client.send(POST);
  await until(
    () => seen.requests.length > 0,
    'timeouts.connect ends the request',
    async () => {
      await pause(2);
      clock.advance(100);
    },
  );
  t.equal((await client.response()).status, 504);
  t.equal((await seen.request()).reason, 'connect_timeout');
});

t.test('a POST is never sent twice, whatever fails', async (t) => {
  const received: string[] = [];
  const bad = (fail: 'head' | 'body' | 'response' | 'end' | 'garbage') =>
    startRawServer(async (connection) => {
      const head = await connection.readHead();
      received.push(head);
      if (fail === 'head') return connection.reset();
      await connection.read(5);
      if (fail === 'body') return connection.reset();
      if (fail === 'end') return connection.end();
      await connection.write(fail === 'garbage' ? 'garbage\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-');
      if (fail === 'response') connection.reset();
      else connection.end();
    });
  for (const fail of ['head', 'body', 'response', 'end', 'garbage'] as const) {
    received.length = 0;
    const servers = await Promise.all([bad(fail), bad(fail), bad(fail)]);
    t.teardown(() => Promise.all(servers.map((server) => server.close())));
    const { connect } = await startBalancer(t, { servers: servers.map(({ address }) => address) });
    const client = await connect();
    client.send(POST);
    t.equal((await client.response()).status, 502, fail);
    t.equal(received.length, 1);
  }
});

t.test('an upload that is cut off is sent again only if its whole body was kept', async (t) => {
  for (const [size, status] of [
    [1000, 200],
    [60_000, 200],
    [500_000, 502],
  ] as const) {
    const body = pattern(size);
    const bad = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.read(Math.min(size, 300_000));
      connection.reset();
    });
    let received = Buffer.alloc(0);
    const good = await origin(t, async (connection) => {
      received = (await readRequest(connection)).body as Buffer<ArrayBuffer>;
      await connection.write(OK);
    });
    const { connect } = await startBalancer(t, { algorithm: 'first', servers: [bad.address, good.address] });
    const client = await connect();
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    for (let at = 0; at < size; at += 100_000) {
      client.send(body.subarray(at, at + 100_000));
      await pause(2);
    }
    t.equal((await client.response()).status, status, `${size} bytes`);
    t.ok(received.equals(status === 200 ? body : Buffer.alloc(0)));
    t.equal(good.accepted, status === 200 ? 1 : 0);
  }
});

t.test('an upload that has just begun continues at the next server', async (t) => {
  const body = pattern(50_000);
  let failed = false;
  const bad = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.read(10_000);
    connection.reset();
    failed = true;
  });
  let received = Buffer.alloc(0);
  const good = await origin(t, async (connection) => {
    for (;;) {
      received = (await readRequest(connection)).body as Buffer<ArrayBuffer>;
      await connection.write(OK);
    }
  });
  const { connect } = await startBalancer(
    t,
    { servers: [bad.address, good.address] },
    oneThread('each thread begins round robin at another turn'),
  );
  const client = await connect();
  client.send('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  const bytes = chunked(body, 1000, 'X-Sum: 1\r\n');
  client.send(bytes.subarray(0, 20_001));
  await until(() => !(!failed || good.accepted === 0));
  client.send(bytes.subarray(20_001));
  t.equal((await client.response()).status, 200);
  t.ok(received.equals(body));
  client.send(GET);
  t.equal((await client.response()).status, 200);
});

t.test('the record lists the attempts in order', async (t) => {
  const dead = await deadAddress();
  const { server } = await stale(t, 'reset');
  const other = await origin(t, answering(OK));
  const restarted = await startBalancer(t, { servers: [server.address] });
  const failing = await startBalancer(t, { algorithm: 'first', servers: [dead, other.address] });
  for (const { connect, seen } of [restarted, failing]) {
    const client = await connect();
    for (let request = 0; request < 2; request++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
    }
    await seen.request(2);
  }
  const tries = [...restarted.seen.requests, ...failing.seen.requests.slice(0, 1)].map((request) =>
    request.tries.map(({ server, reason, status, reused }) => [server, reason, status, reused]),
  );
  t.strictSame(tries, [
    [[server.address, '', 200, false]],
    [
      [server.address, 'stale', 0, true],
      [server.address, '', 200, false],
    ],
    [
      [dead, 'connect_refused', 0, false],
      [other.address, '', 200, false],
    ],
  ]);
  for (const { durationMs, connectMs, queueMs, route, tries } of [
    ...restarted.seen.requests,
    ...failing.seen.requests.slice(0, 1),
  ]) {
    const tried = tries.reduce((sum, attempt) => sum + attempt.durationMs, 0);
    t.ok(tried > 0 && tried <= durationMs + 0.001, 'attempts follow one another');
    t.ok(connectMs > 0 && connectMs <= tried);
    t.equal(queueMs, 0);
    t.equal(route, 'default');
  }
});

t.test('time in the queue for a connection is not counted as time to open one', async (t) => {
  let served = 0;
  const slow = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await pause(20);
      served++;
      await connection.write(OK);
    }
  });
  const { connect, seen } = await startBalancer(
    t,
    { servers: [{ address: slow.address, max_connections: 1 }] },
    oneThread('a connection to a server stays in its thread'),
  );
  const [first, second] = await Promise.all([connect(), connect()]);
  first.send(GET);
  await pause(5);
  second.send(GET);
  t.equal((await first.response()).status, 200);
  t.equal((await second.response()).status, 200);
  t.equal(served, 2);
  const [one, two] = [await seen.request(1), await seen.request(2)];
  t.ok(one.queueMs === 0 && one.connectMs > 0);
  t.ok(two.queueMs > 5 && two.connectMs === 0);
  t.strictSame(
    two.tries.map(({ reused }) => reused),
    [true],
  );
});

t.test('a request without an attempt lists no servers', async (t) => {
  const { connect, seen } = await startBalancer(t, { hosts: [] });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 404);
  t.match(await seen.request(), { tries: [], route: '', connectMs: 0, queueMs: 0 });
});

nothingIsLeft(t);
