import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { writePattern } from '../../fixtures/pattern.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { connectTo, noteSwitched } from '../support/tls-switch.js';

const MIB = 1024 * 1024;
/**
 * The memory allowed meanwhile, in MiB: a quarter of a body, most of it what the first request of a process always takes.
 */
const LITTLE = 50;
const CALM_LOOKS = 6;
const UPLOADS = 300;
const STALLED = 40;

// On a busy machine, hundreds of megabytes take longer than tap's half minute.
t.setTimeout(120_000);
const PROGRAM = fileURLToPath(new URL('../support/balancer-process.js', import.meta.url));

/** A balancer in a process of its own, with `server`. */
async function start(t: Test, server: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(PROGRAM, [server], { execArgv: ['--expose-gc'] });
  t.teardown(() => child.kill());
  const [port] = (await once(child, 'message')) as [number];
  noteSwitched(port);
  return { child, port };
}

async function resident(child: ChildProcess): Promise<number> {
  child.send('resident');
  const [bytes] = (await once(child, 'message')) as [number];
  return bytes / MIB;
}

async function connect(t: Test, port: number): Promise<Socket> {
  const { socket, ready } = connectTo(port);
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await ready;
  return socket;
}

/**
 * Resolves when some bytes were sent and no more are read: the balancer must have answered us `CALM_LOOKS` times in
 * between, so that it could have read. This excludes pauses of a busy machine.
 */
async function stalled(child: ChildProcess, sent: () => number): Promise<void> {
  let last = 0;
  for (let calm = 0; calm < CALM_LOOKS; calm++) {
    await resident(child);
    await pause(20);
    if (sent() === 0 || sent() !== last) calm = 0;
    last = sent();
  }
}

t.test('a client that does not read its download costs next to no memory', async (t) => {
  let sent = 0;
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${200 * MIB}\r\n\r\n`);
    for (let i = 0; i < 200 && !connection.socket.destroyed; i++) {
      await writePattern(connection.socket, MIB);
      sent++;
    }
  });
  const { child, port } = await start(t, server.address);
  const before = await resident(child);
  const client = await connect(t, port);
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await stalled(child, () => sent);
  t.ok(sent < 100, `the server is paused after ${sent} MiB`);
  const after = await resident(child);
  t.ok(after - before < LITTLE, `${Math.round(after - before)} MiB more`);

  let received = 0;
  client.on('data', (bytes) => {
    received += bytes.length;
  });
  client.resume();
  await until(
    () => received >= 200 * MIB || client.destroyed,
    'the client has the whole body',
    () => pause(5),
  );
  t.ok(received > 200 * MIB, 'and the client still gets every byte');
  const whole = await resident(child);
  t.ok(whole - before < LITTLE, `${Math.round(whole - before)} MiB more after the whole download`);
});

t.test('a server that does not read an upload costs next to no memory', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    connection.stopReading();
    await new Promise((resolve) => connection.socket.once('close', resolve));
  });
  const { child, port } = await start(t, server.address);
  const before = await resident(child);
  const client = await connect(t, port);
  client.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${200 * MIB}\r\n\r\n`);
  void writePattern(client, 200 * MIB);
  await stalled(child, () => client.bytesWritten);
  t.ok(
    client.bytesWritten < 100 * MIB,
    `the client is paused after ${Math.round(client.bytesWritten / MIB)} MiB`,
  );
  const after = await resident(child);
  t.ok(after - before < LITTLE, `${Math.round(after - before)} MiB more`);
});

t.test('forty stalled downloads and uploads cost at most a megabyte each', async (t) => {
  const server = await origin(t, async (connection) => {
    const head = await connection.readHead();
    connection.stopReading();
    if (head.startsWith('GET')) {
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${200 * MIB}\r\n\r\n`);
      await writePattern(connection.socket, 200 * MIB);
    }
    if (!connection.socket.destroyed) await once(connection.socket, 'close');
  });
  const { child, port } = await start(t, server.address);
  const before = await resident(child);
  const clients = await Promise.all(Array.from({ length: STALLED }, () => connect(t, port)));
  for (const [index, client] of clients.entries()) {
    client.pause();
    if (index % 2 === 0) client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    else {
      client.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${200 * MIB}\r\n\r\n`);
      void writePattern(client, 20 * MIB);
    }
  }
  await stalled(child, () => clients.reduce((sum, client) => sum + client.bytesWritten, 0));
  const after = await resident(child);
  t.ok(after - before < STALLED, `${Math.round(after - before)} MiB more`);
});

t.test(
  'hundreds of uploads that never finish cost at most 100 KiB each, even in chunks of one byte',
  async (t) => {
    let received = 0;
    const server = await origin(t, async (connection) => {
      connection.socket.removeAllListeners('data');
      connection.socket.on('data', ({ length }) => {
        received += length;
      });
      await once(connection.socket, 'close');
    });
    const { child, port } = await start(t, server.address);
    const before = await resident(child);
    for (const [field, body] of [
      ['Transfer-Encoding: chunked', '1;e\r\na\r\n'.repeat(10_500)],
      // The whole body is kept for a retry.
      ['Content-Length: 84000', 'x'.repeat(65_000)],
    ] as const) {
      received = 0;
      const clients: Socket[] = [];
      for (let round = 0; round < UPLOADS / 50; round++)
        clients.push(...(await Promise.all(Array.from({ length: 50 }, () => connect(t, port)))));
      for (const client of clients) {
        client.write(`PUT / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
        client.write(body.slice(0, 40_001));
        client.write(body.slice(40_001));
      }
      await stalled(child, () => received);
      const after = await resident(child);
      t.ok(after - before < LITTLE + UPLOADS * 0.1, `${field}: ${Math.round(after - before)} MiB more`);
      for (const client of clients) client.destroy();
    }
    const last = await connect(t, port);
    last.write('GET / HTTP/1.1\r\n\r\n');
    const [answer] = (await once(last, 'data')) as [Buffer];
    t.match(answer.toString(), /^HTTP\/1\.1 400 /, 'and the balancer still answers');
  },
);
