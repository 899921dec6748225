import { createHmac } from 'node:crypto';
import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { StickyMemory } from '../../lib/exchange/sticky-memory.js';
import { DryRun } from '../../lib/routing/dry-run/dry-run.js';
import type { ServerStanding } from '../../lib/routing/dry-run/dry-servers.js';
import { type Started, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { ManualClock } from '../support/manual-clock.js';
import { ask, type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { deadAddress, field, origin } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';
import { OVER_TLS, SECURE, unlessTls } from '../support/tls-switch.js';

const SECRET = 'a secret of ours';

/** The name of this server in cookies. */
const tokenOf = (name: string, secret = SECRET): string =>
  createHmac('sha256', secret).update(name).digest('base64url').slice(0, 22);

const listed = (origins: readonly NamedOrigin[]): { name: string; address: string }[] =>
  origins.map(({ name, address }) => ({ name, address }));

type Settings = Parameters<typeof startBalancer>[1];

async function startSticky(
  t: Test,
  settings: Settings = {},
  options: Parameters<typeof startBalancer>[2] = {},
): Promise<Started & { origins: NamedOrigin[]; settings: Settings }> {
  const origins = await namedOrigins(t, 'a', 'b', 'c');
  const all = { servers: listed(origins), sticky: { cookie: 'lb', secret: SECRET }, ...settings };
  return { ...(await startBalancer(t, all, options)), origins, settings: all };
}

t.test('the first answer sets the cookie, and the client stays with its server', async (t) => {
  const { connect, origins } = await startSticky(
    t,
    {},
    oneThread('each thread begins round robin at another turn'),
  );
  const [one, two] = [await connect(), await connect()];
  const first = await ask(one);
  t.equal(first.server, 'a');
  t.equal(first.setCookie, `lb=${tokenOf('a')}; Path=/; HttpOnly; SameSite=Lax${SECURE}`);
  t.equal((await ask(two)).server, 'b', 'another client gets another server');
  for (let i = 0; i < 4; i++)
    t.strictSame(await ask(one, '/', `Cookie: x=1; lb=${tokenOf('a')}; y=2\r\n`), {
      status: 200,
      server: 'a',
      setCookie: '',
    });
  t.equal((await ask(two)).server, 'c', 'requests of bound clients do not advance round robin');
  t.notMatch(origins[0]!.heads.join(''), tokenOf('a'), 'servers do not see the cookie');
  t.match(origins[0]!.heads.at(-1), /^Cookie: x=1; y=2\r$/m, 'and other cookies are unchanged');
});

t.test('an unknown cookie is ignored', async (t) => {
  const { connect } = await startSticky(t);
  const client = await connect();
  for (const value of [
    '',
    'a',
    '127.0.0.1:1',
    tokenOf('a', 'another one'),
    `${tokenOf('b')}x`,
    'x'.repeat(22),
  ]) {
    const { status, setCookie } = await ask(client, '/', `Cookie: lb=${value}\r\n`);
    t.equal(status, 200);
    t.match(setCookie, /^lb=[\w-]{22};/, `"${value}"`);
  }
  const stale = `Cookie: lb=old\r\nCookie: lb=${tokenOf('b')}\r\n`;
  t.match(
    await ask(client, '/', stale),
    { server: 'b', setCookie: '' },
    'the valid cookie may follow an unknown one',
  );
});

t.test(
  "the sticky cookie is Secure when a trusted proxy says https, and no other client's word counts",
  unlessTls('it always is'),
  async (t) => {
    const trusting = await startSticky(t, {
      trusted_proxies: ['127.0.0.1'],
      sticky: { cookie: 'sid', secret: SECRET, max_age: '1h' },
    });
    const client = await trusting.connect();
    const https = 'X-Forwarded-Proto: https\r\n';
    t.match(
      (await ask(client, '/', https)).setCookie,
      /^sid=\S+ Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure$/,
    );
    t.match((await ask(client, '/', 'X-Forwarded-Proto: http\r\n')).setCookie, /Max-Age=3600$/);
    const doubting = await startSticky(t);
    t.match((await ask(await doubting.connect(), '/', https)).setCookie, /SameSite=Lax$/);
  },
);

t.test('the cookie has the attributes that the settings give it', async (t) => {
  const sticky = { cookie: 'sid', secret: SECRET, domain: 'mango.com', path: '/shop', max_age: '1m' };
  const attributes = 'Path=/shop; Domain=mango.com; HttpOnly; SameSite';
  for (const [more, expected] of [
    [
      { same_site: 'strict', partitioned: true },
      `${attributes}=Strict; Max-Age=60${SECURE}${OVER_TLS ? '; Partitioned' : ''}`,
    ],
    [{ same_site: 'none' }, `${attributes}=None; Max-Age=60; Secure`],
    [{ same_site: 'none', partitioned: true }, `${attributes}=None; Max-Age=60; Secure; Partitioned`],
  ] as const) {
    const { connect } = await startSticky(t, { algorithm: 'first', sticky: { ...sticky, ...more } });
    t.equal((await ask(await connect())).setCookie, `sid=${tokenOf('a')}; ${expected}`);
  }
});

t.test('an answer that sets the cookie is not stored by shared caches, unless allowed', async (t) => {
  const cacheControl = async (client: RawClient, fields = ''): Promise<string | null> => {
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    return field((await client.response()).head, 'cache-control');
  };
  const { connect } = await startSticky(t);
  const client = await connect();
  t.equal(await cacheControl(client), 'private');
  t.equal(await cacheControl(client, `Cookie: lb=${tokenOf('a')}\r\n`), null, 'other answers are unchanged');
  const cached = await startSticky(t, { sticky: { cookie: 'lb', secret: SECRET, nocache: false } });
  t.equal(await cacheControl(await cached.connect()), null);
});

t.test('a client whose server is down gets another one, and a new cookie', async (t) => {
  const { connect, origins } = await startSticky(t, { retry: { attempts: 2 } });
  const client = await connect();
  const cookie = `Cookie: lb=${tokenOf('b')}\r\n`;
  t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' });
  await origins[1]!.server.close();
  const answer = await ask(client, '/', cookie);
  t.equal(answer.status, 200, 'the retry skips the server that the client is bound to');
  t.not(answer.server, 'b');
  t.match(answer.setCookie, `lb=${tokenOf(answer.server)};`);
});

t.test(
  'with drain and weight 0 a server keeps bound clients and gets no others; with maintenance it keeps none',
  async (t) => {
    const { connect, balancer } = await startSticky(t);
    const client = await connect();
    const cookie = `Cookie: lb=${tokenOf('b')}\r\n`;
    const others = async (): Promise<Set<string>> => {
      const seen = new Set<string>();
      for (let i = 0; i < 6; i++) seen.add((await ask(client)).server);
      return seen;
    };
    balancer.setAvailability('b', 'draining');
    await balancer.settled();
    t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' }, 'draining');
    t.strictSame(await others(), new Set(['a', 'c']));
    balancer.setAvailability('b', 'ready');
    balancer.setWeight('b', 0);
    await balancer.settled();
    t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' }, 'weight 0');
    t.strictSame(await others(), new Set(['a', 'c']));
    balancer.setWeight('b', 1);
    balancer.setAvailability('b', 'maintenance');
    await balancer.settled();
    const moved = await ask(client, '/', cookie);
    t.not(moved.server, 'b');
    t.match(moved.setCookie, `lb=${tokenOf(moved.server)};`);
    balancer.setAvailability('b', 'ready');
    await balancer.settled();
    t.equal((await others()).size, 3);
  },
);

for (const [how, sticky] of [
  ['by cookie', { cookie: 'lb', secret: SECRET }],
  ['by header', { header: 'X-User' }],
  ['by param', { param: 'user' }],
  ['by client_ip', { client_ip: true }],
] as const) {
  t.test(`${how}: a client bound to a backup server returns when another server is usable`, async (t) => {
    const [a, b, c] = (await namedOrigins(t, 'a', 'b', 'c')) as [NamedOrigin, NamedOrigin, NamedOrigin];
    const servers = [...listed([a, b]), { ...listed([c])[0]!, backup: true }];
    const { connect, balancer } = await startBalancer(t, { servers, sticky, retry: { attempts: 2 } });
    const client = await connect();
    let cookie = '';
    const visit = async (): Promise<string> => {
      const answer = await ask(client, '/?user=7', `X-User: 7\r\n${cookie}`);
      if (answer.setCookie !== '') cookie = `Cookie: ${answer.setCookie.split(';')[0]}\r\n`;
      return answer.server;
    };
    const home = await visit();
    t.match(home, /^[ab]$/);
    for (const name of ['a', 'b']) balancer.setAvailability(name, 'maintenance');
    await balancer.settled();
    t.strictSame(
      [await visit(), await visit()],
      ['c', 'c'],
      'the backup serves the client while no other server can',
    );
    balancer.setAvailability('b', 'draining');
    await balancer.settled();
    t.equal(await visit(), 'c', 'a draining server gets no new clients');
    balancer.setAvailability('a', 'ready');
    await balancer.settled();
    t.strictSame([await visit(), await visit()], ['a', 'a'], 'the other servers are back');
    await a.server.close();
    balancer.setAvailability('b', 'maintenance');
    await balancer.settled();
    t.equal(await visit(), 'c', 'a request that has tried all other servers still gets the backup');
  });
}

t.test('a reload that reorders the servers keeps clients bound', async (t) => {
  const { connect, balancer, settings, origins } = await startSticky(t);
  const client = await connect();
  const base = { listen: '127.0.0.1:0', health_check: false, ...settings } as const;
  await balancer.reload(createConfig({ ...base, servers: listed(origins.toReversed()) }));
  t.match(await ask(client, '/', `Cookie: lb=${tokenOf('a')}\r\n`), { server: 'a', setCookie: '' });
  await balancer.reload(createConfig({ ...base, servers: listed(origins.slice(1)) }));
  const moved = await ask(client, '/', `Cookie: lb=${tokenOf('a')}\r\n`);
  t.match(moved.setCookie, `lb=${tokenOf(moved.server)};`, 'only the client of the removed server moves');
});

t.test(
  'without a configured secret a random one is used, which a reload keeps and a restart does not',
  async (t) => {
    const sticky = { cookie: 'lb' };
    const { connect, balancer, settings } = await startSticky(t, { sticky });
    const client = await connect();
    const { server, setCookie } = await ask(client);
    const cookie = `Cookie: ${setCookie.slice(0, setCookie.indexOf(';'))}\r\n`;
    t.not(setCookie, `lb=${tokenOf(server)}`);
    await balancer.reload(createConfig({ listen: '127.0.0.1:0', health_check: false, ...settings }));
    t.match(await ask(client, '/', cookie), { server, setCookie: '' });
    const other = await startSticky(t, { sticky });
    t.match(await ask(await other.connect(), '/', cookie), { setCookie: /^lb=/ });
  },
);

const USERS = Array.from({ length: 24 }, (_, i) => `user-${i}`);

/** The server of each of `users`. */
async function homesOf(client: RawClient, users: readonly string[] = USERS): Promise<string[]> {
  const found: string[] = [];
  for (const user of users) found.push((await ask(client, '/', `X-User: ${user}\r\n`)).server);
  return found;
}

t.test('sticky by header: each value goes to one server', async (t) => {
  const { connect } = await startSticky(t, { sticky: { header: 'X-User' } });
  const client = await connect();
  const before = await homesOf(client);
  t.equal(new Set(before).size, 3);
  t.strictSame(await homesOf(client), before);
  t.equal((await ask(client, '/', `X-User: ${USERS[0]}\r\n`)).setCookie, '', 'no cookie is set');
  const anonymous = new Set<string>();
  for (let i = 0; i < 3; i++) anonymous.add((await ask(client)).server);
  t.equal(anonymous.size, 3, 'without the header the algorithm picks');
});

t.test('sticky by header: bound clients stay while the server drains, and no new ones come', async (t) => {
  const { connect, balancer, settings, origins } = await startSticky(t, { sticky: { header: 'X-User' } });
  const client = await connect();
  const before = await homesOf(client);
  const strangers = Array.from({ length: 30 }, (_, i) => `stranger-${i}`);
  for (const how of ['draining', 'weight 0'] as const) {
    if (how === 'draining') balancer.setAvailability('b', 'draining');
    else balancer.setWeight('b', 0);
    await balancer.settled();
    t.strictSame(await homesOf(client), before, how);
    const elsewhere = await homesOf(client, strangers);
    t.notOk(elsewhere.includes('b'), how);
    await balancer.reload(
      createConfig({
        listen: '127.0.0.1:0',
        health_check: false,
        ...settings,
        servers: listed(origins.toReversed()),
      }),
    );
    t.strictSame(await homesOf(client), before, 'also over a reload');
    balancer.setAvailability('b', 'ready');
    balancer.setWeight('b', 1);
    await balancer.settled();
    t.strictSame(
      await homesOf(client, strangers),
      elsewhere,
      'clients that got another server meanwhile stay there',
    );
  }
  const fresh = await homesOf(client, [
    'new-1',
    'new-2',
    'new-3',
    'new-4',
    'new-5',
    'new-6',
    'new-7',
    'new-8',
  ]);
  t.ok(fresh.includes('b'), 'when ready again the server gets new clients');
});

t.test(
  'sticky by header: a client that lost its server stays with the next one, even while that drains',
  async (t) => {
    const { connect, balancer } = await startSticky(t, { sticky: { header: 'X-User' } });
    const client = await connect();
    const before = await homesOf(client);
    balancer.setAvailability('b', 'draining');
    await balancer.settled();
    t.strictSame(await homesOf(client), before);
    balancer.setAvailability('b', 'maintenance');
    await balancer.settled();
    const without = await homesOf(client);
    t.notOk(without.includes('b'));
    for (const [i, home] of before.entries()) if (home !== 'b') t.equal(without[i], home);
    for (const state of ['draining', 'ready'] as const) {
      balancer.setAvailability('b', state);
      await balancer.settled();
      t.strictSame(await homesOf(client), without, state);
    }
  },
);

t.test('sticky by header: a value that is not seen for expire is forgotten, with 0 at once', async (t) => {
  const origins = await namedOrigins(t, 'a', 'b', 'c');
  for (const expire of ['1m', 0]) {
    const sticky = { header: 'X-User', expire };
    const { balancer, connect, clock } = await startBalancer(
      t,
      { servers: listed(origins), sticky },
      { manual: true },
    );
    const client = await connect();
    const before = await homesOf(client);
    balancer.setAvailability('b', 'draining');
    await balancer.settled();
    clock.advance(40_000);
    const meanwhile = await homesOf(client);
    clock.advance(40_000);
    const kept = before.filter((home) => home === 'b').length;
    t.equal(meanwhile.filter((home) => home === 'b').length, expire === 0 ? 0 : kept);
    t.strictSame(await homesOf(client), meanwhile, 'each request renews the binding');
    clock.advance(62_000);
    t.notOk((await homesOf(client)).includes('b'));
  }
});

t.test('lb explain shows the server that a client is bound to while it drains', async (t) => {
  const { connect, balancer } = await startSticky(t, { sticky: { header: 'X-User' } });
  const client = await connect();
  const before = await homesOf(client);
  balancer.setAvailability('b', 'draining');
  await balancer.settled();
  const standings = (): ServerStanding[] =>
    balancer.config.groups[0]?.servers.map((server) => ({
      ...server,
      state: server.name === 'b' ? 'draining' : 'ready',
    })) ?? [];
  const dryRun = new DryRun(balancer.config, standings, balancer.bindings);
  const serverOf = (user: string): unknown => {
    const head = `GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\n\r\n`;
    const { outcome } = dryRun.explain(Buffer.from(head), '127.0.0.1');
    return outcome.kind === 'forwarded' ? `${outcome.server.name} ${outcome.choice}` : outcome;
  };
  t.strictSame(
    USERS.map(serverOf),
    before.map((home) => `${home} bound`),
  );
  const strangers = Array.from({ length: 20 }, (_, i) => serverOf(`stranger-${i}`));
  t.notOk(strangers.includes('b bound'));
  t.strictSame(await homesOf(client), before, 'and explaining binds no client');
});

t.test('while a server drains the status counts the clients bound to it', async (t) => {
  const boundTo = (balancer: Balancer, name: string): number =>
    balancer.status().servers.find((server) => server.name === name)?.bound ?? -1;
  const byValue = await startSticky(t, { sticky: { header: 'X-User' } });
  const homes = await homesOf(await byValue.connect());
  t.equal(boundTo(byValue.balancer, 'b'), 0, 'bound clients are counted only on draining servers');
  byValue.balancer.setAvailability('b', 'draining');
  await byValue.balancer.settled();
  t.equal(boundTo(byValue.balancer, 'b'), homes.filter((home) => home === 'b').length);
  byValue.balancer.setAvailability('b', 'maintenance');
  await byValue.balancer.settled();
  t.equal(boundTo(byValue.balancer, 'b'), 0);
  const byCookie = await startSticky(t);
  const client = await byCookie.connect();
  byCookie.balancer.setWeight('b', 0);
  await byCookie.balancer.settled();
  await ask(client);
  t.equal(boundTo(byCookie.balancer, 'b'), 0);
  for (let i = 0; i < 2; i++) await ask(client, '/', `Cookie: lb=${tokenOf('b')}\r\n`);
  t.equal(boundTo(byCookie.balancer, 'b'), 1, 'by its address');
});

t.test('the sticky memory is bounded and forgets the oldest entry first', async (t) => {
  const clock = new ManualClock();
  const memory = new StickyMemory(clock);
  t.equal(memory.serverOf('nobody', 1, 60_000), -1);
  const values = Array.from({ length: 200_000 }, (_, i) => `session-${i}`);
  for (const [index, value] of values.entries()) {
    if (index % 1000 === 0) clock.advance(1000);
    memory.note(value, 1, index % 5);
    if (memory.serverOf(value, 1, 1000) !== index % 5) t.fail('the newest entry is found');
  }
  const found = values.map((value) => memory.serverOf(value, 1, 1e9));
  t.notOk(found.some((server, index) => server !== -1 && server !== index % 5));
  const recent = found.slice(-40_000).filter((server) => server !== -1).length;
  t.ok(recent > 39_000, `${recent} of the last 40,000 are found`);
  t.ok(found.filter((server) => server !== -1).length <= 131_072);
  t.equal(
    memory.serverOf(values.at(-1) as string, 2, 1e9),
    -1,
    'the same text in another scope is another value',
  );
  t.equal(memory.countOf(3, 10_000), 2000);
});

t.test('sticky by param works, and not on a route that switches it off', async (t) => {
  const { connect } = await startSticky(t, {
    sticky: { param: 'id' },
    routes: [{ match: { path: '/free' }, sticky: false }],
  });
  const client = await connect();
  const seen = async (path: string): Promise<number> => {
    const found = new Set<string>();
    for (let i = 0; i < 6; i++) found.add((await ask(client, `${path}?id=7&n=${i}`)).server);
    return found.size;
  };
  t.equal(await seen('/'), 1);
  t.equal(await seen('/free'), 3);
});

t.test("sticky by client address uses the client's address, not the proxy's", async (t) => {
  const { connect, balancer } = await startSticky(t, {
    sticky: { client_ip: true },
    trusted_proxies: ['127.0.0.1'],
  });
  const client = await connect();
  const homes = async (): Promise<string[]> => {
    const found: string[] = [];
    for (let i = 1; i <= 12; i++)
      found.push((await ask(client, '/', `X-Forwarded-For: 203.0.113.${i}\r\n`)).server);
    return found;
  };
  const before = await homes();
  t.equal(new Set(before).size, 3);
  balancer.setAvailability('b', 'draining');
  await balancer.settled();
  t.strictSame(await homes(), before);
});

t.test('only answers of servers set the cookie, not local replies', async (t) => {
  const { connect } = await startBalancer(t, {
    servers: [await deadAddress()],
    sticky: { cookie: 'lb', secret: SECRET },
    retry: false,
  });
  t.match(await ask(await connect()), { status: 502, setCookie: '' });
});

t.test('response rules do not affect the cookie', async (t) => {
  const { connect } = await startSticky(t, {
    response_header_rules: { add: { 'X-Served-By': '{server}' }, remove: ['Set-Cookie'] },
    cookie_rules: { add: { lb: 'for-the-server' } },
  });
  t.match((await ask(await connect())).setCookie, /^lb=/);
});

t.test('a tunnel also sets the cookie', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    );
    await connection.hang();
  });
  const { connect } = await startBalancer(t, {
    servers: [{ name: 'a', address: server.address }],
    sticky: { cookie: 'lb', secret: SECRET },
  });
  const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  const cookie = `lb=${tokenOf('a')}`;
  const fresh = await connect();
  fresh.send(`${upgrade}\r\n`);
  t.match(
    await fresh.until('\r\n\r\n'),
    new RegExp(`\r\nSet-Cookie: ${cookie}; Path=/; HttpOnly; SameSite=Lax(; Secure)?\r\n`),
  );
  const bound = await connect();
  bound.send(`${upgrade}Cookie: ${cookie}\r\n\r\n`);
  t.notMatch(await bound.until('\r\n\r\n'), /set-cookie/i);
});
