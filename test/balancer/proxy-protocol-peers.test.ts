import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import { atOnce } from '../../lib/base/slices.js';
import type { Settings } from '../../lib/config/settings.js';
import { type Started, startBalancer, untilCollected } from '../support/balancer.js';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { RawClient } from '../support/client.js';
import { freePort, startDaemon, unlessInstalled } from '../support/daemon.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';
import { field, origin } from '../support/origin.js';
import { folder } from '../support/tls-origin.js';

t.setTimeout(300_000);

const authority = await TestAuthority.create('Known CA');
const certificate = await authority.issue({ names: ['www.example.com', '127.0.0.1'] });
const client = await authority.issue({ commonName: 'alice', names: ['alice.example'] });

const withHaproxy = { skip: unlessInstalled('haproxy') };
const withNginx = { skip: unlessInstalled('nginx') };
const STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so';
const withStreams = {
  skip: withNginx.skip || (existsSync(STREAM) ? false : 'the stream module of nginx is not installed'),
};

/** A balancer that expects PROXY headers from this machine, before a server that answers with what it was told. */
async function expecting(
  t: Test,
  listener: object = {},
  settingsFor: (server: string) => Partial<Settings> = () => ({}),
): Promise<Started> {
  const server = await origin(t, async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port'];
      const body = names.map((name) => field(head, name)).join(' ');
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  });
  const listen = [{ address: '127.0.0.1:0', proxy_protocol: ['127.0.0.1'], ...listener }];
  return startBalancer(t, { listen, servers: [server.address], ...settingsFor(server.address) });
}

function counts({ balancer }: Started): { readonly [result: string]: number } {
  return Object.fromEntries(
    [...atOnce(balancer.figureSteps()).proxyHeaders].filter(([, count]) => count > 0),
  );
}

/** HAProxy in front of `port`, or as a server; returns the port on which it listens. */
async function haproxy(
  t: Test,
  config: (port: number, here: string, second: number) => string,
): Promise<number> {
  const write = folder(t);
  const here = dirname(write('ca.pem', authority.cert));
  write('own.pem', `${certificate.cert}${certificate.key}`);
  const port = await freePort();
  const file = write(
    'haproxy.cfg',
    `global
  maxconn 1000
defaults
  timeout connect 3s
  timeout client 10s
  timeout server 10s
${config(port, here, await freePort())}
`,
  );
  await startDaemon(t, 'haproxy', ['-db', '-f', file], port);
  return port;
}

async function nginx(
  t: Test,
  config: (port: number, here: string, second: number) => string,
): Promise<number> {
  const write = folder(t);
  const here = dirname(write('ca.pem', authority.cert));
  writeCertificate(here, 'own', certificate);
  const port = await freePort();
  const module = existsSync(STREAM) ? `load_module ${STREAM};` : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((name) => `${name}_temp_path ${join(here, name)};`).join(' ');
  const file = write(
    'nginx.conf',
    `${module} daemon off; master_process off; pid ${here}/nginx.pid; error_log stderr crit; events {}
${config(port, here, await freePort()).replace('PATHS', `access_log off; ${paths}`)}
`,
  );
  await startDaemon(t, 'nginx', ['-c', file], port);
  return port;
}

/** What a client on an address of its own is answered. */
async function ask(t: Test, port: number, from: string): Promise<{ body: string; localPort: number }> {
  const asking = await RawClient.connect(port, from);
  t.teardown(() => asking.destroy());
  asking.send(GET);
  const { body } = await asking.response();
  asking.send(GET);
  t.equal((await asking.response()).body, body, 'the second request on the connection is answered alike');
  return { body, localPort: asking.socket.localPort ?? 0 };
}

async function askOverTls(
  t: Test,
  port: number,
  from: string,
  options: tls.ConnectionOptions = {},
): Promise<string> {
  const raw = connect({ host: '127.0.0.1', port, localAddress: from });
  const socket = tls.connect({
    socket: raw,
    servername: 'www.example.com',
    ca: authority.cert,
    ...options,
  });
  t.teardown(() => socket.destroy());
  socket.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

t.test('HAProxy in front: the client is the one that HAProxy has', withHaproxy, async (t) => {
  const balancer = await expecting(t);
  for (const [index, how] of [
    'send-proxy',
    'send-proxy-v2',
    'send-proxy-v2 proxy-v2-options crc32c',
    'send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id',
  ].entries()) {
    const port = await haproxy(
      t,
      (port) => `listen front
  mode tcp
  unique-id-format %[uuid()]
  bind 127.0.0.1:${port}
  server lb 127.0.0.1:${balancer.port} ${how}`,
    );
    t.equal((await ask(t, port, '127.0.0.9')).body, `127.0.0.9 http ${port}`, how);
    t.equal((await balancer.seen.request(2 * index + 1)).clientAddress, '127.0.0.9');
  }
  await balancer.balancer.collectFigures();
  t.equal(counts(balancer).malformed, undefined);
});

t.test('HAProxy in front that speaks TLS reports the scheme and the name', withHaproxy, async (t) => {
  const named = { match: { sni: 'www.example.com', client_ip: ['127.0.0.9'] }, respond: { body: 'named' } };
  const hosts = (server: string): Settings => ({
    hosts: [{ host: 'a', routes: [named], servers: [server] }],
  });
  const balancer = await expecting(t, {}, hosts);
  for (const [how, told] of [
    ['send-proxy-v2-ssl', 'https'],
    ['send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,crc32c,ssl-cipher', 'https'],
    ['send-proxy-v2-ssl proxy-v2-options ssl,authority', 'named'],
    ['send-proxy-v2', 'http'],
  ] as const) {
    const port = await haproxy(
      t,
      (port, here) => `listen front
  mode tcp
  bind 127.0.0.1:${port} ssl crt ${here}/own.pem ca-file ${here}/ca.pem verify optional
  server lb 127.0.0.1:${balancer.port} ${how}`,
    );
    const body = await askOverTls(t, port, '127.0.0.9', { cert: client.cert, key: client.key });
    t.equal(body, told === 'named' ? told : `127.0.0.9 ${told} ${port}`, how);
  }
});

t.test('HAProxy checks a balancer that expects headers, and finds it well', withHaproxy, async (t) => {
  const balancer = await expecting(t);
  const port = await haproxy(
    t,
    (port, _here, second) => `listen front
  mode tcp
  bind 127.0.0.1:${port}
  server lb 127.0.0.1:${balancer.port} send-proxy-v2 check inter 50ms
listen asked
  mode http
  bind 127.0.0.1:${second}
  option httpchk GET /
  server lb 127.0.0.1:${balancer.port} send-proxy-v2 check inter 50ms`,
  );
  await untilCollected(balancer.balancer, () => (counts(balancer).local ?? 0) > 5);
  t.equal((await ask(t, port, '127.0.0.9')).body, `127.0.0.9 http ${port}`);
  await balancer.balancer.collectFigures();
  t.notOk(counts(balancer).missing);
  t.notOk(counts(balancer).malformed);
  t.notOk(counts(balancer).untrusted, 'a check that is gone before it is accepted is from nowhere else');
  await until(() => balancer.seen.requests.some(({ clientAddress }) => clientAddress === '127.0.0.1'));
});

for (const [name, start, skip] of [
  [
    'HAProxy',
    (t: Test, to: number) =>
      haproxy(
        t,
        (port) => `listen front
  mode tcp
  bind 127.0.0.1:${port}
  server lb 127.0.0.1:${to} send-proxy-v2`,
      ),
    withHaproxy,
  ],
  [
    'nginx',
    (t: Test, to: number) =>
      nginx(
        t,
        (port) =>
          `stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${to}; proxy_protocol on; } }`,
      ),
    withStreams,
  ],
] as const) {
  t.test(`${name} in front passes TLS on: its header comes before the handshake`, skip, async (t) => {
    const { cert, key } = writeCertificate(dirname(folder(t)('x', '')), 'own', certificate);
    const balancer = await expecting(t, { tls: { certificates: [{ cert, key }] } });
    const port = await start(t, balancer.port);
    t.equal(await askOverTls(t, port, '127.0.0.9'), `127.0.0.9 https ${port}`);
    t.equal((await balancer.seen.request()).clientAddress, '127.0.0.9');
  });
}

t.test('nginx in front, proxy_protocol on: the client is the one that nginx has', withStreams, async (t) => {
  const balancer = await expecting(t);
  const port = await nginx(
    t,
    (port) =>
      `stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${balancer.port}; proxy_protocol on; } }`,
  );
  t.equal((await ask(t, port, '127.0.0.9')).body, `127.0.0.9 http ${port}`);
});

t.test('a front that sends no header is not served', withHaproxy, async (t) => {
  const balancer = await expecting(t);
  const port = await haproxy(
    t,
    (port) => `listen front
  mode tcp
  bind 127.0.0.1:${port}
  server lb 127.0.0.1:${balancer.port}`,
  );
  const asking = await RawClient.connect(port);
  asking.send(GET);
  t.equal(await asking.toEnd(), '');
  asking.destroy();
  await untilCollected(balancer.balancer, () => (counts(balancer).missing ?? 0) > 0);
});

for (const version of ['v1', 'v2'] as const) {
  t.test(
    `HAProxy as a server, accept-proxy, send_proxy: ${version}: it knows the client, its port, and where it connected`,
    withHaproxy,
    async (t) => {
      const port = await haproxy(
        t,
        (port) => `frontend server
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"`,
      );
      const servers = [{ address: `127.0.0.1:${port}`, send_proxy: version }];
      const balancer = await startBalancer(t, { servers });
      for (const from of ['127.0.0.9', '127.0.0.10']) {
        const { body, localPort } = await ask(t, balancer.port, from);
        t.equal(body, `${from} ${localPort} 127.0.0.1 ${balancer.port}`);
      }
      const checked = await startBalancer(t, { servers, health_check: { path: '/', interval: '100ms' } });
      await checked.seen.when(({ checks }) => checks.length > 1);
      t.ok(checked.seen.checks.every(({ ok }) => ok));
    },
  );

  t.test(
    `nginx as a server, listen ... proxy_protocol, send_proxy: ${version}: it knows the same`,
    withNginx,
    async (t) => {
      const told =
        '$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port';
      let encryptedPort = 0;
      const port = await nginx(t, (port, here, second) => {
        encryptedPort = second;
        return `http { PATHS
  server { listen 127.0.0.1:${port} proxy_protocol; location / { return 200 "${told}"; } }
  server {
    listen 127.0.0.1:${second} ssl proxy_protocol;
    ssl_certificate ${here}/own.pem; ssl_certificate_key ${here}/own.key;
    location / { return 200 "${told} $ssl_server_name"; }
  }
}`;
      });
      const ca = folder(t)('ca.pem', authority.cert);
      const balancer = await startBalancer(t, {
        servers: [{ address: `127.0.0.1:${port}`, send_proxy: version }],
      });
      const plain = await ask(t, balancer.port, '127.0.0.9');
      t.equal(plain.body, `127.0.0.9 ${plain.localPort} 127.0.0.1 ${balancer.port}`);
      const terms = { ca, server_name: 'www.example.com' };
      const health_check = { path: '/', interval: '100ms' } as const;
      for (const sockets of ['fast', 'documented'] as const) {
        const servers = [{ address: `127.0.0.1:${encryptedPort}`, send_proxy: version, tls: terms }];
        const encrypted = await startBalancer(t, { servers, health_check }, { sockets });
        const { body, localPort } = await ask(t, encrypted.port, '127.0.0.9');
        const expected = `127.0.0.9 ${localPort} 127.0.0.1 ${encrypted.port} www.example.com`;
        t.equal(body, expected, `${sockets} sockets: the header comes before TLS`);
        await encrypted.seen.when(({ checks }) => checks.length > 1);
        t.ok(
          encrypted.seen.checks.every(({ ok }) => ok),
          'so do checks',
        );
      }
    },
  );
}

t.test(
  'HAProxy as a server knows from version 2 that the client spoke TLS, and for which name',
  withHaproxy,
  async (t) => {
    const port = await haproxy(
      t,
      (port) => `frontend server
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[fc_pp_authority]"`,
    );
    const { cert, key } = writeCertificate(dirname(folder(t)('x', '')), 'own', certificate);
    const balancer = await startBalancer(t, {
      listen: [{ address: '127.0.0.1:0', tls: { certificates: [{ cert, key }] } }],
      servers: [{ address: `127.0.0.1:${port}`, send_proxy: 'v2' }],
    });
    t.equal(await askOverTls(t, balancer.port, '127.0.0.9'), '127.0.0.9 www.example.com');
  },
);
