import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { RawClient } from '../support/client.js';
import { rest, until } from '../support/loop-ticks.js';
import { deadAddress } from '../support/origin.js';
import { schemaFault } from './description.js';
import { startSite } from './site.js';

type Servers = { servers: { name: string; state: string; totals: { requests: number } }[] };

t.test('the status of a balancer at work is as its schema says', async (t) => {
  const {
    ask,
    get,
    servers: fixtures,
  } = await startSite(t, { firewall_rules: { path_reject: ['/secret'] } });
  for (let count = 0; count < 6; count++) t.equal(await get(), 200);
  t.equal(await get('/secret'), 403);
  fixtures[2]!.healthy = false;
  await until(async () => (await servers(ask))[2]?.state === 'down', undefined, rest);
  for (const [path, schema] of [
    ['/api/status', 'Status'],
    ['/api/servers/cherry', 'Server'],
    ['/api/traffic', 'Traffic'],
    ['/api/failures', 'Failures'],
    ['/api/config', 'Config'],
    ['/api/explain?url=/a', 'Explanation'],
  ] as const)
    t.equal(schemaFault(`/components/schemas/${schema}`, (await ask(path)).json), '', path);
  t.match((await ask('/api/status')).json, {
    requests: { total: 7, by_status: { '2xx': 6, '4xx': 1 }, by_reason: { blocked_path: 1 } },
    firewall: [{ rule: 'firewall_rules', verdicts: [{ guard: 'path_reject', refused: 1 }] }],
  });
  t.match((await ask('/api/failures')).json, {
    failures: [{ reason: 'blocked_path', count: 1, requests: [{ path: '/secret', status: 403 }] }],
  });
  const { events } = (await ask('/api/servers/cherry')).json as { events: unknown[] };
  t.match(events.slice(0, 2), [
    { what: 'check_failed', reason: 'status 500' },
    { what: 'down', reason: 'status 500', times: 1 },
  ]);
});

t.test('readyz is 503 when no server can be used, with the reason', async (t) => {
  const { ask, servers: fixtures } = await startSite(t);
  t.equal((await ask('/readyz')).status, 200);
  for (const fixture of fixtures) fixture.healthy = false;
  await until(async () => (await ask('/readyz')).status === 503, undefined, rest);
  t.match((await ask('/readyz')).text, /^not ready\n.*default/);
  fixtures[0]!.healthy = true;
  await until(async () => (await ask('/readyz')).status === 200, undefined, rest);
});

t.test('readyz is 503 during a drain, and livez is 200 to the end', async (t) => {
  const { ask, balancer, servers: fixtures } = await startSite(t);
  const [address] = balancer.addresses;
  const client = await RawClient.connect(address?.kind === 'tcp' ? address.port : 0);
  t.teardown(() => client.destroy());
  client.send('GET /?delay=300 HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(async () => fixtures.some(({ requests }) => requests > 0), undefined, rest);
  const drained = balancer.drain();
  t.match(await ask('/readyz'), { status: 503, text: /drain/ });
  t.equal((await ask('/livez')).status, 200);
  t.equal((await client.response()).status, 200);
  client.end();
  t.equal(await drained, true);
  t.match((await ask('/api/status')).json, { state: 'stopped', ready: false });
});

t.test('a request is explained by the servers as they are', async (t) => {
  const { ask, balancer, servers: fixtures } = await startSite(t);
  const explained = async () =>
    (
      (await ask('/api/explain?url=/')).json as {
        outcome: { servers: { name: string; left_out: string | null }[] };
      }
    ).outcome.servers;
  t.same(new Set((await explained()).map(({ left_out }) => left_out)), new Set([null]));
  balancer.setAvailability('apple', 'draining');
  balancer.setWeight('banana', 7);
  fixtures[2]!.healthy = false;
  await until(async () => (await explained())[2]?.left_out === 'down', undefined, rest);
  t.match(await explained(), [{ left_out: 'draining' }, { weight: 7, left_out: null }, { left_out: 'down' }]);
  balancer.addServer('default', { address: '127.0.0.1:9', name: 'damson' });
  t.match((await explained())[3], { name: 'damson' });
});

t.test('a drained server finishes its requests and gets no new ones', async (t) => {
  const { ask, get, servers: fixtures } = await startSite(t);
  const patch = (body: object) => ask('/api/servers/apple', { method: 'PATCH', body });
  t.match(await patch({ state: 'drain' }), { status: 200, json: { name: 'apple', state: 'draining' } });
  const before = fixtures[0]!.requests;
  for (let count = 0; count < 9; count++) t.equal(await get(), 200);
  t.equal(fixtures[0]!.requests, before);
  t.match((await ask('/api/status')).json, { config: { drift: [/apple/] } });
  await patch({ state: 'ready' });
  for (let count = 0; count < 9; count++) t.equal(await get(), 200);
  t.ok(fixtures[0]!.requests > before);
});

t.test('a server comes and goes while requests run', async (t) => {
  const { ask, get, servers: fixtures } = await startSite(t, { health_check: false });
  const { address } = fixtures[0]!;
  t.equal((await ask('/api/servers/apple', { method: 'DELETE' })).status, 204);
  const before = fixtures[0]!.requests;
  for (let count = 0; count < 6; count++) t.equal(await get(), 200);
  t.equal(fixtures[0]!.requests, before);
  const added = await ask('/api/servers', { method: 'POST', body: { address, name: 'apple' } });
  t.equal(added.status, 201, added.text);
  for (let count = 0; count < 6; count++) t.equal(await get(), 200);
  t.ok(fixtures[0]!.requests > before);
  const names = (await servers(ask)).map(({ name }) => name).sort();
  t.same(names, ['apple', 'banana', 'cherry']);
});

t.test('the API passes on refusals of the balancer in its words', async (t) => {
  const { ask, servers: fixtures } = await startSite(t);
  const post = (body: object) => ask('/api/servers', { method: 'POST', body });
  const { address } = fixtures[0]!;
  t.match(await post({ address }), { status: 409, json: { error: { code: 'duplicate_server' } } });
  t.match(await post({ address: 'localhost:1', route: 'defautl' }), {
    status: 404,
    json: { error: { code: 'unknown_route', message: /default/ } },
  });
  for (const name of ['apple', 'banana']) await ask(`/api/servers/${name}`, { method: 'DELETE' });
  t.match(await ask('/api/servers/cherry', { method: 'DELETE' }), {
    status: 409,
    json: { error: { code: 'last_server' } },
  });
});

t.test('a server that is added is answered with what its first check said', async (t) => {
  const { ask } = await startSite(t);
  const post = (body: object) => ask('/api/servers', { method: 'POST', body });
  t.match(await post({ address: await deadAddress(), name: 'dead' }), {
    status: 201,
    json: { state: 'down', why: 'refused', last_check: { ok: false } },
  });
  const avocado = await startFixtureServer({ name: 'avocado' });
  t.teardown(() => avocado.close());
  const alive = await post({ address: avocado.address, name: 'avocado' });
  t.match(alive, { status: 201, json: { state: 'up', last_check: { ok: true } } });
});

async function servers(ask: (path: string) => Promise<{ json: unknown }>): Promise<Servers['servers']> {
  return ((await ask('/api/servers')).json as Servers).servers;
}
