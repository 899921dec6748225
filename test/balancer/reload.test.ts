import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';

const answer = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

t.test('a reload sends the next request elsewhere; the one in flight ends where it is', async (t) => {
  let finish = (): void => {};
  const old = await startRawServer(async (connection) => {
    await connection.readHead();
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    await connection.write(answer('old'));
    await connection.hang();
    connection.end();
  });
  const fresh = await startRawServer(answering(answer('new')));
  t.teardown(() => Promise.all([old.close(), fresh.close()]));
  const { balancer, connect, port } = await startBalancer(t, { servers: [old.address] });
  const waiting = await connect();
  waiting.send(GET);
  await until(() => old.connections > 0);
  await balancer.reload(
    createConfig({ listen: '127.0.0.1:0', health_check: false, servers: [fresh.address] }),
  );
  const next = await connect();
  next.send(GET);
  t.equal((await next.response()).body, 'new');
  finish();
  t.equal((await waiting.response()).body, 'old', 'not cut');
  waiting.send(GET);
  t.equal((await waiting.response()).body, 'new', 'the same connection follows with its next request');
  await until(() => old.connections === 0);
  t.equal(balancer.addresses.length, 1);
  t.match(balancer.addresses[0], { port }, 'the listener is the same');
});

t.test('a server that stays keeps its sockets and its health', async (t) => {
  const server = await startRawServer(answering(answer('ok')));
  t.teardown(() => server.close());
  const settings = { listen: '127.0.0.1:0', health_check: false as const, servers: [server.address] };
  const { balancer, connect } = await startBalancer(t, settings);
  const client = await connect();
  for (let i = 0; i < 20; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
    await balancer.reload(createConfig({ ...settings, limits: { body_bytes: 1000 + i } }));
  }
  t.equal(server.accepted, 1, 'over one connection');
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n');
  t.equal((await client.response()).status, 413, 'and the new limit holds');
});

t.test('listeners come and go; one that cannot be bound changes nothing', async (t) => {
  const server = await startRawServer(answering(answer('ok')));
  const taken = await startRawServer(() => {});
  t.teardown(() => Promise.all([server.close(), taken.close()]));
  const settings = { health_check: false as const, servers: [server.address] };
  const { balancer, port } = await startBalancer(t, settings);
  await t.rejects(balancer.reload(createConfig({ ...settings, listen: ['127.0.0.1:0', taken.address] })), {
    code: 'EADDRINUSE',
  });
  t.match(balancer.addresses, [{ port }]);
  await balancer.reload(createConfig({ ...settings, listen: ['127.0.0.1:0', '[::1]:0'] }));
  const [, second] = balancer.addresses;
  t.equal(balancer.addresses.length, 2);
  t.match(second, { host: '::1' });
  await balancer.reload(createConfig({ ...settings, listen: '[::1]:0' }));
  t.equal(balancer.addresses.length, 1);
  await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
});

t.test('listeners that a reload opens and closes are events, and none that it could not open', async (t) => {
  const server = await startRawServer(answering(answer('ok')));
  const taken = await startRawServer(() => {});
  t.teardown(() => Promise.all([server.close(), taken.close()]));
  const settings = { health_check: false as const, servers: [server.address] };
  const { balancer, port } = await startBalancer(t, settings);
  const first = balancer.addresses[0]?.text;
  const since = balancer.events().at(-1)?.id;
  const told = (): string[] =>
    balancer
      .events(since)
      .filter(({ what }) => what === 'listening' || what === 'closed')
      .map(({ what, reason }) => `${what} ${reason}`);
  await t.rejects(balancer.reload(createConfig({ ...settings, listen: ['[::1]:0', taken.address] })));
  t.same(told(), []);
  t.match(balancer.addresses, [{ port }]);
  await balancer.reload(createConfig({ ...settings, listen: ['127.0.0.1:0', '[::1]:0'] }));
  const second = balancer.addresses[1]?.text;
  t.same(told(), [`listening ${second}`]);
  await balancer.reload(createConfig({ ...settings, listen: '[::1]:0' }));
  t.same(told(), [`listening ${second}`, `closed ${first}`]);
  await balancer.reload(createConfig({ ...settings, listen: ['[::1]:0', '127.0.0.2:0'] }));
  await balancer.reload(createConfig({ ...settings, listen: '[::1]:0' }));
  const third = told().slice(2);
  t.match(third, [/^listening 127\.0\.0\.2:\d+$/, /^closed 127\.0\.0\.2:\d+$/]);
});

t.test('a listener of every interface does not take the port of one of a single interface', async (t) => {
  const server = await startRawServer(answering(answer('ok')));
  t.teardown(() => server.close());
  const settings = { health_check: false as const, servers: [server.address] };
  const { balancer, port, connect } = await startBalancer(t, settings);
  const client = await connect();
  const moved = createConfig({ ...settings, listen: `127.0.0.1:${port}` });
  await balancer.reload(moved).catch(() => {});
  await t.rejects(balancer.reload(createConfig({ ...settings, listen: port })), {
    code: 'EADDRINUSE',
    heldBy: `127.0.0.1:${port}`,
  });
  t.match(balancer.addresses, [{ port }]);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
});

t.test('a reload never leaves a balancer without a route that had one', async (t) => {
  const server = await startRawServer(answering(answer('ok')));
  t.teardown(() => server.close());
  const settings = { health_check: false as const, servers: [server.address] };
  const { balancer, connect } = await startBalancer(t, settings);
  for (const empty of [{}, { listen: '[::1]:0' }, { hosts: [] }, { hosts: [{ host: 'a', routes: [] }] }])
    await t.rejects(balancer.reload(createConfig(empty)), {
      name: 'OperationError',
      message: /without a route/,
    });
  t.equal(balancer.addresses.length, 1, 'nor moves a listener');
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
  await balancer.reload(createConfig({ listen: '127.0.0.1:0', respond: { body: 'by itself' } }));
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).body, 'by itself', 'an answer of our own is a route too');
});

t.test(
  'a firewall that asks the same keeps its counts, one that asks something else starts anew',
  async (t) => {
    const server = await startRawServer(answering(answer('ok')));
    t.teardown(() => server.close());
    const settings = (requests: number, body: number) => ({
      listen: '127.0.0.1:0',
      health_check: false as const,
      servers: [server.address],
      limits: { body_bytes: body },
      hosts: [
        {
          host: 'a',
          servers: [server.address],
          firewall_rules: { rate_limit: { requests, per: '1h', burst: requests } },
        },
      ],
    });
    const { balancer, connect } = await startBalancer(t, settings(2, 0));
    const client = await connect();
    const ask = async (): Promise<number> => {
      client.send(GET);
      return (await client.response()).status;
    };
    t.strictSame([await ask(), await ask(), await ask()], [200, 200, 429]);
    await balancer.reload(createConfig(settings(2, 5000)));
    t.equal(await ask(), 429);
    await balancer.reload(createConfig(settings(3, 5000)));
    t.strictSame([await ask(), await ask(), await ask(), await ask()], [200, 200, 200, 429]);
  },
);

t.test('a balancer that is ending takes no other configuration, and opens nothing', async (t) => {
  const settings = { listen: '127.0.0.1:0', health_check: false as const, servers: ['localhost:1'] };
  const { balancer } = await startBalancer(t, settings);
  const racing = balancer.reload(createConfig({ ...settings, listen: '[::1]:0' }));
  balancer.stop();
  await t.rejects(racing, /is ending/, 'told to stop while a listener was being opened');
  await t.rejects(balancer.reload(createConfig(settings)), /is ending/);
  t.equal(balancer.addresses.length, 1);
});

t.test(
  'a server whose weight, limit, place or check changes in the file stays the same server',
  async (t) => {
    const server = await startRawServer(answering(answer('ok')));
    const other = await startRawServer(answering(answer('other')));
    t.teardown(() => Promise.all([server.close(), other.close()]));
    const at = (terms: object) => ({ name: 'a', address: server.address, ...terms });
    const settings = (terms: object, check: object | false = false) =>
      createConfig({
        listen: '127.0.0.1:0',
        health_check: check,
        servers: [at(terms), { address: other.address, backup: true }],
      });
    const { balancer, connect } = await startBalancer(t, {
      health_check: false,
      servers: [at({}), { address: other.address, backup: true }],
    });
    const client = await connect();
    const ask = async (): Promise<string> => {
      client.send(GET);
      return (await client.response()).body;
    };
    const seen = async () => {
      await balancer.collectFigures();
      return balancer.status().servers.find(({ name }) => name === 'a');
    };
    t.equal(await ask(), 'ok');
    await balancer.reload(settings({ weight: 7 }));
    t.equal(await ask(), 'ok');
    t.match(await seen(), { weight: 7, open: 1 });
    await balancer.reload(settings({ max_connections: 3 }));
    t.equal(await ask(), 'ok');
    await balancer.reload(settings({ backup: true }));
    t.match(await seen(), { backup: true, open: 1 });
    await balancer.reload(settings({}, { interval: '1h' }));
    t.equal(await ask(), 'ok');
    t.equal((await seen())?.totals.connections, 1, 'and all of it over one connection');
  },
);

t.test('a reload that fails half way leaves everything as it was', async (t) => {
  const one = await startRawServer(answering(answer('one')));
  const other = await startRawServer(answering(answer('two')));
  t.teardown(() => Promise.all([one.close(), other.close()]));
  const settings = {
    listen: '127.0.0.1:0',
    health_check: false as const,
    servers: [{ address: one.address, name: 'one', max_connections: 7 }],
  };
  const { balancer, connect } = await startBalancer(t, settings);
  balancer.setWeight('one', 5);
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, 'one');
  await balancer.collectFigures();
  const before = balancer.status();
  const config = createConfig({
    listen: ['127.0.0.1:0', '127.0.0.2:0'],
    health_check: false,
    servers: [{ address: one.address, name: 'one', weight: 5 }, other.address],
  });
  // Read first, and read when the servers are the new ones already.
  for (const setting of ['hosts', 'trustedProxies'] as const) {
    const broken = Object.defineProperty({ ...config }, setting, {
      get: () => {
        throw new RangeError('out of memory');
      },
    });
    await t.rejects(balancer.reload(broken), { message: 'out of memory' });
    const { servers, config: inForce, listen } = balancer.status();
    t.match(servers, [{ name: 'one', weight: 5, totals: { requests: 1 } }], setting);
    t.equal(servers.length, 1);
    t.same(inForce, before.config);
    t.same(listen, before.listen, 'the new listener is closed again');
  }
  client.send(GET);
  t.equal((await client.response()).body, 'one');
  t.equal(one.accepted, 1, 'over the connection of before');
  await balancer.reload(config);
  t.equal(balancer.status().servers.length, 2, 'the next reload is taken over');
  t.equal(one.accepted, 1);
});

t.test(
  'a server that is added while a file with another of that name is taken over leaves the file to it',
  async (t) => {
    const [a, b, c] = await Promise.all(
      ['a', 'b', 'c'].map((body) => startRawServer(answering(answer(body)))),
    );
    t.teardown(() => Promise.all([a!.close(), b!.close(), c!.close()]));
    const settings = { health_check: false as const, listen: '127.0.0.1:0' };
    // The addition meets each moment of the reload: while it is planned, while its listener is opened, and after.
    for (let moment = 0; moment < 30; moment += SWITCHED_WORKERS > 1 ? 6 : 1) {
      const { balancer } = await startBalancer(t, { ...settings, servers: [a!.address] });
      const next = createConfig({
        ...settings,
        listen: ['127.0.0.1:0', '[::1]:0'],
        servers: [a!.address, { name: 'x', address: c!.address }],
      });
      const reloaded = balancer.reload(next);
      for (let i = 0; i < moment; i++) await Promise.resolve();
      try {
        balancer.addServer('default', { name: 'x', address: b!.address });
      } catch (error) {
        t.match(error, { code: 'duplicate_server' }, 'the file was in force already');
      }
      await reloaded;
      t.equal(balancer.serverStatus('x')?.address, c!.address, `added at moment ${moment}`);
      balancer.stop();
    }
  },
);
