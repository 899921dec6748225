import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import type { HandshakeResult } from '../../lib/net/handshake-results.js';
import type { TlsTerms } from '../../lib/net/tls-terms.js';
import { startBalancer } from '../support/balancer.js';
import { TestAuthority } from '../support/certificates.js';
import { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin, readRequest } from '../support/origin.js';
import { choiceOf, makeTls, shakeHands, termsOf } from '../support/tls.js';

const MODES = ['fast', 'documented'] as const;
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const parts = await makeTls();
const TERMS = termsOf(parts.choice);
const other = await parts.authority.issue({ names: ['other.example'] });

/** Only this version. */
function only(version: tls.SecureVersion): tls.ConnectionOptions {
  return { minVersion: version, maxVersion: version };
}

/** The counted results, and how often each occurred. */
function counted(handshakes: ReadonlyMap<HandshakeResult, number>): Record<string, number> {
  return Object.fromEntries([...handshakes].filter(([, count]) => count > 0));
}

/** All bytes until the connection ends. */
async function toEnd(socket: net.Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>((resolve) => {
      socket.once('end', resolve);
      socket.once('close', resolve);
    });
  }
  socket.destroy();
  return text;
}

/** The whole answer to a request with Connection: close. */
async function ask(socket: net.Socket): Promise<string> {
  socket.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  return toEnd(socket);
}

/** A server that answers all requests, and the heads that it received. */
async function server(t: Test): Promise<{ address: string; heads: string[] }> {
  const heads: string[] = [];
  const { address } = await origin(t, async (connection) => {
    for (;;) {
      heads.push((await readRequest(connection)).head);
      await connection.write(OK);
    }
  });
  return { address, heads };
}

for (const sockets of MODES) {
  const start = (
    t: Test,
    terms: TlsTerms,
    settings: Parameters<typeof startBalancer>[1] = {},
    manual = false,
  ): ReturnType<typeof startBalancer> => startBalancer(t, settings, { sockets, tls: terms, manual });

  t.test(`${sockets}: a request over TLS is answered, and servers get the scheme https`, async (t) => {
    const { address, heads } = await server(t);
    const { port, balancer } = await start(t, TERMS, { servers: [address] });
    for (const version of VERSIONS) {
      const { socket, error } = await shakeHands(port, {
        ...only(version),
        ca: parts.authority.cert,
        servername: 'localhost',
        ALPNProtocols: ['h2', 'http/1.1'],
        rejectUnauthorized: true,
      });
      t.equal(error, null);
      t.equal(socket.getProtocol(), version);
      t.equal(socket.alpnProtocol, 'http/1.1');
      t.match(await ask(socket), /^HTTP\/1\.1 200 OK\r\n/);
      t.match(heads.pop(), /\r\nX-Forwarded-Proto: https\r\n/);
    }
    t.strictSame(counted(balancer.handshakes), { ok: 2 });
  });

  t.test(
    `${sockets}: the requested name decides which certificate is shown, in both versions of TLS`,
    async (t) => {
      const second = choiceOf(other, { policy: 'other' });
      const asked: unknown[] = [];
      const terms = termsOf(parts.choice, (name, protocols) => {
        asked.push([name, ...protocols]);
        return name === 'other.example' ? second : parts.choice;
      });
      const { port } = await start(t, terms);
      for (const version of VERSIONS) {
        for (const [servername, commonName] of [
          ['other.example', 'other.example'],
          ['OTHER.example', 'other.example'],
          ['third.example', 'localhost'],
          ['', 'localhost'],
        ] as const) {
          const { socket } = await shakeHands(port, { ...only(version), servername });
          t.equal(socket.getPeerCertificate().subject?.CN, commonName, `${version} ${servername}`);
          socket.destroy();
        }
      }
      t.strictSame(asked.slice(0, 4), [['other.example'], ['other.example'], ['third.example'], [null]]);
    },
  );

  t.test(`${sockets}: a name without a certificate gets the alert unrecognized_name`, async (t) => {
    const { port, balancer } = await start(
      t,
      termsOf(parts.choice, () => null),
    );
    for (const version of VERSIONS) {
      const { error } = await shakeHands(port, { ...only(version), servername: 'a.example' });
      t.match(error?.message, /alert.*112|unrecognized name/i);
    }
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { unrecognized_name: 2 });
  });

  t.test(`${sockets}: a client without a common protocol gets no_application_protocol`, async (t) => {
    const { port, balancer } = await start(t, TERMS);
    for (const version of VERSIONS) {
      const { error } = await shakeHands(port, { ...only(version), ALPNProtocols: ['h2'] });
      t.match(error?.message, /no application protocol/);
    }
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { no_protocol: 2 });
  });

  t.test(`${sockets}: a client with an old version or other ciphers gets an alert`, async (t) => {
    const strict = choiceOf(parts.certificate, {}, { minVersion: 'TLSv1.3' });
    const { port, balancer } = await start(t, termsOf(strict));
    const old = await shakeHands(port, only('TLSv1.2'));
    t.match(old.error?.message, /protocol version/);
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { no_version: 1 });

    const { port: second, balancer: two } = await start(t, TERMS);
    const weak = await shakeHands(second, { ...only('TLSv1.2'), ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' });
    t.match(weak.error?.message, /handshake failure/);
    await until(() => two.clientCount === 0);
    t.strictSame(counted(two.handshakes), { no_cipher: 1 });
  });

  t.test(`${sockets}: a session is resumed by its ticket, in both versions`, async (t) => {
    const { address } = await server(t);
    const { port, balancer } = await start(t, TERMS, { servers: [address] });
    for (const version of VERSIONS) {
      const first = await shakeHands(port, only(version));
      await ask(first.socket);
      const ticket = await first.ticket;
      const { socket } = await shakeHands(port, { ...only(version), session: ticket });
      t.equal(socket.isSessionReused(), true);
      t.match(await ask(socket), /^HTTP\/1\.1 200/);
    }
    t.strictSame(counted(balancer.handshakes), { ok: 2, resumed: 2 });
  });

  t.test(
    `${sockets}: a ticket of a listener without client certificates is not accepted by one that requires them`,
    async (t) => {
      const ticketKeys = Buffer.alloc(48, 5);
      const context = { ticketKeys, ca: parts.authority.cert };
      // With the same context for both, OpenSSL would resume the session; it is refused all the same.
      for (const policy of ['none', 'required']) {
        const open = choiceOf(parts.certificate, { policy: 'none' }, context);
        const closed = choiceOf(parts.certificate, { policy, clientAuth: 'require' }, context);
        const { address, heads } = await server(t);
        const terms = termsOf(open, (name) => (name === 'closed.example' ? closed : open));
        const { port, balancer } = await start(t, terms, { servers: [address] });
        for (const version of VERSIONS) {
          const first = await shakeHands(port, { ...only(version), servername: 'open.example' });
          await ask(first.socket);
          const ticket = await first.ticket;
          const { socket } = await shakeHands(port, {
            ...only(version),
            session: ticket,
            servername: 'closed.example',
          });
          t.notMatch(await ask(socket), / 200 /, `${version}, ${policy}`);
        }
        t.equal(heads.length, 2, 'and no request reached a server');
        t.equal(balancer.handshakes.get('no_certificate'), 2);
      }
    },
  );

  t.test(`${sockets}: with require a client without a certificate gets an alert`, async (t) => {
    const { address, heads } = await server(t);
    const closed = choiceOf(
      parts.certificate,
      { clientAuth: 'require', policy: 'required' },
      { ca: parts.authority.cert },
    );
    const { port, balancer } = await start(t, termsOf(closed), { servers: [address] });
    const old = await shakeHands(port, only('TLSv1.2'));
    t.match(old.error?.message, /alert handshake failure/);
    const { socket } = await shakeHands(port, only('TLSv1.3'));
    const failed = once(socket, 'error') as Promise<[Error]>;
    socket.resume();
    t.match((await failed)[0].message, /certificate required/);
    socket.destroy();
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { no_certificate: 2 });
    t.equal(heads.length, 0);
  });

  t.test(`${sockets}: with require an invalid certificate gets a 400 with the reason`, async (t) => {
    const { address, heads } = await server(t);
    const { authority } = parts;
    const foreign = await TestAuthority.create('Foreign CA');
    const expired = await authority.issue({ names: ['e'], notAfter: Date.now() - 60_000 });
    const revoked = await authority.issue({ names: ['r'] });
    const closed = choiceOf(
      parts.certificate,
      { clientAuth: 'require', policy: 'required' },
      { ca: authority.cert, crl: await authority.revoke(revoked.serial) },
    );
    const { port, balancer } = await start(t, termsOf(closed), { servers: [address] });
    for (const version of VERSIONS) {
      const good = await shakeHands(port, { ...only(version), ...(await authority.issue({ names: ['g'] })) });
      t.match(await ask(good.socket), /^HTTP\/1\.1 200 OK/);
      for (const [certificate, why] of [
        [expired, 'CERT_HAS_EXPIRED'],
        [await foreign.issue({ names: ['f'] }), 'UNABLE_TO_(GET_ISSUER|VERIFY)'],
        [revoked, 'CERT_REVOKED'],
      ] as const) {
        const { socket } = await shakeHands(port, { ...only(version), ...certificate });
        t.match(await ask(socket), new RegExp(`^HTTP/1.1 400 [^]*not accepted: ${why}`), `${version} ${why}`);
      }
    }
    t.equal(heads.length, 2);
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { ok: 2, bad_certificate: 6 });
  });

  t.test(`${sockets}: a connection for an ACME challenge is closed after its handshake`, async (t) => {
    const challenge = choiceOf(other, { onlyProtocol: 'acme-tls/1' });
    const terms = termsOf(parts.choice, (_name, protocols) =>
      protocols.includes('acme-tls/1') ? challenge : parts.choice,
    );
    const { address, heads } = await server(t);
    const { port } = await start(t, terms, { servers: [address] });
    for (const version of VERSIONS) {
      const { socket } = await shakeHands(port, { ...only(version), ALPNProtocols: ['acme-tls/1'] });
      t.equal(socket.alpnProtocol, 'acme-tls/1');
      t.equal(socket.getPeerCertificate().subject.CN, 'other.example');
      socket.write(GET);
      t.equal(await toEnd(socket), '');
      const usual = await shakeHands(port, { ...only(version), ALPNProtocols: ['http/1.1'] });
      t.equal(usual.socket.getPeerCertificate().subject.CN, 'localhost');
      usual.socket.destroy();
    }
    t.equal(heads.length, 0);
  });

  t.test(`${sockets}: the OCSP response is stapled if the client asks for it`, async (t) => {
    const ocsp = Buffer.from('an OCSP response');
    const { port } = await start(t, termsOf(choiceOf(parts.certificate, { ocsp })));
    for (const version of VERSIONS) {
      // In documented mode nothing is stapled for a client without SNI.
      for (const servername of sockets === 'fast' ? ['localhost', ''] : ['localhost']) {
        const raw = net.connect({ host: '127.0.0.1', port });
        const socket = tls.connect({
          socket: raw,
          rejectUnauthorized: false,
          requestOCSP: true,
          servername,
          ...only(version),
        } as tls.ConnectionOptions);
        const [response] = (await once(socket, 'OCSPResponse')) as [Buffer];
        t.strictSame(response, ocsp, `${version} "${servername}"`);
        socket.destroy();
      }
    }
  });

  t.test(`${sockets}: plain HTTP on a TLS port gets a 400 in clear text with the reason`, async (t) => {
    const { address, heads } = await server(t);
    const { port, balancer } = await start(t, TERMS, { servers: [address] });
    const client = await RawClient.connect(port);
    t.teardown(() => client.destroy());
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    client.send(Buffer.alloc(100_000, 'x'));
    const { status, body, head } = await client.response();
    t.equal(status, 400);
    t.match(body, /this port speaks https/i);
    t.match(head, /\r\nConnection: close\r\n/);
    client.end();
    await client.gone();
    t.equal(client.error, null, 'the answer is not lost by a reset');
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { plain_http: 1 });
    t.equal(heads.length, 0);
  });

  t.test(`${sockets}: garbage is closed at once, and counted`, async (t) => {
    const { port, balancer } = await start(t, TERMS);
    for (const bytes of [
      [0x80, 0x2e, 1, 0, 2],
      [0, 0, 0],
      [22, 3, 1, 0, 4, 9, 9, 9, 9],
    ]) {
      const client = await RawClient.connect(port);
      client.send(Buffer.from(bytes));
      await client.toEnd();
      client.destroy();
    }
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { garbage: 3 });
  });

  t.test(`${sockets}: a ClientHello that arrives byte by byte is read`, async (t) => {
    const { address } = await server(t);
    const { port } = await start(t, TERMS, { servers: [address] });
    const front = net.createServer((near) => {
      const far = net.connect({ host: '127.0.0.1', port, noDelay: true });
      for (const socket of [near, far]) socket.on('error', () => {});
      far.pipe(near);
      const passOn = async (bytes: Buffer): Promise<void> => {
        for (const byte of bytes) {
          far.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
        near.pipe(far);
      };
      near.once('data', (bytes: Buffer) => void passOn(bytes));
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    t.teardown(() => front.close());
    const { socket, error } = await shakeHands((front.address() as net.AddressInfo).port);
    t.equal(error, null);
    t.match(await ask(socket), /^HTTP\/1\.1 200/);
  });

  t.test(`${sockets}: a handshake that takes longer than timeouts.tls_handshake is closed`, async (t) => {
    const { port, balancer, clock } = await start(t, TERMS, { timeouts: { tls_handshake: '3s' } }, true);
    const silent = await RawClient.connect(port);
    const slow = await RawClient.connect(port);
    slow.send(Buffer.from([22, 3, 1, 2, 0, 1]));
    const half = await RawClient.connect(port);
    half.send(await clientHello());
    await half.bytes(100);
    await until(() => balancer.clientCount === 3);
    clock.advance(2900);
    await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(
      [silent, slow, half].map(({ closed, ended }) => closed || ended),
      [false, false, false],
    );
    clock.advance(400);
    for (const client of [silent, slow, half]) {
      await client.toEnd();
      client.destroy();
    }
    await until(() => balancer.clientCount === 0);
    t.strictSame(counted(balancer.handshakes), { timeout: 3 });
  });

  t.test(`${sockets}: a client that leaves during its handshake frees its place`, async (t) => {
    const { port, balancer } = await start(t, TERMS);
    for (const leave of ['end', 'reset'] as const) {
      const silent = await RawClient.connect(port);
      const half = await RawClient.connect(port);
      half.send(await clientHello());
      await half.bytes(100);
      for (const client of [silent, half]) client[leave]();
      await until(() => balancer.clientCount === 0);
      for (const client of [silent, half]) client.destroy();
    }
    t.strictSame(counted(balancer.handshakes), { client_left: 4 });
  });

  t.test(`${sockets}: a client that rejects our certificate is counted as client_refused`, async (t) => {
    const { port, balancer } = await start(t, TERMS);
    const { error } = await shakeHands(port, {
      ...only('TLSv1.2'),
      rejectUnauthorized: true,
      servername: 'a',
    });
    t.ok(error);
    await until(() => balancer.clientCount === 0);
    const { ok = 0, client_refused: refused = 0, client_left: left = 0 } = counted(balancer.handshakes);
    t.equal(ok + refused + left, 1);
  });

  t.test(`${sockets}: a second handshake on a connection ends it`, async (t) => {
    const { address } = await server(t);
    const { port, balancer } = await start(t, TERMS, { servers: [address] });
    const { socket } = await shakeHands(port, only('TLSv1.2'));
    const ended = toEnd(socket);
    socket.renegotiate({ rejectUnauthorized: false }, () => {});
    await ended;
    await until(() => balancer.clientCount === 0);
    t.equal(balancer.clientCount, 0);
  });

  t.test(
    `${sockets}: a connection in its handshake counts, and is closed for a new one like an idle one`,
    async (t) => {
      const { address } = await server(t);
      const { port, balancer, clock } = await start(
        t,
        TERMS,
        { servers: [address], limits: { connections: 2 } },
        true,
      );
      const silent = await RawClient.connect(port);
      await until(() => balancer.clientCount === 1);
      clock.advance(1000);
      const first = await shakeHands(port);
      clock.advance(1000);
      const second = await shakeHands(port);
      await silent.toEnd();
      silent.destroy();
      t.equal(balancer.clientCount, 2);
      t.equal(balancer.handshakes.get('gave_way'), 1);
      for (const { socket } of [first, second]) t.match(await ask(socket), /^HTTP\/1\.1 200/);
    },
  );

  t.test(`${sockets}: a connection in its handshake counts for its address`, async (t) => {
    const { port, balancer } = await start(t, TERMS, { limits: { connections_per_ip: 1 } });
    const silent = await RawClient.connect(port);
    await until(() => balancer.clientCount === 1);
    t.ok((await shakeHands(port)).error);
    silent.destroy();
    await until(() => balancer.clientCount === 0);
    const { error, socket } = await shakeHands(port);
    t.equal(error, null);
    socket.destroy();
  });

  t.test(`${sockets}: a client that the firewall refuses gets no handshake`, async (t) => {
    const { port, balancer } = await start(t, TERMS, { firewall_rules: { ip_reject: ['127.0.0.0/8'] } });
    t.ok((await shakeHands(port)).error);
    t.strictSame(counted(balancer.handshakes), {});
  });

  t.test(`${sockets}: stopping also cuts connections in their handshake`, async (t) => {
    const { port, balancer } = await start(t, TERMS);
    const silent = await RawClient.connect(port);
    await until(() => balancer.clientCount === 1);
    balancer.stop();
    await silent.toEnd();
    silent.destroy();
    t.equal(balancer.clientCount, 0);
  });
}

/** A handshake that does not continue. */
async function clientHello(): Promise<Buffer> {
  const catcher = net.createServer().listen(0, '127.0.0.1');
  await once(catcher, 'listening');
  const accepted = once(catcher, 'connection');
  const client = tls.connect({ host: '127.0.0.1', port: (catcher.address() as net.AddressInfo).port });
  client.on('error', () => {});
  const [socket] = (await accepted) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  catcher.close();
  return bytes;
}

nothingIsLeft(t);
