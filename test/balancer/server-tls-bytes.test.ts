import { once } from 'node:events';
import { createServer } from 'node:https';
import type * as net from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { RawConnection, Script } from '../../fixtures/raw-server.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { type Started, startBalancer, untilCollected } from '../support/balancer.js';
import { TestAuthority } from '../support/certificates.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { startPaths } from '../support/paths.js';
import { Pattern } from '../support/pattern.js';
import { folder, type TlsOrigin, tlsOrigin } from '../support/tls-origin.js';

t.setTimeout(300_000);

const authority = await TestAuthority.create();
const { cert, key } = await authority.issue({ names: ['127.0.0.1'] });
const MEANS: readonly SocketMode[] = ['fast', 'documented'];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

interface Behind extends Started {
  readonly server: TlsOrigin;
}

async function behind(
  t: Test,
  script: Script,
  sockets: SocketMode,
  settings: object = {},
  maxVersion: (typeof VERSIONS)[number] = 'TLSv1.3',
): Promise<Behind> {
  const server = await tlsOrigin(t, { cert, key, maxVersion }, script);
  const ca = folder(t)('ca.pem', authority.cert);
  const servers = [{ address: server.address, tls: { ca } }];
  const started = await startBalancer(t, { servers, retry: false, ...settings }, { sockets });
  return { ...started, server };
}

/** The TCP connection below the first TLS connection. */
function below(server: TlsOrigin): net.Socket {
  return server.sockets[0] as net.Socket;
}

for (const sockets of MEANS) {
  for (const version of VERSIONS) {
    // The version makes no difference to us: one of them has to do with less.
    const mebibytes = version === 'TLSv1.3' ? 64 : 4;
    t.test(`${sockets}, ${version}: ${mebibytes} MiB up and down arrive unchanged`, async (t) => {
      const size = mebibytes * 1024 * 1024;
      const up = new Pattern(1);
      const down = new Pattern(2);
      let good = 0;
      const { connect } = await behind(
        t,
        async (connection) => {
          await connection.readHead();
          for (let at = 0; at < size; at += 256 * 1024)
            if (up.matches(await connection.read(256 * 1024), at)) good += 256 * 1024;
          await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
          for (const piece of down.pieces(0, size)) await connection.write(piece);
        },
        sockets,
        { limits: { body_bytes: '100MB' } },
        version,
      );
      const client = await connect();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      for (const piece of up.pieces(0, size))
        if (!client.socket.write(piece)) await once(client.socket, 'drain');
      await client.until('\r\n\r\n');
      let same = true;
      for (let at = 0; at < size; at += 256 * 1024)
        same &&= down.matches(Buffer.from(await client.bytes(256 * 1024), 'latin1'), at);
      t.equal(good, size);
      t.equal(same, true);
    });
  }

  t.test(`${sockets}: a server whose client reads nothing is made to wait`, async (t) => {
    let written = 0;
    const { connect } = await behind(
      t,
      async (connection) => {
        await connection.readHead();
        await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')]);
        while (!connection.socket.destroyed && written < 200 * 1024 * 1024) {
          await connection.write(chunk);
          written += chunk.length;
        }
      },
      sockets,
    );
    const client = await connect();
    client.socket.pause();
    client.send(GET);
    await until(() => written > 0);
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    t.ok(written < 64 * 1024 * 1024, `${written} bytes were taken`);
  });

  t.test(`${sockets}: a body that ends with the connection is whole after close_notify`, async (t) => {
    for (const version of VERSIONS) {
      const { connect, seen } = await behind(
        t,
        async (connection) => {
          await connection.readHead();
          await connection.write('HTTP/1.1 200 OK\r\n\r\nall of it');
          connection.end();
        },
        sockets,
        {},
        version,
      );
      const client = await connect();
      client.send(GET);
      const { body } = await client.response();
      t.equal(body, 'all of it');
      t.match(await seen.request(), { status: 200, reason: '' });
    }
  });

  t.test(`${sockets}: bytes after a response close the connection, and reach no client`, async (t) => {
    const { connect, server, balancer } = await behind(
      t,
      async (connection, index) => {
        await connection.readHead();
        await connection.write(index === 0 ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray` : OK);
        await connection.hang();
      },
      sockets,
    );
    const client = await connect();
    for (let i = 0; i < 2; i++) {
      client.send(GET);
      t.equal((await client.response()).body, 'ok');
    }
    t.equal(server.accepted, 2);
    await untilCollected(balancer, () => (balancer.status().servers[0]?.totals.unsolicited ?? 0) > 0);
  });

  t.test(`${sockets}: a server that resets within its answer fails as over TCP`, async (t) => {
    const { connect, seen, server } = await behind(
      t,
      async (connection) => {
        await connection.readHead();
        await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        await connection.hang();
      },
      sockets,
    );
    const client = await connect();
    client.send(GET);
    // A reset takes what was not read yet along.
    await client.until('half');
    below(server).resetAndDestroy();
    await client.gone();
    t.match(await seen.request(), { status: 200, reason: 'reset_in_response' });
  });

  t.test(`${sockets}: a kept connection that the server has closed is replaced`, async (t) => {
    const { connect, seen } = await behind(
      t,
      async (connection) => {
        await connection.readHead();
        await connection.write(OK);
        connection.end();
      },
      sockets,
      { retry: { on: ['stale'] } as object },
    );
    const client = await connect();
    for (let i = 1; i <= 3; i++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
      t.match(await seen.request(i), { status: 200 });
    }
  });

  t.test(`${sockets}: WebSocket messages go both ways through a server behind TLS`, async (t) => {
    const https = createServer({ cert, key });
    const sockets_ = new WebSocketServer({ server: https });
    sockets_.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    t.teardown(() => {
      for (const socket of sockets_.clients) socket.terminate();
      https.close();
    });
    const ca = folder(t)('ca.pem', authority.cert);
    const address = `127.0.0.1:${(https.address() as net.AddressInfo).port}`;
    const { port, seen } = await startBalancer(t, { servers: [{ address, tls: { ca } }] }, { sockets });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await once(socket, 'open');
    for (const size of [0, 1, 126, 20_000, 1_000_000]) {
      socket.send('x'.repeat(size));
      const [message] = (await once(socket, 'message')) as [Buffer];
      t.equal(message.length, size);
    }
    socket.close(1000);
    const [code] = (await once(socket, 'close')) as [number];
    t.equal(code, 1000);
    t.match(await seen.request(), { status: 101, reason: '' });
  });
}

/** Servers behind TLS of both versions, each in a path of one balancer. */
async function ofBothVersions(
  t: Test,
  script: (connection: RawConnection, below: net.Socket) => Promise<void>,
) {
  const servers: TlsOrigin[] = [];
  for (const [at, maxVersion] of VERSIONS.entries())
    servers.push(
      await tlsOrigin(t, { cert, key, maxVersion }, (connection) =>
        script(connection, below(servers[at] as TlsOrigin)),
      ),
    );
  const ca = folder(t)('ca.pem', authority.cert);
  const cases = servers.map(({ address }) => ({ servers: [{ address, tls: { ca } }], retry: false }));
  // Node's documented sockets do not say whether a connection ended with close_notify.
  return startPaths(t, cases, { sockets: 'fast' });
}

for (const when of ['with the last bytes', 'later']) {
  t.test(`a body that ends with a FIN, ${when}, and without close_notify, is cut off`, async (t) => {
    let end = (): void => {};
    const { connect, seen } = await ofBothVersions(t, async (connection, socket) => {
      await connection.readHead();
      const seenByClient = new Promise<void>((resolve) => {
        end = resolve;
      });
      await connection.write('HTTP/1.1 200 OK\r\n\r\nnot all of ');
      if (when === 'later') await seenByClient;
      socket.end();
    });
    for (const [index, version] of VERSIONS.entries()) {
      const client = await connect();
      client.send(GET.replace('/', `/${index}`));
      if (when === 'later') await client.until('not all of ');
      end();
      await client.gone();
      t.notMatch(client.received, /\r\n0\r\n\r\n$/, 'the client does not take it for the whole');
      const expected = { reason: 'reset_in_response', detail: 'closed without close_notify' };
      t.match(await seen.request(index + 1), expected, version);
    }
  });
}

t.test('a body with a length is whole, however the connection ends then', async (t) => {
  const { connect, seen } = await ofBothVersions(t, async (connection, socket) => {
    await connection.readHead();
    await connection.write(OK);
    socket.end();
  });
  for (const [index, version] of VERSIONS.entries()) {
    const client = await connect();
    client.send(GET.replace('/', `/${index}`));
    t.equal((await client.response()).body, 'ok', version);
    t.match(await seen.request(index + 1), { reason: '' });
  }
});

t.test('a connection that is given up is closed with close_notify', async (t) => {
  let ended = false;
  const { connect, balancer } = await behind(
    t,
    async (connection) => {
      await connection.readHead();
      await connection.write(OK);
      await connection.readToEnd();
      ended = true;
    },
    'fast',
  );
  const client = await connect();
  client.send(GET);
  await client.response();
  balancer.stop();
  await until(() => ended);
  t.pass();
});

nothingIsLeft(t);
