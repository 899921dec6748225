import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { onCreated } from '../support/created.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin, readRequest } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-B: c\r\n\r\n';

t.test('interim responses are passed on as they come, any number of them', async (t) => {
  let letGo = (): void => {};
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(`HTTP/1.1 102 Processing\r\n\r\n${HINTS}`);
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await connection.write(HINTS + OK);
    }
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    t.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 102 Processing\r\n\r\n');
    t.equal(await client.until('\r\n\r\n'), HINTS, 'before the final response');
    letGo();
    t.equal(await client.until('\r\n\r\n'), HINTS);
    t.equal((await client.response()).body, 'ok');
  }
  t.equal(server.accepted, 1);
  t.equal((await seen.request()).status, 200, 'the final status is recorded');
});

t.test('an interim response has no body, and none of its framing is passed on', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(
        'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Ok: 2\r\n\r\n' +
          `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\n\r\n${OK}`,
      );
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(GET);
  t.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 103 Early Hints\r\nX-Ok: 2\r\n\r\n');
  t.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 103 Early Hints\r\n\r\n');
  t.equal((await client.response()).body, 'ok');
});

t.test('an HTTP/1.0 client gets no interim responses', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(`HTTP/1.1 100 Continue\r\n\r\n${HINTS}${OK}`);
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('GET / HTTP/1.0\r\n\r\n');
  const all = await client.toEnd();
  t.match(all, /^HTTP\/1\.1 200 OK\r\n/);
  t.notMatch(all, /100|103/);
});

t.test('endless interim responses are cut off', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(HINTS.repeat(65));
    await connection.hang();
    connection.end();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(GET);
  await client.until('HTTP/1.1 502');
  t.equal((await seen.request()).reason, 'bad_response');
});

t.test('after an interim response no other server is tried', async (t) => {
  let asked = 0;
  const script: Parameters<typeof origin>[1] = async (connection) => {
    await connection.readHead();
    asked++;
    await connection.write(HINTS);
    await pause(20);
    connection.reset();
  };
  const servers = [await origin(t, script), await origin(t, script)];
  const { connect } = await startBalancer(t, { servers: servers.map(({ address }) => address) });
  const client = await connect();
  client.send(GET);
  await client.until('\r\n\r\n');
  t.equal((await client.response()).status, 502);
  t.equal(asked, 1);
});

t.test('Expect: 100-continue goes to the server, and its 100 to the client', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) {
      t.match(await connection.readHead(), /\r\nExpect: 100-continue\r\n/);
      await connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      t.equal((await connection.read(5)).toString(), 'hello');
      await connection.write(OK);
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    t.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    const { body, head } = await client.response();
    t.equal(body, 'ok');
    t.notMatch(head, /connection: close/i);
  }
  t.equal(server.accepted, 1);
});

t.test('a final status instead of 100 is forwarded at once and ends the connection', async (t) => {
  for (const status of ['417 Expectation Failed', '413 Content Too Large']) {
    const server = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
      t.equal((await connection.readToEnd()).length, 0, 'no byte of the body');
      connection.end();
    });
    const { connect } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    const all = await client.toEnd();
    t.match(all, `HTTP/1.1 ${status}`);
    t.match(all, /\r\nConnection: close\r\n/, 'as it is uncertain whether the body will come');
    client.end();
    await client.gone();
    t.equal(client.error, null);
  }
});

t.test('when a server fails before its 100, the request is retried only if that is safe', async (t) => {
  for (const [method, status] of [
    ['PUT', 200],
    ['POST', 502],
  ] as const) {
    const bad = await origin(t, async (connection) => {
      await connection.readHead();
      connection.reset();
    });
    let body = '';
    const good = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      body = (await connection.read(5)).toString();
      await connection.write(OK);
    });
    const { connect } = await startBalancer(t, { algorithm: 'first', servers: [bad.address, good.address] });
    const client = await connect();
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
    if (status === 200) {
      t.match(await client.until('\r\n\r\n'), '100 Continue');
      client.send('hello');
    }
    t.equal((await client.response()).status, status);
    t.equal(body, status === 200 ? 'hello' : '');
  }
});

t.test('Expect of an HTTP/1.0 client is ignored', async (t) => {
  let head = '';
  const server = await origin(t, async (connection) => {
    head = (await readRequest(connection)).head;
    await connection.write(OK);
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello');
  t.match(await client.toEnd(), /^HTTP\/1\.1 200 OK\r\n/);
  t.notMatch(head, /expect/i);
});

t.test('an expectation other than 100-continue is refused', async (t) => {
  const { connect } = await startBalancer(t, { servers: ['127.0.0.1:1'] });
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: magic\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 417 .*\r\nConnection: close\r\n/s);
});

t.test('for a client that does not read, at most one read of interim responses is held', async (t) => {
  let most = 0;
  onCreated(t, 'lb:channel', (channel) => {
    const writeText = channel.writeText.bind(channel);
    channel.writeText = (text) => {
      writeText(text);
      most = Math.max(most, channel.heldBytes, channel.backlog);
    };
  });
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(60_000)}\r\n\r\n`;
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(hint.repeat(64) + OK);
    await connection.hang();
  });
  const { connect } = await startBalancer(
    t,
    { servers: [server.address] },
    oneThread('what its connections hold is looked at in it'),
  );
  const clients = await Promise.all(Array.from({ length: 4 }, connect));
  for (const client of clients) {
    client.socket.pause();
    client.send(GET);
  }
  await pause(300);
  t.ok(most > 0 && most < 300_000, `${most} bytes`);
  for (const client of clients) {
    client.socket.resume();
    for (let i = 0; i < 64; i++) await client.until('\r\n\r\n');
    t.equal((await client.response()).body, 'ok');
    client.destroy();
  }
});

nothingIsLeft(t);
