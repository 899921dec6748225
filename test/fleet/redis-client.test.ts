import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { SharedConfig } from '../../lib/config/types.js';
import { openRedis } from '../../lib/fleet/redis-client.js';
import type { RedisAddress } from '../../lib/fleet/redis-stream.js';
import { SentinelGroup } from '../../lib/fleet/sentinel-group.js';
import { deadAddress } from '../support/origin.js';
import { until } from './nodes.js';

t.setTimeout(120_000);

t.test('a client that asks sentinels in vain goes on asking when it is told to reconnect', async (t) => {
  const { shared } = createConfig({ shared: { redis: `redis://${await deadAddress()}`, sentinel: 'main' } });
  const errors: string[] = [];
  const client = await openRedis(shared as SharedConfig, (message) => void errors.push(message));
  await until('it has asked', () => errors.length > 0);
  client.reconnect();
  const before = errors.length;
  await until('it asks again and again', () => errors.length >= before + 3);
  t.match(errors.at(-1), /ECONNREFUSED/);
  client.close();
});

t.test('the end of a connection that lb itself has ended is no failure of Redis', async (t) => {
  const sockets: Socket[] = [];
  let ended = 0;
  // Takes what comes, answers nothing, and ends when the client does.
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    socket.on('end', () => ended++);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { shared } = createConfig({ shared: { redis: `redis://127.0.0.1:${port}` } });
  const errors: string[] = [];
  const client = await openRedis(shared as SharedConfig, (message) => void errors.push(message));
  t.teardown(() => client.close());
  await until('it is connected', () => sockets.length === 1);
  await until('it replaces the silent connection', () => {
    client.reconnect();
    return ended > 0 && sockets.length > 1;
  });
  await until('the first one is closed', () => sockets[0]?.destroyed === true);
  t.same(errors, []);
});

t.test('sentinels that are gone make room for those that are there', async (t) => {
  const at = (host: string): RedisAddress => ({ host, port: 26379 });
  let others: readonly RedisAddress[] = [];
  let asked: string[] = [];
  let alive: (host: string) => boolean = () => true;
  const group = new SentinelGroup('main', [at('configured')], async ({ host }) => {
    asked.push(host);
    if (!alive(host)) throw new Error(`${host} does not answer`);
    return { primary: at('primary'), others, groups: [] };
  });
  // Each month all of them have other addresses.
  for (let month = 0; month < 40; month++) {
    others = [at(`first of month ${month}`), at(`second of month ${month}`)];
    await group.primary();
  }
  alive = (host) => host.endsWith('of month 39');
  asked = [];
  await group.primary();
  t.same(asked, ['configured', 'first of month 39']);
});

t.test('no further sentinel is asked when nobody wants the answer any more', async (t) => {
  const at = (host: string): RedisAddress => ({ host, port: 26379 });
  const asked: string[] = [];
  let isWanted = true;
  const group = new SentinelGroup('main', [at('one'), at('two'), at('three')], async ({ host }) => {
    asked.push(host);
    isWanted = host !== 'two';
    throw new Error(`${host} does not answer`);
  });
  await t.rejects(
    group.primary(() => isWanted),
    { message: 'one does not answer; two does not answer' },
  );
  t.same(asked, ['one', 'two']);
});
