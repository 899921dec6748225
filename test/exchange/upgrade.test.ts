import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { RawConnection } from '../../fixtures/raw-server.js';
import { startFixtureServer } from '../../fixtures/server.js';
import type { Channel } from '../../lib/net/channel.js';
import { startBalancer } from '../support/balancer.js';
import { onCreated } from '../support/created.js';
import { GET } from '../support/http.js';
import { inFlight, nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';
import { OVER_TLS } from '../support/tls-switch.js';

const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

/** An origin that switches protocols and then passes the raw connection to `talk`, and a client of a balancer. */
async function tunnel(
  t: Test,
  talk: (connection: RawConnection) => unknown,
  options: Parameters<typeof startBalancer>[2] = {},
) {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(SWITCHING);
    await talk(connection);
  });
  const started = await startBalancer(t, { servers: [server.address] }, options);
  const client = await started.connect();
  client.send(UPGRADE);
  return { ...started, server, client };
}

t.test('WebSocket messages of all sizes pass both ways', async (t) => {
  const server = await startFixtureServer({ name: 'ws' });
  t.teardown(() => server.close());
  for (const means of ['fast', 'documented'] as const) {
    const { port, seen } = await startBalancer(t, { servers: [server.address] }, { sockets: means });
    const sockets = Array.from(
      { length: 5 },
      () => new WebSocket(`${OVER_TLS ? 'wss' : 'ws'}://127.0.0.1:${port}/ws`, { rejectUnauthorized: false }),
    );
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    for (const size of [0, 1, 125, 126, 20_000, 65_000]) {
      const messages = sockets.map((socket) => once(socket, 'message'));
      for (const socket of sockets) socket.send('x'.repeat(size));
      for (const [message] of (await Promise.all(messages)) as [Buffer][]) t.equal(message.length, size);
    }
    for (const socket of sockets) {
      socket.close(1000);
      const [code] = (await once(socket, 'close')) as [number];
      t.equal(code, 1000);
    }
    const { status, reason, target } = await seen.request(5);
    t.strictSame({ status, reason, target }, { status: 101, reason: '', target: '/ws' });
  }
});

t.test('both heads carry the upgrade, and no other hop-by-hop field', async (t) => {
  let head = '';
  const server = await origin(t, async (connection) => {
    head = await connection.readHead();
    await connection.write(
      SWITCHING.replace('\r\n\r\n', '\r\nContent-Length: 3\r\nKeep-Alive: x\r\nX-Ok: 1\r\n\r\n'),
    );
    await connection.hang();
    connection.end();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(UPGRADE.replace('Upgrade\r\nUpgrade', 'keep-alive, Upgrade\r\nKeep-Alive: 3\r\nUpgrade'));
  const answer = await client.until('\r\n\r\n');
  t.match(head, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  t.notMatch(head, /keep-alive/i);
  t.equal(
    answer,
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Ok: 1\r\nConnection: Upgrade\r\n\r\n',
  );
});

t.test('rules for responses change a 101 too, but not what makes it one', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(
      SWITCHING.replace(
        '\r\n\r\n',
        '\r\nServer: secret/1.0\r\nX_Powered_By: x\r\nSec-WebSocket-Accept: y\r\n\r\n',
      ),
    );
    await connection.hang();
  });
  const { connect } = await startBalancer(t, {
    servers: [{ address: server.address, name: 'web' }],
    response_header_rules: {
      add: { 'X-Served-By': '{server}' },
      remove: ['Server', 'X-Powered-By'],
      replace: { 'Sec-WebSocket-Accept': { y: 'z' } },
    },
  });
  const client = await connect();
  client.send(UPGRADE);
  t.equal(
    await client.until('\r\n\r\n'),
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: z\r\nX-Served-By: web\r\nConnection: Upgrade\r\n\r\n',
  );
});

t.test('bytes after an upgrade request wait for the 101', async (t) => {
  let early: Buffer | null = null;
  const bytes = Buffer.alloc(200_000, 'frame');
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    early = await Promise.race([connection.read(1), pause(50, null)]);
    await connection.write(SWITCHING);
    await connection.write(await connection.read(bytes.length));
    await connection.hang();
    connection.end();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(UPGRADE);
  client.send(bytes);
  await client.until('\r\n\r\n');
  t.equal(early, null);
  t.ok((await client.bytes(bytes.length)) === bytes.toString('latin1'), 'then all of them are sent');
  client.send('x');
});

t.test('bytes after a refused upgrade are the next request', async (t) => {
  for (const status of ['200 OK', '403 Forbidden', '426 Upgrade Required']) {
    const heads: string[] = [];
    const server = await origin(t, async (connection) => {
      for (;;) {
        heads.push(await connection.readHead());
        await pause(10);
        await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nno`);
      }
    });
    const { connect } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send(UPGRADE + GET);
    for (let i = 0; i < 2; i++) t.equal((await client.response()).body, 'no', status);
    t.equal(heads.length, 2);
    t.match(
      heads[1],
      /^GET \/ HTTP\/1\.1\r\n.*\r\nCDN-Loop: lb\r\n/s,
      'with all fields that the balancer adds',
    );
    t.equal(server.accepted, 1, 'both sides stay HTTP');
  }
});

t.test('a request without a valid Upgrade opens no tunnel', async (t) => {
  for (const fields of [
    '',
    'Upgrade: websocket\r\n',
    'Connection: Upgrade\r\n',
    'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
    'Connection: Upgrade\r\nUpgrade: H2C, http/2.0, "websocket"\r\nUpgrade: h2c-14,tls\r\n',
    'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n',
  ]) {
    let head = '';
    const server = await origin(t, async (connection) => {
      head = await connection.readHead();
      await connection.write(`${SWITCHING}hello`);
      await connection.hang();
      connection.end();
    });
    const { connect, seen } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send(GET.replace('\r\n\r\n', `\r\n${fields}\r\n`) + GET);
    t.equal((await client.response()).status, 502, fields);
    t.equal((await seen.request()).reason, 'bad_response');
    t.notMatch(head, /upgrade|http2-settings/i, 'the server is not asked to upgrade');
    t.equal((await client.response()).status, 502);
  }
});

t.test('a server that switches to a protocol that was not offered is a 502', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(SWITCHING.replace('websocket', 'h2c'));
    await connection.hang();
    connection.end();
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(UPGRADE);
  t.equal((await client.response()).status, 502);
});

t.test('a half-close of a tunnel is passed on, and the other direction stays open', async (t) => {
  const byClient = await tunnel(t, async (connection) => {
    const all = await connection.readToEnd();
    await connection.write(`got ${all.toString()}`);
    connection.end();
  });
  await byClient.client.until('\r\n\r\n');
  byClient.client.send('hello');
  byClient.client.end();
  t.equal(await byClient.client.toEnd(), 'got hello');
  await byClient.client.gone();
  const ending = { reason: '', detail: 'closed by the client' };
  t.match(await byClient.seen.request(), { ...ending, bytesIn: 5, bytesOut: 9, status: 101 });

  let all = '';
  const byServer = await tunnel(t, async (connection) => {
    connection.end();
    all = (await connection.readToEnd()).toString();
  });
  await byServer.client.until('\r\n\r\n');
  t.equal(await byServer.client.toEnd(), '');
  byServer.client.send('still here');
  byServer.client.end();
  await byServer.client.gone();
  t.match(await byServer.seen.request(), { reason: '', detail: 'closed by the server', bytesIn: 10 });
  await until(() => byServer.server.connections === 0);
  t.equal(all, 'still here');
});

t.test('a FIN after the upgrade request half-closes the tunnel', async (t) => {
  const { client } = await tunnel(t, async (connection) => {
    const all = await connection.readToEnd();
    await connection.write(`got ${all.toString()}`);
    connection.end();
  });
  client.send('early');
  client.end();
  await client.until('\r\n\r\n');
  t.equal(await client.toEnd(), 'got early');
});

t.test('a reset of one side of a tunnel ends the other side', async (t) => {
  let lost = false;
  const byClient = await tunnel(t, async (connection) => {
    await connection.hang();
    lost = true;
    connection.end();
  });
  await byClient.client.until('\r\n\r\n');
  byClient.client.reset();
  await until(() => lost);
  await byClient.seen.request();

  let cut = (): void => {};
  const byServer = await tunnel(t, async (connection) => {
    await new Promise<void>((resolve) => {
      cut = resolve;
    });
    connection.reset();
  });
  await byServer.client.until('\r\n\r\n');
  await until(() => byServer.server.connections !== 0);
  cut();
  await byServer.client.gone();
  t.equal(byServer.client.error?.code, 'ECONNRESET');
  t.match(await byServer.seen.request(), { reason: 'reset_in_response' });
  t.strictSame(inFlight(), { pooledObjects: 0, active: 0, poolWaiting: 0 });
});

t.test('a silent tunnel is closed after timeouts.tunnel, not before', async (t) => {
  const { client, clock, server, seen } = await tunnel(
    t,
    async (connection) => {
      for (;;) await connection.write(await connection.read(1));
    },
    { manual: true },
  );
  await client.until('\r\n\r\n');
  for (let i = 0; i < 3; i++) {
    clock.advance(3_500_000);
    client.send('x');
    t.equal(await client.bytes(1), 'x');
  }
  clock.advance(3_590_000);
  t.equal(seen.requests.length, 0);
  clock.advance(20_000);
  await client.toEnd();
  client.end();
  await client.gone();
  clock.advance(10_000);
  await until(() => server.connections === 0);
});

t.test('a tunnel carries many bytes both ways at once, and a slow reader pauses the writer', async (t) => {
  const size = 3_000_000;
  const { client } = await tunnel(t, async (connection) => {
    connection.stopReading();
    const written = connection.write(Buffer.alloc(size, 's'));
    await pause(50);
    connection.resumeReading();
    const got = await connection.read(size);
    await written;
    await connection.write(got.every((byte) => byte === 0x63) ? 'yes' : 'no');
    connection.end();
  });
  await client.until('\r\n\r\n');
  client.socket.pause();
  client.send(Buffer.alloc(size, 'c'));
  await pause(50);
  client.socket.resume();
  t.ok((await client.bytes(size)) === 's'.repeat(size));
  t.equal(await client.bytes(3), 'yes');
});

const WRITTEN_TO = { manual: true, ...oneThread('the test writes to a channel of its own thread') };

/** Writes `rest` when the balancer ends its side of the first tunnel, to the server or to the client. */
function leaveRest(t: Test, side: 'server' | 'client', rest: Buffer): void {
  const ends: Channel[] = [];
  let written = false;
  onCreated(t, 'lb:channel', (channel) => {
    const probePeer = channel.probePeer.bind(channel);
    const end = channel.end.bind(channel);
    // Called when the tunnel opens, for the server first.
    channel.probePeer = () => {
      ends.push(channel);
      probePeer();
    };
    channel.end = () => {
      if (channel === ends[side === 'server' ? 0 : 1] && !written) {
        written = true;
        channel.write(rest, 0, rest.length);
      }
      end();
    };
  });
}

t.test(
  'bytes that are unsent when both sides of a tunnel have ended arrive, however slowly they are read',
  async (t) => {
    // More than the kernel holds, as if all bytes had come with the FIN, in one tick.
    const rest = Buffer.alloc(16_000_000, 'r');
    t.test('when the server reads slowly', async (t) => {
      leaveRest(t, 'server', rest);
      let got = -1;
      let read = (): void => {};
      const { client, clock, seen } = await tunnel(
        t,
        async (connection) => {
          connection.end();
          connection.stopReading();
          await new Promise<void>((resolve) => {
            read = resolve;
          });
          connection.resumeReading();
          got = (await connection.readToEnd()).length;
        },
        WRITTEN_TO,
      );
      await client.toEnd();
      client.end();
      await seen.request();
      clock.advance(50_000);
      await pause(20);
      read();
      await until(() => got !== -1);
      t.equal(got, rest.length);
    });
    t.test('when the client reads slowly', async (t) => {
      leaveRest(t, 'client', rest);
      const { client, clock, seen } = await tunnel(t, (connection) => connection.end(), WRITTEN_TO);
      await client.until('\r\n\r\n');
      client.socket.pause();
      client.end();
      await seen.request();
      clock.advance(50_000);
      await pause(20);
      client.socket.resume();
      t.equal((await client.toEnd()).length, rest.length);
    });
  },
);

t.test('when a server closes after its FIN, the client gets all bytes sent before', async (t) => {
  const { client, seen, server } = await tunnel(t, async (connection) => {
    await connection.write('good bye');
    connection.end();
    await connection.read(1);
    connection.reset();
  });
  await client.until('\r\n\r\n');
  client.send('x');
  await until(() => server.connections === 0);
  client.send('this is not received');
  await seen.request();
  t.equal(await client.toEnd(), 'good bye');
  client.end();
  await client.gone();
  t.equal(client.error, null);
  t.equal((await seen.request()).reason, '');
});

t.test('a tunnel opens only for a protocol that was offered', async (t) => {
  let chosen = '';
  let heads: string[] = [];
  const server = await origin(t, async (connection) => {
    heads.push(await connection.readHead());
    await connection.write(`HTTP/1.1 101 Switching Protocols\r\n${chosen}Connection: Upgrade\r\n\r\n`);
    await connection.write(await connection.read(4));
    connection.end();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  let asked = 0;
  const ask = async (offered: string, answer: string) => {
    chosen = answer;
    heads = [];
    const client = await connect();
    const framing = 'Content-Length: 0\r\n';
    client.send(
      `POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${offered}\r\n${framing}\r\n`,
    );
    const head = await client.until('\r\n\r\n');
    asked++;
    return { client, head };
  };
  for (const [offered, answer] of [
    ['SPDY/3.1', 'Upgrade: SPDY/3.1\r\n'],
    ['tcp', 'upgrade: TCP\r\nContent-Length: 9\r\n'],
    ['foo, bar', 'Upgrade: bar\r\nTransfer-Encoding: gzip\r\n'],
    ['foo, bar', 'Upgrade: bar, foo\r\n'],
    ['h2c, foo', 'Upgrade: foo\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n'],
  ] as const) {
    const { client, head } = await ask(offered, answer);
    t.match(head, /^HTTP\/1\.1 101 .*\r\nConnection: Upgrade\r\n\r\n$/s, offered);
    t.notMatch(head, /content-length|transfer-encoding/i);
    t.match(heads[0], `\r\nUpgrade: ${offered.replace('h2c, ', '')}\r\n`);
    client.send('ping');
    t.equal(await client.bytes(4), 'ping');
    client.destroy();
    t.equal((await seen.request(asked)).status, 101);
  }
  for (const [offered, answer] of [
    ['SPDY/3.1', 'Upgrade: SPDY/2\r\n'],
    ['foo', ''],
    ['foo', 'Upgrade: foo, bar\r\n'],
    ['h2c, foo', 'Upgrade: h2c\r\n'],
    ['h2c', 'Upgrade: h2c\r\n'],
  ] as const) {
    const { client, head } = await ask(offered, answer);
    t.match(head, /^HTTP\/1\.1 502 /, `${offered}: ${answer}`);
    t.match(await seen.request(asked), { reason: 'bad_response', detail: /status 101 for a protocol/ });
    client.destroy();
  }
});

nothingIsLeft(t);
