import * as net from 'node:net';
import { startFixtureServer } from '../../fixtures/server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { SWITCHED } from '../support/thread-switch.js';

/**
 * Brings a balancer into the situation named by the first argument, stops it there, closes what is its own, and
 * returns from its main module: the process ends by itself if the balancer holds nothing any more.
 */
const when = process.argv[2];
const server = await startFixtureServer({ name: 'leaver' });
const checked = when === 'checked';
let checks = 0;
const balancer = createBalancer(
  createConfig({
    listen: '127.0.0.1:0',
    servers: when === 'removed' ? [await startEndless(), server.address] : [server.address],
    retry: { on: ['connect', 503] },
    health_check: checked ? { interval: '10ms', path: '/?hang=1', timeout: '1h' } : false,
  }),
  {
    event: ({ what }) => {
      if (what === 'checked') checks++;
    },
  },
  SWITCHED,
);

const sockets: net.Socket[] = [];

/** Asks, and resolves with the first bytes of the answer. */
async function ask(head: string): Promise<string> {
  const [address] = balancer.addresses;
  const socket = net.connect({ host: '127.0.0.1', port: address?.kind === 'tcp' ? address.port : 0 });
  sockets.push(socket);
  socket.on('error', () => {});
  socket.write(head);
  return new Promise((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
}

/** A server whose answer is declined, and has no end; it does not hold the process. */
async function startEndless(): Promise<string> {
  const server = net.createServer((socket) => {
    socket.unref().on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function leave(): Promise<void> {
  if (when === 'starting') {
    const starting = balancer.start().catch(() => {});
    balancer.stop();
    await starting;
    return;
  }
  await balancer.start();
  switch (when) {
    case 'started':
      break;
    case 'drained':
      await balancer.drain();
      break;
    case 'checked':
      await until(() => server.connections > 0);
      if (checks > 0) throw new Error('the check was to hang');
      break;
    case 'removed':
      await ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      balancer.removeServer(balancer.config.groups[0]?.servers[0]?.name ?? '');
      break;
    case 'tunnelling':
      await ask(
        'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      break;
    default:
      await ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      void ask('GET /?hang=1 HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => server.requests === 2);
      if (when === 'draining') void balancer.drain();
  }
  balancer.stop();
}

await leave();
for (const socket of sockets) socket.destroy();
await server.close();
process.stdout.write('stopped\n');
// A watchdog that does not hold the process itself.
setTimeout(() => {
  process.stderr.write(`still held by ${process.getActiveResourcesInfo().join(', ')}\n`);
  process.exit(1);
}, 20_000).unref();
