import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import { answering, type RawConnection } from '../../fixtures/raw-server.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { type Started, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { inFlight, nothingIsLeft } from '../support/leaks.js';
import { steady, turns, until } from '../support/loop-ticks.js';
import { type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { origin } from '../support/origin.js';
import { oneThread, SWITCHED_WORKERS } from '../support/thread-switch.js';

const NONE = { pooledObjects: 0, active: 0, poolWaiting: 0 };

/** An origin that does `work` and records when its connection closed. */
async function noting(t: Test, work: (connection: RawConnection) => Promise<unknown>) {
  const state = { asked: 0, lost: 0 };
  const server = await origin(t, async (connection) => {
    connection.socket.once('end', () => {
      state.lost++;
      connection.socket.destroy();
    });
    connection.socket.once('error', () => state.lost++);
    await connection.readHead();
    state.asked++;
    await work(connection);
    await new Promise((resolve) => connection.socket.once('close', resolve));
  });
  return { server, state };
}

/**
 * Asks, and half-closes at once; resolves with the client and the head of its answer. With several threads, a busy machine may
 * bring the FIN to the balancer more than 100 ms after the request: then the client counts as gone, and another one asks.
 */
async function askAndEnd(started: Started, request: string): Promise<{ client: RawClient; head: string }> {
  for (let tried = 1; ; tried++) {
    const client = await started.connect();
    client.socket.end(request);
    try {
      return { client, head: await client.until('\r\n\r\n') };
    } catch (error) {
      if (SWITCHED_WORKERS === 1 || tried === 10) throw error;
    }
  }
}

/** With several threads the end of a request is known a moment after the connection of its client is gone. */
const nothingInFlight = (): Promise<void> => until(() => inFlight().active === 0);

t.test('a request followed at once by a FIN is answered', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await pause(30);
      await connection.write(OK);
    }
  });
  for (const means of ['fast', 'documented'] as const) {
    const started = await startBalancer(t, { servers: [server.address] }, { sockets: means });
    for (const request of [GET, 'GET / HTTP/1.0\r\n\r\n']) {
      const { client, head } = await askAndEnd(started, request);
      t.match(head, /^HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n\r\n$/s);
      t.equal(await client.toEnd(), 'ok');
      await client.gone();
      t.equal(client.error, null);
    }
    await started.seen.when(({ requests }) => requests.filter(({ reason }) => reason === '').length === 2);
  }
});

t.test(
  'a FIN within 100 ms of the request half-closes; after one much later the client counts as gone',
  async (t) => {
    const { server, state } = await noting(t, async () => {});
    for (const sockets of ['fast', 'documented'] as const) {
      const { connect, seen, clock } = await startBalancer(
        t,
        { servers: [server.address] },
        { manual: true, sockets },
      );
      let ended = 0;
      for (const request of [GET, `${POST}abcdefghij`]) {
        for (const [after, isHalfClose] of [
          [0, true],
          [100, true],
          // The wheel has turned since the 100 ms were over.
          [200, false],
          [400, false],
        ] as const) {
          const { asked, lost } = state;
          const client = await connect();
          // Between two ticks of the timer wheel.
          clock.advance(80 - (clock.now() % 50));
          client.send(request);
          await until(() => state.asked === asked + 1);
          await turns();
          clock.advance(after);
          await turns();
          client.end();
          if (isHalfClose) {
            await turns(50);
            t.equal(seen.requests.length, ended, `${sockets}: after ${after} ms`);
            client.destroy();
          } else {
            t.match(
              await seen.request(++ended),
              { reason: 'client_abort', status: 0 },
              `${sockets}: after ${after} ms`,
            );
            await until(() => state.lost > lost);
          }
        }
      }
    }
  },
);

/** Is there a FIN of the client at the balancer's socket that nobody has read yet? */
function hasUnreadFin(port: number, clientPort: number | undefined): boolean {
  const hex = (number = 0): string => `:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .some((line) => {
      const [, at = '', from = '', state, queues = ''] = line.trim().split(/\s+/);
      const isIt = at.endsWith(hex(port)) && from.endsWith(hex(clientPort));
      // CLOSE_WAIT, and a FIN counts as a byte of what is to be read.
      return isIt && state === '08' && !queues.endsWith(':00000000');
    });
}

/** Stands still, and the event loop with it, until `condition` holds; false after ten seconds. */
function blocksUntil(condition: () => boolean): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) return false;
    Atomics.wait(cell, 0, 0, 1);
  }
  return true;
}

const LINUX = { skip: process.platform !== 'linux' && 'it reads /proc' };
t.test(
  'a FIN that a late event loop reads long after the request half-closes all the same',
  LINUX,
  async (t) => {
    for (const sockets of ['fast', 'documented'] as const) {
      let answer = (): void => {};
      const waits = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const { server, state } = await noting(t, async (connection) => {
        await waits;
        await connection.write(OK);
      });
      const { connect, port, clock, seen } = await startBalancer(
        t,
        { servers: [server.address] },
        { manual: true, sockets, ...oneThread('the test holds up the thread that reads') },
      );
      const client = await connect();
      client.send(GET);
      await until(() => state.asked === 1);
      await turns();
      const { localPort } = client.socket;
      await new Promise<void>((resolve) => {
        // Called before the event loop looks at its sockets again: the FIN has come, and then the time passes.
        client.socket.end(() => {
          t.ok(
            blocksUntil(() => hasUnreadFin(port, localPort)),
            `${sockets}: a FIN has come and is not read`,
          );
          clock.advance(5000);
          resolve();
        });
      });
      await turns();
      answer();
      t.match(await client.toEnd(), /^HTTP\/1\.1 200 OK\r\n/, sockets);
      t.equal((await seen.request()).reason, '');
    }
  },
);

t.test('a FIN that was not read during a pause half-closes', async (t) => {
  const [server] = (await namedOrigins(t, 'a')) as [NamedOrigin];
  let answer = (): void => {};
  server.hold = new Promise((resolve) => {
    answer = resolve;
  });
  const { connect, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  // More than is kept of them: reading pauses.
  const long = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(7000)}\r\n\r\n`;
  for (let sent = 0; sent < 12; sent += 6) {
    client.send(long.repeat(6));
    await until(() => server.heads.length === 1);
    await turns();
  }
  client.socket.end();
  for (let round = 0; round < 20; round++) {
    await turns();
    clock.advance(100);
  }
  await turns();
  answer();
  const text = await client.toEnd();
  t.equal(text.split('HTTP/1.1 200 OK').length - 1, 12);
});

t.test('the request of a client that leaves while it waits is cancelled', async (t) => {
  for (const leave of ['reset', 'end'] as const) {
    const { server, state } = await noting(t, async () => {});
    const { connect, seen, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
    const client = await connect();
    client.send(GET);
    await until(() => state.asked === 1);
    // Long after the request, a FIN is not a half-close any more.
    clock.advance(1500);
    await turns();
    client[leave]();
    t.match(await seen.request(), { reason: 'client_abort', status: 0, server: server.address });
    await until(() => state.lost === 1);
    await nothingInFlight();
    t.strictSame(inFlight(), NONE);
  }
});

t.test('requests of clients that leave while waiting for a connection are not sent', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect, balancer } = await startBalancer(t, { servers: [server.address] });
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  for (const client of clients) client.send(GET);
  await new Promise((resolve) => setImmediate(resolve));
  for (const client of clients) client.reset();
  await until(() => balancer.clientCount === 0);
  await nothingInFlight();
  t.strictSame(inFlight(), NONE);
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, 'ok', 'and not the answer to a cancelled request');
});

/** A server with capacity for one request, which is in use. */
async function fullServer(t: Test, means?: SocketMode) {
  const [server] = (await namedOrigins(t, 'a')) as [NamedOrigin];
  let answer = (): void => {};
  server.hold = new Promise((resolve) => {
    answer = resolve;
  });
  const settings = { servers: [{ name: 'a', address: server.address, max_connections: 1 }] };
  const started = await startBalancer(t, settings, { manual: true, sockets: means });
  const first = await started.connect();
  first.send(GET);
  await until(() => server.heads.length === 1);
  const waiting = (): number => started.balancer.status().routes[0]?.servers[0]?.waiting ?? 0;
  return { ...started, server, waiting, answer };
}

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
const CHUNKS = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

t.test('the request of a client that leaves the queue is cancelled, with its body', async (t) => {
  for (const means of ['fast', 'documented'] as const) {
    const { connect, seen, clock, waiting } = await fullServer(t, means);
    for (const [body, leave] of [
      [`${POST}abc`, 'reset'],
      [`${POST}abc`, 'end'],
      [`${POST}abcdefghij`, 'reset'],
      [`${POST}abcdefghij`, 'end'],
      [`${CHUNKS}3\r\nabc\r\n0\r\n\r\n`, 'reset'],
      [`${CHUNKS}3\r\nabc\r\n0\r\n\r\n`, 'end'],
    ] as const) {
      const before = seen.requests.length;
      const client = await connect();
      client.send(body);
      await until(() => waiting() === 1);
      await pause(2);
      // Long after the request, a FIN is not a half-close any more.
      clock.advance(1500);
      await turns();
      client[leave]();
      t.match(await seen.request(before + 1), { reason: 'client_abort', status: 0 }, `${means}: ${leave}`);
      t.equal(waiting(), 0);
    }
  }
});

t.test('a complete request followed by a FIN keeps its place in the queue', async (t) => {
  for (const means of ['fast', 'documented'] as const) {
    const { connect, waiting, answer, server } = await fullServer(t, means);
    const clients = [await connect(), await connect()];
    clients[0]?.socket.end(`${POST}abcdefghij`);
    clients[1]?.socket.end(GET);
    await until(() => waiting() === 2);
    await pause(2);
    answer();
    for (const client of clients)
      t.match(await client.toEnd(), /^HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n\r\na$/s);
    t.equal(server.heads.length, 3);
  }
});

t.test('of a long body in the queue only a part is read, and later all of it is sent', async (t) => {
  const { connect, waiting, answer, server, seen } = await fullServer(t);
  const body = pattern(5_000_000);
  const client = await connect();
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
  client.send(body);
  await until(() => waiting() === 1);
  await steady(() => client.socket.writableLength);
  t.ok(client.socket.writableLength > 0, 'the client is paused');
  answer();
  t.equal((await client.response()).body, 'a');
  t.equal(server.heads.length, 2);
  t.equal((await seen.request(2)).bytesIn, body.length);
});

t.test('when a client leaves during its upload, the server connection is closed', async (t) => {
  for (const leave of ['reset', 'end'] as const) {
    const { server, state } = await noting(t, (connection) => connection.read(3));
    const { connect, seen } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await until(() => state.asked === 1);
    client[leave]();
    t.match(await seen.request(), { reason: 'client_abort', bytesIn: 3 });
    await until(() => state.lost === 1);
    await nothingInFlight();
    t.strictSame(inFlight(), NONE);
  }
});

t.test('when a client leaves during its download, the server connection is closed', async (t) => {
  const { server, state } = await noting(t, async (connection) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n');
    while (!connection.socket.destroyed) await connection.write(pattern(100_000));
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  for (const leave of ['reset', 'destroy'] as const) {
    const before = seen.requests.length;
    const client = await connect();
    client.send(GET);
    await client.bytes(1_000_000);
    client[leave]();
    t.match(await seen.request(before + 1), { reason: 'client_abort', status: 200 });
    await until(() => state.lost === before + 1);
    await nothingInFlight();
    t.strictSame(inFlight(), NONE);
  }
});

t.test(
  'when a client half-closes and then leaves during its download, the server connection is closed',
  async (t) => {
    const { server, state } = await noting(t, async (connection) => {
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n');
      while (!connection.socket.destroyed) await connection.write(pattern(100_000));
    });
    for (const means of ['fast', 'documented'] as const) {
      const started = await startBalancer(t, { servers: [server.address] }, { sockets: means });
      for (const leave of ['reset', 'destroy'] as const) {
        const { client } = await askAndEnd(started, GET);
        await client.bytes(1_000_000);
        const before = started.seen.requests.length;
        client[leave]();
        t.match(await started.seen.request(before + 1), { reason: 'client_abort', status: 200 });
      }
    }
    await until(() => state.lost === state.asked);
  },
);

t.test(
  'when a client that reads nothing leaves during its download, the server connection is closed',
  async (t) => {
    const { server, state } = await noting(t, async (connection) => {
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n');
      while (!connection.socket.destroyed) await connection.write(pattern(100_000));
    });
    const { connect, seen } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.socket.pause();
    client.send(GET);
    await until(() => state.asked === 1);
    await pause(100);
    client.reset();
    t.match(await seen.request(), { reason: 'client_abort' });
    await until(() => state.lost === 1);
  },
);

t.test('a client that leaves after nothing or half a head is forgotten', async (t) => {
  const { connect, balancer, seen } = await startBalancer(t, { servers: ['127.0.0.1:1'] });
  for (const bytes of ['', '\r\n', 'GET / HT', 'GET / HTTP/1.1\r\nHost:']) {
    for (const leave of ['end', 'reset'] as const) {
      const client = await connect();
      client.send(bytes);
      await pause(2);
      client[leave]();
      await client.gone();
      await until(() => balancer.clientCount === 0);
    }
  }
  t.equal(seen.requests.length, 0);
  await nothingInFlight();
  t.strictSame(inFlight(), NONE);
});

t.test('a thousand clients that connect and leave are all forgotten', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect, balancer } = await startBalancer(t, { servers: [server.address] });
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, connect));
    for (const [index, client] of clients.entries()) {
      if (index % 4 !== 0) client.send(GET);
      if (index % 4 === 1) client.reset();
      else if (index % 4 === 2) client.end();
      else client.destroy();
    }
    await until(() => balancer.clientCount === 0);
  }
  await nothingInFlight();
  t.strictSame(inFlight(), NONE);
});

nothingIsLeft(t);
