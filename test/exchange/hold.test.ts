import { createServer, type Server } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import type { ManualClock } from '../support/manual-clock.js';
import { deadAddress, origin } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';
import { unlessTls } from '../support/tls-switch.js';

t.setTimeout(180_000);

const HERE = '127.0.0.1:0';

/** A server that counts how often each request was carried out, and that can be killed and started again. */
class Restarted {
  readonly done = new Map<string, number>();
  port = 0;
  #server: Server | null = null;

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      request.resume();
      request.on('error', () => {});
      request.on('end', () => {
        const id = request.url ?? '';
        this.done.set(id, (this.done.get(id) ?? 0) + 1);
        response.end(id);
      });
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#server = server;
  }

  /** As a process that is killed: connections end at once, and new ones are refused. */
  async kill(): Promise<void> {
    const server = this.#server as Server;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}

/** Sends a request on a connection of its own. Resolves with the status; 0 when there was none. */
function send(port: number, method: string, path: string): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    const body = method === 'POST' ? 'Content-Length: 2\r\n\r\nhi' : '\r\n';
    const socket = connectSocket(port, '127.0.0.1', () =>
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${body}`),
    );
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(Number(text.slice(9, 12))));
  });
}

async function restartedUnderLoad(
  t: Test,
  gapMs: number,
  betweenMs: number,
  perSecond: number,
): Promise<void> {
  const server = new Restarted();
  await server.start();
  t.teardown(() => server.kill());
  const { port, seen } = await startBalancer(t, {
    // The checks need two seconds to see that it is back, or more where the machine is busy.
    hold: { for: `${gapMs + 20_000}ms`, max_requests: 5000 },
    health_check: { path: '/', interval: '1s' },
    servers: [`127.0.0.1:${server.port}`],
  });
  const gets: Promise<number>[] = [];
  const posts: { readonly path: string; readonly status: Promise<number> }[] = [];
  let count = 0;
  const timer = setInterval(() => {
    const path = `/${count++}`;
    if (count % 4 !== 0) gets.push(send(port, 'GET', path));
    else posts.push({ path, status: send(port, 'POST', path) });
  }, 1000 / perSecond);
  for (let round = 0; round < 3; round++) {
    await pause(betweenMs);
    await server.kill();
    await pause(gapMs);
    await server.start();
  }
  await pause(betweenMs);
  clearInterval(timer);
  const failed = (await Promise.all(gets)).filter((status) => status !== 200);
  const reasons = seen.requests.filter(({ status, method }) => status !== 200 && method === 'GET');
  t.same(
    reasons.map(({ status, reason, queueMs, detail }) => [status, reason, Math.round(queueMs), detail]),
    [],
    `no GET of ${gets.length} fails`,
  );
  t.same(failed, []);
  for (const { path, status } of posts) {
    const times = server.done.get(path) ?? 0;
    t.ok(times <= 1, `POST ${path} was carried out ${times} times`);
    if ((await status) === 200) t.equal(times, 1);
  }
  const waited = seen.requests.filter(({ queueMs }) => queueMs > 50).length;
  t.ok(waited > 20, `${waited} requests have waited`);
}

t.test(
  'a server that restarts three times under load fails no GET, and no POST is carried out twice',
  unlessTls('the load is in plain HTTP'),
  (t) => restartedUnderLoad(t, 700, 400, 200),
);

const LONG = Number(process.env.LB_HOLD_GAP_MS ?? 0);
t.test('the same with long gaps (LB_HOLD_GAP_MS=8000)', { skip: LONG === 0, timeout: 120_000 }, (t) =>
  restartedUnderLoad(t, LONG, 6000, 200),
);

/** Lets so many ms pass by the clock of the test, and a moment by that of the machine. */
async function passing(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await pause(1);
}

t.test('after the time a client gets 503, and a full line turns further requests away at once', async (t) => {
  const settings = { hold: { for: '5s', max_requests: 2 }, health_check: false as const };
  const servers = [await deadAddress()];
  const { balancer, connect, seen, clock } = await startBalancer(
    t,
    { listen: HERE, ...settings, servers },
    { manual: true },
  );
  const holds = async () => {
    await balancer.collectFigures();
    return balancer.status().routes[0]?.hold;
  };
  const settledAfter = (count: number, ms: number): Promise<void> =>
    until(
      () => seen.requests.length >= count,
      `${count} requests are over`,
      () => passing(clock, ms),
    );
  t.same(await holds(), { waiting: 0, held: 0, timedOut: 0, refused: 0 });
  const clients = [await connect(), await connect(), await connect()];
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await settledAfter(1, 50);
  t.match(seen.requests[0], { status: 502, reason: 'connect_refused' }, 'the third is not held');
  t.same(await holds(), { waiting: 2, held: 2, timedOut: 0, refused: 1 });
  await settledAfter(3, 100);
  t.match(seen.requests.slice(1), [
    { status: 503, reason: 'no_server' },
    { status: 503, reason: 'no_server' },
  ]);
  t.ok((seen.requests[1]?.queueMs ?? 0) > 3000, 'the wait is told');
  t.same(await holds(), { waiting: 0, held: 2, timedOut: 2, refused: 1 });
  await balancer.reload(createConfig({ listen: HERE, ...settings, hold: '9s', servers }));
  t.same(
    await holds(),
    { waiting: 0, held: 2, timedOut: 2, refused: 1 },
    'a reload with other terms goes on counting',
  );
  await balancer.reload(createConfig({ listen: HERE, health_check: false, servers }));
  t.equal(await holds(), null);
  t.match((await clients[0]?.response())?.body ?? '', /.+/);
  for (const client of clients) client.destroy();
});

t.test('requests that wait by the terms of before a reload are counted, and take up places', async (t) => {
  const servers = [await deadAddress()];
  const settings = { listen: HERE, health_check: false as const, servers };
  const { balancer, connect, seen, clock } = await startBalancer(
    t,
    { ...settings, hold: { for: '5s', max_requests: 4 } },
    { manual: true },
  );
  const holds = async () => {
    await balancer.collectFigures();
    return balancer.status().routes[0]?.hold;
  };
  const settledAfter = (count: number, ms: number): Promise<void> =>
    until(
      () => seen.requests.length >= count,
      `${count} requests are over`,
      () => passing(clock, ms),
    );
  const held = async (count: number): Promise<void> => {
    await until(
      async () => ((await holds())?.held ?? 0) >= count,
      `${count} requests are held`,
      () => passing(clock, 10),
    );
  };
  const clients = [await connect(), await connect(), await connect(), await connect()];
  const ask = (index: number): void => clients[index]?.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  ask(0);
  ask(1);
  await held(2);
  await balancer.reload(createConfig({ ...settings, hold: { for: '60s', max_requests: 3 } }));
  t.match(await holds(), { waiting: 2, held: 2 });
  ask(2);
  await held(3);
  t.match(await holds(), { waiting: 3, held: 3 });
  ask(3);
  await settledAfter(1, 10);
  t.match(seen.requests[0], { status: 502, reason: 'connect_refused' }, 'there are three already');
  await settledAfter(3, 100);
  t.match(await holds(), { waiting: 1, timedOut: 2 }, 'those of before have waited for 5 s');
  for (const client of clients) client.destroy();
});

const RESETS = unlessTls('Node resets no connection');
t.test('a request whose client leaves is dropped from the line and never sent', RESETS, async (t) => {
  const dead = await deadAddress();
  const settings = { listen: HERE, hold: '30s', health_check: false as const };
  const { balancer, connect, seen } = await startBalancer(t, { ...settings, servers: [dead] });
  const [stays, leaves] = [await connect(), await connect()];
  stays.send('POST /stays HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  leaves.send('POST /leaves HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  await pause(300);
  leaves.socket.resetAndDestroy();
  await seen.when(({ requests }) => requests.length === 1);
  t.match(seen.requests[0], { target: '/leaves', reason: 'client_abort', status: 0 });
  const heads: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  // Another server of the route, by a reload: the request that waits finds it.
  await balancer.reload(createConfig({ ...settings, servers: [server.address] }));
  t.equal((await stays.response()).status, 200);
  t.match(heads, [/^POST \/stays /]);
  t.equal(heads.length, 1);
  stays.destroy();
});

t.test('requests are sent in the order in which they came', async (t) => {
  const paths: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      paths.push(/ (\S+) /.exec(await connection.readHead())?.[1] ?? '');
      await connection.write(OK);
    }
  });
  const { balancer, connect, seen } = await startBalancer(
    t,
    {
      hold: '30s',
      health_check: false,
      pool: { max_connections: 1 },
      servers: [{ address: server.address, name: 'one' }],
    },
    oneThread('each thread has a hold line of its own'),
  );
  balancer.setAvailability('one', 'maintenance');
  const clients = [];
  for (let i = 0; i < 20; i++) {
    const client = await connect();
    client.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
    clients.push(client);
    await pause(2);
  }
  t.equal(seen.requests.length, 0, 'none is answered');
  balancer.setAvailability('one', 'ready');
  await until(() => seen.requests.length === 20);
  t.same(
    paths,
    [...Array(20).keys()].map((i) => `/${i}`),
  );
  for (const client of clients) {
    t.equal((await client.response()).status, 200);
    client.destroy();
  }
});

t.test(
  'what may have been processed does not wait: a POST that was sent, a server that is slow',
  async (t) => {
    const resets = await origin(t, async (connection) => {
      await connection.readHead();
      connection.reset();
    });
    const busy = await origin(t, answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'));
    const { connect } = await startBalancer(t, {
      hold: '30s',
      health_check: false,
      retry: false,
      paths: [
        { path: '/resets', servers: [resets.address] },
        { path: '/busy', servers: [busy.address] },
      ],
    });
    for (const [path, status] of [
      ['/resets', 502],
      ['/busy', 503],
    ] as const) {
      const client = await connect();
      client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`);
      t.equal((await client.response()).status, status);
      client.destroy();
    }
  },
);

nothingIsLeft(t);
