import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { answering, type RawConnection, type Script } from '../../fixtures/raw-server.js';
import type { ServerSetting, ServerTlsSettings } from '../../lib/config/settings.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { startBalancer, untilCollected } from '../support/balancer.js';
import { type CertificateOptions, TestAuthority } from '../support/certificates.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { startPaths } from '../support/paths.js';
import { folder, type TlsOrigin, tlsOrigin } from '../support/tls-origin.js';

const authority = await TestAuthority.create('Known CA');
const stranger = await TestAuthority.create('Foreign CA');
const nameless = await TestAuthority.create('');

t.setTimeout(300_000);

const DAY_MS = 24 * 3_600_000;
const MEANS: readonly SocketMode[] = ['fast', 'documented'];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** A server with a certificate of `by`, and settings of a server that knows `authority`. */
async function secured(
  t: Test,
  options: CertificateOptions = {},
  by = authority,
): Promise<{ server: TlsOrigin; ca: string; tls: (more?: ServerTlsSettings) => ServerSetting }> {
  const { cert, key } = await by.issue({ names: ['localhost', '127.0.0.1'], ...options });
  const server = await tlsOrigin(t, { cert, key }, answering(OK));
  const ca = folder(t)('ca.pem', authority.cert);
  return { server, ca, tls: (more = {}) => ({ address: server.address, tls: { ca, ...more } }) };
}

/** A server behind TLS in a thread of its own: it says its port, then the number of each connection. */
const ELSEWHERE = `
  const { parentPort, workerData } = require('node:worker_threads');
  let accepted = 0;
  const server = require('node:tls').createServer(workerData, (socket) => {
    parentPort.postMessage(++accepted);
    socket.on('error', () => {});
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'));
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

for (const sockets of MEANS) {
  for (const header of ['', 'Authorization: Negotiate YII=\r\n']) {
    const whose = header === '' ? '' : ', also one that is kept for its client';
    t.test(`${sockets}: a server that answers at once keeps its connection${whose}`, async (t) => {
      const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
      const server = new Worker(ELSEWHERE, { eval: true, workerData: { cert, key } });
      t.teardown(() => server.terminate());
      const [port] = (await once(server, 'message')) as [number];
      let accepted = 0;
      server.on('message', (count: number) => {
        accepted = count;
      });
      const ca = folder(t)('ca.pem', authority.cert);
      const secured = { address: `127.0.0.1:${port}`, tls: { ca } };
      const { connect, balancer } = await startBalancer(t, { servers: [secured] }, { sockets });
      const client = await connect();
      for (let i = 0; i < 200; i++) {
        client.send(`GET / HTTP/1.1\r\nHost: a\r\n${header}\r\n`);
        t.equal((await client.response()).status, 200);
      }
      t.equal(accepted, 1);
      client.end();
      await client.gone();
      if (header !== '') await until(() => balancer.status().servers[0]?.open === 0);
    });
  }

  t.test(`${sockets}: a request goes to a server behind TLS, whose certificate is verified`, async (t) => {
    const { server, tls } = await secured(t);
    const { connect, seen } = await startBalancer(t, { servers: [tls()] }, { sockets });
    const client = await connect();
    for (let i = 1; i <= 3; i++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
      t.match(await seen.request(i), { status: 200, reason: '', attempts: 1 });
    }
    t.equal(server.accepted, 1, 'the connection is kept');
    t.match(server.handshakes, [{ sni: false, alpn: 'http/1.1', version: 'TLSv1.3', reused: false }]);
  });

  t.test(`${sockets}: server_name is sent, and is what the certificate is checked for`, async (t) => {
    const { server, tls } = await secured(t, { names: ['api.internal'] });
    const { connect } = await startBalancer(
      t,
      { servers: [tls({ server_name: 'api.internal' })] },
      { sockets },
    );
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).status, 200);
    t.match(server.handshakes, [{ sni: 'api.internal' }]);
  });

  const bad: readonly (readonly [
    what: string,
    options: CertificateOptions,
    by: TestAuthority,
    detail: string | RegExp,
  ])[] = [
    [
      'expired',
      { notAfter: Date.now() - DAY_MS, notBefore: Date.now() - 2 * DAY_MS },
      authority,
      /expired on \d{4}-/,
    ],
    [
      'not valid yet',
      { notBefore: Date.now() + DAY_MS, notAfter: Date.now() + 2 * DAY_MS },
      authority,
      /not valid before/,
    ],
    [
      'for another name',
      { names: ['a.example', 'b.example'] },
      authority,
      'the certificate of the server is for a.example, b.example, not for 127.0.0.1',
    ],
    [
      'without a name',
      { names: [], commonName: 'old' },
      authority,
      'the certificate of the server is for old, not for 127.0.0.1',
    ],
    ['of a foreign authority', {}, stranger, /signed by an unknown authority \(CN=Foreign CA\)/],
    ['of an authority without a name', {}, nameless, /signed by an unknown authority,/],
  ];
  t.test(
    `${sockets}: a server whose certificate is not good fails with tls_failed, and gets nothing`,
    async (t) => {
      const servers = await Promise.all(bad.map(([, options, by]) => secured(t, options, by)));
      const { connect, seen } = await startPaths(
        t,
        servers.map(({ tls }) => ({ servers: [tls()], retry: false })),
        { sockets },
      );
      for (const [index, [what, , , detail]] of bad.entries()) {
        const client = await connect();
        client.send(`POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`);
        t.equal((await client.response()).status, 502, what);
        t.match(await seen.request(index + 1), { status: 502, reason: 'tls_failed', detail }, what);
        t.equal((servers[index]?.server.handshakes.length ?? 2) <= 1, true);
      }
    },
  );

  t.test(`${sockets}: verify: false takes any certificate`, async (t) => {
    const { tls } = await secured(t, { names: ['elsewhere'] }, stranger);
    const { connect } = await startBalancer(t, { servers: [tls({ verify: false })] }, { sockets });
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).status, 200);
  });
}

for (const sockets of MEANS) {
  t.test(`${sockets}: a server that speaks plain HTTP is named as that`, async (t) => {
    const plain = await origin(t, async (connection) => {
      await connection.read(5);
      await connection.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      connection.end();
    });
    const { connect, seen } = await startBalancer(
      t,
      { servers: [`https://${plain.address}`], retry: false },
      { sockets },
    );
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).status, 502);
    t.match(await seen.request(), { reason: 'tls_failed', detail: /does not speak TLS on this port.*HTTP/ });
  });

  const cuts: readonly (readonly [what: string, script: Script, detail: string])[] = [
    [
      'closes the connection in the handshake',
      async (connection) => {
        await connection.read(5);
        connection.end();
      },
      'the server closed the connection in the handshake',
    ],
    [
      'resets the connection in the handshake',
      async (connection) => {
        await connection.read(5);
        connection.reset();
      },
      'the server reset the connection in the handshake',
    ],
    [
      'sends garbage',
      async (connection) => {
        await connection.read(5);
        await connection.write(Buffer.alloc(100, 0xa5));
        await connection.hang();
      },
      'the server does not speak TLS on this port',
    ],
  ];
  t.test(`${sockets}: a server that ends or garbles the handshake fails with tls_failed`, async (t) => {
    const servers = await Promise.all(cuts.map(([, script]) => origin(t, script)));
    const { connect, seen } = await startPaths(
      t,
      servers.map(({ address }) => ({ servers: [`https://${address}`], retry: false })),
      { sockets },
    );
    for (const [index, [what, , detail]] of cuts.entries()) {
      const client = await connect();
      client.send(GET.replace('/', `/${index}`));
      t.equal((await client.response()).status, 502, what);
      const request = await seen.request(index + 1);
      t.equal(request.reason, 'tls_failed', what);
      t.match(request.detail, detail);
    }
  });

  t.test(
    `${sockets}: timeouts.connect covers the handshake: a silent or a half one ends as a timeout`,
    async (t) => {
      for (const script of [
        async () => {},
        async (connection: RawConnection) => {
          await connection.read(5);
          // The head of a record of 122 bytes, of which no more comes.
          await connection.write(Buffer.from([22, 3, 3, 0, 122, 2, 0]));
        },
      ]) {
        let closed = false;
        const server = await origin(t, async (connection) => {
          await script(connection);
          await connection.hang();
          closed = true;
        });
        const { balancer, connect, seen, clock } = await startBalancer(
          t,
          { servers: [`https://${server.address}`], retry: false },
          { sockets, manual: true },
        );
        const client = await connect();
        client.send(GET);
        await until(() => server.connections === 1);
        await turns();
        clock.advance(3100);
        t.equal((await client.response()).status, 504);
        t.match(await seen.request(), { reason: 'connect_timeout', detail: 'in the TLS handshake' });
        t.equal(balancer.status().servers[0]?.open, 0);
        await until(() => closed);
      }
    },
  );

  t.test(`${sockets}: versions that both sides take are spoken; else it is tls_failed`, async (t) => {
    const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
    const ca = folder(t)('ca.pem', authority.cert);
    const old = await tlsOrigin(t, { cert, key, maxVersion: 'TLSv1.2' }, answering(OK));
    const { connect, seen } = await startPaths(
      t,
      VERSIONS.map((min_version) => ({
        servers: [{ address: old.address, tls: { ca, min_version } }],
        retry: false,
      })),
      { sockets },
    );
    const client = await connect();
    client.send(GET.replace('/', '/0'));
    t.equal((await client.response()).status, 200);
    t.match(old.handshakes, [{ version: 'TLSv1.2' }]);
    const other = await connect();
    other.send(GET.replace('/', '/1'));
    t.equal((await other.response()).status, 502);
    t.match(await seen.request(2), { reason: 'tls_failed', detail: /no version of TLS in common/ });
  });

  for (const maxVersion of VERSIONS) {
    t.test(
      `${sockets}, ${maxVersion}: a server that requires a certificate gets ours, and without one it is tls_failed`,
      async (t) => {
        const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
        const server = await tlsOrigin(
          t,
          { cert, key, maxVersion, requestCert: true, rejectUnauthorized: true, ca: authority.cert },
          answering(OK),
        );
        const write = folder(t);
        const own = await authority.issue({ names: ['lb'] });
        const ca = write('ca.pem', authority.cert);
        const ownFile = write('own.pem', own.cert);
        const cases: readonly ServerTlsSettings[] = [
          { ca, cert: ownFile, key: write('own.key', own.key) },
          { ca, cert: write('both.pem', own.cert + own.key) },
          { ca },
        ];
        const { connect, seen } = await startPaths(
          t,
          cases.map((tls) => ({ servers: [{ address: server.address, tls }], retry: false })),
          { sockets },
        );
        const answers = [];
        for (const index of cases.keys()) {
          const client = await connect();
          client.send(`POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
          const { status } = await client.response();
          const { reason, detail } = await seen.request(index + 1);
          answers.push({ status, reason, detail });
        }
        t.match(answers, [
          { status: 200 },
          { status: 200 },
          { status: 502, reason: 'tls_failed', detail: /client certificate/ },
        ]);
      },
    );
  }

  t.test(
    `${sockets}: a server that fails its handshakes is retried elsewhere, a POST with its body too`,
    async (t) => {
      const { tls: bad, server } = await secured(t, { names: ['elsewhere'] });
      const { tls: good } = await secured(t);
      const { connect, seen, balancer } = await startBalancer(
        t,
        { servers: [bad(), good()], algorithm: 'first' },
        { sockets },
      );
      const client = await connect();
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
      t.equal((await client.response()).status, 200);
      const request = await seen.request();
      t.match(request, { attempts: 2, reason: '' });
      t.match(request.tries[0], { reason: 'tls_failed' });
      await untilCollected(balancer, () => balancer.status().servers[0]?.totals.connectFailures === 1);
      t.equal(server.accepted, 1);
    },
  );

  t.test(
    `${sockets}: a server whose handshakes fail again and again is ejected as one that cannot be connected to`,
    async (t) => {
      const { tls: bad } = await secured(t, { names: ['elsewhere'] });
      const { tls: good } = await secured(t);
      const { connect, seen } = await startBalancer(
        t,
        { servers: [bad(), good()], passive_health: { consecutive_failures: 2 } as object },
        { sockets },
      );
      const client = await connect();
      for (let i = 0; i < 8; i++) {
        client.send(GET);
        t.equal((await client.response()).status, 200);
      }
      t.equal(
        seen.stateChanges.some((change) => change.startsWith('ejected')),
        true,
      );
    },
  );
}

nothingIsLeft(t);
