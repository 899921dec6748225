import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import { answering } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { inFlight, nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { deadAddress, origin, readRequest } from '../support/origin.js';

function get(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

function answer(body: string | Buffer): Buffer {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`), bytes]);
}

t.test('pipelined answers wait for a slow first one, and none overtakes it', async (t) => {
  const asked: string[] = [];
  let letGo = (): void => {};
  const first = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const server = await origin(t, async (connection) => {
    for (;;) {
      const path = (await connection.readHead()).split(' ')[1] as string;
      asked.push(path);
      if (path === '/slow') await first;
      await connection.write(answer(path));
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(get('/slow') + get('/b') + get('/c'));
  await until(() => asked.length === 1);
  const other = await connect();
  other.send(get('/other'));
  t.equal((await other.response()).body, '/other');
  t.equal(client.received, '');
  t.strictSame(asked, ['/slow', '/other']);
  letGo();
  for (const path of ['/slow', '/b', '/c']) t.equal((await client.response()).body, path);
});

t.test('pipelined answers of all sizes come in the order of their requests', async (t) => {
  const sizes = [0, 70_000, 1, 16_384, 300_000, 5, 65_536];
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head, body } = await readRequest(connection);
      t.equal(body.toString('latin1'), pattern(Number(head.split('/')[2]?.split(' ')[0])).toString('latin1'));
      await connection.write(answer(pattern(Number(head.split(/[/ ]/)[2]))));
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (const size of sizes) {
    const other = sizes[(sizes.indexOf(size) + 3) % sizes.length] as number;
    client.send(`POST /${size}/${other} HTTP/1.1\r\nHost: a\r\nContent-Length: ${other}\r\n\r\n`);
    client.send(pattern(other));
  }
  for (const size of sizes) t.equal((await client.response()).body, pattern(size).toString('latin1'));
});

t.test('a local reply does not wait for the rest of the next request', async (t) => {
  const server = await origin(t, (connection) => connection.hang());
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(`OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n${get('/hang')}`);
  t.equal((await client.response()).status, 200);
});

t.test('no request after Connection: close is processed', async (t) => {
  const asked: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      asked.push((await connection.readHead()).split(' ')[1] as string);
      await connection.write(OK);
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(get('/1') + get('/2', 'Connection: close\r\n') + get('/3'));
  const all = await client.toEnd();
  t.equal(all.split('HTTP/1.1 200 OK').length - 1, 2);
  t.strictSame(asked, ['/1', '/2']);
});

t.test('a FIN after several requests leaves none of them unanswered', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) await connection.write(answer((await connection.readHead()).split(' ')[1] as string));
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(get('/1') + get('/2') + get('/3'));
  client.end();
  const all = await client.toEnd();
  t.match(all, /\/1HTTP.*\/2HTTP.*\/3$/s);
  await client.gone();
  t.equal(client.error, null);
});

t.test('a FIN after a request and a part of another ends the connection at once', async (t) => {
  for (const rest of ['GET / HT', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe']) {
    const server = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write(OK);
      await connection.hang();
    });
    const { connect } = await startBalancer(t, { servers: [server.address] }, { manual: true });
    const client = await connect();
    client.send(get('/1') + rest);
    client.end();
    t.match(await client.toEnd(), /ok$/);
    await client.gone();
  }
});

t.test('a connection is usable after an answer that came while its request was paused', async (t) => {
  const { connect } = await startBalancer(t, { servers: [await deadAddress()] });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    const { status, head } = await client.response();
    t.equal(status, 502);
    t.notMatch(head, /connection: close/i);
  }
});

t.test('a client that sends requests without reading answers is paused', async (t) => {
  let served = 0;
  const body = pattern(20_000);
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(answer(body));
      served++;
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.socket.pause();
  const limit = 2000;
  for (let asked = 1; asked <= limit; asked++) {
    client.send(get('/'));
    for (let waited = 0; served < asked && waited < 100; waited++) await pause(2);
    if (served < asked) break;
  }
  t.ok(served < limit, `stalled after ${served} answers`);

  const other = await connect();
  other.send(get('/other'));
  t.equal(
    (await other.response()).body,
    body.toString('latin1'),
    'other clients are served over the same pool',
  );

  const open = served;
  client.socket.resume();
  for (let i = 0; i < open; i++) t.equal((await client.response()).body.length, body.length);
});

t.test('a client that sends requests without reading local replies is paused', async (t) => {
  const { connect, seen } = await startBalancer(t, { servers: [await deadAddress()] });
  const client = await connect();
  client.socket.pause();
  const burst = 'OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n'.repeat(1000);
  // The kernel may buffer 32 MiB for a client, a quarter of a million answers.
  const limit = 1000;
  let bursts = 0;
  for (; bursts < limit; bursts++) {
    if (!client.socket.write(burst)) {
      const drained = await Promise.race([
        new Promise((resolve) => client.socket.once('drain', () => resolve(true))),
        pause(300, false),
      ]);
      if (drained === false) break;
    }
    seen.requests.length = 0;
  }
  t.ok(bursts < limit, `stalled after ${bursts * 1000} requests`);
  client.destroy();
  await client.gone();
});

t.test('pipelined requests that have not begun are dropped when their connection ends', async (t) => {
  let asked = 0;
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    asked++;
    await connection.hang();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(get('/').repeat(50));
  await until(() => asked !== 0);
  client.reset();
  t.equal((await seen.request()).reason, 'client_abort');
  t.strictSame(inFlight(), { pooledObjects: 0, active: 0, poolWaiting: 0 });
  t.equal(asked, 1);
});

t.test('many pipelined requests over many connections are all answered', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  for (const client of clients) client.send(get('/').repeat(200));
  for (const client of clients)
    for (let i = 0; i < 200; i++) {
      const { status, body } = await client.response();
      if (status !== 200 || body !== 'ok') t.fail('a wrong answer');
    }
  t.ok(server.accepted <= 20);
});

nothingIsLeft(t);
