/**
 * What sharing costs: processor time per request of a balancer whose rate limit, bans and sticky values are shared through
 * Redis, and of one with the same settings that shares nothing, in alternate rounds. Needs a redis-server.
 *
 *     PAIRS=9 node dist/test/bench/fleet-cost.js
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { RedisServer } from '../fleet/redis-server.js';
import { RawClient } from '../support/client.js';
import { namedOrigins } from '../support/named-origins.js';
import { cpuTime } from './measure.js';

const PAIRS = Number(process.env.PAIRS ?? 9);
const REQUESTS = Number(process.env.REQUESTS ?? 20_000);
const CLIENTS = 8;
const AT_ONCE = 8;
const USERS = 200;

t.setTimeout(1_000_000);

if (process.send === undefined) await measure();
else await serve(process.argv[2] as string, process.argv[3] as string);

/** One node: sends its port, and ends with its parent. */
async function serve(origin: string, redis: string): Promise<void> {
  const config = createConfig({
    listen: '127.0.0.1:0',
    servers: [{ name: 'apple', address: origin }],
    sticky: { header: 'X-User', expire: '1h' },
    firewall_rules: {
      rate_limit: { requests: 1_000_000, per: '1s' },
      ban: { status: [404], count: 10, within: '10s', for: '1m' },
    },
    // As one of a thousand nodes its use is beyond its share: each request is taken from a lease.
    ...(redis !== '' && { shared: { redis, node: 'one', nodes: 1000, timeout: '10s' } }),
  });
  const balancer = createBalancer(config);
  await balancer.start();
  // Apart it would have the share of one of a thousand nodes.
  while (redis !== '' && balancer.status().shared?.state !== 'shared')
    await new Promise((resolve) => setTimeout(resolve, 50));
  const [address] = balancer.addresses;
  process.send?.(address?.kind === 'tcp' ? address.port : 0);
  process.on('disconnect', () => process.exit());
}

interface Node {
  readonly child: ChildProcess;
  readonly clients: readonly RawClient[];
}

async function start(t: Test, origin: string, redis: string): Promise<Node> {
  const child = fork(fileURLToPath(import.meta.url), [origin, redis]);
  t.teardown(() => child.kill());
  for (;;) {
    const [port] = (await once(child, 'message')) as unknown[];
    // tap sends messages of its own.
    if (typeof port !== 'number') continue;
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.connect(port)));
    return { child, clients };
  }
}

interface Round {
  /** Processor time of a request, in µs. */
  readonly cpu: number;
  /** ms from sending to the answer, in order. */
  readonly waits: readonly number[];
  readonly passed: number;
}

async function round({ child, clients }: Node): Promise<Round> {
  const before = cpuTime(child.pid as number).total;
  const waits: number[] = [];
  let passed = 0;
  let left = REQUESTS;
  await Promise.all(
    clients.map(async (client, index) => {
      for (let turn = 0; left > 0; turn++) {
        left -= AT_ONCE;
        const user = (turn * CLIENTS + index) % USERS;
        const sent = performance.now();
        client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\n\r\n`.repeat(AT_ONCE));
        for (let i = 0; i < AT_ONCE; i++) if ((await client.response()).status === 200) passed++;
        waits.push(performance.now() - sent);
      }
    }),
  );
  const cpu = (cpuTime(child.pid as number).total - before) / (waits.length * AT_ONCE);
  return { cpu, waits: waits.sort((one, other) => one - other), passed };
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >> 1] as number;
}

async function measure(): Promise<void> {
  await t.test('what sharing costs', async (t) => {
    t.setTimeout(0);
    const redis = await RedisServer.start(t);
    const [origin] = await namedOrigins(t, 'apple');
    const address = (origin as { address: string }).address;
    const nodes = [await start(t, address, redis.url), await start(t, address, '')] as const;
    // Code gets warm, and the shared one has its leases.
    for (const node of nodes) await round(node);
    const ratios: number[] = [];
    const at = (waits: readonly number[], share: number): number =>
      waits[Math.floor(waits.length * share)] as number;
    const p50 = [[], []] as [number[], number[]];
    const p99 = [[], []] as [number[], number[]];
    for (let pair = 0; pair < PAIRS; pair++) {
      const rounds: Round[] = [];
      // Who is first changes.
      const order = pair % 2 === 0 ? [0, 1] : [1, 0];
      for (const which of order) rounds[which] = await round(nodes[which] as Node);
      const [shared, alone] = rounds as [Round, Round];
      ratios.push(shared.cpu / alone.cpu);
      for (const [index, { waits }] of rounds.entries()) {
        p50[index]?.push(at(waits, 0.5));
        p99[index]?.push(at(waits, 0.99));
      }
      t.comment(
        `shared ${shared.cpu.toFixed(1)} us, alone ${alone.cpu.toFixed(1)} us a request: ${(shared.cpu / alone.cpu).toFixed(3)}; passed ${shared.passed} and ${alone.passed}`,
      );
    }
    t.comment(`leased: ${redis.command('KEYS', 'lb:rate:*').split('\n').length} keys of Redis`);
    t.comment(`median of ${PAIRS} pairs: ${median(ratios).toFixed(3)}`);
    for (const [index, name] of ['with Redis', 'without'].entries())
      t.comment(
        `${name}: p50 ${median(p50[index] as number[]).toFixed(2)} ms, p99 ${median(p99[index] as number[]).toFixed(2)} ms, each the median of the rounds`,
      );
    t.ok(median(ratios) <= 1.05, `${median(ratios).toFixed(3)} of what one costs that shares nothing`);
    for (const { clients } of nodes) for (const client of clients) client.destroy();
  });
}
