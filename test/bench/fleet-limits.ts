/**
 * How exact a limit is that many nodes share, and what it costs Redis: the limiter and the leases of `lib/` on simulated
 * time, with as many nodes as are wanted and a Redis with latency and loss. Prints the table of docs/fleet.md.
 *
 *     node dist/test/bench/fleet-limits.js
 */
import { KeyedHash } from '../../lib/shared/keyed-hash.js';
import { SimulatedBank, type SimulatedNetwork, SimulatedNode } from '../fleet/simulated-fleet.js';
import { seeded } from '../support/random.js';

interface Scenario extends SimulatedNetwork {
  readonly nodes: number;
  readonly keys: number;
  /** Requests in a second, to all nodes and keys. */
  readonly load: number;
  readonly limit: number;
  readonly burst: number;
}

const SECONDS = Number(process.env.SECONDS ?? 8);
const base = { keys: 1_000_000, load: 60_000, limit: 300, burst: 30, latency: 1, loss: 0 };
const SCENARIOS: readonly Scenario[] = [
  { ...base, nodes: 3 },
  { ...base, nodes: 20 },
  { ...base, nodes: 200 },
  { ...base, nodes: 200, latency: 20 },
  { ...base, nodes: 200, latency: 100 },
  { ...base, nodes: 200, loss: 0.001 },
  { ...base, nodes: 200, latency: 20, loss: 0.01 },
  { ...base, nodes: 20, limit: 50, burst: 50 },
];

interface Figures {
  /** Of the keys above the limit, by second: the mean and the largest distance from it, as a share of it. */
  readonly mean: number;
  readonly worst: number;
  /** The largest one from the third second on. */
  readonly later: number;
  readonly hotKeys: number;
  /** Of requests of keys within 80 % of the limit, the share that was refused. */
  readonly wronglyRefused: number;
  readonly callsPerSecond: number;
  readonly keysPerSecond: number;
}

async function simulate(scenario: Scenario): Promise<Figures> {
  const { nodes: count, keys, load, limit, burst } = scenario;
  const random = seeded(1);
  const bank = new SimulatedBank();
  const nodes = Array.from(
    { length: count },
    () => new SimulatedNode(bank.of(random, scenario), count, random),
  );
  const hash = new KeyedHash(1, 2);
  const terms = { interval: 1000 / limit, depth: (burst * 1000) / limit };
  // By Zipf's law: the n-th key has an n-th of the requests of the first.
  const harmonic = Math.log(keys) + 0.5772;
  const offered = (key: number): number => load / (key * harmonic);
  // 10 : 3 : 1, over and over.
  const weights = nodes.map((_, i) => [10, 3, 1][i % 3] as number);
  const cumulated = weights.map((_, i) => weights.slice(0, i + 1).reduce((a, b) => a + b, 0));
  const passed = new Map<number, number[]>();
  let within = 0;
  let refused = 0;
  for (let ms = 0; ms < SECONDS * 1000; ms++) {
    bank.advance(ms);
    for (const node of nodes) node.advance(ms);
    // What was answered is taken over.
    for (let i = 0; i < 8; i++) await Promise.resolve();
    const due = Math.floor(((ms + 1) * load) / 1000) - Math.floor((ms * load) / 1000);
    for (let i = 0; i < due; i++) {
      const key = Math.min(keys, Math.max(1, Math.floor(Math.exp(random() * harmonic - 0.5772))));
      const at = random() * (cumulated.at(-1) as number);
      const node = nodes[cumulated.findIndex((sum) => sum > at)] as SimulatedNode;
      const passes = node.take(hash.ofText(`client ${key}`), terms, ms + i / due);
      if (offered(key) > limit * 1.3) {
        const seconds = passed.get(key) ?? new Array<number>(SECONDS).fill(0);
        passed.set(key, seconds);
        if (passes) seconds[Math.floor(ms / 1000)]!++;
      } else if (ms > 1000 && offered(key) < limit * 0.8) {
        within++;
        if (!passes) refused++;
      }
    }
  }
  const errors = [...passed.values()].flatMap((seconds) =>
    seconds.slice(1).map((sum) => Math.abs(sum - limit) / limit),
  );
  return {
    mean: errors.reduce((a, b) => a + b, 0) / errors.length,
    worst: Math.max(...errors),
    later: Math.max(
      ...[...passed.values()].flatMap((seconds) =>
        seconds.slice(3).map((sum) => Math.abs(sum - limit) / limit),
      ),
    ),
    hotKeys: Math.max(...nodes.map(({ keeper }) => keeper.count)),
    wronglyRefused: refused / within,
    callsPerSecond: bank.calls / SECONDS,
    keysPerSecond: bank.keys / SECONDS,
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.001 ? 3 : 1)} %`;
const grouped = (value: number): string => Math.round(value).toLocaleString('en');

process.stdout.write(
  '| nodes | limit, burst | latency | loss | mean error | worst second | worst from the 4th on | refused within 80 % | leased keys | calls/s | keys/s |\n|---|---|---|---|---|---|---|---|---|---|---|\n',
);
for (const scenario of SCENARIOS) {
  const { nodes, limit, burst, latency, loss } = scenario;
  const figures = await simulate(scenario);
  process.stdout.write(
    `| ${nodes} | ${limit}, ${burst} | ${latency} ms | ${percent(loss)} | ${percent(figures.mean)} | ${percent(figures.worst)} | ${percent(figures.later)} | ${percent(figures.wronglyRefused)} | ${figures.hotKeys} | ${grouped(figures.callsPerSecond)} | ${grouped(figures.keysPerSecond)} |\n`,
  );
}
