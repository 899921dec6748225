import t from 'tap';
import { FakeSubject } from './fake-subject.js';
import { errorOf, openAdmin } from './support.js';

const TOKEN = '0123456789abcdef';

t.test('a Host that is neither an address nor a configured name is refused', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject(), { settings: { hosts: 'Admin.Example.com' } });
  const status = async (host: string) => (await ask('/livez', { headers: { host } })).status;
  for (const host of [
    'localhost:9090',
    'LOCALHOST',
    '127.0.0.1:9090',
    '10.1.2.3',
    '[::1]:9090',
    'admin.example.com:80',
    'admin.example.com.',
  ])
    t.equal(await status(host), 200, host);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'a b',
    '[x]',
    '1.2.3',
  ])
    t.equal(await status(host), 421, host);
  const { code } = errorOf(await ask('/', { headers: { host: 'evil.example' } }));
  t.equal(code, 'wrong_host');
});

t.test('a page of another site can neither read nor change anything', async (t) => {
  const subject = new FakeSubject();
  const { ask, port } = await openAdmin(t, subject);
  const host = `127.0.0.1:${port}`;
  const drain = async (headers: Record<string, string>, path = '/api/servers/apple') =>
    (await ask(path, { method: 'PATCH', body: { state: 'drain' }, headers: { host, ...headers } })).status;
  t.equal(await drain({ origin: 'http://evil.example' }), 403);
  t.equal(await drain({ origin: 'null' }), 403);
  t.equal(await drain({ origin: `http://evil.example/${host}` }), 403);
  t.equal(await drain({ origin: `ftp://${host}` }), 403);
  t.equal(await drain({ origin: `http://127.0.0.1:${port + 1}` }), 403);
  t.equal(await drain({ 'sec-fetch-site': 'cross-site' }), 403);
  t.equal(await drain({ 'sec-fetch-site': 'same-site' }), 403);
  t.match(subject.servers, [{ state: 'up' }, {}]);
  t.equal(await drain({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }), 200);
  t.equal(await drain({ origin: `https://${host}` }), 200, 'TLS ends in front');
  const look = async (path: string, site: string) =>
    (await ask(path, { headers: { 'sec-fetch-site': site } })).status;
  t.equal(await look('/api/status', 'cross-site'), 403);
  t.equal(await look('/metrics', 'cross-site'), 403);
  t.equal(await look('/', 'cross-site'), 200, 'a link to the page is a link');
  t.equal(await look('/api/status', 'none'), 200, 'typed by hand');
});

t.test('the read token sees everything and changes nothing', async (t) => {
  const subject = new FakeSubject();
  const readToken = 'fedcba9876543210';
  const { ask } = await openAdmin(t, subject, { settings: { token: TOKEN, read_token: readToken } });
  const asked = async (method: string, path: string, token: string) =>
    ask(path, { method, body: method === 'PATCH' ? { weight: 7 } : undefined, headers: bearer(token) });
  for (const path of ['/metrics', '/api/status', '/api/servers', '/api/config', '/api/explain?url=/'])
    t.match(await asked('GET', path, readToken), { status: 200 }, path);
  t.match((await asked('GET', '/api/status', readToken)).json, { access: 'read' });
  t.match((await asked('GET', '/api/status', TOKEN)).json, { access: 'change' });
  t.notMatch((await asked('GET', '/api/config', readToken)).text, readToken);
  for (const [method, path] of [
    ['POST', '/api/servers'],
    ['PATCH', '/api/servers/apple'],
    ['DELETE', '/api/servers/apple'],
    ['POST', '/api/reload'],
  ] as const) {
    const reply = await asked(method, path, readToken);
    t.equal(reply.status, 403, path);
    t.match(errorOf(reply), { code: 'read_only', hint: /admin\.token/ });
  }
  t.match(subject.servers, [{ weight: 1 }, {}]);
  t.match(await asked('PATCH', '/api/servers/apple', TOKEN), { status: 200 });
  t.match(await asked('GET', '/api/status', 'fedcba9876543211'), { status: 401 });
});

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

t.test('with a token configured, reading and changing need it', async (t) => {
  const subject = new FakeSubject();
  subject.readyReasons = ['default has no server to use'];
  const { ask } = await openAdmin(t, subject, { settings: { token: TOKEN } });
  const status = async (path: string, authorization?: string, method = 'GET') =>
    (await ask(path, { method, headers: authorization === undefined ? {} : { authorization } })).status;
  for (const path of ['/api/status', '/api/config', '/metrics', '/api/events', '/api/servers/apple']) {
    t.equal(await status(path), 401, path);
    t.equal(await status(path, 'Bearer 0123456789abcdeg'), 401);
    t.equal(await status(path, `Basic ${TOKEN}`), 401);
  }
  t.equal(await status('/api/reload', undefined, 'POST'), 401);
  t.equal(await status('/api/reload', `Bearer ${TOKEN}`, 'POST'), 200);
  t.equal(await status('/api/status', `bearer  ${TOKEN} `), 200);
  t.equal(await status('/'), 200);
  t.equal(await status('/livez'), 200);
  const reply = await ask('/api/status');
  t.equal(reply.headers['www-authenticate'], 'Bearer realm="lb"');
  t.match(errorOf(reply), { code: 'unauthorized', hint: /Authorization: Bearer/ });
  t.match(await ask('/readyz'), { status: 503, text: 'not ready\n' });
  const known = await ask('/readyz', { headers: { authorization: `Bearer ${TOKEN}` } });
  t.match(known, { status: 503, text: 'not ready\ndefault has no server to use\n' });
});
