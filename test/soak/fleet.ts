/**
 * Three nodes, each a program, share `rate_limit: 300 per 1s, burst 30` through Redis, under a load of 10 : 3 : 1. Prints how
 * many requests all of them let through in each second, and how long answers take with and without Redis.
 *
 *     SECONDS=60 node dist/test/soak/fleet.js
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { RedisServer } from '../fleet/redis-server.js';
import { RawClient } from '../support/client.js';

const SECONDS = Number(process.env.SECONDS ?? 60);
const LIMIT = 300;
/** Requests that are sent at once, this often in ms. */
const PACE_MS = 10;
const AT_ONCE = [10, 3, 1];

t.setTimeout(1_000_000);

if (process.send === undefined) await measure();
else await serve(process.argv[2] === '' ? undefined : process.argv[2], process.argv[3] as string);

/** One node: sends its port, and ends with its parent. */
async function serve(redis: string | undefined, node: string): Promise<void> {
  const config = createConfig({
    listen: '127.0.0.1:0',
    respond: { status: 204 },
    firewall_rules: { rate_limit: { requests: LIMIT, per: '1s', burst: 30 } },
    ...(redis !== undefined && { shared: { redis, node } }),
  });
  const balancer = createBalancer(config);
  await balancer.start();
  const [address] = balancer.addresses;
  process.send?.(address?.kind === 'tcp' ? address.port : 0);
  process.on('disconnect', () => process.exit());
}

interface Load {
  /** Requests that passed, by second. */
  readonly passed: readonly number[];
  /** ms from sending to the answer. */
  readonly latencies: readonly number[];
}

/** tap sends messages of its own. */
async function portOf(child: ChildProcess): Promise<number> {
  for (;;) {
    const [message] = (await once(child, 'message')) as unknown[];
    if (typeof message === 'number') return message;
  }
}

async function load(redis: string | undefined, seconds: number): Promise<Load> {
  const nodes: ChildProcess[] = [];
  const ports: number[] = [];
  for (const name of ['one', 'two', 'three']) {
    const child = fork(fileURLToPath(import.meta.url), [redis ?? '', name]);
    nodes.push(child);
    ports.push(await portOf(child));
  }
  // Nodes get to know each other.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const passed = new Array<number>(seconds + 1).fill(0);
  const latencies: number[] = [];
  const from = performance.now();
  const end = from + (seconds + 1) * 1000;
  await Promise.all(
    ports.map(async (port, index) => {
      const client = await RawClient.connect(port);
      const count = AT_ONCE[index] as number;
      for (let next = from; performance.now() < end; next += PACE_MS) {
        const wait = next - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        const sent = performance.now();
        client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
        for (let i = 0; i < count; i++) {
          const { status } = await client.response();
          const second = Math.floor((performance.now() - from) / 1000);
          if (status === 204 && second <= seconds) passed[second] = (passed[second] as number) + 1;
        }
        latencies.push(performance.now() - sent);
      }
      client.destroy();
    }),
  );
  for (const child of nodes) child.disconnect();
  return { passed: passed.slice(1), latencies: latencies.sort((one, other) => one - other) };
}

async function measure(): Promise<void> {
  await t.test('the limit of three nodes', async (t) => {
    t.setTimeout(0);
    const redis = await RedisServer.start(t);
    const shared = await load(redis.url, SECONDS);
    const alone = await load(undefined, Math.min(SECONDS, 10));
    const at = ({ latencies }: Load, share: number): string =>
      (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
    const least = Math.min(...shared.passed);
    const most = Math.max(...shared.passed);
    const inside = shared.passed.filter((sum) => Math.abs(sum - LIMIT) <= LIMIT * 0.05).length;
    t.comment(`passed in each second: ${shared.passed.join(' ')}`);
    t.comment(`least ${least}, most ${most}; ${inside} of ${shared.passed.length} within 5 %`);
    t.comment(`with Redis: p50 ${at(shared, 0.5)} ms, p99 ${at(shared, 0.99)} ms`);
    t.comment(`without Redis: p50 ${at(alone, 0.5)} ms, p99 ${at(alone, 0.99)} ms`);
    t.ok(most <= LIMIT * 1.05, `at most ${most} passed in a second`);
  });
}
