import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { answering, type RawConnection } from '../../fixtures/raw-server.js';
import { startFixtureServer } from '../../fixtures/server.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import type { ServerStatus } from '../../lib/control/status/status.js';
import { isSwitchedNotice, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

const answer = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** A server that says its name. */
async function named(t: Test, name: string) {
  return Object.assign(await origin(t, answering(answer(name))), { name });
}

/** Resolves when all threads follow what was changed. */
let settled = (): Promise<void> => Promise.resolve();

async function start(t: Test, settings: Parameters<typeof startBalancer>[1]) {
  const started = await startBalancer(t, settings);
  settled = () => started.balancer.settled();
  return started;
}

/** Waits until all that is expected was told: with several threads the end of the last request is. */
async function told(balancer: Balancer, event: string): Promise<void> {
  await until(() => story(balancer).includes(event));
}

async function ask(client: RawClient): Promise<string> {
  await settled();
  client.send(GET);
  const { status, body } = await client.response();
  return status === 200 ? body : String(status);
}

/** Who answers the next requests, each once, sorted. */
async function who(client: RawClient, requests = 12): Promise<string> {
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) names.add(await ask(client));
  return [...names].sort().join(' ');
}

function serverOf(balancer: Balancer, name: string): ServerStatus | undefined {
  return balancer.status().servers.find((server) => server.name === name);
}

/** What happened, without numbers and times. */
function story(balancer: Balancer): readonly string[] {
  return balancer
    .events()
    .filter(({ reason }) => !isSwitchedNotice(reason))
    .map(({ what, server, reason }) => `${what} ${server} ${reason}`.trim().replace(/ +/g, ' '));
}

/** Two servers, a and b, and a third that nobody knows yet. */
async function scene(t: Test) {
  const [a, b, c] = await Promise.all([named(t, 'a'), named(t, 'b'), named(t, 'c')]);
  const settings = {
    listen: '127.0.0.1:0',
    health_check: false as const,
    servers: [a, b].map(({ name, address }) => ({ name, address })),
  };
  const started = await start(t, settings);
  return { ...started, client: await started.connect(), settings, a, b, c };
}

t.test('a server that drains gets no new request; when its last one ends, there is an event', async (t) => {
  const asked: RawConnection[] = [];
  const slow = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      asked.push(connection);
    }
  });
  const quick = await named(t, 'quick');
  const { balancer, connect } = await start(t, {
    // The first request is for the slow one, whichever thread gets it.
    algorithm: 'first',
    servers: [
      { name: 'slow', address: slow.address },
      { name: 'quick', address: quick.address },
    ],
  });
  const waiting = await connect();
  waiting.send(GET);
  await until(() => asked.length === 1);
  balancer.setAvailability('slow', 'draining');
  const client = await connect();
  t.equal(await who(client), 'quick');
  t.match(serverOf(balancer, 'slow'), { state: 'draining', active: 1, effectiveWeight: 0 });
  t.notOk(story(balancer).includes('drained slow'));
  void asked[0]?.write(answer('slow'));
  t.equal((await waiting.response()).body, 'slow', 'it was finished');
  await told(balancer, 'drained slow');
  t.strictSame(story(balancer).slice(-2), ['availability slow ready -> draining', 'drained slow']);
  balancer.setAvailability('slow', 'ready');
  await settled();
  waiting.send(GET);
  await until(() => asked.length === 2);
  t.match(serverOf(balancer, 'slow'), { state: 'unchecked', active: 1 });
});

t.test(
  'a server that two routes have on different terms is reported as drained once, when it is in both',
  async (t) => {
    const asked: RawConnection[] = [];
    const server = await origin(t, async (connection) => {
      await connection.readHead();
      asked.push(connection);
      await connection.hang();
    });
    const servers = [{ name: 'a', address: server.address }];
    const { balancer, connect } = await start(t, {
      hosts: [
        { host: 'one', servers },
        { host: 'two', servers, slow_start: '5s' },
      ],
    });
    const clients = [await connect(), await connect()];
    for (const [index, client] of clients.entries()) {
      client.send(`GET / HTTP/1.1\r\nHost: ${index === 0 ? 'one' : 'two'}\r\n\r\n`);
      await until(() => asked.length === index + 1);
    }
    balancer.setAvailability('a', 'draining');
    const drained = () => story(balancer).filter((event) => event === 'drained a').length;
    for (const [index, client] of clients.entries()) {
      t.equal(drained(), 0);
      void asked[index]?.write(answer('here'));
      t.equal((await client.response()).body, 'here');
    }
    await until(() => drained() > 0);
    t.equal(drained(), 1);
  },
);

t.test('a tunnel keeps a draining server from being drained', async (t) => {
  const server = await startFixtureServer({ name: 'a' });
  t.teardown(() => server.close());
  const { balancer, port } = await start(t, {
    servers: [{ name: 'a', address: server.address }],
  });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  balancer.setAvailability('a', 'draining');
  socket.send('still here');
  t.equal(String(await new Promise((resolve) => socket.once('message', resolve))), 'still here');
  t.notOk(story(balancer).includes('drained a'));
  socket.close();
  await until(() => story(balancer).includes('drained a'));
  t.equal(serverOf(balancer, 'a')?.active, 0);
});

t.test(
  'maintenance and readiness: without a usable server the balancer is not ready, and says why',
  async (t) => {
    const { balancer, client } = await scene(t);
    t.equal(balancer.status().ready, true);
    balancer.setAvailability('a', 'maintenance');
    t.equal(await who(client), 'b');
    t.equal(balancer.status().ready, true);
    balancer.setAvailability('b', 'draining');
    t.equal(await ask(client), '503');
    t.match(balancer.status(), {
      ready: false,
      readyReasons: ['default has no usable server: a is in maintenance, b is draining'],
    });
    balancer.setAvailability('a', 'ready');
    t.equal(await who(client), 'a');
    t.match(balancer.status(), { ready: true, readyReasons: [] });
  },
);

t.test('servers come and go while it runs', async (t) => {
  const { balancer, client, a, b, c } = await scene(t);
  balancer.addServer('default', { address: c.address, name: 'c' });
  t.equal(await who(client), 'a b c');
  t.match(serverOf(balancer, 'c'), { fromFile: false, routes: ['default'], address: c.address });
  balancer.removeServer('a');
  t.equal(await who(client), 'b c');
  await until(() => a.connections === 0);
  t.equal(b.accepted, 1, 'those that stay keep their connections');
  await told(balancer, 'drained a');
  t.strictSame(balancer.status().config.drift, [
    `servers of default: c ${c.address} with weight 1 (file: not there)`,
    'servers of default: without a (file: there)',
  ]);
  balancer.removeServer('c');
  await told(balancer, 'drained c');
  balancer.addServer('default', { address: a.address });
  t.equal(await who(client), 'a b', 'under the name the file gives it');
  t.strictSame(balancer.status().config.drift, []);
  t.strictSame(story(balancer).slice(1), [
    'added c to default',
    'removed a',
    'drained a',
    'removed c',
    'drained c',
    'added a to default',
  ]);
});

t.test('clients are bound to a server that was added, and to another one once it is removed', async (t) => {
  const [a, b, c] = [await named(t, 'a'), await named(t, 'b'), await named(t, 'c')];
  for (const sticky of [{ cookie: 'who' }, { header: 'X-User' }] as const) {
    const { balancer, connect } = await start(t, {
      sticky,
      servers: [
        { name: 'a', address: a.address },
        { name: 'b', address: b.address },
      ],
    });
    const client = await connect();
    const askAs = async (user: number, cookie = ''): Promise<{ body: string; cookie: string }> => {
      const field = cookie === '' ? '' : `Cookie: ${cookie}\r\n`;
      await settled();
      client.send(`GET / HTTP/1.1\r\nHost: x\r\nX-User: ${user}\r\n${field}\r\n`);
      const { body, head } = await client.response();
      return { body, cookie: /\r\nSet-Cookie: ([^;\r]*)/.exec(head)?.[1] ?? cookie };
    };
    await askAs(0);
    balancer.addServer('default', { address: c.address, name: 'c' });
    let user = 0;
    let bound = await askAs(user);
    await until(
      () => bound.body === 'c',
      'the server that was added serves a client',
      async () => {
        bound = await askAs(++user);
      },
    );
    for (let i = 0; i < 5; i++) t.equal((await askAs(user, bound.cookie)).body, 'c');
    balancer.removeServer('c');
    const next = await askAs(user, bound.cookie);
    t.match(next.body, /^[ab]$/);
    for (let i = 0; i < 5; i++) t.equal((await askAs(user, next.cookie)).body, next.body);
  }
});

t.test('a request on a server that is removed is finished', async (t) => {
  const asked: RawConnection[] = [];
  const slow = await origin(t, async (connection) => {
    await connection.readHead();
    asked.push(connection);
    await connection.hang();
    connection.end();
  });
  const { balancer, connect } = await start(t, {
    servers: [{ name: 'slow', address: slow.address }],
  });
  const client = await connect();
  client.send(GET);
  await until(() => asked.length === 1);
  const other = await named(t, 'other');
  balancer.addServer('default', { address: other.address });
  balancer.removeServer('slow');
  t.equal(balancer.status().requests.inFlight, 1);
  void asked[0]?.write(answer('slow'));
  t.equal((await client.response()).body, 'slow');
  t.equal(await ask(client), 'other');
  await until(() => slow.connections === 0);
  t.equal(balancer.status().requests.inFlight, 0);
});

t.test('the weight is the share of requests that a server gets; with 0 it gets none', async (t) => {
  const { balancer, client } = await scene(t);
  balancer.setWeight('a', 0);
  t.equal(await who(client), 'b');
  t.match(serverOf(balancer, 'a'), { weight: 0, effectiveWeight: 0 });
  t.strictSame(balancer.status().config.drift, ['weight of a: 0 (file: 1)']);
  balancer.setWeight('a', 1);
  t.equal(await who(client), 'a b');
  t.strictSame(balancer.status().config.drift, []);
  t.strictSame(story(balancer).slice(1), ['weight a 1 -> 0', 'weight a 0 -> 1']);
});

t.test('a change at run time survives a reload until the file says the same', async (t) => {
  const { balancer, client, settings, a, b, c } = await scene(t);
  balancer.addServer('default', { address: c.address, name: 'c' });
  balancer.setAvailability('a', 'maintenance');
  t.equal(await who(client), 'b c');
  await balancer.reload(createConfig({ ...settings, limits: { body_bytes: 1000 } }));
  t.equal(await who(client), 'b c');
  t.equal(b.accepted, 1);
  t.equal(c.accepted, 1);
  t.equal(balancer.status().config.drift.length, 2);
  await balancer.reload(
    createConfig({ ...settings, servers: [...settings.servers, { name: 'c', address: c.address }] }),
  );
  t.equal(c.accepted, 1, 'the same server, its connection included');
  t.strictSame(balancer.status().config.drift, ['availability of a: maintenance (file: ready)']);
  t.match(serverOf(balancer, 'c'), { fromFile: true });
  await balancer.reload(createConfig({ ...settings, servers: [{ name: 'b', address: b.address }] }));
  t.strictSame(balancer.status().config.drift, []);
  await balancer.reload(createConfig(settings));
  t.equal(await who(client), 'a b', 'a server that comes back is ready');
  t.equal(a.accepted, 1);
});

t.test('a change that makes no sense changes nothing, and says what to do', async (t) => {
  const { balancer, a, c } = await scene(t);
  const before = balancer.events().length;
  const refusals: readonly (readonly [() => void, string, RegExp])[] = [
    [() => balancer.setWeight('aa', 1), 'unknown_server', /no server "aa"\. There are a, b/],
    [() => balancer.setWeight('a', 257), 'bad_value', /0 to 256, got 257/],
    [() => balancer.setWeight('a', 1.5), 'bad_value', /whole number/],
    [
      () => balancer.setAvailability('a', 'gone' as 'ready'),
      'bad_value',
      /ready, draining or maintenance, got "gone"/,
    ],
    [() => balancer.removeServer('x'), 'unknown_server', /There are a, b/],
    [() => balancer.addServer('defautl', { address: c.address }), 'unknown_route', /Did you mean default\?/],
    [
      () => balancer.addServer('default', { address: a.address }),
      'duplicate_server',
      /default has a already/,
    ],
    [
      () => balancer.addServer('default', { address: a.address, name: 'z' }),
      'duplicate_server',
      /is called a/,
    ],
    [
      () => balancer.addServer('default', { address: c.address, name: 'a' }),
      'duplicate_server',
      /a is the name of/,
    ],
    [() => balancer.addServer('default', { address: 'ftp://x' }), 'bad_value', /address: expected host:port/],
    [
      () => balancer.addServer('default', { address: c.address, max_connections: -1 }),
      'bad_value',
      /max_connections: expected a whole number/,
    ],
  ];
  for (const [act, code, message] of refusals) t.throws(act, { name: 'OperationError', code, message });
  t.equal(balancer.events().length, before);
  balancer.removeServer('a');
  t.throws(() => balancer.removeServer('b'), { code: 'last_server', message: /last server of default/ });
  t.strictSame(
    balancer.status().servers.map(({ name }) => name),
    ['b'],
  );
});

t.test('a balancer that is ending changes nothing any more', async (t) => {
  const { balancer, c } = await scene(t);
  balancer.stop();
  t.throws(() => balancer.addServer('default', { address: c.address }), { code: 'ending' });
  t.throws(() => balancer.setWeight('a', 2), { code: 'ending' });
  t.match(balancer.status(), { state: 'stopped', ready: false, readyReasons: ['the balancer is stopped'] });
});

t.test('events are emitted as they happen, and the latest are kept', async (t) => {
  const { balancer } = await scene(t);
  const seen: string[] = [];
  const leave = balancer.subscribe(({ what, server }) => seen.push(`${what} ${server}`));
  balancer.setWeight('a', 3);
  const [last] = balancer.events().slice(-1);
  t.match(last, { what: 'weight', server: 'a', reason: '1 -> 3' });
  t.strictSame(balancer.events(last?.id), []);
  leave();
  for (let weight = 0; weight < 250; weight++) balancer.setWeight('b', weight);
  t.strictSame(seen, ['weight a']);
  t.equal(balancer.events().length, 200);
  t.equal(serverOf(balancer, 'b')?.events.length, 100);
  t.match(balancer.events(last?.id)[0], { server: 'b' });
});

t.test('drained events come after those of the change that caused them', async (t) => {
  const { balancer, settings, c } = await scene(t);
  balancer.subscribe(({ what, server }) => {
    if (what === 'added' && server === 'c') balancer.setWeight('c', 3);
  });
  await balancer.reload(createConfig({ ...settings, servers: [{ name: 'c', address: c.address }] }));
  await told(balancer, 'drained a');
  await told(balancer, 'drained b');
  t.strictSame(story(balancer).slice(1), [
    'added c to default',
    'weight c 1 -> 3',
    'removed a',
    'removed b',
    'reloaded added c; removed a, b',
    'drained a',
    'drained b',
  ]);
});
