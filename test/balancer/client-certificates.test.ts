import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import * as https from 'node:https';
import { join } from 'node:path';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { type SeenRequest, startBalancer } from '../support/balancer.js';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { RawClient } from '../support/client.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { field, origin } from '../support/origin.js';

const authority = await TestAuthority.create();
const stranger = await TestAuthority.create('Another CA');

interface Asked {
  readonly status: number;
  readonly body: string;
}

/** Asks over TLS for `host`, having named `name` in the handshake, and shows `certificate`. */
function ask(
  port: number,
  {
    name,
    host = name,
    certificate,
  }: { name: string; host?: string; certificate?: { cert: string; key: string } },
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: name, ca: authority.cert, agent: false };
    const request = https.get({ ...options, ...certificate, headers: { Host: host } }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

async function start(t: Test, mode: 'require' | 'request') {
  const heads: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  const folder = t.testdir({ 'ca.pem': authority.cert });
  const open = writeCertificate(folder, 'open', await authority.issue({ names: ['open.test'] }));
  const closed = writeCertificate(folder, 'closed', await authority.issue({ names: ['closed.test'] }));
  const started = await startBalancer(t, {
    listen: [{ address: '127.0.0.1:0', tls: true }],
    tls: {
      certificates: [open, { ...closed, client_auth: { ca: join(folder, 'ca.pem'), mode } }],
    },
    routes: [
      { match: { client_cert: { subject: 'CN=bob' } }, respond: { status: 200, body: 'hello bob' } },
      { match: { client_cert: false, sni: 'closed.test' }, respond: { status: 401 } },
    ],
    servers: [server.address],
  });
  return { ...started, heads };
}

t.test('a request for a host with another policy than that of the handshake is misdirected', async (t) => {
  const { port, seen } = await start(t, 'require');
  const certificate = await authority.issue({ commonName: 'alice', names: [] });
  t.match(await ask(port, { name: 'open.test' }), { status: 200, body: 'ok' });
  t.match(await ask(port, { name: 'closed.test', certificate }), { status: 200, body: 'ok' });
  t.match(await ask(port, { name: 'open.test', host: 'closed.test' }), { status: 421 });
  t.match(await ask(port, { name: 'open.test', host: 'CLOSED.test:443' }), { status: 421 });
  t.match(await ask(port, { name: 'closed.test', host: 'open.test', certificate }), { status: 421 });
  t.match(await ask(port, { name: 'open.test', host: 'unknown.test' }), { status: 200 }, 'the same is asked');
  // Several threads tell of their requests in any order.
  await seen.request(6);
  const misdirected = seen.requests.filter(({ status }) => status === 421);
  t.same(
    misdirected.map(({ reason }) => reason),
    ['misdirected', 'misdirected', 'misdirected'],
  );
  const { transport } = misdirected.find(({ host }) => host === 'closed.test') as SeenRequest;
  t.match(transport, { scheme: 'https', sni: 'open.test', tls: { clientCertificate: null } });
});

t.test('servers and conditions know whose certificate was shown, and that one is not valid', async (t) => {
  const { port, heads } = await start(t, 'request');
  const told = async (certificate?: { cert: string; key: string }) => {
    const { status, body } = await ask(port, {
      name: 'closed.test',
      ...(certificate === undefined ? {} : { certificate }),
    });
    return `${status} ${body}`.trim();
  };
  const alice = await authority.issue({ commonName: 'alice', names: ['alice.test'] });
  t.equal(await told(alice), '200 ok');
  const head = heads.at(-1) ?? '';
  t.equal(field(head, 'x-client-cert-verify'), 'SUCCESS');
  t.equal(field(head, 'x-client-cert-subject'), 'CN=alice');
  t.equal(field(head, 'x-client-cert-issuer'), 'CN=Test CA');
  t.equal(field(head, 'x-client-cert-fingerprint'), alice.fingerprint);
  t.equal(field(head, 'x-client-cert-serial')?.toLowerCase(), alice.serial);
  t.equal(field(head, 'x-client-cert-names'), 'DNS:alice.test');
  t.equal(field(head, 'x-forwarded-proto'), 'https');
  t.equal(field(head, 'x-forwarded-port'), String(port));
  t.equal(await told(await authority.issue({ commonName: 'bob', names: [] })), '200 hello bob');
  t.match(
    await told(await stranger.issue({ commonName: 'bob', names: [] })),
    /^401/,
    'of an unknown authority',
  );
  const hour = 3_600_000;
  const past = { notBefore: Date.now() - 2 * hour, notAfter: Date.now() - hour };
  t.match(await told(await authority.issue({ commonName: 'bob', names: [], ...past })), /^401/, 'expired');
  t.match(await told(), /^401/, 'none');
});

t.test('a session that was begun without a certificate opens no host that requires one', async (t) => {
  const { port } = await start(t, 'require');
  const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 10 });
  t.teardown(() => agent.destroy());
  const one = (servername: string): Promise<number> =>
    new Promise((resolve) => {
      const options = { port, host: '127.0.0.1', servername, ca: authority.cert, agent };
      const request = https.get({ ...options, headers: { Host: servername } }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', () => resolve(0));
    });
  t.equal(await one('open.test'), 200);
  t.equal(await one('open.test'), 200);
  t.equal(await one('closed.test'), 0, 'the handshake fails');
});

t.test('a client certificate without any name does no harm, valid or not', async (t) => {
  const { port, heads } = await start(t, 'request');
  const certificate = await authority.issue({ commonName: '', names: ['192.0.2.1'] });
  t.match(await ask(port, { name: 'closed.test', certificate }), { status: 200 });
  const head = heads.at(-1) ?? '';
  t.equal(field(head, 'x-client-cert-verify'), 'SUCCESS');
  t.equal(field(head, 'x-client-cert-subject'), '');
  t.equal(field(head, 'x-client-cert-fingerprint'), certificate.fingerprint);
  const nameless = await TestAuthority.create('');
  const invalid = await nameless.issue({ commonName: '', names: ['192.0.2.1'] });
  t.match(await ask(port, { name: 'closed.test', certificate: invalid }), { status: 401 });
});

/** A connection of TLS that stays open; `get` resolves with the status, or 0 when the connection is closed. */
async function stay(t: Test, port: number, name: string, shown: { cert?: string; key?: string } = {}) {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: name, ca: authority.cert, ...shown });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const get = async (host: string): Promise<number> => {
    if (socket.destroyed || socket.readableEnded) return 0;
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'end')])) as [Buffer?];
    return Number(chunk?.toString('latin1', 9, 12) ?? 0);
  };
  return { socket, get };
}

t.test('a drain does not wait for connections that have not begun their handshake', async (t) => {
  for (const sockets of ['fast', 'documented'] as const) {
    const folder = t.testdir();
    const open = writeCertificate(folder, 'open', await authority.issue({ names: ['open.test'] }));
    const { port, balancer } = await startBalancer(
      t,
      { listen: [{ address: '127.0.0.1:0', tls: true }], tls: { certificates: [open] }, respond: {} },
      { manual: true, sockets },
    );
    const client = await RawClient.connect(port);
    await until(() => balancer.clientCount === 1);
    t.equal(await balancer.drain(), true);
    t.equal(await client.toEnd(), '');
    client.end();
  }
});

t.test('a reload that requires certificates applies to open connections', async (t) => {
  const folder = t.testdir({ 'ca.pem': authority.cert });
  const open = writeCertificate(folder, 'open', await authority.issue({ names: ['open.test'] }));
  const closed = writeCertificate(folder, 'closed', await authority.issue({ names: ['closed.test'] }));
  const client_auth = { ca: join(folder, 'ca.pem') };
  const settings = (certificates: readonly object[]) =>
    ({
      listen: [{ address: '127.0.0.1:0', tls: true }],
      tls: { certificates },
      respond: { body: 'here' },
    }) as NonNullable<Parameters<typeof createConfig>[0]>;
  const { port, balancer } = await startBalancer(t, settings([open, closed]));
  const toClosed = await stay(t, port, 'closed.test');
  const toOpen = await stay(t, port, 'open.test');
  const half = await stay(t, port, 'closed.test');
  t.equal(await toClosed.get('closed.test'), 200);
  t.equal(await toOpen.get('closed.test'), 200);
  half.socket.write('GET / HTTP/1.1\r\n');
  t.equal(await toOpen.get('open.test'), 200);
  await balancer.reload(createConfig(settings([open, { ...closed, client_auth }])));
  t.equal(await toClosed.get('closed.test'), 0, 'an idle connection is closed');
  t.equal(await toOpen.get('open.test'), 200, 'the same is asked for this name as before');
  t.equal(await toOpen.get('closed.test'), 421);
  half.socket.write('Host: closed.test\r\n\r\n');
  const [answer] = (await once(half.socket, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 421 /, 'a request that had begun');
});

t.test('reloading the revocation list closes connections of revoked certificates', async (t) => {
  const alice = await authority.issue({ commonName: 'alice', names: [] });
  const bob = await authority.issue({ commonName: 'bob', names: [] });
  const folder = t.testdir({ 'ca.pem': authority.cert, 'crl.pem': await authority.revoke(bob.serial) });
  const open = writeCertificate(folder, 'open', await authority.issue({ names: ['open.test'] }));
  const client_auth = { ca: join(folder, 'ca.pem'), crl: join(folder, 'crl.pem') };
  const { port, balancer } = await startBalancer(t, {
    listen: [{ address: '127.0.0.1:0', tls: true }],
    tls: { certificates: [open], client_auth },
    respond: { body: 'here' },
  });
  const connection = await stay(t, port, 'open.test', alice);
  t.equal(await connection.get('open.test'), 200);
  await balancer.reloadCertificates();
  t.equal(await connection.get('open.test'), 200, 'nothing has changed');
  writeFileSync(join(folder, 'crl.pem'), await authority.revoke(alice.serial));
  await balancer.reloadCertificates();
  t.equal(await connection.get('open.test'), 0);
  const again = await ask(port, { name: 'open.test', certificate: alice });
  t.equal(again.status, 400, 'the certificate is refused on a new connection');
});

nothingIsLeft(t);
