import t, { type Test } from 'tap';
import { startRawServer } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { startDeafServer } from '../support/deaf-server.js';
import { GET, OK } from '../support/http.js';
import { turns, until } from '../support/loop-ticks.js';
import { type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { origin } from '../support/origin.js';
import { oneThread, SWITCHED_WORKERS } from '../support/thread-switch.js';

t.test('max_connections: requests beyond it wait in line, and are served in their order', async (t) => {
  const answers: (() => void)[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      await connection.readHead();
      await new Promise<void>((resolve) => answers.push(resolve));
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const servers = [{ address: server.address, max_connections: 1 }];
  const { balancer, connect, seen, clock } = await startBalancer(t, { servers }, { manual: true });
  const clients = [await connect(), await connect(), await connect()];
  for (const [index, client] of clients.entries()) {
    client.send(GET.replace('/', `/${index}`));
    if (index === 0) await until(() => answers.length > 0);
    else await until(() => balancer.status().servers[0]?.waiting === index);
    // More than what several threads take for the same time.
    clock.advance(100);
  }
  for (const client of clients) {
    await until(() => answers.length > 0);
    // The end of the connection before, of another thread, may be read after this one was accepted.
    await until(() => server.connections === 1);
    answers.shift()?.();
    t.equal((await client.response()).status, 200);
  }
  await seen.request(3);
  t.strictSame(
    seen.requests.map(({ target }) => target),
    ['/0', '/1', '/2'],
  );
  if (SWITCHED_WORKERS === 1) t.equal(server.accepted, 1);
});

t.test('max_connections: a request that waits longer than timeouts.queue gets 503', async (t) => {
  const server = await startRawServer((connection) => connection.hang());
  t.teardown(() => server.close());
  const servers = [{ address: server.address, max_connections: 1 }];
  const { connect, seen, clock } = await startBalancer(
    t,
    { servers, timeouts: { queue: '2s' } },
    { manual: true },
  );
  const first = await connect();
  first.send(GET);
  await until(() => server.connections > 0);
  const second = await connect();
  second.send(GET);
  await turns(20);
  clock.advance(2200);
  const { status, body } = await second.response();
  t.strictSame([status, body], [503, 'Service Unavailable']);
  t.match(await seen.request(), { reason: 'queue_timeout', attempts: 1 });
});

const BASE = { listen: '127.0.0.1:0', health_check: false, passive_health: false, retry: false } as const;
const POST = 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';

/** Server `a` has a request that it does not answer yet, and two more are in its line; `b` is there for them. */
async function lineAt(
  t: Test,
  settings: Partial<Parameters<typeof startBalancer>[1]> = {},
  options: Parameters<typeof startBalancer>[2] = {},
) {
  const [a, b] = (await namedOrigins(t, 'a', 'b')) as [NamedOrigin, NamedOrigin];
  let answer = (): void => {};
  a.hold = new Promise((resolve) => {
    answer = resolve;
  });
  const servers = [
    { name: 'a', address: a.address, max_connections: 1 },
    { name: 'b', address: b.address },
  ];
  const started = await startBalancer(t, { ...BASE, servers, ...settings }, { manual: true, ...options });
  const { balancer, connect } = started;
  balancer.setAvailability('b', 'maintenance');
  const clients = [await connect(), await connect(), await connect()] as const;
  const waiting = (): number => balancer.status().routes[0]?.servers[0]?.waiting ?? 0;
  clients[0].send(GET);
  await until(() => a.heads.length === 1);
  for (const [index, request] of [GET, POST].entries()) {
    clients[index + 1]?.send(request);
    await until(() => waiting() === index + 1);
  }
  balancer.setAvailability('b', 'ready');
  return { ...started, a, b, answer, clients, waiting };
}

const names = async (clients: readonly RawClient[]): Promise<string[]> => {
  const answers = await Promise.all(clients.map((client) => client.response()));
  return answers.map(({ status, body }) => `${status} ${body}`);
};

t.test('a request queued at a server that is taken out moves on at once', async (t) => {
  for (const act of ['maintenance', 'removal', 'replacement'] as const) {
    const { balancer, seen, clients, answer, a, b } = await lineAt(t);
    if (act === 'maintenance') balancer.setAvailability('a', 'maintenance');
    else if (act === 'removal') balancer.removeServer('a');
    else await balancer.reload(createConfig({ ...BASE, servers: [{ name: 'c', address: b.address }] }));
    t.strictSame(await names(clients.slice(1)), ['200 b', '200 b'], act);
    t.match(b.heads, [/^GET \//, /^POST \/upload/], 'and takes its body along');
    const name = act === 'replacement' ? 'c' : 'b';
    t.match(await seen.request(), {
      server: name,
      reason: '',
      tries: [
        { server: 'a', reason: 'server_gone' },
        { server: name, reason: '' },
      ],
    });
    answer();
    t.strictSame(await names([clients[0]]), ['200 a'], 'what is on it is finished');
    t.equal(a.heads.length, 1);
  }
});

t.test('a request queued at a server that its check finds down moves on at once', async (t) => {
  const checked = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n');
    connection.end();
  });
  const health_check = { interval: '1s', fall: 1, address: checked.address };
  const { seen, clock, clients, waiting } = await lineAt(t, { health_check });
  clock.advance(1200);
  await seen.when(({ stateChanges }) => stateChanges.some((change) => change.startsWith('down a')));
  t.equal(waiting(), 0);
  await seen.request(2);
  for (const request of seen.requests)
    t.match(request.tries[0], { server: 'a', reason: 'server_gone' }, 'the same check may find b down too');
  t.equal(clients[0].received, '', 'what is on it may still be answered');
});

t.test('a request queued at a server that is ejected moves on at once', async (t) => {
  const passive_health = { consecutive_failures: 1 };
  const inOne = oneThread('another thread may ask a server once more before it is told of its ejection');
  const { seen, clients, a } = await lineAt(t, { passive_health }, inOne);
  await a.server.close();
  t.strictSame(await names(clients), ['502 Bad Gateway', '200 b', '200 b']);
  t.match(seen.stateChanges, [/^ejected a /]);
});

t.test('a queued request fails at once when there is no other server, and the log says why', async (t) => {
  const { balancer, seen, clients, answer } = await lineAt(t);
  balancer.setAvailability('b', 'maintenance');
  balancer.setAvailability('a', 'maintenance');
  const none = '503 No backend servers available.';
  t.strictSame(await names(clients.slice(1)), [none, none]);
  t.match(await seen.request(), {
    reason: 'no_server',
    detail: 'maintenance',
    tries: [{ server: 'a', reason: 'server_gone' }],
  });
  answer();
  t.strictSame(await names([clients[0]]), ['200 a']);
});

t.test('a server that drains serves those that are in its line', async (t) => {
  const { balancer, clients, answer, waiting, b } = await lineAt(t);
  balancer.setAvailability('a', 'draining');
  await turns();
  t.equal(waiting(), 2);
  answer();
  t.strictSame(await names(clients), ['200 a', '200 a', '200 a']);
  t.equal(b.heads.length, 0);
});

t.test('a line in front of pipelined connections moves on as well', async (t) => {
  const [a, b] = (await namedOrigins(t, 'a', 'b')) as [NamedOrigin, NamedOrigin];
  a.hold = new Promise(() => {});
  const servers = [
    { name: 'a', address: a.address, max_connections: 1 },
    { name: 'b', address: b.address, backup: true },
  ];
  const pool = { pipelining: 2 };
  const { balancer, connect } = await startBalancer(
    t,
    { ...BASE, servers, pool, retry: {} },
    { manual: true, ...oneThread('a connection to a server stays in its thread') },
  );
  const clients = await Promise.all(Array.from({ length: 5 }, connect));
  const load = (): number => balancer.status().routes[0]?.servers[0]?.active ?? 0;
  for (const [index, client] of clients.entries()) {
    client.send(GET);
    await until(() => load() === index + 1 && a.heads.length === 1);
  }
  balancer.setAvailability('a', 'maintenance');
  t.strictSame(await names(clients.slice(2)), ['200 b', '200 b', '200 b']);
});

t.test('a request whose connection is still being opened moves on too', async (t) => {
  const deaf = await startDeafServer(t);
  const [b] = (await namedOrigins(t, 'b')) as [NamedOrigin];
  const servers = [
    { name: 'deaf', address: deaf },
    { name: 'b', address: b.address, backup: true },
  ];
  const { balancer, connect } = await startBalancer(t, { ...BASE, servers }, { manual: true });
  const client = await connect();
  client.send(GET);
  await turns();
  balancer.setAvailability('deaf', 'maintenance');
  t.strictSame(await names([client]), ['200 b']);
});

t.test('an attempt from before a reload goes to no server that was removed meanwhile', async (t) => {
  const [b] = (await namedOrigins(t, 'b')) as [NamedOrigin];
  let asked = 0;
  const a = await origin(t, async (connection) => {
    await connection.readHead();
    asked++;
    connection.reset();
  });
  const retry = { attempts: 2 };
  const settings = { ...BASE, retry, servers: [{ name: 'a', address: a.address }] };
  const { balancer, connect, clock, seen } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  client.send(GET);
  await until(() => asked === 1);
  await turns();
  // The only server is asked again in a moment, and is gone by then.
  await balancer.reload(createConfig({ ...settings, servers: [{ name: 'b', address: b.address }] }));
  clock.advance(300);
  t.strictSame(await names([client]), ['200 b']);
  t.equal(asked, 1);
  t.match(await seen.request(), { server: 'b', reason: '' });
});
