import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import t from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { answering, RawConnection } from '../../fixtures/raw-server.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { startBalancer } from '../support/balancer.js';
import { TestAuthority } from '../support/certificates.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { folder, tlsOrigin } from '../support/tls-origin.js';

const authority = await TestAuthority.create();
const { cert, key } = await authority.issue({ names: ['127.0.0.1', '::1', 'api.internal'] });
const MEANS: readonly SocketMode[] = ['fast', 'documented'];

for (const sockets of MEANS) {
  t.test(`${sockets}: a server behind TLS on a Unix socket, whose name is set`, async (t) => {
    const path = mkdtempSync(join(tmpdir(), 'lb-'));
    t.teardown(() => rmSync(path, { recursive: true }));
    const server = tls.createServer({ cert, key, allowHalfOpen: true }, (socket) => {
      names.push(socket.servername);
      void answering(OK)(new RawConnection(socket), 0)?.catch(() => {});
    });
    const names: (string | false | null)[] = [];
    const accepted: net.Socket[] = [];
    server.on('connection', (socket: net.Socket) => accepted.push(socket));
    server.listen(join(path, 's'));
    await once(server, 'listening');
    t.teardown(() => {
      for (const socket of accepted) socket.destroy();
      server.close();
    });
    const ca = folder(t)('ca.pem', authority.cert);
    const address = `unix:${join(path, 's')}`;
    const { connect } = await startBalancer(
      t,
      { servers: [{ address, tls: { ca, server_name: 'api.internal' } }] },
      { sockets },
    );
    const client = await connect();
    for (let i = 0; i < 2; i++) {
      client.send(GET);
      t.equal((await client.response()).body, 'ok');
    }
    t.same(names, ['api.internal']);
  });

  t.test(`${sockets}: a PROXY header goes in front of the handshake, in clear text`, async (t) => {
    const inner = await tlsOrigin(t, { cert, key }, answering(OK));
    const headers: string[] = [];
    const front = await origin(t, async (connection) => {
      headers.push((await connection.readUntil('\r\n')).toString());
      const back = net.connect(inner.port, '127.0.0.1');
      back.on('error', () => {});
      back.on('data', (bytes) => connection.socket.write(bytes));
      back.on('end', () => connection.end());
      for (;;) back.write(await connection.read(1));
    });
    const ca = folder(t)('ca.pem', authority.cert);
    const { connect } = await startBalancer(
      t,
      { servers: [{ address: front.address, tls: { ca }, send_proxy: 'v1' }] },
      { sockets },
    );
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).body, 'ok');
    t.match(headers, [/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/]);
  });

  t.test(`${sockets}: a client that leaves within the handshake costs nothing but that`, async (t) => {
    const silent = await origin(t, (connection) => connection.hang());
    const { balancer, connect, seen } = await startBalancer(
      t,
      { servers: [`https://${silent.address}`] },
      { sockets },
    );
    const client = await connect();
    client.send(GET);
    await until(() => silent.connections === 1);
    client.reset();
    t.match(await seen.request(), { reason: 'client_abort' });
    t.equal(balancer.status().servers[0]?.active, 0);
  });

  t.test(`${sockets}: a balancer that stops within handshakes closes them`, async (t) => {
    let closed = 0;
    const silent = await origin(t, async (connection) => {
      await connection.hang();
      closed++;
    });
    const { balancer, connect } = await startBalancer(
      t,
      { servers: [`https://${silent.address}`] },
      { sockets },
    );
    const clients = await Promise.all([connect(), connect(), connect()]);
    for (const client of clients) client.send(GET);
    await until(() => silent.connections === 3);
    await turns();
    balancer.stop();
    await until(() => closed === 3);
    t.pass();
  });

  t.test(`${sockets}: of many requests at once each gets the answer to it`, async (t) => {
    const server = await tlsOrigin(t, { cert, key }, async (connection) => {
      for (;;) {
        const [, target = ''] = (await connection.readHead()).split(' ');
        const body = target.repeat(2000);
        await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
    const ca = folder(t)('ca.pem', authority.cert);
    const { connect } = await startBalancer(
      t,
      { servers: [{ address: server.address, tls: { ca } }] },
      { sockets },
    );
    let good = 0;
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const client = await connect();
        for (let round = 0; round < 10; round++) {
          const target = `/${i}-${round}`;
          client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
          if ((await client.response()).body === target.repeat(2000)) good++;
        }
      }),
    );
    t.equal(good, 200);
  });
}

t.test('a name: an address whose handshake fails is followed by the next one, in one attempt', async (t) => {
  const dns = await DnsServer.start();
  t.teardown(() => dns.close().catch(() => {}));
  const other = await authority.issue({ names: ['elsewhere.internal'] });
  const bad = await tlsOrigin(t, other, answering(OK));
  const good = await tlsOrigin(t, { cert, key }, answering(OK), bad.port, '::1');
  dns.set('api.internal', 60, '127.0.0.1', '::1');
  const ca = folder(t)('ca.pem', authority.cert);
  const { connect, seen } = await startBalancer(t, {
    servers: [{ address: `https://api.internal:${bad.port}`, tls: { ca } }],
    dns: { servers: [dns.address] },
    retry: false,
    pool: { max_requests: 1 },
  });
  // One address of each family is one server; the first request would not wait for the second family.
  await seen.when(() => seen.names.some((name) => name.includes('127.0.0.1') && name.includes('::1')));
  const client = await connect();
  for (let i = 1; i <= 4; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
    t.match(await seen.request(i), { attempts: 1, reason: '' });
  }
  t.equal(good.handshakes.length, 4);
  t.match(good.handshakes, [{ sni: 'api.internal' }]);
  t.ok(bad.accepted <= 2, 'the address that failed is asked last from then on');
});

t.test('requests that share a connection (pool.pipelining) do so over TLS as well', async (t) => {
  const server = await tlsOrigin(t, { cert, key }, answering(OK));
  const ca = folder(t)('ca.pem', authority.cert);
  const { connect } = await startBalancer(t, {
    servers: [{ address: server.address, tls: { ca } }],
    pool: { pipelining: 8 },
  });
  const clients = await Promise.all(Array.from({ length: 16 }, () => connect()));
  for (let round = 0; round < 5; round++) {
    for (const client of clients) client.send(GET);
    for (const client of clients) t.equal((await client.response()).body, 'ok');
  }
  t.ok(server.accepted < 16, `${server.accepted} connections`);
});

nothingIsLeft(t);
