import t from 'tap';
import type { RawConnection, RawServer } from '../../fixtures/raw-server.js';
import { type Started, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

type Test = Parameters<typeof origin>[0];

const LATE = 100;

/** A request with its own name, which the answer repeats. */
function get(id: string | number, method = 'GET'): string {
  return `${method} /${id} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

function answerTo(id: string | number): string {
  const body = `answer to /${id}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The connections of a server that answers only when told to, with the requests on each. */
class Asked {
  readonly connections: { connection: RawConnection; targets: string[] }[] = [];

  readonly script = async (connection: RawConnection): Promise<void> => {
    const targets: string[] = [];
    this.connections.push({ connection, targets });
    for (;;) targets.push(/^\S+ \/(\S*)/.exec(await connection.readHead())?.[1] ?? '');
  };

  get count(): number {
    return this.connections.reduce((sum, { targets }) => sum + targets.length, 0);
  }

  /** Bytes from the server on its `index`-th connection. */
  async send(index: number, bytes: string): Promise<void> {
    await this.connections[index]?.connection.write(bytes);
    await turns();
  }

  targets(index: number): string[] {
    return this.connections[index]?.targets ?? [];
  }
}

/** Requests of several clients share a connection. */
const IN_ONE_THREAD = oneThread('a connection to a server stays in its thread');

async function start(
  t: Test,
  pipelining = 4,
  pool = {},
  manual = false,
): Promise<{ asked: Asked; server: RawServer } & Started> {
  const asked = new Asked();
  const server = await origin(t, asked.script);
  const settings = { servers: [server.address], pool: { pipelining, ...pool } };
  return { asked, server, ...(await startBalancer(t, settings, { manual, ...IN_ONE_THREAD })) };
}

/** `count` clients whose requests, named from 0 on, are in flight on one connection. */
async function inFlight(started: Started & { asked: Asked }, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  for (let id = 0; id < count; id++) {
    const client = await started.connect();
    client.send(get(id));
    clients.push(client);
    await until(() => started.asked.count === id + 1);
  }
  return clients;
}

/** Reads the answers from the `from`-th connection on, where the server answers normally. */
async function answerRest({ asked }: { asked: Asked }, from: number, waiting: () => boolean): Promise<void> {
  const answered = new Map<number, number>();
  while (waiting()) {
    for (const [index, { connection, targets }] of asked.connections.entries()) {
      if (index < from) continue;
      for (let next = answered.get(index) ?? 0; next < targets.length; next++) {
        answered.set(index, next + 1);
        await connection.write(answerTo(targets[next] ?? ''));
      }
    }
    await turns(1);
  }
}

async function bodyOf(client: RawClient | undefined): Promise<string> {
  return (await (client as RawClient).response()).body;
}

t.test('up to pool.pipelining requests share a connection', async (t) => {
  const started = await start(t, 3);
  const clients = await inFlight(started, 7);
  const { asked } = started;
  t.same(
    asked.connections.map(({ targets }) => targets.length),
    [3, 3, 1],
  );
  for (const [index, { targets }] of asked.connections.entries())
    await asked.send(index, targets.map(answerTo).join(''));
  for (const [id, client] of clients.entries()) t.equal(await bodyOf(client), `answer to /${id}`);
  t.ok(started.seen.requests.every(({ attempts, reason }) => attempts === 1 && reason === ''));
});

t.test('a request joins the connection with the fewest in flight', async (t) => {
  const started = await start(t, 2);
  const clients = await inFlight(started, 4);
  const { asked } = started;
  await asked.send(1, answerTo('2') + answerTo('3'));
  for (const client of clients.slice(2)) await client.response();
  await asked.send(0, answerTo('0'));
  await clients[0]?.response();
  clients[0]?.send(get('next'));
  await until(() => asked.count === 5);
  t.same(asked.targets(1), ['2', '3', 'next'], 'an unused connection is preferred');
  clients[2]?.send(get('last'));
  await until(() => asked.count === 6);
  t.equal(asked.connections.length, 2);
});

t.test('requests that arrive together are sent in one write', async (t) => {
  const reads: string[] = [];
  const server = await origin(t, async (connection) => {
    connection.socket.on('data', (bytes) => reads.push(bytes.toString('latin1')));
    for (;;) await connection.write(answerTo((/\/(\S*)/.exec(await connection.readHead()) ?? [])[1] ?? ''));
  });
  const settings = { servers: [server.address], pool: { pipelining: 8 } };
  const { connect, balancer } = await startBalancer(t, settings, IN_ONE_THREAD);
  const clients = await Promise.all(Array.from({ length: 8 }, connect));
  for (const [id, client] of clients.entries()) client.send(get(id));
  for (const [id, client] of clients.entries()) t.equal(await bodyOf(client), `answer to /${id}`);
  t.ok(reads.length < 8, `${reads.length} reads`);
  t.equal(server.accepted, 1);
  balancer.stop();
  t.match(
    balancer.status().servers,
    [{ totals: { unsolicited: 0 } }],
    'the pipelined answers were requested',
  );
});

t.test(
  'a request that may not be sent twice, has a body or upgrades gets a connection of its own',
  async (t) => {
    const started = await start(t);
    await inFlight(started, 1);
    const { asked, connect } = started;
    for (const bytes of [
      get('post', 'POST'),
      'PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n',
      'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'PUT /expects HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    ]) {
      const before = asked.connections.length;
      (await connect()).send(bytes);
      await until(() => asked.connections.length === before + 1 && asked.targets(before).length > 0);
      t.equal(asked.targets(before).length, 1);
    }
    (await connect()).send(get('shared'));
    await until(() => asked.targets(0).length === 2);
  },
);

t.test('pipelined answers split at any byte reach the right clients', async (t) => {
  const answers = [
    answerTo('0'),
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nanswe\r\n7\r\nr to /1\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
  ];
  const all = answers.join('');
  const started = await start(t, 3);
  const clients = await inFlight(started, 3);
  for (let cut = 1; cut < all.length; cut++) {
    await started.asked.connections[0]?.connection.write(all.slice(0, cut));
    await turns(3);
    await started.asked.connections[0]?.connection.write(all.slice(cut));
    const [first, second, third] = clients as [RawClient, RawClient, RawClient];
    const bodies = [await bodyOf(first)];
    await second.until('HTTP/1.1 100 Continue\r\n\r\n');
    bodies.push(await bodyOf(second), String((await third.response()).status));
    if (bodies.join() !== 'answer to /0,answer to /1,204')
      t.same(bodies, ['answer to /0', 'answer to /1', '204'], `cut at ${cut}`);
    const { count } = started.asked;
    for (const [id, client] of clients.entries()) {
      client.send(get(id));
      await until(() => started.asked.count === count + id + 1);
    }
    if (started.asked.connections.length > 1) break;
  }
  t.equal(started.asked.connections.length, 1);
});

t.test(
  'after a reset within the second answer that one is cut, and the third request is sent again',
  async (t) => {
    const started = await start(t, 3);
    const [first, second, third] = (await inFlight(started, 3)) as [RawClient, RawClient, RawClient];
    const { asked } = started;
    await asked.send(0, answerTo('0') + answerTo('1').slice(0, -3));
    await second.until('answer');
    asked.connections[0]?.connection.reset();
    t.equal(await bodyOf(first), 'answer to /0');
    await second.gone();
    t.equal(second.error?.code, 'ECONNRESET');
    await until(() => asked.count === 4);
    t.same(asked.targets(1), ['2']);
    await asked.send(1, answerTo('2'));
    t.equal(await bodyOf(third), 'answer to /2');
    t.match(await started.seen.request(3), { status: 200, attempts: 1, reason: '' });
  },
);

t.test('requests left unanswered when a server ends the connection are sent again', async (t) => {
  for (const ending of ['close', 'fin']) {
    const started = await start(t, 3);
    const [first, second, third] = (await inFlight(started, 3)) as [RawClient, RawClient, RawClient];
    const { asked } = started;
    const answer = answerTo('0');
    await asked.send(
      0,
      ending === 'close' ? answer.replace(' OK\r\n', ' OK\r\nConnection: close\r\n') : answer,
    );
    if (ending === 'fin') asked.connections[0]?.connection.end();
    let waiting = 2;
    void bodyOf(second).then((body) => t.equal(body, 'answer to /1') && waiting--);
    void bodyOf(third).then((body) => t.equal(body, 'answer to /2') && waiting--);
    t.equal(await bodyOf(first), 'answer to /0');
    await answerRest(started, 1, () => waiting > 0);
    t.ok(started.seen.requests.every(({ attempts, reason }) => attempts === 1 && reason === ''));
  }
});

t.test('bytes that belong to no request reach no client', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  for (const [title, bytes] of [
    ['surplus after the last answer', answerTo('0') + answerTo('1') + poison],
    ['garbage between', `${answerTo('0')}garbage${answerTo('1')}`],
    ['a body longer than announced', `${answerTo('0')}longer${answerTo('1')}`],
    [
      'a body shorter than announced',
      answerTo('0').replace('Content-Length: 12', 'Content-Length: 17') + answerTo('1'),
    ],
    [
      'a chunk longer than announced',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n${answerTo('1')}`,
    ],
  ] as const) {
    const started = await start(t, 2);
    const clients = await inFlight(started, 2);
    await started.asked.send(0, bytes);
    let waiting = 2;
    for (const [id, client] of clients.entries()) {
      void client.toEnd().then(() => waiting--);
      void started.seen.request(id + 1).then(() => client.end());
    }
    await answerRest(started, 1, () => waiting > 0);
    t.same(started.seen.requests.length, 2, title);
    for (const [id, client] of clients.entries()) {
      const received = client.received;
      t.notMatch(received, /poison|garbage|longer/, title);
      t.notMatch(received, `answer to /${1 - id}`, title);
    }
  }
});

t.test('a server that sent an unsolicited response gets no pipelined requests for ten minutes', async (t) => {
  const heads: number[] = [];
  const waiting: RawConnection[] = [];
  const server = await origin(t, async (connection, index) => {
    for (;;) {
      await connection.readHead();
      heads.push(index);
      if (index === 0) await connection.write(answerTo('first') + answerTo('poison'));
      else waiting.push(connection);
    }
  });
  const settings = { servers: [server.address], pool: { pipelining: 8 } };
  const options = { manual: true, ...IN_ONE_THREAD };
  const { connect, balancer, clock } = await startBalancer(t, settings, options);
  const clients = await Promise.all(Array.from({ length: 3 }, connect));
  const [first] = clients as [RawClient];
  first.send(get(0));
  t.equal(await bodyOf(first), 'answer to /first');
  t.match(balancer.status().servers, [{ totals: { unsolicited: 1 } }]);
  const askTogether = async (): Promise<number> => {
    heads.length = 0;
    for (const [id, client] of clients.entries()) client.send(get(id));
    await until(() => heads.length === 3);
    const used = new Set(heads).size;
    for (const connection of waiting.splice(0)) await connection.write(answerTo('whole'));
    for (const client of clients) t.equal(await bodyOf(client), 'answer to /whole');
    return used;
  };
  t.equal(await askTogether(), 3, 'one connection for each');
  clock.advance(600_000);
  clients.splice(0, 3, ...(await Promise.all(Array.from({ length: 3 }, connect))));
  t.ok((await askTogether()) < 3, 'pipelined again');
});

t.test('a body that is shorter than announced does not swallow the next answer', async (t) => {
  const started = await start(t, 2);
  const [first, second] = (await inFlight(started, 2)) as [RawClient, RawClient];
  await started.asked.send(0, 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort');
  await first.until('short');
  await started.asked.send(0, answerTo('1'));
  await first.gone();
  t.equal(first.received, '');
  let waiting = true;
  void bodyOf(second).then((body) => {
    t.equal(body, 'answer to /1');
    waiting = false;
  });
  await answerRest(started, 1, () => waiting);
});

t.test('a pipelined answer may have trailers, passed on or not', async (t) => {
  const started = await start(t, 3);
  const [first, second, third] = (await inFlight(started, 3)) as [RawClient, RawClient, RawClient];
  const chunked = (trailer: string): string =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${trailer}\r\n\r\n`;
  await started.asked.send(0, chunked('X: 1'));
  await started.asked.send(0, chunked('Host: a') + answerTo('2'));
  t.match(await first.response(), { body: 'x', trailers: 'X: 1\r\n' });
  t.match(await second.response(), { body: 'x', trailers: '' });
  t.equal(await bodyOf(third), 'answer to /2');
  t.equal(started.asked.connections.length, 1);
});

t.test('an unsolicited second answer is not used for a request that was not sent yet', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  const started = await start(t, 4);
  const client = await started.connect();
  client.send(get('0') + get('1'));
  await until(() => started.asked.count === 1);
  await started.asked.send(0, answerTo('0') + poison);
  t.equal(await bodyOf(client), 'answer to /0');
  await until(() => started.asked.connections.length === 2);
  await started.asked.send(1, answerTo('1'));
  t.equal(await bodyOf(client), 'answer to /1');
});

t.test('a client that leaves does not affect others on the same connection', async (t) => {
  const started = await start(t, 3);
  const [first, second, third] = (await inFlight(started, 3)) as [RawClient, RawClient, RawClient];
  const { asked, seen } = started;
  first.reset();
  await seen.request(1);
  second.reset();
  await seen.request(2);
  await asked.send(0, answerTo('0') + answerTo('1') + answerTo('2'));
  t.equal(await bodyOf(third), 'answer to /2');
  third.send(get('again'));
  await until(() => asked.count === 4);
  t.equal(asked.connections.length, 1, 'the connection is kept');
  third.reset();
  await seen.request(4);
  await until(() => started.server.connections === 0);
});

t.test('a long unwanted answer is not read to its end', async (t) => {
  const started = await start(t, 2);
  const [first, second] = (await inFlight(started, 2)) as [RawClient, RawClient];
  first.reset();
  await started.seen.request(1);
  void started.asked.send(0, `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`);
  await until(() => started.asked.connections.length === 2);
  await started.asked.send(1, answerTo('1'));
  t.equal(await bodyOf(second), 'answer to /1');
});

t.test('an unwanted answer in many pieces is not read to its end', async (t) => {
  const started = await start(t, 2);
  const [first, second] = (await inFlight(started, 2)) as [RawClient, RawClient];
  first.reset();
  await started.seen.request(1);
  const chunks = `4000;x=y\r\n${'x'.repeat(0x4000)}\r\n`.repeat(20);
  void started.asked.send(0, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
  await until(() => started.asked.connections.length === 2);
  await started.asked.send(1, answerTo('1'));
  t.equal(await bodyOf(second), 'answer to /1');
});

t.test('a slow answer delays pipelined requests after it by at most a second', async (t) => {
  const started = await start(t, 3, {}, true);
  const [first, second, third] = (await inFlight(started, 3)) as [RawClient, RawClient, RawClient];
  const { asked, clock } = started;
  clock.advance(900);
  await turns();
  t.equal(asked.connections.length, 1);
  clock.advance(100 + LATE);
  await until(() => asked.count === 5);
  t.same([...asked.targets(1), ...asked.targets(2)].sort(), ['1', '2'], 'each on a connection of its own');
  for (const index of [1, 2]) await asked.send(index, answerTo(asked.targets(index)[0] ?? ''));
  t.equal(await bodyOf(second), 'answer to /1');
  t.equal(await bodyOf(third), 'answer to /2');
  await asked.send(0, answerTo('0') + answerTo('1') + answerTo('2'));
  t.equal(await bodyOf(first), 'answer to /0');
  t.ok(started.seen.requests.every(({ attempts, reason }) => attempts === 1 && reason === ''));
});

t.test('a client that reads nothing does not delay others on the same connection', async (t) => {
  const started = await start(t, 2, {}, true);
  const [first, second] = (await inFlight(started, 2)) as [RawClient, RawClient];
  const { asked, clock } = started;
  first.socket.pause();
  const size = 30_000_000;
  void asked.connections[0]?.connection.write(
    `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`,
  );
  await turns(60);
  t.equal(second.received, '');
  clock.advance(1000 + LATE);
  await until(() => asked.connections.length === 2 && asked.targets(1).length === 1);
  await asked.send(1, answerTo('1'));
  t.equal(await bodyOf(second), 'answer to /1');
  first.destroy();
});

t.test('with max_connections reached, requests in the queue share the next connection', async (t) => {
  const started = await start(t, 2, { max_connections: 1, max_waiting: 3 });
  const clients = await inFlight(started, 2);
  const { asked, connect, seen } = started;
  for (const id of [2, 3, 4, 5]) {
    const client = await connect();
    client.send(get(id));
    clients.push(client);
    await turns(20);
  }
  t.equal((await clients[5]?.response())?.status, 503, 'the queue is full');
  t.equal((await seen.request(1)).reason, 'queue_full');
  clients[4]?.reset();
  await seen.request(2);
  await asked.send(0, answerTo('0') + answerTo('1'));
  await until(() => asked.count === 4);
  await asked.send(0, answerTo('2') + answerTo('3'));
  for (let id = 0; id < 4; id++) t.equal(await bodyOf(clients[id]), `answer to /${id}`);
  t.equal(asked.connections.length, 1);
});

t.test('a POST in the queue is not overtaken again and again', async (t) => {
  const started = await start(t, 2, { max_connections: 1 });
  const [first] = (await inFlight(started, 2)) as [RawClient];
  const { asked, connect } = started;
  const post = await connect();
  post.send(get('post', 'POST'));
  await turns(20);
  await asked.send(0, answerTo('0'));
  t.equal(await bodyOf(first), 'answer to /0');
  first.send(get('late'));
  await turns(20);
  await asked.send(0, answerTo('1'));
  await until(() => asked.count === 3);
  t.same(asked.targets(0), ['0', '1', 'post']);
  await asked.send(0, answerTo('post'));
  t.equal(await bodyOf(post), 'answer to /post');
  await until(() => asked.count === 4);
  await asked.send(0, answerTo('late'));
  t.equal(await bodyOf(first), 'answer to /late');
});

t.test('max_requests counts each request on a shared connection', async (t) => {
  const started = await start(t, 8, { max_requests: 3 });
  const clients = await inFlight(started, 5);
  const { asked } = started;
  t.same(
    asked.connections.map(({ targets }) => targets.length),
    [3, 2],
  );
  await asked.send(0, [0, 1, 2].map(answerTo).join(''));
  await asked.send(1, [3, 4].map(answerTo).join(''));
  for (const [id, client] of clients.entries()) t.equal(await bodyOf(client), `answer to /${id}`);
  await until(() => started.server.connections === 1);
});

nothingIsLeft(t);
