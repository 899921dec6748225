import { createHmac } from 'node:crypto';
import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { ask, type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { deadAddress, origin } from '../support/origin.js';

const SECRET = 'a secret of ours';

/** What the server of this name is called in cookies. */
const tokenOf = (name: string, secret = SECRET): string =>
  createHmac('sha256', secret).update(name).digest('base64url').slice(0, 22);

const listed = (origins: readonly NamedOrigin[]): { name: string; address: string }[] =>
  origins.map(({ name, address }) => ({ name, address }));

type Settings = Parameters<typeof startBalancer>[1];

async function startSticky(
  t: Test,
  settings: Settings = {},
): Promise<Started & { origins: NamedOrigin[]; settings: Settings }> {
  const origins = await namedOrigins(t, 'a', 'b', 'c');
  const all = { servers: listed(origins), sticky: { cookie: 'lb', secret: SECRET }, ...settings };
  return { ...(await startBalancer(t, all)), origins, settings: all };
}

t.test('the first answer tells the client its server, and it stays there', async (t) => {
  const { connect, origins } = await startSticky(t);
  const [one, two] = [await connect(), await connect()];
  const first = await ask(one);
  t.equal(first.server, 'a');
  t.equal(first.setCookie, `lb=${tokenOf('a')}; Path=/; HttpOnly; SameSite=Lax`);
  t.equal((await ask(two)).server, 'b', 'another client has another');
  for (let i = 0; i < 4; i++)
    t.strictSame(await ask(one, '/', `Cookie: x=1; lb=${tokenOf('a')}; y=2\r\n`), {
      status: 200,
      server: 'a',
      setCookie: '',
    });
  t.equal((await ask(two)).server, 'c', 'those who are bound take no turns of others');
  t.notMatch(origins[0]!.heads.join(''), tokenOf('a'), 'servers do not see the cookie');
  t.match(origins[0]!.heads.at(-1), /^Cookie: x=1; y=2\r$/m, 'and all others as they were');
});

t.test('a cookie that means nothing is as none', async (t) => {
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
  t.match(await ask(client, '/', stale), { server: 'b', setCookie: '' }, 'it may stand behind another');
});

t.test('Secure when a trusted proxy says that it came over https, and from nobody else', async (t) => {
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
});

t.test('a client whose server is down gets another, and is told so', async (t) => {
  const { connect, origins } = await startSticky(t, { retry: { attempts: 2 } });
  const client = await connect();
  const cookie = `Cookie: lb=${tokenOf('b')}\r\n`;
  t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' });
  await origins[1]!.server.close();
  const answer = await ask(client, '/', cookie);
  t.equal(answer.status, 200, 'the retry leaves the server out that it is bound to');
  t.not(answer.server, 'b');
  t.match(answer.setCookie, `lb=${tokenOf(answer.server)};`);
});

t.test('draining and weight 0: who is bound stays, nobody else comes. Maintenance: all go', async (t) => {
  const { connect, balancer } = await startSticky(t);
  const client = await connect();
  const cookie = `Cookie: lb=${tokenOf('b')}\r\n`;
  const others = async (): Promise<Set<string>> => {
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add((await ask(client)).server);
    return seen;
  };
  balancer.setAvailability('b', 'draining');
  t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' }, 'draining');
  t.strictSame(await others(), new Set(['a', 'c']));
  balancer.setAvailability('b', 'ready');
  balancer.setWeight('b', 0);
  t.match(await ask(client, '/', cookie), { server: 'b', setCookie: '' }, 'weight 0');
  t.strictSame(await others(), new Set(['a', 'c']));
  balancer.setWeight('b', 1);
  balancer.setAvailability('b', 'maintenance');
  const moved = await ask(client, '/', cookie);
  t.not(moved.server, 'b');
  t.match(moved.setCookie, `lb=${tokenOf(moved.server)};`);
  balancer.setAvailability('b', 'ready');
  t.equal((await others()).size, 3);
});

t.test('a reload that shuffles the servers changes nothing for clients', async (t) => {
  const { connect, balancer, settings, origins } = await startSticky(t);
  const client = await connect();
  const base = { listen: '127.0.0.1:0', health_check: false, ...settings } as const;
  await balancer.reload(createConfig({ ...base, servers: listed(origins.toReversed()) }));
  t.match(await ask(client, '/', `Cookie: lb=${tokenOf('a')}\r\n`), { server: 'a', setCookie: '' });
  await balancer.reload(createConfig({ ...base, servers: listed(origins.slice(1)) }));
  const moved = await ask(client, '/', `Cookie: lb=${tokenOf('a')}\r\n`);
  t.match(moved.setCookie, `lb=${tokenOf(moved.server)};`, 'but one that is gone');
});

t.test('without a secret one is made up, which a reload keeps and a restart does not', async (t) => {
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
});

t.test('by header: a value goes to one server, and to its next when that is down', async (t) => {
  const { connect, origins, balancer } = await startSticky(t, { sticky: { header: 'X-User' } });
  const client = await connect();
  const users = Array.from({ length: 12 }, (_, i) => `user-${i}`);
  const homes = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const user of users) found.push((await ask(client, '/', `X-User: ${user}\r\n`)).server);
    return found;
  };
  const before = await homes();
  t.equal(new Set(before).size, 3);
  t.strictSame(await homes(), before);
  t.equal((await ask(client, '/', `X-User: ${users[0]}\r\n`)).setCookie, '', 'there is no cookie');
  balancer.setAvailability('b', 'draining');
  const without = await homes();
  t.notOk(without.includes('b'), 'a value leaves nothing behind: who drains gives its clients away');
  for (const [i, home] of before.entries()) if (home !== 'b') t.equal(without[i], home);
  balancer.setAvailability('b', 'ready');
  t.strictSame(await homes(), before);
  const anonymous = new Set<string>();
  for (let i = 0; i < 3; i++) anonymous.add((await ask(client)).server);
  t.equal(anonymous.size, 3, 'without the header it is the algorithm');
  t.equal(origins.length, 3);
});

t.test('by param, and not where it is switched off', async (t) => {
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

t.test('the cookie goes with answers of servers alone', async (t) => {
  const { connect } = await startBalancer(t, {
    servers: [await deadAddress()],
    sticky: { cookie: 'lb', secret: SECRET },
    retry: false,
  });
  t.match(await ask(await connect()), { status: 502, setCookie: '' });
});

t.test('response rules and the cookie do not know of each other', async (t) => {
  const { connect } = await startSticky(t, {
    response_header_rules: { add: { 'X-Served-By': '{server}' }, remove: ['Set-Cookie'] },
    cookie_rules: { add: { lb: 'for-the-server' } },
  });
  t.match((await ask(await connect())).setCookie, /^lb=/);
});

t.test('a client that begins with a tunnel is told its server too', async (t) => {
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
    new RegExp(`\r\nSet-Cookie: ${cookie}; Path=/; HttpOnly; SameSite=Lax\r\n`),
  );
  const bound = await connect();
  bound.send(`${upgrade}Cookie: ${cookie}\r\n\r\n`);
  t.notMatch(await bound.until('\r\n\r\n'), /set-cookie/i);
});
