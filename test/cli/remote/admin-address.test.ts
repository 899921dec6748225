import t from 'tap';
import { findAdminAddress } from '../../../lib/cli/remote/admin-address.js';

const NOTHING = { admin: null, configFile: null };
const absent = () => false;

function text(admin: string): string {
  return findAdminAddress({ ...NOTHING, admin }, {}, absent).address.text;
}

t.test('an address as --admin of the balancer takes it', async (t) => {
  t.equal(findAdminAddress(NOTHING, {}, absent).address.text, '127.0.0.1:9090');
  t.equal(text('9091'), '127.0.0.1:9091');
  t.equal(text('lb.internal:9090'), 'lb.internal:9090');
  t.equal(text('unix:/run/lb.sock'), 'unix:/run/lb.sock');
});

t.test('a listener on every interface is reached on loopback', async (t) => {
  t.same(['*:9090', '0.0.0.0:9090', '[::]:9090'].map(text), [
    '127.0.0.1:9090',
    '127.0.0.1:9090',
    '[::1]:9090',
  ]);
});

t.test('a token is sent only to the balancer that it belongs to', async (t) => {
  const token = 'a-token-that-is-long-enough';
  const folder = t.testdir({
    'lb.yaml': `servers: [localhost:1]\nadmin: { listen: 9191, token: ${token} }\n`,
    'bad.yaml': 'servers: 5\n',
  });
  const [file, bad] = [`${folder}/lb.yaml`, `${folder}/bad.yaml`];
  t.match(findAdminAddress({ admin: null, configFile: file }, {}, absent), {
    address: { port: 9191 },
    token,
  });
  t.match(findAdminAddress({ admin: '9292', configFile: file }, {}, absent), {
    address: { port: 9292 },
    token,
  });
  t.equal(
    findAdminAddress({ admin: null, configFile: file }, { LB_ADMIN_TOKEN: 'other' }, absent).token,
    'other',
  );
  // The file that happens to lie here is not about the place that was named.
  t.equal(findAdminAddress({ admin: '9292', configFile: null }, {}, () => true).token, null);
  t.throws(() => findAdminAddress({ admin: null, configFile: bad }, {}, absent), { code: 'bad_config' });
  t.match(findAdminAddress({ admin: '9292', configFile: bad }, { LB_ADMIN_TOKEN: 'x' }, absent), {
    token: 'x',
  });
});
