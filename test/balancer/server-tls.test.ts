import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import type { ServerSetting, ServerTlsSettings } from '../../lib/config/settings.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { startBalancer } from '../support/balancer.js';
import { type CertificateOptions, TestAuthority } from '../support/certificates.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { folder, type TlsOrigin, tlsOrigin } from '../support/tls-origin.js';

const authority = await TestAuthority.create('Known CA');
const stranger = await TestAuthority.create('Foreign CA');
const DAY_MS = 24 * 3_600_000;
const MEANS: readonly SocketMode[] = ['fast', 'documented'];

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

for (const sockets of MEANS) {
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
  ];
  for (const [what, options, by, detail] of bad) {
    t.test(
      `${sockets}: a server whose certificate is ${what} fails with tls_failed, and gets nothing`,
      async (t) => {
        const { server, tls } = await secured(t, options, by);
        const { connect, seen } = await startBalancer(t, { servers: [tls()], retry: false }, { sockets });
        const client = await connect();
        client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
        t.equal((await client.response()).status, 502);
        t.match(await seen.request(), { status: 502, reason: 'tls_failed', detail });
        t.equal(server.handshakes.length <= 1, true);
      },
    );
  }

  t.test(`${sockets}: verify: false takes any certificate`, async (t) => {
    const { tls } = await secured(t, { names: ['elsewhere'] }, stranger);
    const { connect } = await startBalancer(t, { servers: [tls({ verify: false })] }, { sockets });
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).status, 200);
  });
}

nothingIsLeft(t);
