import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { FakeSubject } from './fake-subject.js';
import { errorOf, openAdmin } from './support.js';

const FILES = new URL('../../../fixtures/config/', import.meta.url).pathname;

t.test('livez and readyz report whether lb is alive and ready', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  t.match(await ask('/livez'), { status: 200, text: 'ok\n' });
  t.match(await ask('/readyz'), { status: 200, text: 'ready\n' });
  subject.readyReasons = ['draining', 'default has no server to use'];
  t.match(await ask('/readyz'), {
    status: 503,
    text: 'not ready\ndraining\ndefault has no server to use\n',
  });
  t.match(await ask('/livez', { method: 'HEAD' }), { status: 200, text: '' });
});

t.test('answers of the admin API are not cached, sniffed or read by other sites', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject());
  const { headers } = await ask('/api/status');
  t.match(headers, {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  });
  t.equal(headers['access-control-allow-origin'], undefined);
});

t.test('/api/status has servers without their events', async (t) => {
  const subject = new FakeSubject();
  subject.note('down', 'apple', 'refused');
  const { ask } = await openAdmin(t, subject);
  const { json } = await ask('/api/status');
  t.match(json, {
    uptime_ms: 5000,
    requests: { total: 12, in_flight: 1, by_status: { '2xx': 11 }, by_reason: { connect_refused: 1 } },
    routes: [{ name: 'default', servers: [{ name: 'apple', last_check: { duration_ms: 1.5 } }, {}] }],
    config: { path: 'lb.yaml', drift: ['weight of big: 5 (file: 3)'] },
  });
  t.notMatch(JSON.stringify(json), '"events"');
  const { servers } = (await ask('/api/servers')).json as { servers: object[] };
  t.match(servers, [{ name: 'apple', events: [{ what: 'down', reason: 'refused' }] }, { events: [] }]);
});

t.test('a server is drained, reweighted and put back', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  const change = (body: unknown, name = 'apple') => ask(`/api/servers/${name}`, { method: 'PATCH', body });
  t.match(await change({ state: 'drain' }), { status: 200, json: { name: 'apple', state: 'draining' } });
  t.match(await change({ state: 'maintenance', weight: 0 }), { json: { state: 'maintenance', weight: 0 } });
  t.match(await change({ state: 'ready', weight: 7 }), { json: { state: 'up', weight: 7 } });
  t.match(await ask('/api/servers/apple'), { status: 200, json: { weight: 7 } });
});

t.test('bans are listed and lifted', async (t) => {
  const subject = new FakeSubject();
  subject.banned = ['192.0.2.7', '2001:db8::/64'];
  const { ask } = await openAdmin(t, subject);
  t.match(await ask('/api/bans'), {
    status: 200,
    json: {
      total: 2,
      bans: [{ client: '192.0.2.7', rule: 'firewall_rules', left_ms: 60_000, observed: false }, {}],
    },
  });
  const lift = (client: string) => ask(`/api/bans/${encodeURIComponent(client)}`, { method: 'DELETE' });
  t.match(await lift('2001:db8::/64'), {
    status: 200,
    json: { client: '2001:db8::/64', rules: ['firewall_rules'] },
  });
  t.equal(errorOf(await lift('192.0.2.99')).code, 'unknown_ban');
  t.same(subject.banned, ['192.0.2.7']);
});

t.test('a change that makes no sense changes nothing', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  const refused = async (body: unknown, name = 'apple'): Promise<string> => {
    const reply = await ask(`/api/servers/${name}`, { method: 'PATCH', body });
    const { code, message, hint } = errorOf(reply);
    return `${reply.status} ${code}: ${message}. ${hint}`.trim();
  };
  t.equal(await refused({}), '400 bad_request: there is nothing to change. Give state or weight.');
  t.match(await refused([]), /^400 bad_request: expected a JSON object\. Send an object such as \{/);
  t.match(await refused('{'), /^400 bad_request: not JSON: /);
  t.match(await refused({ state: 'off' }), /^400 bad_value: state cannot be "off"\. It is ready, drain or /);
  t.match(await refused({ state: 1 }), /^400 bad_value: state is a text/);
  t.match(await refused({ state: 'constructor' }), /^400 bad_value/);
  t.match(await refused({ state: 'drain', weight: 1.5 }), /^400 bad_value: weight is a whole number/);
  t.match(await refused({ weight: 257 }), /^400 bad_value/);
  t.match(await refused({ wieght: 2 }), /^400 bad_value: wieght is unknown\. Did you mean weight\?/);
  t.match(await refused({ weight: 2 }, 'appel'), /^404 unknown_server: .*Did you mean apple\?/);
  t.match(await refused({ weight: 2 }, '%E0%A4%A'), /^404 not_found/);
  t.match(subject.servers, [
    { state: 'up', weight: 1 },
    { state: 'up', weight: 1 },
  ]);
});

t.test('a server is added and removed', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  const add = (body: unknown) => ask('/api/servers', { method: 'POST', body });
  const added = await add({ address: '5003', weight: 2 });
  t.equal(added.status, 404, 'a fake does not complete addresses');
  const named = await add({ address: 'localhost:5004', name: 'cherry', weight: 2, route: 'default' });
  t.match(named, { status: 201, json: { name: 'cherry', weight: 2, from_file: false } });
  t.equal(named.headers.location, '/api/servers/cherry');
  t.match(errorOf(await add({ address: 'localhost:5004', name: 'cherry' })), { code: 'duplicate_server' });
  t.match(await add({ address: 'localhost:5005', route: 'x' }), { status: 404 });
  t.match(errorOf(await add({ name: 'x' })), { code: 'bad_value', message: 'address is missing' });
  t.match(errorOf(await add({ address: 'ftp://x' })), { code: 'bad_value', hint: /drop ftp/ });
  t.match(errorOf(await add({ address: 'a:1', backup: 'yes' })), { message: 'backup is true or false' });
  const remove = (name: string) => ask(`/api/servers/${name}`, { method: 'DELETE' });
  t.match(await remove('cherry'), { status: 204, text: '' });
  t.match(await remove('cherry'), { status: 404 });
  await remove('5003');
  t.match(await remove('apple'), { status: 204 });
  t.match(await remove('banana'), { status: 409, json: { error: { code: 'last_server' } } });
});

t.test('a name with a colon or a slash is one part of the path', async (t) => {
  const subject = new FakeSubject();
  subject.addServer('default', { address: 'unix:/run/a.sock' });
  const { ask } = await openAdmin(t, subject);
  t.match(await ask(`/api/servers/${encodeURIComponent('unix:/run/a.sock')}`), { status: 200 });
  t.match(
    await ask('/api/servers/localhost%3A5001'),
    { json: { name: 'apple' } },
    'an address is a name too',
  );
});

t.test('unknown paths and methods are refused', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject());
  for (const path of ['/nope', '/api', '/api/servers/', '/api/servers/a/b', '//', '/api/status/', '*'])
    t.match(await ask(path), { status: 404, json: { error: { code: 'not_found' } } }, path);
  const wrong = await ask('/api/servers', { method: 'DELETE' });
  t.match(wrong, { status: 405, headers: { allow: 'GET, HEAD, POST' } });
  t.match(await ask('/api/status', { method: 'OPTIONS' }), { status: 405 });
});

t.test('a request body that is not JSON, or too long, is refused', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject());
  const post = (body: string, type = 'application/json') =>
    ask('/api/servers', { method: 'POST', body, headers: { 'content-type': type } });
  t.match(await post('{}', 'text/plain'), { status: 415 });
  t.match(await post('{}', 'application/json; charset=utf-8'), { status: 400 });
  const long = await post(`{"address":"${'a'.repeat(70_000)}"}`);
  t.match(long, { status: 413, json: { error: { code: 'body_too_large' } } });
});

t.test('a refused reload answers with the problems of the file', async (t) => {
  const bad = {
    ok: false,
    message: 'lb.yaml was not loaded',
    report: 'lb.yaml:1:1  lsten: unknown key\n',
  };
  const wrong = await openAdmin(t, new FakeSubject(), { services: { reload: async () => bad } });
  const refused = await wrong.ask('/api/reload', { method: 'POST' });
  t.equal(refused.status, 422);
  t.match(errorOf(refused), { code: 'bad_config', message: bad.message, details: bad.report });
  const none = await openAdmin(t, new FakeSubject(), { services: { reload: null } });
  t.match(await none.ask('/api/reload', { method: 'POST' }), { status: 409 });
  const { ask } = await openAdmin(t, new FakeSubject());
  t.match(await ask('/api/reload', { method: 'POST' }), { status: 200, json: { ok: true } });
});

t.test('/api/config has the configuration without secrets', async (t) => {
  const subject = new FakeSubject();
  subject.config = createConfig({
    listen: [8080, { address: 'unix:/run/lb.sock', mode: '0660' }],
    admin: { listen: '10.0.0.1:9090', token: '0123456789abcdef' },
    servers: [
      { address: 'localhost:5001', name: 'apple', tls: { cert: `${FILES}lb.pem`, key: `${FILES}lb.key` } },
    ],
    events: { webhook: 'https://hooks.example/T0/B1/s3cret', secret: 'hmac-key' },
    header_rules: { add: { Authorization: 'Basic c2VjcmV0', 'X-Client': '{client_ip}/{header.X-A}' } },
    firewall_rules: { ip_reject: ['10.0.0.0/8'], path_reject: ['~ ^/a'] },
  });
  const { ask } = await openAdmin(t, subject);
  const { json, text } = await ask('/api/config');
  t.match(json, {
    listen: [
      { address: '8080', tls: null },
      { address: 'unix:/run/lb.sock', mode: '0660' },
    ],
    admin: { listen: '10.0.0.1:9090', token: '***' },
    servers: [{ address: 'localhost:5001', name: 'apple', tls: { verify: true, cert: /lb\.pem$/ } }],
    timeouts: { request_header: 10_000 },
    events: { webhook: 'https://hooks.example/***', secret: '***' },
    firewall: { ip_reject: ['10.0.0.0/8'], path_reject: [{ kind: 'regex', regex: '/^/a/' }] },
  });
  t.notMatch(text, /c2VjcmV0|0123456789abcdef|s3cret|hmac-key|PRIVATE KEY/);
  t.match(text, '"value":"{client_ip}/{header.x-a}"');
});

t.test('an explanation shows what the asker gave, not what rules add that is secret', async (t) => {
  const subject = new FakeSubject();
  subject.config = createConfig({
    servers: ['localhost:5001'],
    header_rules: { add: { Authorization: 'Bearer hush', 'X-Shown': 'yes' } },
    cookie_rules: { add: { shard: 'hush' } },
    param_rules: { add: { api_key: 'hush', page: '2' } },
  });
  const { ask } = await openAdmin(t, subject);
  const query = 'url=/%3Ftoken=mine%26a=1&header=Cookie:%20own=mine&header=X-Auth:%20mine';
  const { text } = await ask(`/api/explain?${query}`);
  t.notMatch(text, 'hush');
  t.match(text, 'GET /?token=mine&a=1&api_key=***&page=2 HTTP/1.1');
  t.match(text, 'Cookie: own=mine; shard=***\\r\\n');
  t.match(text, 'X-Auth: mine\\r\\n');
  t.match(text, 'Authorization: ***\\r\\n');
  t.match(text, 'X-Shown: yes\\r\\n');
});

t.test('a request is explained by the configuration in force', async (t) => {
  const subject = new FakeSubject();
  const { ask } = await openAdmin(t, subject);
  const path = '/api/explain?url=http://www.mango.com/v1&header=X-A:%201&ip=192.0.2.1';
  const { json } = await ask(path);
  t.match(json, {
    client: '192.0.2.1',
    route: { name: 'default' },
    outcome: { kind: 'forwarded', servers: [{ address: 'localhost:5001' }, {}], head: /X-A: 1\r\n/ },
  });
  subject.config = createConfig({ respond: { status: 204 } });
  t.match((await ask(path)).json, { outcome: { kind: 'replied', status: 204 } });
  t.match(errorOf(await ask('/api/explain')), { code: 'bad_request' });
  t.match((await ask('/api/explain?url=https://x/')).json, { outcome: { kind: 'replied' } });
  t.match(errorOf(await ask('/api/explain?url=/&ip=x')), { code: 'bad_value' });
});

t.test('a bug in the admin code is reported, and the listener continues', async (t) => {
  const subject = new FakeSubject();
  const errors: unknown[] = [];
  const report = (error: unknown): void => void errors.push(error);
  const { ask } = await openAdmin(t, subject, { services: { report } });
  const bug = new Error('a bug');
  subject.status = () => {
    throw bug;
  };
  const reply = await ask('/api/status');
  t.match(reply, { status: 500, json: { error: { code: 'internal' } } });
  t.notMatch(reply.text, 'a bug');
  t.same(errors, [bug]);
  t.match(await ask('/livez'), { status: 200 });
});
