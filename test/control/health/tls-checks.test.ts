import t, { type Test } from 'tap';
import { answering } from '../../../fixtures/raw-server.js';
import type { ServerTlsSettings } from '../../../lib/config/settings.js';
import type { SocketMode } from '../../../lib/net/transport.js';
import { type Started, startBalancer } from '../../support/balancer.js';
import { TestAuthority } from '../../support/certificates.js';
import { GET, OK } from '../../support/http.js';
import { turns, until } from '../../support/loop-ticks.js';
import { origin } from '../../support/origin.js';
import { folder, tlsOrigin } from '../../support/tls-origin.js';

const authority = await TestAuthority.create();
const MEANS: readonly SocketMode[] = ['fast', 'documented'];
const CHECK = { interval: '5s', timeout: '1h', rise: 1, fall: 1 } as const;

async function server(t: Test, names: readonly string[], script = answering(OK)) {
  return tlsOrigin(t, await authority.issue({ names }), script);
}

async function nextCheck({ seen, clock }: Started): Promise<string> {
  const before = seen.checks.length;
  clock.advance(5600);
  await seen.when(() => seen.checks.length > before);
  return `${seen.checks[before]?.ok} ${seen.checks[before]?.result}`;
}

for (const sockets of MEANS) {
  const options = { sockets, manual: true };
  const start = (t: Test, address: string, tls: ServerTlsSettings, check: object = {}): Promise<Started> =>
    startBalancer(t, { servers: [{ address, tls }], health_check: { ...CHECK, ...check } }, options);

  for (const type of ['http', 'tcp'] as const) {
    t.test(`${sockets}: a ${type} check does the handshake with the TLS terms of its server`, async (t) => {
      const ca = folder(t)('ca.pem', authority.cert);
      const good = await server(t, ['api.internal']);
      const started = await start(t, good.address, { ca, server_name: 'api.internal' }, { type });
      t.equal(await nextCheck(started), type === 'http' ? 'true status 200' : 'true connected');
      await until(() => good.handshakes.length === 1);
      t.match(good.handshakes, [{ sni: 'api.internal', alpn: 'http/1.1' }]);
      const bad = await start(t, good.address, { ca, server_name: 'other.internal' }, { type });
      t.equal(
        await nextCheck(bad),
        'false the certificate of the server is for api.internal, not for other.internal',
      );
      await until(() => bad.seen.stateChanges.length === 1);
      t.match(bad.seen.stateChanges[0], /^down .* not for other\.internal$/);
    });
  }

  t.test(`${sockets}: a server that does not speak TLS fails its check`, async (t) => {
    const plain = await origin(t, async (connection) => {
      await connection.read(5);
      await connection.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const started = await start(t, plain.address, {});
    t.match(await nextCheck(started), /^false the server does not speak TLS on this port/);
  });

  t.test(`${sockets}: a handshake that hangs ends with the timeout of the check`, async (t) => {
    const deaf = await origin(t, (connection) => connection.hang());
    const { clock, seen } = await start(t, deaf.address, {}, { timeout: '2s' });
    clock.advance(50);
    await until(() => deaf.connections === 1);
    clock.advance(1900);
    await turns();
    t.same(seen.checks, []);
    clock.advance(200);
    t.match(seen.checks, [{ ok: false, result: 'timed out' }]);
  });

  t.test(`${sockets}: a check of another port uses TLS too, with the same name`, async (t) => {
    const ca = folder(t)('ca.pem', authority.cert);
    const main = await server(t, ['127.0.0.1']);
    const beside = await server(t, ['127.0.0.1']);
    const started = await start(t, main.address, { ca }, { port: beside.port });
    t.equal(await nextCheck(started), 'true status 200');
    t.equal(await nextCheck(started), 'true status 200');
    t.equal(main.accepted, 0);
    t.match(beside.handshakes, [{ reused: false }, { reused: true }], 'the session of the previous check');
  });

  t.test(
    `${sockets}: a check at another host uses the name of that host, unless one is configured`,
    async (t) => {
      const ca = folder(t)('ca.pem', authority.cert);
      const main = await server(t, ['127.0.0.1']);
      const beside = await server(t, ['localhost']);
      const address = `localhost:${beside.port}`;
      const started = await start(t, main.address, { ca }, { address });
      t.equal(await nextCheck(started), 'true status 200');
      t.match(beside.handshakes, [{ sni: 'localhost' }]);
    },
  );

  t.test(`${sockets}: a server that was down is up again when its certificate is valid`, async (t) => {
    const ca = folder(t)('ca.pem', authority.cert);
    const wrong = await server(t, ['elsewhere']);
    const started = await start(t, wrong.address, { ca });
    t.match(await nextCheck(started), /^false/);
    await wrong.close();
    await tlsOrigin(t, await authority.issue({ names: ['127.0.0.1'] }), answering(OK), wrong.port);
    t.equal(await nextCheck(started), 'true status 200');
    const client = await started.connect();
    client.send(GET);
    t.equal((await client.response()).status, 200);
  });
}

t.test('a body that is cut off by a FIN without close_notify fails a check of bodies', async (t) => {
  const ca = folder(t)('ca.pem', authority.cert);
  const cut = await server(t, ['127.0.0.1'], async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\n\r\nfine');
    cut.sockets.at(-1)?.end();
  });
  const started = await startBalancer(
    t,
    { servers: [{ address: cut.address, tls: { ca } }], health_check: { ...CHECK, expect_body: '^fine$' } },
    { manual: true },
  );
  t.equal(await nextCheck(started), 'false closed within the answer');
});
