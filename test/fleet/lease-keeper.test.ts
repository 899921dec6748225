import t from 'tap';
import { KeyedHash } from '../../lib/shared/keyed-hash.js';
import { seeded } from '../support/random.js';
import { SimulatedBank, type SimulatedNetwork, SimulatedNode } from './simulated-fleet.js';

// Seconds are simulated a ms at a time.
t.setTimeout(120_000);

const hash = new KeyedHash(1, 2);
const LIMIT = 300;
const BURST = 30;
const TERMS = { interval: 1000 / LIMIT, depth: (BURST * 1000) / LIMIT };

/** Nodes on simulated time, and the requests of one client to them. */
class Fleet {
  readonly bank = new SimulatedBank();
  readonly nodes: readonly SimulatedNode[];
  now = 0;

  constructor(count: number, network: SimulatedNetwork = { latency: 1, loss: 0 }) {
    const random = seeded(count);
    this.nodes = Array.from(
      { length: count },
      () => new SimulatedNode(this.bank.of(random, network), count, random),
    );
  }

  /** Returns how many requests passed at each node; `rates`: requests a second to each. */
  async run(ms: number, rates: readonly number[], key = 'client', terms = TERMS): Promise<number[]> {
    const passed = this.nodes.map(() => 0);
    const end = this.now + ms;
    for (; this.now < end; this.now++) {
      this.bank.advance(this.now);
      for (const node of this.nodes) node.advance(this.now);
      for (let i = 0; i < 8; i++) await Promise.resolve();
      for (const [index, node] of this.nodes.entries()) {
        const rate = rates[index] ?? 0;
        const due = Math.floor(((this.now + 1) * rate) / 1000) - Math.floor((this.now * rate) / 1000);
        for (let i = 0; i < due; i++)
          if (node.take(hash.ofText(key), terms, this.now)) passed[index] = (passed[index] as number) + 1;
      }
    }
    return passed;
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

for (const [name, network] of [
  ['at once', { latency: 0, loss: 0 }],
  ['after 2 ms', { latency: 2, loss: 0 }],
  ['after 40 ms', { latency: 40, loss: 0 }],
] as const) {
  t.test(
    `three nodes let through the limit within 5 % under uneven load, Redis answers ${name}`,
    async (t) => {
      const fleet = new Fleet(3, network);
      await fleet.run(1000, [1000, 300, 100]);
      for (let second = 2; second <= 12; second++) {
        const passed = sum(await fleet.run(1000, [1000, 300, 100]));
        t.ok(Math.abs(passed - LIMIT) <= LIMIT * 0.05, `second ${second}: ${passed}`);
      }
    },
  );
}

t.test('the surplus of the first moment is taken off what comes next', async (t) => {
  const fleet = new Fleet(3);
  const passed = sum(await fleet.run(3000, [1000, 1000, 1000]));
  t.ok(passed <= BURST + 3 * LIMIT * 1.05, `${passed}`);
  t.ok(passed >= 3 * LIMIT * 0.95, `${passed}`);
});

t.test('a client of one node has the whole limit, and its burst at once', async (t) => {
  const fleet = new Fleet(3);
  let passed = 0;
  for (let i = 0; i < BURST; i++) if (fleet.nodes[0]?.take(hash.ofText('quiet'), TERMS, 0)) passed++;
  t.equal(passed, BURST);
  await fleet.run(1000, [290]);
  t.equal(sum(await fleet.run(3000, [290])), 870, 'nothing below the limit is refused');
});

t.test('a client that comes to all nodes below the limit is not refused', async (t) => {
  const fleet = new Fleet(3);
  await fleet.run(2000, [180, 60, 20]);
  const passed = sum(await fleet.run(5000, [180, 60, 20]));
  t.ok(passed >= 5 * 260 * 0.99, `${passed} of 1300`);
});

t.test('load that moves to another node finds the tokens there', async (t) => {
  const fleet = new Fleet(3);
  await fleet.run(3000, [600, 10, 10]);
  await fleet.run(1000, [10, 10, 600]);
  const passed = sum(await fleet.run(1000, [10, 10, 600]));
  t.ok(Math.abs(passed - LIMIT) <= LIMIT * 0.05, `${passed}`);
});

t.test('a key within the share of every node costs Redis nothing', async (t) => {
  const fleet = new Fleet(3);
  await fleet.run(5000, [80, 80, 80]);
  t.equal(fleet.bank.keys, 0);
  t.ok(fleet.bank.calls <= 5 * 3 * 6, `${fleet.bank.calls} looks for keys that others use`);
});

t.test('a key that rests is no longer leased, and what was held is given back', async (t) => {
  const fleet = new Fleet(3);
  await fleet.run(2000, [600, 200, 100]);
  t.same(
    fleet.nodes.map(({ keeper }) => keeper.count),
    [1, 1, 1],
  );
  await fleet.run(15_000, [0, 0, 0]);
  t.same(
    fleet.nodes.map(({ keeper }) => keeper.count),
    [0, 0, 0],
  );
  const before = fleet.bank.keys;
  const passed = sum(await fleet.run(1000, [0, 90, 0]));
  t.equal(passed, 90);
  t.equal(fleet.bank.keys, before);
});

t.test(
  'a key whose limit is far is asked for seldom, and none the less exactly when it comes near',
  async (t) => {
    const fleet = new Fleet(3);
    // 6,000 a minute: 300 requests a second use up what is left within half a minute.
    const terms = { interval: 10, depth: 60_000 };
    await fleet.run(2000, [40, 20, 5], 'client', terms);
    fleet.bank.calls = 0;
    await fleet.run(5000, [40, 20, 5], 'client', terms);
    const calls = fleet.bank.calls / 5 / 3;
    t.ok(calls <= 6, `${calls} calls a second and node, as without a lease`);
    await fleet.run(10_000, [2000, 600, 200], 'client', terms);
    const passed = sum(await fleet.run(5000, [2000, 600, 200], 'client', terms));
    t.ok(Math.abs(passed - 500) <= 25, `${passed} of 500 when nothing is left`);
  },
);

t.test('nodes that have lost Redis let through the limit together, each its share', async (t) => {
  const fleet = new Fleet(3);
  await fleet.run(2000, [600, 200, 200]);
  for (const node of fleet.nodes) node.lose(Number.POSITIVE_INFINITY, fleet.now);
  await fleet.run(1000, [600, 200, 200]);
  const passed = await fleet.run(3000, [600, 200, 200]);
  for (const [index, count] of passed.entries()) t.ok(Math.abs(count - 300) <= 9, `node ${index}: ${count}`);
});

t.test(
  'a client that has used up its limit when Redis is lost gets no new burst, and owes what it overdrew',
  async (t) => {
    const fleet = new Fleet(3);
    await fleet.run(3000, [600, 200, 200]);
    for (const node of fleet.nodes) node.lose(Number.POSITIVE_INFINITY, fleet.now);
    const passed = sum(await fleet.run(1000, [600, 200, 200]));
    t.ok(passed <= LIMIT * 1.03, `${passed} in the second after the loss`);
    t.ok(passed >= LIMIT * 0.8, `${passed} in the second after the loss`);
  },
);

t.test('a client that has not used up its limit when Redis is lost keeps its burst', async (t) => {
  const fleet = new Fleet(3);
  // Leased, as one node has more than its share.
  await fleet.run(3000, [150, 10, 10]);
  for (const node of fleet.nodes) node.lose(Number.POSITIVE_INFINITY, fleet.now);
  const burst = fleet.nodes.map((node) => {
    let passed = 0;
    while (node.take(hash.ofText('client'), TERMS, fleet.now)) passed++;
    return passed;
  });
  for (const count of burst) t.ok(count >= BURST / 3 - 1 && count <= BURST / 3, `${burst}`);
});

t.test('two hundred nodes let through the limit within 5 %', async (t) => {
  const fleet = new Fleet(200, { latency: 2, loss: 0 });
  const rates = fleet.nodes.map((_, index) => [20, 6, 2][index % 3] as number);
  await fleet.run(2000, rates);
  const passed = sum(await fleet.run(3000, rates));
  t.ok(Math.abs(passed - 3 * LIMIT) <= 3 * LIMIT * 0.05, `${passed} in three seconds`);
});

t.test('there are as many leases as there is memory for', async (t) => {
  const fleet = new Fleet(2);
  const [node] = fleet.nodes as [SimulatedNode, SimulatedNode];
  // The second request is beyond the share.
  const terms = { interval: 1000, depth: 2000 };
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 500; i++)
      for (let n = 0; n < 3; n++) node.take(hash.ofText(`client ${round * 500 + i}`), terms, fleet.now);
    await fleet.run(50, []);
  }
  t.equal(node.keeper.count, 16_384);
});
