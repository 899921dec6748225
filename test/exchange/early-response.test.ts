import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { RawConnection } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { steady, turns, until } from '../support/loop-ticks.js';
import { chunked, origin, readRequest } from '../support/origin.js';

const TOO_LARGE = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsize';

function post(fields: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

/** Answers after the first `read` bytes of the body, and then waits. */
function hasty(read: number, answer = TOO_LARGE) {
  return async (connection: RawConnection): Promise<void> => {
    await connection.readHead();
    await connection.read(read);
    await connection.write(answer);
    connection.stopReading();
    await new Promise((resolve) => connection.socket.once('close', resolve));
  };
}

t.test('an answer in the middle of an upload is passed on at once; a small rest is dropped', async (t) => {
  const server = await origin(t, async (connection, index) => {
    if (index === 0) return hasty(3)(connection);
    await readRequest(connection);
    await connection.write(OK);
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(`${post('Content-Length: 60000\r\n')}abc`);
  const { status, head } = await client.response();
  t.equal(status, 413);
  t.notMatch(head, /connection: close/i);
  t.equal((await seen.request()).reason, '');
  client.send(Buffer.alloc(59_997, 'x'));
  client.send(post('Content-Length: 1\r\n').concat('y'));
  t.equal((await client.response()).body, 'ok', 'and the connection stays open');
  t.equal(server.accepted, 2, "but not the server's, which is owed the rest");
});

t.test(
  'when the rest of an upload is large or of unknown length, the connection ends after the answer',
  async (t) => {
    for (const fields of ['Content-Length: 500000\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const server = await origin(t, hasty(3));
      const { connect } = await startBalancer(t, { servers: [server.address] });
      const client = await connect();
      client.send(post(fields) + (fields.startsWith('T') ? '3\r\nabc\r\n' : 'abc'));
      const all = await client.toEnd();
      t.match(all, /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n\r\nsize$/s);
      // A client that continues for a while must not lose the answer to a reset.
      for (let i = 0; i < 10; i++) {
        client.send(Buffer.alloc(20_000, 'x'));
        await pause(1);
      }
      client.end();
      await client.gone();
      t.equal(client.error, null);
    }
  },
);

t.test('an answer reaches a client that reads only when it has sent everything', async (t) => {
  const server = await origin(t, hasty(3));
  const { connect } = await startBalancer(t, { servers: [server.address] });
  for (let i = 0; i < 5; i++) {
    const client = await connect();
    client.socket.pause();
    // If the kernel holds the whole body before the answer is there, nothing else would end the connection.
    client.send(post('Content-Length: 3000000\r\nConnection: close\r\n'));
    await new Promise((resolve) => client.socket.write(Buffer.alloc(3_000_000, 'x'), resolve));
    client.socket.resume();
    const { status, head, body } = await client.response();
    t.strictSame([status, body], [413, 'size']);
    // Unless all but the last bytes had arrived when the answer came.
    if (/\r\nConnection: close\r\n/.test(head)) t.equal(await client.toEnd(), '');
    client.end();
    await client.gone();
    t.equal(client.error, null);
  }
});

t.test('a local reply during an upload is not lost to a reset', async (t) => {
  const server = await origin(t, (connection) => connection.hang());
  const { connect } = await startBalancer(t, { servers: [server.address], limits: { body_bytes: 1000 } });
  for (const fields of ['Content-Length: 3000000\r\n', 'Transfer-Encoding: chunked\r\n']) {
    const client = await connect();
    client.socket.pause();
    client.send(post(fields));
    const body = Buffer.alloc(3_000_000, 'x');
    const bytes = fields.startsWith('T') ? chunked(body, 10_000) : body;
    await new Promise((resolve) => client.socket.write(bytes, resolve));
    client.socket.resume();
    t.match(await client.toEnd(), /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/s);
    client.end();
    await client.gone();
    t.equal(client.error, null);
  }
});

t.test('a long answer is sent while a long upload is received', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n');
    for (let i = 0; i < 20; i++) {
      const piece = await connection.read(20_000);
      await connection.write(piece);
    }
    await connection.hang();
    connection.end();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(post('Content-Length: 400000\r\n'));
  for (let i = 0; i < 20; i++) {
    client.send(Buffer.alloc(20_000, i));
    if (i === 0) await client.until('\r\n\r\n');
    t.equal(await client.bytes(20_000), Buffer.alloc(20_000, i).toString('latin1'));
  }
});

t.test('the client gets the answer of a server that ends its side during an upload', async (t) => {
  let answered = 0;
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(TOO_LARGE);
    connection.end();
    await connection.readToEnd();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  for (let i = 0; i < 20; i++) {
    const client = await connect();
    client.send(post('Content-Length: 1000000\r\n'));
    client.send(Buffer.alloc(200_000, 'x'));
    if (/^HTTP\/1\.1 413 .*size$/s.test(await client.toEnd())) answered++;
    client.destroy();
  }
  t.equal(answered, 20);
});

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: the client gets the answer of a server that then resets without reading the upload`,
    async (t) => {
      for (const [fields, frame] of [
        ['Content-Length: 10000000\r\n', (piece: Buffer) => piece],
        ['Transfer-Encoding: chunked\r\n', (piece: Buffer) => chunked(piece, 50_000).subarray(0, -5)],
      ] as const) {
        const server = await origin(t, async (connection) => {
          await connection.readHead();
          await connection.write(TOO_LARGE);
          connection.socket.destroy();
        });
        const { connect } = await startBalancer(t, { servers: [server.address] }, { sockets: means });
        for (let i = 0; i < 20; i++) {
          const client = await connect();
          client.send(post(fields));
          for (let piece = 0; piece < 40; piece++) {
            client.send(frame(Buffer.alloc(50_000)));
            if (piece % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          t.match(await client.toEnd(), /^HTTP\/1\.1 413 .*size$/s);
          client.destroy();
        }
      }
    },
  );
}

t.test(
  'an upload that gets a fixed response early is read to its end and dropped, however long it is',
  async (t) => {
    const { connect } = await startBalancer(t, { respond: { status: 403, body: 'no' } });
    for (const fields of ['Content-Length: 32000000\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const client = await connect();
      client.socket.pause();
      client.send(post(fields));
      const piece = fields.startsWith('T')
        ? chunked(Buffer.alloc(999_988), 500_000).subarray(0, -5)
        : Buffer.alloc(1_000_000);
      // A client that writes the whole upload before it reads, as most do, must not meet a reset.
      for (let i = 0; i < 32; i++) await new Promise((resolve) => client.socket.write(piece, resolve));
      client.end();
      client.socket.resume();
      t.match(await client.toEnd(), /^HTTP\/1\.1 403 .*\r\nConnection: close\r\n\r\nno$/s);
      await client.gone();
      t.equal(client.error, null);
    }
  },
);

t.test('the rest of an upload is read and dropped until 5 s of silence, or for 30 s in all', async (t) => {
  for (const [every, lasts] of [
    [4000, 30_000],
    [6000, 5000],
  ] as const) {
    const { balancer, connect, clock } = await startBalancer(
      t,
      { respond: { status: 403, body: 'no' } },
      { manual: true },
    );
    const client = await connect();
    client.send(`${post('Content-Length: 32000000\r\n')}abc`);
    await client.toEnd();
    let waited = 0;
    while (balancer.clientCount === 1 && waited < 60_000) {
      clock.advance(every);
      await turns();
      waited += every;
      if (balancer.clientCount === 1) client.send(Buffer.alloc(10_000));
      await turns();
    }
    t.ok(waited >= lasts && waited <= lasts + every, `closed after ${waited} ms`);
  }
});

t.test('from a client that the firewall refuses at most 1 MiB is read, for at most 5 s', async (t) => {
  const { balancer, connect, clock } = await startBalancer(
    t,
    { firewall_rules: { path_reject: ['/'] } },
    { manual: true },
  );
  const slow = await connect();
  slow.send(`${post('Content-Length: 32000000\r\n')}abc`);
  t.match(await slow.toEnd(), /^HTTP\/1\.1 403 /);
  for (let second = 0; second < 5; second++) {
    slow.send('more');
    await turns();
    clock.advance(1000);
  }
  clock.advance(200);
  await until(() => balancer.clientCount === 0);
  const fast = await connect();
  fast.send(post('Content-Length: 32000000\r\n'));
  fast.send(Buffer.alloc(2 * 1024 * 1024));
  await until(() => balancer.clientCount === 1);
  await until(() => balancer.clientCount === 0);
  const moderate = await connect();
  moderate.send(post('Content-Length: 900000\r\n'));
  moderate.send(Buffer.alloc(900_000));
  moderate.end();
  t.match(await moderate.toEnd(), /^HTTP\/1\.1 403 /);
  await moderate.gone();
  t.equal(moderate.error, null);
});

/** Answers after 10 bytes of the body, keeps its connection, and reads on: `received` counts the bytes of the body. */
function readingOn(state: { received: number; lost: boolean }, reads = true) {
  return async (connection: RawConnection): Promise<void> => {
    connection.socket.on('end', () => {
      state.lost = true;
      connection.end();
    });
    await connection.readHead();
    connection.socket.on('data', ({ length }) => {
      state.received += length;
    });
    state.received = (await connection.read(10)).length;
    await connection.write(OK);
    if (!reads) connection.stopReading();
    await new Promise((resolve) => connection.socket.once('close', resolve));
  };
}

t.test('a server that answers early and reads on gets the rest of the upload', async (t) => {
  for (const length of [50_000, 5_000_000]) {
    const state = { received: 0, lost: false };
    const server = await origin(t, readingOn(state));
    const { connect, seen } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send(`${post(`Content-Length: ${length}\r\n`)}0123456789`);
    t.equal((await client.response()).body, 'ok', 'the answer comes at once');
    await turns();
    t.notOk(state.lost);
    client.send(Buffer.alloc(length - 10));
    t.match(await seen.request(), { status: 200, reason: '', bytesIn: length, bytesOut: 2 });
    await until(() => state.received === length);
    await until(() => state.lost);
    t.equal(server.accepted, 1);
    client.end();
    await client.gone();
    t.equal(client.error, null);
  }
});

t.test('the rest of an upload is dropped when the server reads nothing of it for 5 s', async (t) => {
  const state = { received: 0, lost: false };
  const server = await origin(t, readingOn(state, false));
  const { connect, seen, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.send(`${post('Content-Length: 40000000\r\n')}0123456789`);
  t.equal((await client.response()).body, 'ok');
  client.send(Buffer.alloc(39_999_990));
  await steady(() => client.socket.writableLength);
  t.equal(seen.requests.length, 0);
  clock.advance(5200);
  t.match(await seen.request(), { status: 200, reason: '' });
  await until(() => client.socket.writableLength === 0);
  client.end();
  await client.gone();
  t.equal(client.error, null);
});

t.test(
  'when a client leaves after the answer, during its upload, the server connection is closed and no error recorded',
  async (t) => {
    for (const leave of ['end', 'reset'] as const) {
      const state = { received: 0, lost: false };
      const server = await origin(t, readingOn(state));
      const { connect, seen } = await startBalancer(t, { servers: [server.address] });
      const client = await connect();
      client.send(`${post('Content-Length: 50000\r\n')}0123456789`);
      t.equal((await client.response()).body, 'ok');
      client[leave]();
      t.match(await seen.request(), { status: 200, reason: '' });
      await until(() => state.lost);
    }
  },
);

t.test('when the rest of an upload is invalid or missing, the client still gets the answer', async (t) => {
  for (const rest of ['none\r\n', '']) {
    const state = { received: 0, lost: false };
    const server = await origin(t, readingOn(state));
    const { connect, seen, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
    const client = await connect();
    client.send(`${post('Transfer-Encoding: chunked\r\n')}a\r\n0123456789\r\n`);
    t.equal((await client.response()).body, 'ok');
    client.send(rest);
    if (rest === '') clock.advance(31_000);
    t.match(await seen.request(), { status: 200, reason: '' });
    t.equal(await client.toEnd(), '');
    await until(() => state.lost);
  }
});

nothingIsLeft(t);
