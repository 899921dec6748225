import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import { type RawServer, startRawServer } from '../../fixtures/raw-server.js';
import { atOnce } from '../../lib/base/slices.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { type Seen, type Started, startBalancer } from '../support/balancer.js';
import { writeCertificate } from '../support/certificates.js';
import type { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { field, origin } from '../support/origin.js';
import { binaryHeader, tlv } from '../support/proxy-header.js';
import { oneThread } from '../support/thread-switch.js';
import { makeTls } from '../support/tls.js';

const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.2 56324 8443\r\n';
const ENDS = Buffer.from([203, 0, 113, 7, 198, 51, 100, 2, 0xdc, 0x04, 0x20, 0xfb]);
const V2 = binaryHeader(0x21, 0x11, ENDS).toString('latin1');
const LOCAL = binaryHeader(0x20, 0x00, '').toString('latin1');
const PARTS = await makeTls();
const LISTEN = { address: '127.0.0.1:0', proxy_protocol: ['127.0.0.0/8'] };

/** A server that answers with what it was told of the client. */
function echo(t: Test): Promise<RawServer> {
  return origin(t, async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      const told = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port'].map((name) =>
        field(head, name),
      );
      const body = told.join(' ');
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  });
}

async function start(
  t: Test,
  settings: Partial<Settings> = {},
  options: Parameters<typeof startBalancer>[2] = {},
): Promise<Started> {
  const server = await echo(t);
  return startBalancer(t, { listen: [LISTEN], servers: [server.address], ...settings }, options);
}

async function asked(client: RawClient, ...pieces: string[]): Promise<string> {
  await client.sendPieces(pieces);
  return (await client.response()).body;
}

/** Closed without a byte. */
async function closed(t: Test, client: RawClient): Promise<void> {
  await client.gone();
  t.equal(client.received, '');
}

/** The warnings that are not about the sockets. */
function told({ warnings }: Seen): readonly string[] {
  return warnings.filter((line) => !line.startsWith('sockets:'));
}

/** Waits until so many have been counted: with several threads they are told of in a moment. */
async function counted(started: Started, most: number): Promise<object> {
  const sum = () => Object.values(counts(started)).reduce((all, count) => all + count, 0);
  await until(() => sum() >= most);
  return counts(started);
}

function counts({ balancer }: Started): Record<string, number> {
  return Object.fromEntries(
    [...atOnce(balancer.figureSteps()).proxyHeaders].filter(([, count]) => count > 0),
  );
}

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: the address of a PROXY header is the client's, and what follows it in the same read is served`,
    async (t) => {
      const { connect, seen, balancer } = await start(t, {}, { sockets: means });
      for (const header of [V1, V2]) {
        const client = await connect();
        t.equal(await asked(client, header + GET), '203.0.113.7 http 8443');
        t.equal(await asked(client, GET), '203.0.113.7 http 8443', 'for all requests of the connection');
      }
      const apart = await connect();
      t.equal(await asked(apart, V2, GET), '203.0.113.7 http 8443');
      const pipelined = await connect();
      pipelined.send(V1 + GET.repeat(50));
      for (let i = 0; i < 50; i++) t.match((await pipelined.response()).body, /^203/);
      t.equal((await seen.request()).clientAddress, '203.0.113.7');
      await until(() => balancer.clientCount === 4);
    },
  );

  t.test(
    `${means} sockets: a header that is cut at any byte is read, and what follows it is served`,
    async (t) => {
      const { connect, balancer } = await start(t, {}, { sockets: means });
      for (const header of [V1, V2]) {
        for (let at = 1; at < header.length; at++) {
          const client = await connect();
          const body = await asked(client, header.slice(0, at), header.slice(at) + GET);
          if (body !== '203.0.113.7 http 8443') t.fail(`cut at ${at}: ${body}`);
          client.destroy();
        }
        const client = await connect();
        t.equal(await asked(client, ...header, ...GET), '203.0.113.7 http 8443', 'byte by byte');
        client.destroy();
      }
      await until(() => balancer.clientCount === 0);
    },
  );

  t.test(
    `${means} sockets: what is no header, or a malformed one, is closed at once, and nothing of it is served`,
    async (t) => {
      const started = await start(t, {}, { sockets: means });
      const { connect, seen, balancer } = started;
      const bad = [
        GET,
        'PROXY TCP4 203.0.113.7\r\n',
        '\x16\x03\x01\0\x05hello',
        `${V2.slice(0, 12)}\x31\x11\0\0`,
      ];
      for (const bytes of bad) {
        const client = await connect();
        client.send(bytes + GET);
        await closed(t, client);
      }
      const half = await connect();
      half.send(V1.slice(0, 20));
      half.end();
      await closed(t, half);
      const empty = await connect();
      empty.end();
      await closed(t, empty);
      t.same(await counted(started, 6), { missing: 2, malformed: 2, closed: 2 });
      t.equal(seen.requests.length, 0);
      t.match(
        told(seen),
        [
          /^a connection from 127\.0\.0\.1 to 127\.0\.0\.1:\d+ was closed: it expects a PROXY header, and what came is none$/,
          /was closed: its PROXY header is malformed: a line that is not whole$/,
        ],
        'each kind is told once',
      );
      await until(() => balancer.clientCount === 0);
    },
  );

  t.test(
    `${means} sockets: LOCAL and UNKNOWN leave the connection with the address of the proxy`,
    async (t) => {
      const started = await start(t, {}, { sockets: means });
      const { connect, seen, port } = started;
      for (const header of [LOCAL, 'PROXY UNKNOWN\r\n', binaryHeader(0x21, 0, '').toString('latin1')]) {
        const client = await connect();
        t.equal(await asked(client, header + GET), `127.0.0.1 http ${port}`);
      }
      // A health check that wants to know no more than that.
      const check = await connect();
      check.send(LOCAL);
      check.end();
      await closed(t, check);
      t.same(await counted(started, 4), { local: 4 });
      await seen.request(3);
      t.equal(seen.requests.length, 3);
      t.same(told(seen), []);
    },
  );

  t.test(
    `${means} sockets: a connection from none of the networks is closed before it is read`,
    async (t) => {
      const listen = [{ ...LISTEN, proxy_protocol: ['192.0.2.0/24', '::1'] }];
      const started = await start(t, { listen }, { sockets: means });
      for (let i = 0; i < 3; i++) {
        const socket = createConnection(started.port, '127.0.0.1');
        await new Promise<void>((resolve) => socket.once('error', () => resolve()));
      }
      t.same(await counted(started, 3), { untrusted: 3 });
      t.match(told(started.seen), [
        /^a connection from 127\.0\.0\.1 to .* was closed: 127\.0\.0\.1 is not in proxy_protocol$/,
      ]);
      const masked = await start(t, { listen, mask_addresses: true }, { sockets: means });
      const socket = createConnection(masked.port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.once('error', () => resolve()));
      t.same(await counted(masked, 1), { untrusted: 1 });
      t.match(told(masked.seen), [
        /^a connection from 127\.0\.0\.0 to .* was closed: 127\.0\.0\.0 is not in proxy_protocol$/,
      ]);
    },
  );

  t.test(`${means} sockets: a header that is not whole in time ends its connection`, async (t) => {
    const started = await start(t, {}, { sockets: means, manual: true });
    const { connect, clock, balancer, seen } = started;
    const silent = await connect();
    const half = await connect();
    half.send(V2.slice(0, 20));
    await until(() => balancer.clientCount === 2);
    clock.advance(2000);
    half.send(V2.slice(20, 21));
    await turns();
    const late = await connect();
    await until(() => balancer.clientCount === 3);
    clock.advance(1500);
    await closed(t, silent);
    await closed(t, half);
    t.equal(await asked(late, V1 + GET), '203.0.113.7 http 8443', 'each has a deadline of its own');
    t.same(await counted(started, 3), { timeout: 2, accepted: 1 });
    t.match(seen.warnings.at(-1), /timeouts\.proxy_header/);
    clock.advance(60_000);
    t.equal((await asked(late, GET)).slice(0, 3), '203', 'and a header that was read ends the deadline');
  });
}

t.test('refused headers are one warning a minute, with their number', async (t) => {
  const inOne = oneThread('each thread says how many there were in it');
  const { connect, clock, seen } = await start(t, {}, { manual: true, ...inOne });
  const refused = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const client = await connect();
      client.send(GET);
      await client.gone();
    }
  };
  await refused(5);
  t.equal(seen.warnings.length, 1);
  clock.advance(61_000);
  await refused(3);
  t.equal(seen.warnings.length, 2);
  t.match(seen.warnings[1], /what came is none \(and 4 more like it before\)$/);
});

t.test('version 2 reports TLS: scheme, name', async (t) => {
  const server = await echo(t);
  const { connect } = await startBalancer(t, {
    listen: [LISTEN],
    hosts: [
      {
        host: 'a',
        routes: [{ match: { sni: 'www.example.com' }, servers: [server.address] }],
        respond: { status: 404, body: 'other' },
      },
    ],
  });
  const ssl = (client: number): Buffer => tlv(0x20, Buffer.from([client, 0, 0, 0, 0]));
  const header = (...tlvs: Buffer[]): string =>
    binaryHeader(0x21, 0x11, Buffer.concat([ENDS, ...tlvs])).toString('latin1');
  const name = tlv(0x02, 'WWW.example.com');
  t.equal(await asked(await connect(), header(name, ssl(1)) + GET), '203.0.113.7 https 8443');
  t.equal(await asked(await connect(), header(name, ssl(0)) + GET), '203.0.113.7 http 8443');
  t.equal(await asked(await connect(), header(ssl(1)) + GET), 'other');
});

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: the firewall and the limits per address go by the address of the header`,
    async (t) => {
      const settings = { firewall_rules: { ip_reject: ['203.0.113.9'] }, limits: { connections_per_ip: 2 } };
      const started = await start(t, settings, { sockets: means });
      const { connect, balancer } = started;
      const of = (address: string): string => `PROXY TCP4 ${address} 198.51.100.2 1 80\r\n${GET}`;
      const rejected = await connect();
      rejected.send(of('203.0.113.9'));
      await closed(t, rejected);
      t.match(await asked(await connect(), of('203.0.113.1')), /^203\.0\.113\.1 /);
      t.match(await asked(await connect(), of('203.0.113.1')), /^203\.0\.113\.1 /);
      const third = await connect();
      third.send(of('203.0.113.1'));
      await closed(t, third);
      t.match(
        await asked(await connect(), of('203.0.113.2')),
        /^203\.0\.113\.2 /,
        'the proxy itself has no limit',
      );
      await until(() => balancer.clientCount === 3);
    },
  );
}

t.test('X-Forwarded-For is believed of the address of the header, not of the proxy', async (t) => {
  const { connect } = await start(t, { trusted_proxies: ['127.0.0.1', '203.0.113.50'] });
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.99\r\n\r\n';
  t.match(await asked(await connect(), V1 + request), /^203\.0\.113\.7 /);
  const ofTrusted = 'PROXY TCP4 203.0.113.50 198.51.100.2 1 80\r\n';
  t.match(await asked(await connect(), ofTrusted + request), /^192\.0\.2\.99, 203\.0\.113\.50 /);
});

t.test('connections that are sending their header count, and give way like idle ones', async (t) => {
  const started = await start(t, { limits: { connections: 2 } });
  const { connect, balancer } = started;
  const [one, other] = [await connect(), await connect()];
  await until(() => balancer.clientCount === 2);
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.match(await asked(await connect(), V1 + GET), /^203/);
  await until(() => one.closed || other.closed);
  await until(() => balancer.clientCount === 2);
  t.match(await counted(started, 2), { gave_way: 1, accepted: 1 });
  t.match(await asked(one.closed ? other : one, V1 + GET), /^203/, 'the other one stays');
});

t.test('connections of a listener are counted from their beginning', async (t) => {
  const started = await start(t, { listen: [{ ...LISTEN, connections: 1 }] });
  const { connect, port, balancer } = started;
  const first = await connect();
  await until(() => balancer.clientCount === 1);
  const second = createConnection(port, '127.0.0.1');
  await new Promise<void>((resolve) => second.once('error', () => resolve()));
  t.match(await asked(first, V1 + GET), /^203/);
  first.destroy();
  await until(() => balancer.clientCount === 0);
  t.match(await asked(await connect(), V1 + GET), /^203/);
});

/** Writes PROXY headers ahead of TLS, both cut into pieces; answers with what comes over TLS. */
function askOverTls(port: number, header: string, cut: number): Promise<string> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  let held = Buffer.from(header, 'latin1');
  const below = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      const bytes = Buffer.concat([held, chunk]);
      held = Buffer.alloc(0);
      socket.write(bytes.subarray(0, cut));
      setImmediate(() => socket.write(bytes.subarray(cut), () => done()));
    },
    final(done) {
      socket.end(done);
    },
  });
  socket.on('data', (bytes) => below.push(bytes));
  socket.on('end', () => below.push(null));
  socket.on('error', () => {});
  const secured = tls.connect({ socket: below, servername: 'localhost', ca: PARTS.authority.cert });
  secured.on('error', () => {});
  secured.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  let text = '';
  secured.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  return new Promise((resolve) => {
    const over = (): void => {
      secured.destroy();
      socket.destroy();
      resolve(text.slice(text.indexOf('\r\n\r\n') + 4));
    };
    secured.once('end', over);
    socket.once('close', over);
  });
}

for (const sockets of ['fast', 'documented'] as const) {
  t.test(`${sockets} sockets: TLS follows a header, in the same read or not`, async (t) => {
    const server = await echo(t);
    const folder = mkdtempSync(join(tmpdir(), 'lb-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const own = writeCertificate(folder, 'own', PARTS.certificate);
    const { port, seen } = await startBalancer(
      t,
      { listen: [{ ...LISTEN, tls: { certificates: [own] } }], servers: [server.address] },
      { sockets },
    );
    for (const header of [V1, V2]) {
      for (const cut of [
        1,
        5,
        header.length - 1,
        header.length,
        header.length + 1,
        header.length + 7,
        10_000,
      ])
        t.equal(await askOverTls(port, header, cut), '203.0.113.7 https 8443', `cut at ${cut}`);
    }
    t.equal((await seen.request()).clientAddress, '203.0.113.7');
    t.equal(await askOverTls(port, '', 10_000), '', 'TLS without a header is no header');
  });
}

t.test('a server with send_proxy gets what the header of the client said', async (t) => {
  const server = await startRawServer(async (connection) => {
    const header = (await connection.readUntil('\r\n')).toString('latin1');
    await connection.readHead();
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${header.length}\r\n\r\n${header}`);
  });
  t.teardown(() => server.close());
  const servers = [{ address: server.address, send_proxy: 'v1' as const }];
  const { connect } = await startBalancer(t, { listen: [LISTEN], servers });
  for (const header of [V1, V2]) t.equal(await asked(await connect(), header + GET), V1);
});

t.test('on a Unix socket every peer may send a header, and must', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 's');
  await start(t, { listen: [{ address: `unix:${path}`, proxy_protocol: ['192.0.2.1'] }] });
  const answer = (bytes: string): Promise<string> => {
    const socket = createConnection(path);
    socket.write(Buffer.from(bytes, 'latin1'));
    return new Promise((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        text = data.toString('latin1');
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });
  };
  t.match(await answer(V2 + GET), /203\.0\.113\.7 http 8443$/);
  t.match(await answer(LOCAL + GET), /unix http $/);
  t.equal(await answer(GET), '');
});

t.test('a reload begins and ends to expect headers, for the connections to come', async (t) => {
  const { balancer, connect, port } = await start(t);
  const { servers } = balancer.config;
  const settings = (proxy_protocol?: string[]): Settings => ({
    listen: [{ address: '127.0.0.1:0', ...(proxy_protocol === undefined ? {} : { proxy_protocol }) }],
    health_check: false,
    servers: servers.map(({ address }) => address.text),
  });
  const before = await connect();
  t.match(await asked(before, V1 + GET), /^203/);
  await balancer.reload(createConfig(settings()));
  t.equal(await asked(await connect(), GET), `127.0.0.1 http ${port}`);
  t.match(await asked(before, GET), /^203/, 'a connection that is there stays what it is');
  await balancer.reload(createConfig(settings(['127.0.0.1'])));
  t.match(await asked(await connect(), V2 + GET), /^203/);
  const plain = await connect();
  plain.send(GET);
  await closed(t, plain);
});

t.test('a drain serves clients that are sending a PROXY header, and a stop cuts them', async (t) => {
  const { balancer, connect, clock } = await start(t, {}, { manual: true });
  const client = await connect();
  client.send(V1.slice(0, 10));
  await until(() => balancer.clientCount === 1);
  const drained = balancer.drain();
  await turns();
  client.send(V1.slice(10) + GET);
  t.match((await client.response()).head, /^Connection: close\r$/m);
  client.end();
  t.equal(await drained, true);
  clock.advance(1);
  const third = await start(t, {}, { manual: true });
  const quiet = await third.connect();
  await until(() => third.balancer.clientCount === 1);
  t.equal(await third.balancer.drain(), true, 'it does not wait for those that have sent nothing');
  await quiet.gone();
  const other = await start(t);
  const silent = await other.connect();
  await until(() => other.balancer.clientCount === 1);
  other.balancer.stop();
  await silent.gone();
});

t.test('hundreds of silent and half headers leave nothing behind', async (t) => {
  const { balancer, connect, clock } = await start(t, { limits: { connections: 2000 } }, { manual: true });
  const clients: RawClient[] = [];
  for (let i = 0; i < 300; i++) {
    const client = await connect();
    clients.push(client);
    if (i % 3 === 1) client.send(binaryHeader(0x21, 0x11, Buffer.alloc(4000)).subarray(0, 3000));
    if (i % 3 === 2) client.send(V1.slice(0, 30));
  }
  await until(() => balancer.clientCount === 300);
  clock.advance(4000);
  await until(() => balancer.clientCount === 0);
  await Promise.all(clients.map((client) => client.gone()));
});

nothingIsLeft(t);
