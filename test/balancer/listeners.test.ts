import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import type { Address } from '../../lib/base/address.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { startBalancer } from '../support/balancer.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

const certificate: Promise<IssuedCertificate> = TestAuthority.create().then((authority) =>
  authority.issue({ names: ['a.example'] }),
);

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** Settings with a listener that redirects, and one with TLS. */
async function redirecting(t: Test): Promise<Settings> {
  const { cert, key } = writeCertificate(folder(t), 'a', await certificate);
  return {
    listen: [
      { address: '127.0.0.1:0', redirect: 'https' },
      { address: '[::1]:0', tls: { certificates: [{ cert, key }] } },
    ],
    health_check: false,
    passive_health: false,
  };
}

function portOf(address: Address | undefined): number {
  return address?.kind === 'tcp' ? address.port : 0;
}

async function located(client: RawClient, request: string): Promise<string> {
  client.send(request);
  const { status, head } = await client.response(request.startsWith('HEAD '));
  return `${status} ${/^Location: (.*)\r$/m.exec(head)?.[1] ?? ''}`;
}

t.test('a listener with redirect: https sends every request to the same URL with https', async (t) => {
  const server = await origin(t, answering(OK));
  const settings = { ...(await redirecting(t)), servers: [server.address] };
  const { balancer, connect, seen } = await startBalancer(t, settings);
  const https = portOf(balancer.addresses[1]);
  const client = await connect();
  const host = `Host: WWW.Example.com.:8080\r\n\r\n`;
  const base = `https://www.example.com:${https}`;
  t.equal(await located(client, `GET / HTTP/1.1\r\n${host}`), `301 ${base}/`);
  t.equal(await located(client, `HEAD /a/../b HTTP/1.1\r\n${host}`), `301 ${base}/a/../b`);
  t.equal(await located(client, `GET /a%20b?c=d&e=/?f HTTP/1.1\r\n${host}`), `301 ${base}/a%20b?c=d&e=/?f`);
  t.equal(
    await located(client, `GET /\\evil.example?\\" HTTP/1.1\r\n${host}`),
    `301 ${base}/%5Cevil.example?%5C%22`,
  );
  t.equal(await located(client, `GET //evil.example HTTP/1.1\r\n${host}`), `301 ${base}//evil.example`);
  t.equal(await located(client, `OPTIONS * HTTP/1.1\r\n${host}`), `308 ${base}`);
  t.equal(await located(client, `DELETE /x HTTP/1.1\r\n${host}`), `308 ${base}/x`);
  t.equal(
    await located(client, 'GET http://b.example/c HTTP/1.1\r\nHost: a\r\n\r\n'),
    `301 https://b.example:${https}/c`,
  );
  t.equal(await located(client, 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n'), `301 https://[::1]:${https}/`);
  const post = `POST /x HTTP/1.1\r\nContent-Length: 5\r\n${host}`;
  t.equal(await located(client, `${post}hello`), `308 ${base}/x`);
  t.equal(
    await located(client, `GET / HTTP/1.1\r\n${host}`),
    `301 ${base}/`,
    'the body was read, and the connection goes on',
  );
  t.equal(server.accepted, 0);
  const upgrade = 'GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  t.equal(await located(client, upgrade + host), `301 ${base}/ws`);
  t.match(await seen.request(1), {
    status: 301,
    reason: '',
    detail: 'redirect to https',
    route: '',
    server: '',
  });
});

t.test('a request without a host can not be redirected, and gets 400', async (t) => {
  const { connect, seen } = await startBalancer(t, await redirecting(t));
  const client = await connect();
  client.send('GET / HTTP/1.0\r\n\r\n');
  t.match(await client.toEnd(), /^HTTP\/1\.1 400 Bad Request\r\n/);
  t.match(await seen.request(), {
    status: 400,
    reason: 'bad_request',
    detail: 'no Host to redirect to https',
  });
  const other = await connect();
  other.send('GET / HTTP/1.0\r\nHost: :80\r\n\r\n');
  t.match(await other.toEnd(), /^HTTP\/1\.1 400 /);
});

t.test(
  'the redirect comes before routes and guards, and after the question whether it is ready',
  async (t) => {
    const { connect } = await startBalancer(t, {
      ...(await redirecting(t)),
      readiness_path: '/ready',
      firewall_rules: { path_reject: ['/private'], rate_limit: { requests: 1, per: '1h' } },
      response_header_rules: { add: { 'X-Front': 'lb' } },
      paths: [{ path: '/old', redirect: { to: '/new' } }],
    });
    const client = await connect();
    t.match(await located(client, 'GET /private HTTP/1.1\r\nHost: a\r\n\r\n'), /^301 https:.*private$/);
    t.match(await located(client, 'GET /old HTTP/1.1\r\nHost: a\r\n\r\n'), /^301 https:.*old$/);
    client.send('GET /ready HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal((await client.response()).body, 'ready\n');
    client.send(GET);
    t.match((await client.response()).head, /^X-Front: lb\r$/m, 'rules of the file for responses apply');
  },
);

t.test('what a trusted proxy says was https is not redirected, which would go on for ever', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, {
    ...(await redirecting(t)),
    trusted_proxies: ['127.0.0.1'],
    servers: [server.address],
  });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n');
  t.equal((await client.response()).status, 200);
  t.match(await located(client, 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n'), /^301 /);
});

t.test('a reload switches the redirect on and off, also for connections that are there', async (t) => {
  const server = await origin(t, answering(OK));
  const settings = { ...(await redirecting(t)), servers: [server.address] };
  const listen = settings.listen as { address: string }[];
  const { balancer, connect } = await startBalancer(t, settings);
  const before = balancer.addresses.map(portOf);
  const client = await connect();
  t.match(await located(client, GET), /^301 /);
  const plain = { ...settings, listen: [{ address: '127.0.0.1:0' }, listen[1] as object] } as Settings;
  await balancer.reload(createConfig(plain));
  t.equal(await located(client, GET), '200 ');
  await balancer.reload(createConfig({ ...settings, listen: [...listen].reverse() } as Settings));
  t.match(await located(client, GET), /^301 /);
  t.same(
    balancer.addresses.map(portOf),
    before.reverse(),
    'in the order of the file, and with the ports they had',
  );
});

t.test(
  'while clients connect all the time, reloads of the settings of a listener refuse none of them',
  async (t) => {
    const server = await origin(t, answering(OK));
    const settings = { ...(await redirecting(t)), servers: [server.address] };
    const [first, second] = settings.listen as readonly [object, object];
    const { balancer, port } = await startBalancer(t, settings);
    let served = 0;
    let isOver = false;
    const failures: string[] = [];
    const workers = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const text = await answer(createConnection(port, '127.0.0.1'));
        if (/^HTTP\/1\.1 (200|301) /.test(text)) served++;
        else failures.push(text);
      }
    });
    for (let i = 0; i < 30; i++) {
      const changed = {
        address: '127.0.0.1:0',
        connections: 1000 + i,
        ...(i % 2 === 0 ? {} : { redirect: 'https' }),
      };
      await balancer.reload(
        createConfig({
          ...settings,
          listen: i % 3 === 0 ? [second, changed] : [changed, second],
        } as Settings),
      );
      await balancer.reload(createConfig({ ...settings, listen: [first, second] } as Settings));
      const enough = served + 4;
      await until(() => served >= enough || failures.length > 0);
    }
    isOver = true;
    await Promise.all(workers);
    t.same(failures, []);
    t.ok(served >= 120, `${served} were served`);
  },
);

t.test('ports of IPv4 and IPv6, and Unix sockets, are served side by side', async (t) => {
  const server = await origin(t, answering(OK));
  const path = join(folder(t), 's');
  const listen = ['127.0.0.1:0', '[::1]:0', { address: '127.0.0.1:0' }, `unix:${path}`];
  const { balancer } = await startBalancer(t, { listen, servers: [server.address] });
  t.equal(balancer.addresses.length, 4);
  for (const address of balancer.addresses) {
    const place =
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
    t.match(await answer(createConnection(place)), /^HTTP\/1\.1 200 /, address.text);
  }
});

function answer(socket: Socket): Promise<string> {
  socket.write(GET);
  return new Promise((resolve) => {
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString('latin1'));
    });
    socket.once('error', (error) => resolve(String(error)));
  });
}

const permissions = (path: string): string => (statSync(path).mode & 0o777).toString(8);

t.test(
  'mode is that of the file of a Unix socket, whatever the umask is, and a reload changes it',
  async (t) => {
    for (const umask of [0o000, 0o022, 0o077]) {
      const before = process.umask(umask);
      try {
        const path = join(folder(t), 's');
        const settings = (mode?: string): Settings => ({
          listen: [{ address: `unix:${path}`, ...(mode === undefined ? {} : { mode }) }],
          health_check: false,
          servers: ['127.0.0.1:9'],
        });
        const { balancer } = await startBalancer(t, settings('0660'));
        t.equal(permissions(path), '660', `umask ${umask.toString(8)}`);
        t.equal(process.umask(), umask, 'the umask is as it was');
        await balancer.reload(createConfig(settings('600')));
        t.equal(permissions(path), '600');
        await balancer.reload(createConfig(settings()));
        t.equal(permissions(path), (0o777 & ~umask).toString(8), 'without one, what the umask leaves');
        balancer.stop();
        await balancer.ended;
        t.throws(() => statSync(path), { code: 'ENOENT' }, 'the file goes with the listener');
      } finally {
        process.umask(before);
      }
    }
  },
);

t.test('a file in the place of a socket keeps its mode', async (t) => {
  const path = join(folder(t), 's');
  const { balancer } = await startBalancer(t, { listen: [{ address: `unix:${path}`, mode: '600' }] });
  const listen = [{ address: `unix:${path}`, mode: '666' }];
  await t.rejects(startBalancer(t, { listen }), { code: 'EADDRINUSE' });
  t.equal(permissions(path), '600');
  balancer.stop();
});

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: connections of a listener are limited, and those of others are not`,
    async (t) => {
      const server = await origin(t, answering(OK));
      const listen = [{ address: '127.0.0.1:0', connections: 2 }, '[::1]:0'];
      const { balancer, port } = await startBalancer(
        t,
        { listen, servers: [server.address] },
        { sockets: means },
      );
      const clients = [await RawClient.connect(port), await RawClient.connect(port)];
      for (const client of clients) {
        client.send(GET);
        t.equal((await client.response()).status, 200);
      }
      t.match(await answer(createConnection(port, '127.0.0.1')), /ECONNRESET/);
      const beside = createConnection({ host: '::1', port: portOf(balancer.addresses[1]) });
      t.match(await answer(beside), /^HTTP\/1\.1 200 /);
      clients[0]?.destroy();
      await until(() => balancer.clientCount === 1);
      const next = await RawClient.connect(port);
      next.send(GET);
      t.equal((await next.response()).status, 200, 'there is room again');
      await balancer.reload(
        createConfig({ listen: ['127.0.0.1:0', '[::1]:0'], health_check: false, servers: [server.address] }),
      );
      const fourth = await RawClient.connect(port);
      fourth.send(GET);
      t.equal((await fourth.response()).status, 200, 'a reload takes the limit away');
      for (const client of [...clients, next, fourth]) client.destroy();
    },
  );
}

/** Sends a request and resets the connection; to be run as a process of its own, while this one accepts nothing. */
const SEND_AND_RESET = `
const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1', () => {
  socket.write('POST /blind HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 0\\r\\n\\r\\n', () => {
    setTimeout(() => socket.resetAndDestroy(), 50);
  });
});`;

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: a request is not served if its client reset the connection before that was accepted`,
    async (t) => {
      const { port, connect, seen, balancer } = await startBalancer(
        t,
        { respond: { body: 'here' }, firewall_rules: { ip_reject: ['203.0.113.0/24'] } },
        { sockets: means, ...oneThread('the test holds up the thread that accepts') },
      );
      const { status } = spawnSync(process.execPath, ['-e', SEND_AND_RESET, String(port)]);
      t.equal(status, 0);
      const client = await connect();
      client.send(GET);
      t.equal((await client.response()).status, 200);
      t.match(await seen.request(), { target: '/', clientAddress: '127.0.0.1' }, 'the only request');
      t.equal(seen.requests.length, 1);
      await until(() => balancer.clientCount === 1);
    },
  );
}

nothingIsLeft(t);
