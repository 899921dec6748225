import t from 'tap';
import type { Started } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { namedOrigins } from '../support/named-origins.js';
import { judgeLimit, sharedOf, startNodes, until, untilShared } from './nodes.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

const skip = skipWithoutRedis;
t.setTimeout(180_000);

/** The statuses of so many requests on one connection, sent together. */
async function ask({ connect }: Started, count: number, fields = ''): Promise<number[]> {
  const client = await connect();
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`.repeat(count));
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await client.response()).status);
  client.destroy();
  return statuses;
}

async function statusOf(node: Started): Promise<number> {
  return (await ask(node, 1))[0] as number;
}

await t.test('three nodes let through one limit, whatever each of them gets', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const limit = 200;
  const nodes = await startNodes(t, 3, redis.url, {
    respond: { status: 204 },
    firewall_rules: { rate_limit: { requests: limit, per: '1s', burst: 20 } },
  });
  await untilShared(nodes);
  const loads = nodes.map((node, index) => ({
    ask: async () =>
      (await ask(node, [40, 12, 4][index] as number)).filter((status) => status === 204).length,
    pause: 20,
  }));
  await judgeLimit(t, nodes, limit, loads);
  t.match(redis.command('KEYS', 'lb:rate:*'), /lb:rate:[0-9a-f]{16}/);
});

await t.test('without Redis each node lets through its share', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const nodes = await startNodes(t, 2, redis.url, {
    respond: { status: 204 },
    firewall_rules: { rate_limit: { requests: 60, per: '1m', burst: 20 } },
  });
  await untilShared(nodes);
  await redis.kill();
  await until('Redis is lost', () => nodes.every(({ balancer }) => sharedOf(balancer).state === 'lost'));
  for (const node of nodes) {
    const statuses = await ask(node, 20);
    const passed = statuses.filter((status) => status === 204).length;
    // Half of the burst, and half of what flows in: a token in two seconds.
    t.ok(passed >= 10 && passed <= 12, `${passed} passed`);
  }
});

await t.test(
  'a ban is in force on all nodes, also on one that starts later, until it is lifted',
  { skip },
  async (t) => {
    const redis = await RedisServer.start(t);
    const settings = {
      respond: { status: 404 },
      firewall_rules: { ban: { status: [404], count: 3, within: '10s', for: '10m' } },
      // What people read has no addresses; the other nodes need them.
      mask_addresses: true,
    };
    const nodes = await startNodes(t, 2, redis.url, settings);
    await untilShared(nodes);
    const [first, second] = nodes as [Started, Started];
    t.same(await ask(first, 3), [404, 404, 404]);
    const from = performance.now();
    // Without a request, which would be counted there.
    await until('the other node has it', () => second.balancer.bans().total === 1);
    const took = performance.now() - from;
    t.comment(`in force on the other node after ${took.toFixed()} ms`);
    // One second, on a machine that has time; the rest is for one that has not.
    t.ok(took < 10_000, `in force on the other node after ${took.toFixed()} ms`);
    t.equal(await statusOf(second).catch(() => 403), 403);
    const [later] = (await startNodes(t, 1, redis.url, settings, { node: 'later' })) as [Started];
    await until('a later one refuses', () => later.balancer.bans().total === 1);
    const [ban] = later.balancer.bans().bans;
    t.ok((ban?.leftMs ?? 0) > 500_000 && (ban?.leftMs ?? 0) <= 600_000, `${ban?.leftMs} ms are left`);
    t.same(second.balancer.unban('127.0.0.1'), ['firewall_rules']);
    await until('it is lifted everywhere', () =>
      [first, second, later].every(({ balancer }) => balancer.bans().total === 0),
    );
    t.equal(await statusOf(first), 404);
  },
);

await t.test('bans are written again to a Redis that has lost them', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const settings = {
    respond: { status: 404 },
    firewall_rules: { ban: { status: [404], count: 3, within: '10s', for: '10m' } },
  };
  const [first] = (await startNodes(t, 1, redis.url, settings)) as [Started];
  await untilShared([first]);
  await ask(first, 3);
  await until('it is written', () => Number(redis.command('XLEN', 'lb:bans')) > 0);
  await redis.restart();
  await until('it is written again', () => Number(redis.command('XLEN', 'lb:bans')) > 0);
  redis.command('FLUSHALL');
  await until(
    'it is written again, though no call has failed',
    () => Number(redis.command('XLEN', 'lb:bans')) > 0,
  );
  const [later] = (await startNodes(t, 1, redis.url, settings, { node: 'later' })) as [Started];
  await until('a later one refuses', () => later.balancer.bans().total === 1);
});

await t.test('nodes agree on the server of a sticky value', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const origins = await namedOrigins(t, 'apple', 'mango', 'plum');
  const servers = origins.map(({ name, address }) => ({ name, address }));
  const nodes = await startNodes(t, 3, redis.url, { servers, sticky: { header: 'X-User', expire: '1h' } });
  await untilShared(nodes);
  const serverOf = async (node: Started, user: string): Promise<string> => {
    const client = await node.connect();
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\n\r\n`);
    const { body } = await client.response();
    client.destroy();
    return body;
  };
  const [first, second, third] = nodes as [Started, Started, Started];
  const bound = await serverOf(first, 'ann');
  // New clients of the first node go elsewhere, and so does a client that another node does not know of.
  const other = await (async () => {
    first.balancer.setAvailability(bound, 'maintenance');
    return serverOf(first, 'ann');
  })();
  t.not(other, bound);
  for (const node of [second, third])
    await until(`${node.port} follows`, async () => (await serverOf(node, 'ann')) === other);
  first.balancer.setAvailability(bound, 'ready');
  t.equal(await serverOf(first, 'ann'), other, 'it stays with the server that all nodes have');

  const told = (): number => Number(redis.command('XLEN', 'lb:sticky'));
  const toldBefore = told();
  // Most of these would go to another server by their hash.
  const users = Array.from({ length: 8 }, (_, index) => `user ${index}`);
  for (const name of ['apple', 'mango']) second.balancer.setAvailability(name, 'maintenance');
  for (const user of users) t.equal(await serverOf(second, user), 'plum');
  for (const name of ['apple', 'mango']) second.balancer.setAvailability(name, 'ready');
  await until('Redis knows them', () => told() === toldBefore + users.length);
  for (const user of users)
    await until(`the first node follows with ${user}`, async () => (await serverOf(first, user)) === 'plum');
  first.balancer.setAvailability('plum', 'maintenance');
  for (const user of users)
    await until(`${user} moves for all nodes, however often it asks`, async () => {
      const moved = await serverOf(first, user);
      return moved !== 'plum' && (await serverOf(second, user)) === moved;
    });
});

nothingIsLeft(t);
