import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { answering, type RawConnection, type RawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin, readRequest } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

t.test('the pool opens as many connections as there are requests at once, and no more', async (t) => {
  const waiting: RawConnection[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      waiting.push(connection);
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const clients = await Promise.all(Array.from({ length: 8 }, connect));
  for (let round = 0; round < 3; round++) {
    for (const client of clients) client.send(GET);
    await until(() => waiting.length >= clients.length);
    for (const connection of waiting.splice(0)) void connection.write(OK);
    for (const client of clients) t.equal((await client.response()).status, 200);
  }
  t.equal(server.accepted, 8);
  for (let i = 0; i < 8; i++) {
    clients[i]?.send(GET);
    await until(() => waiting.length !== 0);
    void waiting.pop()?.write(OK);
    await clients[i]?.response();
  }
  t.equal(server.accepted, 8, 'one request at a time needs no new connection');
});

t.test('a waiting request gets a connection that is released before its own is open', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const clients = await Promise.all(Array.from({ length: 50 }, connect));
  for (const client of clients) client.send(GET.repeat(4));
  for (const client of clients) for (let i = 0; i < 4; i++) t.equal((await client.response()).status, 200);
  t.ok(server.accepted <= 50, 'a connection that is being opened is for the next request');
});

t.test('an idle connection on which bytes arrive is closed, and no client gets the bytes', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  const server = await origin(t, async (connection, index) => {
    await connection.readHead();
    await connection.write(OK);
    if (index === 0) {
      await pause(20);
      await connection.write(poison);
    }
    await connection.hang();
    connection.end();
  });
  // Time stands still, so the idle timeout does not close the connection.
  const { connect, balancer } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, 'ok');
  await until(() => server.connections === 0);
  client.send(GET);
  t.equal((await client.response()).body, 'ok');
  t.equal(server.accepted, 2);
  await balancer.collectFigures();
  t.match(balancer.status().servers, [{ totals: { requests: 2, connections: 2, unsolicited: 1 } }]);
});

t.test('an idle connection that the server has closed is not used again, not even for a POST', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(OK);
    await pause(10);
    connection.end();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
    t.equal((await client.response()).status, 200);
    await until(() => server.connections === 0);
  }
  t.equal(server.accepted, 3);
  t.ok(seen.requests.every(({ reason, attempts }) => reason === '' && attempts === 1));
});

t.test('an idle connection is closed before servers usually close it', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect, clock } = await startBalancer(t, { servers: [server.address] }, { manual: true });
  const client = await connect();
  client.send(GET);
  await client.response();
  clock.advance(3900);
  client.send(GET);
  await client.response();
  t.equal(server.accepted, 1);
  clock.advance(4200);
  await until(() => server.connections === 0);
  client.send(GET);
  await client.response();
  t.equal(server.accepted, 2);
});

t.test('bytes after a response are never used as the next answer', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  for (const first of [
    OK,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  ]) {
    const server = await origin(t, async (connection, index) => {
      await connection.readHead();
      await connection.write(index === 0 ? first + poison : OK);
      if (index > 0) await answering(OK)(connection, index);
      connection.end();
    });
    const { connect, balancer } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send(GET + GET + GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    const all = await client.toEnd();
    t.equal(all.split('HTTP/1.1 ').length - 1, 3);
    t.match(all, /ok$/);
    t.notMatch(all, 'poison');
    t.equal(server.accepted, 2);
    await until(() => balancer.status().servers[0]?.totals.unsolicited === 1);
  }
});

t.test('a parser reads the next response normally after a broken one', async (t) => {
  const server = await origin(t, async (connection, index) => {
    await connection.readHead();
    if (index === 0) {
      // The client gets the head before the fault: else the answer would be a 502.
      await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      await pause(50);
      await connection.write('zz\r\n');
      return;
    }
    for (const piece of [
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 200 O',
      'K\r\nContent-Le',
      'ngth: 2\r\n\r\no',
      'k',
    ]) {
      await connection.write(piece);
      await pause(10);
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const broken = await connect();
  broken.send(GET);
  await broken.gone();
  t.equal(broken.error?.code, 'ECONNRESET');
  const client = await connect();
  client.send(GET);
  await client.until('\r\n\r\n');
  t.equal((await client.response()).body, 'ok');
});

t.test('the counters of a failed request do not carry over to the next', async (t) => {
  let cut = (): void => {};
  const server = await origin(t, async (connection, index) => {
    await connection.readHead();
    if (index === 0) {
      await connection.write(OK.replace(': 2', ': 200'));
      await new Promise<void>((resolve) => {
        cut = resolve;
      });
    }
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(GET);
  await client.until('ok');
  cut();
  await client.gone();
  t.equal((await seen.request(1)).bytesOut, 2);
  const next = await connect();
  next.send(GET);
  t.equal((await next.response()).status, 502);
  t.equal((await seen.request(2)).bytesOut, 'Bad Gateway'.length, 'only its own answer');
});

t.test('a connection whose server did not read the whole request is not used again', async (t) => {
  const answers: (() => void)[] = [];
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    connection.stopReading();
    await new Promise<void>((resolve) => {
      connection.socket.once('close', resolve);
      answers.push(() => void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    });
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  const body = Buffer.alloc(20_000, 'x');
  for (let i = 0; i < 1500 && server.accepted < 2; i++) {
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.send(body);
    await turns();
    let status = 0;
    const response = client.response().then((answer) => {
      status = answer.status;
    });
    // Once on each connection, without knowing which has the request: the server has stopped reading.
    let told = 0;
    await until(
      () => status !== 0,
      'the request is answered',
      () => {
        for (; told < answers.length; told++) answers[told]?.();
        return pause(2);
      },
    );
    await response;
    t.equal(status, 200);
  }
  t.equal(server.accepted, 2, 'when the bytes can no longer be sent, another connection is opened');
});

/** An origin that records the connection and the target of each request. */
async function counting(t: Test): Promise<{ server: RawServer; asked: string[] }> {
  const asked: string[] = [];
  const server = await origin(t, async (connection, index) => {
    for (;;) {
      const { head } = await readRequest(connection);
      const [, target = ''] = head.split(' ');
      asked.push(`${index} ${target}`);
      if (target === `/cut/${index}`) return connection.end();
      const status = target === '/busy' ? '503 Service Unavailable' : '200 OK';
      await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nok`);
      if (target === '/end') connection.end();
    }
  });
  return { server, asked };
}

function ask(target: string, fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

const NTLM = 'Authorization: NTLM TlRMTVNTUAABAAAA\r\n';

t.test('a connection authenticated by NTLM or Negotiate belongs to its client', async (t) => {
  for (const scheme of ['NTLM', 'Negotiate', 'negotiate']) {
    const { server, asked } = await counting(t);
    const { connect } = await startBalancer(t, { servers: [server.address], pool: { pipelining: 4 } });
    const [one, other] = [await connect(), await connect()];
    for (const [client, request] of [
      [one, ask('/1')],
      [one, ask('/2', `Authorization: ${scheme} YII=\r\n`)],
      [other, ask('/3')],
      [one, ask('/4')],
      [other, ask('/5')],
      [one, 'POST /6 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
    ] as const) {
      client.send(request);
      t.equal((await client.response()).status, 200);
    }
    t.strictSame(asked, ['0 /1', '0 /2', '1 /3', '0 /4', '1 /5', '0 /6']);
    one.end();
    await one.gone();
    await until(() => server.connections <= 1);
    other.send(ask('/7'));
    await other.response();
    t.equal(asked.at(-1), '1 /7', 'the connection is closed with its client, and not reused');
  }
});

t.test(
  'a client whose pinned connection is closed, or whose server changes, gets an ordinary connection',
  async (t) => {
    const { server, asked } = await counting(t);
    const { server: elsewhere, asked: askedElsewhere } = await counting(t);
    const { connect } = await startBalancer(
      t,
      {
        servers: [server.address],
        paths: [{ path: '/elsewhere', servers: [elsewhere.address] }],
      },
      oneThread('a connection to a server stays in its thread'),
    );
    const [one, other] = [await connect(), await connect()];
    const say = async (client: RawClient, request: string): Promise<void> => {
      client.send(request);
      t.equal((await client.response()).status, 200);
    };
    await say(one, ask('/1', NTLM));
    await say(one, ask('/elsewhere/2'));
    await say(other, ask('/elsewhere/3'));
    await say(one, ask('/4'));
    t.strictSame(asked, ['0 /1', '0 /4'], 'the connection is kept meanwhile');
    t.strictSame(askedElsewhere, ['0 /2', '0 /3'], 'nothing was authenticated there');
    await say(one, ask('/end'));
    await until(() => server.connections === 0);
    await say(one, ask('/5'));
    await say(other, ask('/6'));
    t.strictSame(asked.slice(2), ['0 /end', '1 /5', '1 /6']);
  },
);

t.test('a pinned idle connection is closed when other requests need room', async (t) => {
  const { server, asked } = await counting(t);
  const { connect } = await startBalancer(t, { servers: [server.address], pool: { max_connections: 1 } });
  const [one, other] = [await connect(), await connect()];
  one.send(ask('/1', NTLM));
  await one.response();
  other.send(ask('/2'));
  t.equal((await other.response()).status, 200);
  t.strictSame(asked, ['0 /1', '1 /2']);
});

t.test('a stale ordinary connection does not close a pinned one', async (t) => {
  const { server, asked } = await counting(t);
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const [one, other] = [await connect(), await connect()];
  for (const [client, request] of [
    [one, ask('/1', NTLM)],
    [other, ask('/2')],
    [other, ask('/cut/1')],
    [one, ask('/3')],
  ] as const) {
    client.send(request);
    t.equal((await client.response()).status, 200);
  }
  t.strictSame(asked, ['0 /1', '1 /2', '1 /cut/1', '2 /cut/1', '0 /3']);
});

t.test('a pinned connection on which an answer was declined is not reused', async (t) => {
  const { server, asked } = await counting(t);
  const settings = { servers: [server.address], retry: { attempts: 1, on: [503] } };
  const { connect } = await startBalancer(t, settings);
  const [one, other] = [await connect(), await connect()];
  one.send(ask('/busy', NTLM));
  t.equal((await one.response()).status, 503);
  other.send(ask('/1'));
  await other.response();
  t.equal(new Set(asked.map((text) => text.split(' ')[0])).size, 3, 'three connections');
});

nothingIsLeft(t);
