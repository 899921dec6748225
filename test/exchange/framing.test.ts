import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import { answering } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { chunked, origin, type ReceivedRequest, readRequest } from '../support/origin.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';

function sha(bytes: Buffer | string): string {
  return createHash('sha256')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex');
}

/** A balancer with an origin that answers with these bytes, and a client. */
async function through(t: Test, answer: string) {
  const server = await origin(t, answering(answer));
  const started = await startBalancer(t, { servers: [server.address] });
  return { ...started, server, client: await started.connect() };
}

for (const means of ['fast', 'documented'] as const) {
  t.test(`${means} sockets: request bodies reach the server byte for byte`, async (t) => {
    const received: ReceivedRequest[] = [];
    const server = await origin(t, async (connection) => {
      for (;;) {
        received.push(await readRequest(connection));
        await connection.write(OK);
      }
    });
    const { connect } = await startBalancer(t, { servers: [server.address] }, { sockets: means });
    const client = await connect();
    for (const size of [1, 1000, 16_383, 16_384, 65_536, 300_001]) {
      const body = pattern(size);
      client.send(`PUT /l HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      client.send(body);
      t.equal((await client.response()).status, 200);
      t.equal(sha(received.at(-1)?.body ?? ''), sha(body), `${size} bytes with a length`);

      client.send('POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      client.send(chunked(body, 4093, 'X-Sum: 1\r\nx-sum: 2\r\n'));
      t.equal((await client.response()).status, 200);
      t.equal(sha(received.at(-1)?.body ?? ''), sha(body), `${size} bytes in chunks`);
      t.equal(received.at(-1)?.trailers, 'X-Sum: 1\r\nx-sum: 2\r\n', 'and the trailers');
    }
    t.equal(server.accepted, 1, 'over one connection');
  });

  t.test(`${means} sockets: response bodies reach the client byte for byte`, async (t) => {
    const bodies = [1, 1000, 16_383, 16_384, 65_536, 300_001].map((size) => pattern(size));
    const server = await origin(t, async (connection) => {
      for (let i = 0; ; i++) {
        const body = bodies[i >> 1] ?? Buffer.alloc(0);
        await connection.readHead();
        if (i % 2 === 0) await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        else
          await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n');
        await connection.write(i % 2 === 0 ? body : chunked(body, 5003, 'X-Sum: 1\r\n'));
      }
    });
    const { connect } = await startBalancer(t, { servers: [server.address] }, { sockets: means });
    const client = await connect();
    for (const body of bodies) {
      client.send(GET);
      t.equal(sha((await client.response()).body), sha(body), `${body.length} bytes with a length`);
      client.send(GET);
      const response = await client.response();
      t.equal(sha(response.body), sha(body), `${body.length} bytes in chunks`);
      t.match(response.head, /\r\nTrailer: X-Sum\r\n/);
      t.equal(response.trailers, 'X-Sum: 1\r\n', 'and the trailer');
    }
    t.equal(server.accepted, 1, 'over one connection');
  });

  t.test(`${means} sockets: a body that ends with the connection is cut into chunks`, async (t) => {
    const body = pattern(200_000);
    const server = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write('HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n');
      await connection.write(body);
      connection.end();
    });
    const { connect } = await startBalancer(t, { servers: [server.address] }, { sockets: means });
    const client = await connect();
    for (let i = 0; i < 2; i++) {
      client.send(GET);
      const response = await client.response();
      t.match(
        response.head,
        /^HTTP\/1\.1 200 OK\r\nX-A: b\r\nDate: [^\r]+\r\nTransfer-Encoding: chunked\r\n\r\n$/,
      );
      t.equal(sha(response.body), sha(body));
    }
    t.equal(server.accepted, 2, "the client's connection outlives the server's");
  });
}

t.test('keep-alive of one side does not depend on the other', async (t) => {
  let served = 0;
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      served++;
      await connection.write(OK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      connection.end();
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send(GET);
    const { head } = await client.response();
    t.notMatch(head, /connection:/i, 'a closing server does not close the client');
  }
  t.equal(server.accepted, 3);

  const kept = await through(t, OK);
  for (let i = 0; i < 3; i++) {
    const client = await kept.connect();
    client.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    t.match(await client.toEnd(), /\r\nConnection: close\r\n\r\nok$/);
  }
  t.ok(kept.server.accepted <= SWITCHED_WORKERS, 'a closing client does not close the server');
  t.equal(served, 3);
});

t.test('an answer without a body ends with its head, whatever its fields claim', async (t) => {
  const claims = ['', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'];
  for (const claim of claims) {
    for (const [method, status, said] of [
      ['HEAD', '200 OK', claim.startsWith('C') ? claim : ''],
      ['GET', '204 No Content', ''],
      ['GET', '304 Not Modified', claim.startsWith('C') ? claim : ''],
    ] as const) {
      const { client, server } = await through(t, `HTTP/1.1 ${status}\r\n${claim}Date: now\r\n\r\n`);
      for (let i = 0; i < 2; i++) {
        client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        t.equal(
          await client.until('\r\n\r\n'),
          `HTTP/1.1 ${status}\r\n${said}Date: now\r\n\r\n`,
          `${method} ${status} ${claim}`,
        );
      }
      // After a 204 that announces a body, one may come when the next request is on the connection already.
      const mayLie = status.startsWith('204') && claim !== '';
      t.equal(
        server.accepted,
        mayLie ? 2 : 1,
        mayLie ? 'and is not trusted' : 'and the connection is reused',
      );
      t.equal(client.received, '');
    }
  }
});

t.test('a body that a server sends after HEAD, 204 or 304 reaches no client', async (t) => {
  for (const [method, status] of [
    ['HEAD', '200 OK'],
    ['GET', '204 No Content'],
    ['GET', '304 Not Modified'],
  ] as const) {
    const { client, server, connect } = await through(
      t,
      `HTTP/1.1 ${status}\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello`,
    );
    client.send(`${method} /1 HTTP/1.1\r\nHost: a\r\n\r\n${method} /2 HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (let i = 0; i < 2; i++) t.notMatch(await client.until('\r\n\r\n'), 'hello');
    const other = await connect();
    other.send(`${method} /3 HTTP/1.1\r\nHost: a\r\n\r\n`);
    t.match(await other.until('\r\n\r\n'), /^HTTP\/1\.1 (200|204|304)/);
    t.equal(client.received + other.received, '');
    t.equal(server.accepted, 3, 'such a connection is never reused');
  }
});

t.test('an HTTP/1.0 client gets a body without chunks that ends with the connection', async (t) => {
  const old = 'GET / HTTP/1.0\r\n\r\n';
  for (const [answer, body] of [
    [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked('hello world', 3, 'X-T: 1\r\n')}`,
      'hello world',
    ],
    [OK, 'ok'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ''],
  ] as const) {
    const { client } = await through(t, answer);
    client.send(old);
    const all = await client.toEnd();
    t.match(all, /^HTTP\/1\.1 200 OK\r\n/);
    t.match(all, /\r\nConnection: close\r\n/);
    t.notMatch(all, /transfer-encoding/i);
    t.equal(all.slice(all.indexOf('\r\n\r\n') + 4), body);
  }
});

t.test('an HTTP/1.0 client that asks for keep-alive gets it if the length is known', async (t) => {
  const ask = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const { client } = await through(t, OK);
  for (let i = 0; i < 3; i++) {
    client.send(ask);
    const { head, body } = await client.response();
    t.match(head, /\r\nConnection: keep-alive\r\n\r\n$/);
    t.equal(body, 'ok');
  }
  const unknown = await through(
    t,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked('abc', 2)}`,
  );
  unknown.client.send(ask);
  t.match(await unknown.client.toEnd(), /\r\nConnection: close\r\n\r\nabc$/);
});

t.test('requests are sent in HTTP/1.1, whatever the client speaks', async (t) => {
  let head = '';
  const server = await origin(t, async (connection) => {
    head = await connection.readHead();
    await connection.write(OK);
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('GET /old HTTP/1.0\r\nConnection: keep-alive\r\nX: y\r\n\r\n');
  t.equal((await client.response()).status, 200);
  t.match(head, /^GET \/old HTTP\/1\.1\r\nX: y\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  t.notMatch(head, /connection/i);
});

t.test(
  'the connection of an HTTP/1.0 server is read to its end, or kept if the server says so',
  async (t) => {
    const plain = await through(t, 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const kept = await through(t, 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok');
    for (const { client } of [plain, kept]) {
      for (let i = 0; i < 2; i++) {
        client.send(GET);
        const { head, body } = await client.response();
        t.match(head, /^HTTP\/1\.1 200 OK\r\n/);
        t.equal(body, 'ok');
      }
    }
    t.equal(plain.server.accepted, 2);
    t.equal(kept.server.accepted, 1);
  },
);

t.test('trailers that would have an effect in a head are removed, both ways', async (t) => {
  const sent =
    'X-Ok: 1\r\nAuthorization: b\r\nHost: evil\r\nSet-Cookie: c\r\nX-Forwarded-For: 1.1.1.1\r\nX-Last: 2\r\n';
  let trailers = '';
  const server = await origin(t, async (connection) => {
    trailers = (await readRequest(connection)).trailers;
    await connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked('abc', 2, sent)}`);
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  client.send(chunked('hello', 2, sent));
  const response = await client.response();
  t.equal(trailers, 'X-Ok: 1\r\nX-Last: 2\r\n');
  t.equal(response.trailers, 'X-Ok: 1\r\nX-Last: 2\r\n');
});

t.test('426 keeps Upgrade, which names the protocol to use', async (t) => {
  const { client } = await through(
    t,
    'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n',
  );
  client.send(GET);
  const { head } = await client.response();
  t.match(head, /\r\nUpgrade: websocket\r\n/);
  t.match(head, /\r\nConnection: Upgrade\r\n/);
});

nothingIsLeft(t);
