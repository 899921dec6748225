import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startBalancer } from '../support/balancer.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

/** A short path: the kernel takes at most 103 bytes. */
function socketPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, 's');
}

async function all(path: string, request: string): Promise<string> {
  const socket = createConnection(path);
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(request);
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

t.test('clients over a unix socket are served, cut and refused without a crash', async (t) => {
  const server = await origin(t, async (connection) => {
    const head = await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
    await connection.write(head.includes('/whole') ? 'ok' : 'o');
    connection.end();
  });
  for (const means of ['fast', 'documented'] as const) {
    const path = socketPath(t);
    const settings = { listen: `unix:${path}`, servers: [server.address], limits: { connections: 1 } };
    const { balancer } = await startBalancer(t, settings, { sockets: means });
    const closing = GET.replace('/', '/whole').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    t.match(await all(path, closing), /^HTTP\/1\.1 200 OK\r\n.*ok$/s, means);
    t.match(await all(path, GET), /\r\n\r\no$/, 'broken off');
    // In the middle of a request: an idle client would be closed for the next.
    const first = createConnection(path);
    first.write('GET / HTTP/1.1\r\n');
    await until(() => balancer.clientCount > 0);
    await turns();
    t.equal(await all(path, GET), '', 'one beyond the limit');
    first.destroy();
    balancer.stop();
  }
});

t.test(
  'the socket file of a killed process is taken over, one in use and any other file are not',
  async (t) => {
    const path = socketPath(t);
    const before = createServer().listen(`${path}0`);
    await once(before, 'listening');
    renameSync(`${path}0`, path);
    const settings = { listen: `unix:${path}` };
    await t.rejects(startBalancer(t, settings), { code: 'EADDRINUSE' }, 'in use');
    before.close();
    const { balancer } = await startBalancer(t, settings);
    t.match(await all(path, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), /^HTTP\/1\.1 404 /);
    balancer.stop();
    writeFileSync(path, 'precious');
    await t.rejects(startBalancer(t, settings), { code: 'EADDRINUSE' }, 'a plain file');
    t.ok(existsSync(path));
  },
);

t.test('requests reach a server on a unix socket', async (t) => {
  const path = socketPath(t);
  const server = createServer((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    socket.on('end', () => socket.end());
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [`unix:${path}`] });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send(GET);
    t.equal((await client.response()).body, 'ok');
  }
});

nothingIsLeft(t);
