import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { readChanges, writeChanges } from '../../lib/control/changes.js';
import { DesiredServers } from '../../lib/control/desired-servers.js';
import { readServer } from '../../lib/control/server-settings.js';
import { startBalancer } from '../support/balancer.js';
import { TestAuthority } from '../support/certificates.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { folder, tlsOrigin } from '../support/tls-origin.js';

const authority = await TestAuthority.create('Known CA');
const stranger = await TestAuthority.create('Foreign CA');

type Settings = Parameters<typeof createConfig>[0];

function configOf(settings: Settings): ReturnType<typeof createConfig> {
  return createConfig({ listen: '127.0.0.1:0', health_check: false, passive_health: false, ...settings });
}

async function server(t: Test, names = ['127.0.0.1'], by = authority) {
  const { cert, key } = await by.issue({ names });
  return tlsOrigin(t, { cert, key }, answering(OK));
}

t.test('a reload with the same files keeps connections to servers', async (t) => {
  const one = await server(t);
  const ca = folder(t)('ca.pem', authority.cert);
  const settings: Settings = { servers: [{ address: one.address, tls: { ca } }] };
  const { balancer, connect } = await startBalancer(t, settings);
  const client = await connect();
  client.send(GET);
  await client.response();
  await balancer.reload(configOf(settings));
  client.send(GET);
  t.equal((await client.response()).status, 200);
  t.equal(one.accepted, 1);
});

t.test('files that were renewed are taken over by a reload, and no request in flight is cut', async (t) => {
  const write = folder(t);
  const own = [await authority.issue({ names: ['lb'] }), await authority.issue({ names: ['lb'] })] as const;
  const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
  const shown: string[] = [];
  let answer: () => void = () => {};
  const origin = await tlsOrigin(
    t,
    { cert, key, requestCert: true, ca: authority.cert, rejectUnauthorized: true },
    async (connection, index) => {
      const socket = connection.socket as unknown as { getPeerCertificate(): { serialNumber: string } };
      shown.push(socket.getPeerCertificate().serialNumber);
      for (;;) {
        await connection.readHead();
        if (index === 0) await new Promise<void>((resolve) => (answer = resolve));
        await connection.write(OK);
      }
    },
  );
  const tls = {
    ca: write('ca.pem', authority.cert),
    cert: write('lb.pem', own[0].cert),
    key: write('lb.key', own[0].key),
  };
  const settings: Settings = { servers: [{ address: origin.address, tls }] };
  const { balancer, connect } = await startBalancer(t, settings);
  const slow = await connect();
  slow.send(GET);
  await until(() => shown.length === 1);
  write('lb.pem', own[1].cert);
  write('lb.key', own[1].key);
  await balancer.reload(configOf(settings));
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 200);
  answer();
  t.equal((await slow.response()).status, 200);
  t.same(
    shown.map((serial) => Number.parseInt(serial, 16)),
    own.map(({ serial }) => Number.parseInt(serial, 16)),
  );
  await until(
    () => balancer.status().servers[0]?.open === 1,
    'the connection of before is closed after its request',
  );
});

t.test('a bad file is refused with its name, and what was in force stays', async (t) => {
  const one = await server(t);
  const write = folder(t);
  const ca = write('ca.pem', authority.cert);
  const settings: Settings = { servers: [{ address: one.address, tls: { ca } }] };
  const { connect } = await startBalancer(t, settings);
  write('ca.pem', 'not a certificate');
  t.throws(() => configOf(settings), {
    message: /servers\[0\]\.tls\.ca: .*ca\.pem holds no certificate in PEM/,
  });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 200);
});

t.test('another server_name at the same address gets connections of its own', async (t) => {
  const one = await server(t, ['a.internal', 'b.internal']);
  const ca = folder(t)('ca.pem', authority.cert);
  const at = (server_name: string): Settings => ({
    servers: [{ address: one.address, tls: { ca, server_name } }],
  });
  const { balancer, connect } = await startBalancer(t, at('a.internal'));
  const client = await connect();
  client.send(GET);
  await client.response();
  await balancer.reload(configOf(at('b.internal')));
  client.send(GET);
  t.equal((await client.response()).status, 200);
  t.same(
    one.handshakes.map(({ sni, reused }) => ({ sni, reused })),
    [
      { sni: 'a.internal', reused: false },
      { sni: 'b.internal', reused: false },
    ],
  );
});

t.test('two routes with other names at one address never share a connection', async (t) => {
  const one = await server(t, ['a.internal', 'b.internal']);
  const ca = folder(t)('ca.pem', authority.cert);
  const servers = (server_name: string) => [{ address: one.address, tls: { ca, server_name } }];
  const { connect } = await startBalancer(t, {
    hosts: [
      { host: 'a', servers: servers('a.internal') },
      { host: 'b', servers: servers('b.internal') },
    ],
  });
  const client = await connect();
  for (const host of ['a', 'b', 'a', 'b']) {
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    t.equal((await client.response()).status, 200);
  }
  t.same(
    one.handshakes.map(({ sni }) => sni),
    ['a.internal', 'b.internal'],
  );
});

t.test('a server that becomes one behind TLS, and back, is spoken to in the right way at once', async (t) => {
  const one = await server(t);
  const ca = folder(t)('ca.pem', authority.cert);
  const plain: Settings = { servers: [one.address], retry: false };
  const secure: Settings = { servers: [{ address: one.address, tls: { ca } }], retry: false };
  const { balancer, connect } = await startBalancer(t, plain);
  const ask = async (): Promise<number> => {
    const client = await connect();
    client.send(GET);
    return (await client.response()).status;
  };
  t.equal(await ask(), 502);
  await balancer.reload(configOf(secure));
  t.equal(await ask(), 200);
  t.match(balancer.status().servers, [{ tls: { serverName: '127.0.0.1', verify: true } }]);
  await balancer.reload(configOf(plain));
  t.equal(await ask(), 502);
  t.match(balancer.status().servers, [{ tls: null }]);
});

t.test('a server that comes back with a certificate of another authority is refused', async (t) => {
  const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
  const once = answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  const first = await tlsOrigin(t, { cert, key }, once);
  const ca = folder(t)('ca.pem', authority.cert);
  const { connect, seen } = await startBalancer(t, {
    servers: [{ address: first.address, tls: { ca } }],
    retry: false,
  });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 200);
  await first.close();
  const other = await stranger.issue({ names: ['127.0.0.1'] });
  await tlsOrigin(t, other, once, first.port);
  client.send(GET);
  t.equal((await client.response()).status, 502);
  t.match(await seen.request(2), { reason: 'tls_failed', detail: /unknown authority/ });
});

t.test('a server that is added while running takes over the TLS that its route has in common', async (t) => {
  const [one, two] = [await server(t), await server(t)];
  const ca = folder(t)('ca.pem', authority.cert);
  const settings: Settings = { servers: [{ address: one.address, tls: { ca } }] };
  const { balancer, connect } = await startBalancer(t, settings);
  balancer.addServer('default', { address: two.url });
  const client = await connect();
  for (let i = 0; i < 4; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
  }
  t.same([one.accepted, two.accepted], [1, 1]);
  await balancer.reload(configOf(settings));
  for (let i = 0; i < 4; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
  }
  t.same([one.accepted, two.accepted], [1, 1], 'also after a reload');
});

t.test('terms of TLS of its own can be given for a server that is added, but no passphrase', async (t) => {
  const [one, two] = [await server(t), await server(t, ['127.0.0.1'], stranger)];
  const write = folder(t);
  const ca = write('ca.pem', authority.cert);
  const { balancer, connect, seen } = await startBalancer(t, {
    servers: [{ address: one.address, tls: { ca } }],
    retry: false,
  });
  t.throws(() => balancer.addServer('default', { address: two.address, tls: { passphrase: 'x' } }), {
    code: 'bad_value',
    message: /passphrase/,
  });
  t.throws(() => balancer.addServer('default', { address: two.address, tls: { ca: '/nowhere.pem' } }), {
    code: 'bad_value',
    message: /tls\.ca: \/nowhere\.pem cannot be read: there is no such file/,
  });
  balancer.addServer('default', { address: two.address, tls: { ca: write('other.pem', stranger.cert) } });
  const client = await connect();
  for (let i = 1; i <= 4; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
    t.equal((await seen.request(i)).reason, '');
  }
  t.equal(two.accepted, 1);
});

t.test('a server that was added, and its terms of TLS, survive a restart', async (t) => {
  const [one, two] = [await server(t), await server(t)];
  const ca = folder(t)('ca.pem', authority.cert);
  const file = new DesiredServers(configOf({ servers: [{ address: one.address, tls: { ca } }] }));
  file.add(file.planAddition('default', { address: two.url }, readServer));
  file.add(
    file.planAddition(
      'default',
      { address: 'localhost:1', tls: { server_name: 'x.internal', ca } },
      readServer,
    ),
  );
  const again = new DesiredServers(configOf({ servers: [{ address: one.address, tls: { ca } }] }));
  const text = writeChanges(file.changes);
  t.same(again.restore(readChanges(text)), []);
  const group = again.file.groupOf('default');
  t.match(
    again.layers.serversOf(group as NonNullable<typeof group>).map(({ tls }) => [tls?.serverName, tls?.ca]),
    [
      [null, ca],
      [null, ca],
      ['x.internal', ca],
    ],
  );
  t.equal(writeChanges(again.changes), text, 'what was taken over from others is not kept with it');
  t.notMatch(text, 'PRIVATE KEY');
});

nothingIsLeft(t);
