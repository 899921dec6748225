import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { field, origin, readRequest } from '../support/origin.js';

t.test('a request too many of one client is answered 429 with Retry-After', async (t) => {
  let isHeld = (): void => {};
  const held = new Promise<void>((resolve) => {
    isHeld = resolve;
  });
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      if (head.startsWith('GET /held')) isHeld();
      else await connection.write('HTTP/1.1 204 No Content\r\n\r\n');
    }
  });
  const { seen, connect } = await startBalancer(t, {
    hosts: [{ host: 'a.test', servers: [server.address], firewall_rules: { max_connections_per_ip: 1 } }],
  });
  const [first, second] = [await connect(), await connect()];
  first.send('GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await held;
  second.send('GET /more HTTP/1.1\r\nHost: a.test\r\n\r\n');
  const { status, head } = await second.response();
  t.equal(status, 429);
  t.equal(field(head, 'retry-after'), '1');
  t.equal((await seen.request()).reason, 'too_many_requests');
  first.reset();
  await seen.request(2);
  second.send('GET /again HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.equal((await second.response()).status, 204);
});

/** Is a connection closed before a byte was read of it? */
async function isClosedAtAccept(connect: () => Promise<RawClient>): Promise<boolean> {
  try {
    return (await (await connect()).toEnd()) === '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  }
}

type Settings = Parameters<typeof createConfig>[0];

const BASE = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
const mango = (rules: object, more: object = {}) => ({
  host: ['www.mango.test', 'mango.test'],
  respond: { status: 404 },
  firewall_rules: rules,
  ...more,
});
const OTHER = { host: 'apple.test', respond: {}, firewall_rules: { method_reject: 'DELETE' } };
const LIMIT = { requests: 2, per: '1h', burst: 2 };

/** Asks `host` over one connection, as often as wanted; `reload` changes the settings in between. */
async function asking(t: Test, settings: Settings) {
  const started = await startBalancer(t, settings);
  const client = await started.connect();
  return {
    ...started,
    client,
    reload: (next: Settings) => started.balancer.reload(createConfig({ ...BASE, ...next })),
    ask: async (host = 'www.mango.test', fields = '', target = '/'): Promise<number> => {
      client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
      return (await client.response()).status;
    },
  };
}

t.test('guards keep what they know of clients when another host is put before theirs', async (t) => {
  const rules = { rate_limit: LIMIT, ban: { status: [404], count: 2, for: '1h' }, method_reject: ['PUT'] };
  const { ask, reload, balancer } = await asking(t, { hosts: [mango(rules)] });
  t.same([await ask(), await ask(), await ask()], [404, 404, 403]);
  const [before] = balancer.status().firewall;
  t.equal(before?.rule, 'firewall_rules of www.mango.test');
  await reload({ hosts: [OTHER, mango(rules)] });
  t.same([await ask(), await ask('apple.test')], [403, 200]);
  const ofBan = () =>
    balancer
      .status()
      .firewall.find(({ rule }) => rule === before?.rule)
      ?.verdicts.find(({ guard }) => guard === 'ban');
  await until(() => ofBan()?.refused === 2);
  t.same(ofBan(), { guard: 'ban', refused: 2, observed: 0 }, 'its counts are under the same name');
});

t.test('a guard goes on while its own settings are the same, whatever others beside it say', async (t) => {
  const { ask, reload } = await asking(t, { hosts: [mango({ rate_limit: LIMIT })] });
  t.same([await ask(), await ask(), await ask()], [404, 404, 429]);
  await reload({ hosts: [mango({ rate_limit: LIMIT, path_reject: ['/x'], max_connections_per_ip: 9 })] });
  t.equal(await ask(), 429);
  await reload({ hosts: [mango({ rate_limit: { ...LIMIT, requests: 3, burst: 3 }, mode: 'observe' })] });
  t.same([await ask(), await ask()], [404, 404], 'another limit begins anew');
});

t.test('guards of paths and of conditional routes are found again wherever they stand', async (t) => {
  const settings = (before: boolean): Settings => ({
    hosts: [
      mango(
        {},
        {
          routes: [
            ...(before ? [{ match: { header: { 'X-New': '1' } }, respond: {} }] : []),
            { match: { header: { 'X-Old': '1' } }, respond: {}, firewall_rules: { rate_limit: LIMIT } },
          ],
          paths: [
            ...(before ? [{ path: '/new', respond: {} }] : []),
            { path: '/old', respond: {}, firewall_rules: { rate_limit: LIMIT } },
          ],
        },
      ),
    ],
  });
  const { ask, reload, balancer } = await asking(t, settings(false));
  const conditional = (): Promise<number> => ask('mango.test', 'X-Old: 1\r\n');
  const path = (): Promise<number> => ask('mango.test', '', '/old');
  t.same([await conditional(), await conditional(), await conditional()], [200, 200, 429]);
  t.same([await path(), await path(), await path()], [200, 200, 429]);
  const names = (): string[] => balancer.status().firewall.map(({ rule }) => rule);
  const before = names();
  await reload(settings(true));
  t.same([await conditional(), await path()], [429, 429]);
  t.same(names(), before);
});

t.test('a host that gets one more name, and is written elsewhere, keeps its guards', async (t) => {
  const { ask, reload } = await asking(t, { hosts: [mango({ rate_limit: LIMIT })] });
  t.same([await ask(), await ask(), await ask()], [404, 404, 429]);
  const renamed = { ...mango({ rate_limit: LIMIT }), host: ['new.mango.test', 'mango.test'] };
  await reload({ hosts: [OTHER, renamed] });
  t.equal(await ask('mango.test'), 429);
});

t.test('a lower limit of connections counts those that are there', async (t) => {
  const limited = (limit: number): Settings => ({
    respond: {},
    firewall_rules: { max_connections_per_ip: limit },
  });
  const { balancer, connect, reload } = await asking(t, limited(3));
  const second = await connect();
  await reload(limited(2));
  t.ok(await isClosedAtAccept(connect), 'there are two');
  second.destroy();
  await until(() => balancer.clientCount === 1);
  const third = await connect();
  third.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await third.response()).status, 200);
});

t.test('clients stay bound by a value when another host is put before theirs', async (t) => {
  const servers = await Promise.all(
    [0, 1].map((index) => origin(t, answering(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${index}`))),
  );
  const host = {
    host: 'www.mango.test',
    servers: servers.map(({ address }, index) => ({ address, name: `s${index}` })),
    sticky: { header: 'X-User' },
  };
  const { balancer, client, reload } = await asking(t, { hosts: [host] });
  const served = async (user: string): Promise<string> => {
    client.send(`GET / HTTP/1.1\r\nHost: www.mango.test\r\nX-User: ${user}\r\n\r\n`);
    return (await client.response()).body;
  };
  const users = ['ann', 'ben', 'cem', 'dee', 'eli', 'fay'];
  const before: string[] = [];
  for (const user of users) before.push(await served(user));
  await reload({ hosts: [OTHER, host] });
  for (const { name } of host.servers) balancer.setAvailability(name, 'draining');
  const after: string[] = [];
  for (const user of users) after.push(await served(user));
  t.same(after, before, 'also with servers that get nobody new');
});

const REFUSED = {
  '400 for its path': 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n',
  400: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  414: `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  431: `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
  501: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
} as const;

for (const [status, request] of Object.entries(REFUSED)) {
  t.test(`a head that is refused with ${status} counts for a ban, and for the rate limit`, async (t) => {
    const { seen, connect } = await startBalancer(t, {
      respond: {},
      firewall_rules: { ban: { status: ['400-499', 501], count: 3, for: '1h' } },
    });
    for (let i = 0; i < 3; i++) {
      const client = await connect();
      client.send(request);
      t.equal((await client.response()).status, Number.parseInt(status, 10));
    }
    t.ok(await isClosedAtAccept(connect));
    await until(() => seen.requests.length === 3);

    const limited = await startBalancer(t, { respond: {}, firewall_rules: { rate_limit: LIMIT } });
    for (let i = 0; i < 2; i++) {
      const client = await limited.connect();
      client.send(request);
      t.equal((await client.response()).status, Number.parseInt(status, 10));
    }
    const client = await limited.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal((await client.response()).status, 429);
  });
}

t.test('a head that does not come in time counts for a ban', async (t) => {
  const { clock, connect } = await startBalancer(
    t,
    { respond: {}, firewall_rules: { ban: { status: [408], count: 1, for: '1h' } } },
    { manual: true },
  );
  const slow = await connect();
  slow.send('GET / HTTP/1.1\r\nHost: a\r\n');
  const waiting = slow.response();
  await until(() => {
    clock.advance(1000);
    return slow.received !== '' || slow.ended;
  });
  t.equal((await waiting).status, 408);
  t.ok(await isClosedAtAccept(connect));
});

t.test(
  'what a trusted proxy sends counts for its client where that is known, never for the proxy',
  async (t) => {
    const { seen, connect } = await startBalancer(t, {
      respond: {},
      trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8'],
      firewall_rules: {
        ban: { status: [400, 501], count: 1, for: '1h' },
        rate_limit: { ...LIMIT, requests: 9 },
      },
    });
    const banned: string[] = [];
    seen.listen((event) => {
      if (event.what === 'banned') banned.push(event.client);
    });
    const refused = async (fields: string): Promise<number> => {
      const client = await connect();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}Transfer-Encoding: gzip\r\n\r\n`);
      return (await client.response()).status;
    };
    t.equal(await refused(''), 501);
    t.equal(await refused('X-Forwarded-For: 10.1.2.3\r\n'), 501);
    // Records of different threads come in any order.
    await seen.request(2);
    t.same(banned, []);
    t.equal(await refused('X-Forwarded-For: 192.0.2.7, 10.1.2.3\r\n'), 501);
    await until(() => banned.length === 1);
    t.same(banned, ['192.0.2.7']);
    t.equal((await seen.request(3)).clientAddress, '192.0.2.7');
    const client = await connect();
    for (const [from, status] of [
      ['192.0.2.7', 403],
      ['192.0.2.8', 200],
    ] as const) {
      client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\n\r\n`);
      t.equal((await client.response()).status, status);
    }
  },
);

nothingIsLeft(t);
