import t from 'tap';
import type { Started } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { connectMany } from '../threads/load.js';
import { judgeLimit, startNodes, until, untilShared } from './nodes.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

const skip = skipWithoutRedis || THREADS.skip;
const WORKERS = { workers: 3 };
t.setTimeout(180_000);

/** Two nodes of three threads each, and many connections to each, so that every thread has some. */
async function start(
  t: Parameters<typeof startNodes>[0],
  settings: object,
): Promise<{ readonly nodes: readonly Started[]; readonly clients: readonly (readonly RawClient[])[] }> {
  const redis = await RedisServer.start(t);
  const nodes = await startNodes(t, 2, redis.url, settings as never, {}, WORKERS);
  await untilShared(nodes);
  const clients: (readonly RawClient[])[] = [];
  for (const node of nodes) clients.push(await connectMany(node));
  return { nodes, clients };
}

await t.test('two nodes of three threads let through one limit', { skip }, async (t) => {
  const limit = 100;
  const { nodes, clients } = await start(t, {
    respond: { status: 204 },
    firewall_rules: { rate_limit: { requests: limit, per: '1s', burst: 20 } },
  });
  const loads = clients.flatMap((some, node) =>
    some.map((client) => ({
      ask: async () => ((await ask(client)).status === 204 ? 1 : 0),
      pause: node === 0 ? 30 : 120,
    })),
  );
  await judgeLimit(t, nodes, limit, loads);
});

await t.test(
  'a ban of one thread is in force in all threads of all nodes, until it is lifted',
  { skip },
  async (t) => {
    const { nodes, clients } = await start(t, {
      trusted_proxies: ['127.0.0.1'],
      respond: { status: 404 },
      firewall_rules: { ban: { status: [404], count: 5, within: '1m', for: '5m' } },
    });
    const [first, second] = nodes as [Started, Started];
    const [near, far] = clients as [readonly RawClient[], readonly RawClient[]];
    const from = 'X-Forwarded-For: 2001:db8:1:2::7\r\n';
    for (const client of near.slice(0, 5)) t.equal((await ask(client, '/', from)).status, 404);
    await until('the other node has it', () => second.balancer.bans().total === 1);
    const statuses = await Promise.all(far.map((client) => ask(client, '/', from)));
    t.strictSame([...new Set(statuses.map(({ status }) => status))], [403]);
    t.strictSame(second.balancer.unban('2001:db8:1:2::7'), ['firewall_rules']);
    await until('it is lifted on the first', () => first.balancer.bans().total === 0);
    t.equal((await ask(near[0] as RawClient, '/', from)).status, 404);
  },
);

await t.test('all threads of all nodes agree on the server of a sticky value', { skip }, async (t) => {
  const origins = await namedOrigins(t, 'apple', 'mango', 'plum');
  const { nodes, clients } = await start(t, {
    servers: origins.map(({ name, address }) => ({ name, address })),
    sticky: { header: 'X-User', expire: '1h' },
  });
  const [near, far] = clients as [readonly RawClient[], readonly RawClient[]];
  const field = 'X-User: ann\r\n';
  const serverOf = async (client: RawClient): Promise<string> => (await ask(client, '/', field)).server;
  const bound = await serverOf(near[0] as RawClient);
  nodes[0]?.balancer.setAvailability(bound, 'maintenance');
  let other = bound;
  await until('another server takes the client', async () => {
    other = await serverOf(near[1] as RawClient);
    return other !== bound;
  });
  await until('the other node follows', async () => (await serverOf(far[0] as RawClient)) === other);
  const servers = await Promise.all([...near, ...far].map(serverOf));
  t.strictSame([...new Set(servers)], [other]);
});
