import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { Admin } from '../../lib/admin/admin.js';
import { createConfig } from '../../lib/config/config.js';
import { FakeSubject } from './fake-subject.js';
import { adminConfig, asker, openAdmin, SERVICES } from './support.js';

t.test('a port alone listens on loopback', async (t) => {
  for (const admin of [9090, ':9090', '127.0.0.1:9090', true] as const)
    t.match(createConfig({ admin }).admin, { listen: { host: '127.0.0.1', port: 9090 }, token: null });
  t.equal(createConfig({ admin: false }).admin, null);
  t.equal(createConfig().admin, null);
});

t.test('an address that other machines can reach needs a token', async (t) => {
  for (const listen of ['0.0.0.0:9090', '*:9090', '[::]:9090', '192.0.2.1:9090', 'lb.internal:9090'])
    t.throws(() => createConfig({ admin: { listen } }), /it needs a token/, listen);
  for (const listen of ['127.3.2.1:9090', '[::1]:9090', 'localhost:9090', 'unix:/run/lb.sock'])
    t.equal(createConfig({ admin: { listen } }).admin?.listen.text, listen);
  const token = '0123456789abcdef';
  t.equal(createConfig({ admin: { listen: '*:9090', token } }).admin?.token, token);
  t.throws(() => createConfig({ admin: { listen: '*:9090', token: 'short' } }), /16 to 256/);
});

t.test('a Unix socket takes any Host', async (t) => {
  const path = join(t.testdir({}), 'a.sock');
  const admin = new Admin(adminConfig({ listen: `unix:${path}` }));
  t.teardown(() => admin.close());
  await admin.open(new FakeSubject(), SERVICES);
  const status = await new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: '/livez', headers: { host: 'whatever' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject);
    asked.end();
  });
  t.equal(status, 200);
});

t.test('an address in use is an error of the system', async (t) => {
  const { port } = await openAdmin(t, new FakeSubject());
  const second = new Admin(adminConfig({ listen: port }));
  await t.rejects(second.open(new FakeSubject(), SERVICES), { code: 'EADDRINUSE', port });
  second.close();
});

t.test('the admin listener can be closed repeatedly, and nothing continues after that', async (t) => {
  const subject = new FakeSubject();
  const { admin, port } = await openAdmin(t, subject);
  admin.close();
  admin.close();
  await t.rejects(asker(port)('/livez'), { code: 'ECONNREFUSED' });
  t.equal(subject.listenerCount, 0);
});
