/**
 * What sharing costs: processor time (user and system) per request of a balancer whose rate limit, bans and sticky values are
 * shared through Redis, over that of one with the same settings that shares nothing. Each pair has new processes, as one that
 * was compiled or laid out badly stays so, and a third one that shares nothing, which shows the noise. Needs a redis-server.
 *
 *     node dist/test/bench/fleet-cost.js               eleven pairs: about two minutes
 *     PAIRS=25 REQUESTS=40000 node dist/test/bench/fleet-cost.js
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { RedisServer } from '../fleet/redis-server.js';
import { RawClient } from '../support/client.js';
import { namedOrigins } from '../support/named-origins.js';
import { machine } from './machine.js';
import { cpuTime } from './measure.js';
import { quantile } from './outcome.js';

const PAIRS = Number(process.env.PAIRS ?? 11);
/** Of each process, before it is measured and while it is. */
const WARM_REQUESTS = Number(process.env.WARM_REQUESTS ?? 20_000);
const REQUESTS = Number(process.env.REQUESTS ?? 20_000);
/** The processes of a pair take turns, so that what disturbs one disturbs the others. */
const TURNS = 4;
const IDLE_MS = Number(process.env.IDLE_MS ?? 5000);
const MOST_RATIO = 1.05;
const CLIENTS = 8;
const AT_ONCE = 8;
const USERS = 200;

t.setTimeout(3_600_000);

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

/** A process, and what it has used so far. */
class MeasuredNode {
  readonly #child: ChildProcess;
  readonly #clients: readonly RawClient[];
  #micros = 0;
  #requests = 0;
  passed = 0;

  private constructor(child: ChildProcess, clients: readonly RawClient[]) {
    this.#child = child;
    this.#clients = clients;
  }

  /** `redis`: empty for one that shares nothing. */
  static async start(t: Test, origin: string, redis: string): Promise<MeasuredNode> {
    const child = fork(fileURLToPath(import.meta.url), [origin, redis]);
    t.teardown(() => child.kill());
    for (;;) {
      const [port] = (await once(child, 'message')) as unknown[];
      // tap sends messages of its own.
      if (typeof port !== 'number') continue;
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.connect(port)));
      return new MeasuredNode(child, clients);
    }
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }

  /** Processor time in µs since the start. */
  get used(): number {
    return cpuTime(this.#child.pid as number).total;
  }

  /** Of a request that was counted, in µs. */
  get cost(): number {
    return this.#micros / this.#requests;
  }

  async load(requests: number, isCounted: boolean): Promise<void> {
    const before = this.used;
    let left = requests;
    let passed = 0;
    await Promise.all(
      this.#clients.map(async (client, index) => {
        for (let turn = 0; left > 0; turn++) {
          left -= AT_ONCE;
          const user = (turn * CLIENTS + index) % USERS;
          client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\n\r\n`.repeat(AT_ONCE));
          for (let i = 0; i < AT_ONCE; i++) if ((await client.response()).status === 200) passed++;
        }
      }),
    );
    if (!isCounted) return;
    this.#micros += this.used - before;
    this.#requests += requests - left;
    this.passed += passed - (requests - left);
  }
}

/** What one pair has cost, in µs for each request. */
interface Costs {
  readonly shared: number;
  readonly alone: number;
  readonly control: number;
}

async function pair(t: Test, origin: string, redis: string, number: number): Promise<Costs> {
  const shared = await MeasuredNode.start(t, origin, redis);
  const alone = await MeasuredNode.start(t, origin, '');
  const control = await MeasuredNode.start(t, origin, '');
  const nodes = [shared, alone, control];
  // Who is first changes.
  for (let i = 0; i < number % nodes.length; i++) nodes.push(nodes.shift() as MeasuredNode);
  // Code gets warm, and the shared one has its leases.
  for (const node of nodes) await node.load(WARM_REQUESTS, false);
  for (let turn = 0; turn < TURNS; turn++)
    for (const node of turn % 2 === 0 ? nodes : nodes.toReversed()) await node.load(REQUESTS / TURNS, true);
  for (const node of nodes) {
    t.equal(node.passed, 0, 'each request was let through');
    await node.end();
  }
  return { shared: shared.cost, alone: alone.cost, control: control.cost };
}

/** The median, then the middle half, then the least and the greatest. */
function spreadOf(values: readonly number[]): string {
  const at = (share: number): string => quantile(values, share).toFixed(3);
  return `${at(0.5)} (middle half ${at(0.25)} to ${at(0.75)}, all ${at(0)} to ${at(1)})`;
}

/** Processor time of nodes that nobody asks, in ms for each second. */
async function idle(t: Test, origin: string, redis: string): Promise<readonly number[]> {
  const nodes = [await MeasuredNode.start(t, origin, redis), await MeasuredNode.start(t, origin, '')];
  for (const node of nodes) await node.load(WARM_REQUESTS, false);
  // Leases and connections come to rest.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const before = nodes.map(({ used }) => used);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const used = nodes.map((node, index) => (node.used - (before[index] as number)) / IDLE_MS);
  for (const node of nodes) await node.end();
  return used;
}

async function measure(): Promise<void> {
  await t.test('what sharing costs', async (t) => {
    t.setTimeout(0);
    const redis = await RedisServer.start(t);
    const [origin] = await namedOrigins(t, 'apple');
    const { address } = origin as { address: string };
    t.comment(`${machine()}, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(2)} before`);
    const ratios: number[] = [];
    const controls: number[] = [];
    for (let number = 0; number < PAIRS; number++) {
      const { shared, alone, control } = await pair(t, address, redis.url, number);
      ratios.push(shared / alone);
      controls.push(control / alone);
      const costs = [shared, alone, control].map((cost) => cost.toFixed(1)).join(', ');
      t.comment(
        `shared, alone, alone: ${costs} us; ${(shared / alone).toFixed(3)} and ${(control / alone).toFixed(3)}`,
      );
    }
    const [idleShared = 0, idleAlone = 0] = await idle(t, address, redis.url);
    t.comment(`${PAIRS} pairs of ${REQUESTS} requests; load ${loadavg()[0]?.toFixed(2)} after`);
    t.comment(`shared to alone: ${spreadOf(ratios)}`);
    t.comment(`alone to alone:  ${spreadOf(controls)}`);
    t.comment(`idle: ${idleShared.toFixed(2)} ms a second shared, ${idleAlone.toFixed(2)} alone`);
    const median = quantile(ratios, 0.5);
    t.ok(median <= MOST_RATIO, `${median.toFixed(3)} of what one costs that shares nothing`);
  });
}

if (process.send === undefined) await measure();
else await serve(process.argv[2] as string, process.argv[3] as string);
