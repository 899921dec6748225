import t from 'tap';
import { mixHashes } from '../../../lib/base/hash.js';
import { ConsistentHash } from '../../../lib/servers/scheduler/consistent-hash.js';
import { First } from '../../../lib/servers/scheduler/first.js';
import { LeastConnections } from '../../../lib/servers/scheduler/least-connections.js';
import { LeastResponseTime } from '../../../lib/servers/scheduler/least-response-time.js';
import { PowerOfTwo } from '../../../lib/servers/scheduler/power-of-two.js';
import { Random } from '../../../lib/servers/scheduler/random.js';
import { randomBits } from '../../../lib/servers/scheduler/random-bits.js';
import { RoundRobin } from '../../../lib/servers/scheduler/round-robin.js';
import {
  type Candidate,
  NO_KEY,
  type PickKey,
  type Scheduler,
} from '../../../lib/servers/scheduler/scheduler.js';
import { ManualClock } from '../../support/manual-clock.js';
import { seeded } from '../../support/random.js';
import { drawOf, equals, keyOf, servers, type TestServer } from './candidates.js';

// Each test takes seconds, but a busy machine compiles late.
t.setTimeout(120_000);

/**
 * A fleet under load: requests begin and end, servers come and go, weights and limits change, and now and then a request
 * is retried. `pick` is called for each request, and `changed` for each change.
 */
function live(
  seed: number,
  all: readonly TestServer[],
  pick: (key: PickKey, tried: readonly number[]) => number,
  tell: {
    include(i: number): void;
    exclude(i: number): void;
    reweigh(i: number): void;
    noteLoad(i: number): void;
  },
  weights: readonly number[] = [1, 2, 3, 0.5, 10],
): string {
  const random = seeded(seed);
  const any = (): number => Math.floor(random() * all.length);
  const inside = new Set<number>();
  const story: number[] = [];
  const running: number[] = [];
  const start = (index: number): void => {
    (all[index] as TestServer).active++;
    running.push(index);
    if (inside.has(index)) tell.noteLoad(index);
  };
  for (const index of all.keys()) {
    inside.add(index);
    tell.include(index);
  }
  for (let step = 0; step < 4000; step++) {
    const what = random();
    const index = any();
    if (what < 0.02) {
      if (inside.delete(index)) tell.exclude(index);
    } else if (what < 0.04 && !inside.has(index)) {
      inside.add(index);
      tell.include(index);
    } else if (what < 0.05 && inside.has(index)) {
      const server = all[index] as TestServer;
      server.effectiveWeight = weights[Math.floor(random() * weights.length)] as number;
      server.capacity = random() < 0.5 ? Number.POSITIVE_INFINITY : 1 + Math.floor(random() * 5);
      tell.reweigh(index);
    } else if (what < 0.5 && running.length > 0) {
      const [ended] = running.splice(Math.floor(random() * running.length), 1) as [number];
      (all[ended] as TestServer).active--;
      if (inside.has(ended)) tell.noteLoad(ended);
    } else {
      const key = keyOf(Math.floor(random() * 300));
      const tried: number[] = [];
      while (tried.length < 3) {
        const picked = pick(key, tried);
        story.push(picked);
        if (picked === -1) break;
        if (random() < 0.9) {
          start(picked);
          break;
        }
        tried.push(picked);
      }
    }
  }
  return story.join(' ');
}

/** The picks of a scheduler from `all` meanwhile. */
function picks(
  scheduler: Scheduler,
  all: readonly TestServer[],
  seed: number,
  weights?: readonly number[],
): string {
  return live(seed, all, (key, tried) => scheduler.pick(key, tried), scheduler, weights);
}

/** The picks of a reference that looks at all candidates each time. */
function scanned(
  all: readonly TestServer[],
  seed: number,
  pick: (left: readonly number[], key: PickKey) => number,
  weights?: readonly number[],
): string {
  const inside = new Set<number>();
  const look = (key: PickKey, tried: readonly number[]): number => {
    const left = [...inside].sort((a, b) => a - b).filter((index) => !tried.includes(index));
    return left.length === 0 ? -1 : pick(left, key);
  };
  const tell = {
    include: (index: number) => void inside.add(index),
    exclude: (index: number) => void inside.delete(index),
    reweigh: () => {},
    noteLoad: () => {},
  };
  return live(seed, all, look, tell, weights);
}

const SEEDS = [1, 2, 3, 4, 5];

t.test('least_connections picks among many the same as by comparing all of them', async (t) => {
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    t.equal(
      picks(new LeastConnections(one, 0), one, seed),
      picks(new LeastConnections(other, 100), other, seed),
    );
  }
});

t.test('first picks among many the same as by comparing all of them', async (t) => {
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    t.equal(picks(new First(one, 0), one, seed), picks(new First(other, 100), other, seed));
  }
});

t.test('random and power_of_two draw the same as by adding up all weights', async (t) => {
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    const random = randomBits(99);
    const drawn = scanned(other, seed, (left) =>
      other.indexOf(
        drawOf(
          left.map((i) => other[i] as TestServer),
          random,
        ),
      ),
    );
    t.equal(picks(new Random(one, randomBits(99)), one, seed), drawn);
  }
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    const random = randomBits(99);
    const load = ({ active, effectiveWeight }: Candidate): number => active / effectiveWeight;
    const drawn = scanned(other, seed, (left) => {
      const list = left.map((i) => other[i] as TestServer);
      const first = drawOf(list, random);
      if (list.length === 1) return other.indexOf(first);
      const second = drawOf(
        list.filter((server) => server !== first),
        random,
      );
      return other.indexOf(load(second) < load(first) ? second : first);
    });
    t.equal(picks(new PowerOfTwo(one, randomBits(99)), one, seed), drawn);
  }
});

/**
 * The rotation of nginx: every server earns its weight, the one with the most credit is picked and pays what all have
 * earned.
 */
function rotation(all: readonly TestServer[]): (left: readonly number[]) => number {
  const credits = all.map(() => 0);
  return (left) => {
    let [earned, best] = [0, -1];
    for (const index of left) {
      credits[index]! += (all[index] as TestServer).effectiveWeight;
      earned += (all[index] as TestServer).effectiveWeight;
      if (best === -1 || (credits[index] as number) > (credits[best] as number)) best = index;
    }
    credits[best]! -= earned;
    return best;
  };
}

t.test('round_robin equals the rotation of nginx, with any weights and for retried requests', async (t) => {
  for (const seed of SEEDS) {
    const random = seeded(seed);
    const all = servers(...Array.from({ length: 40 }, () => 1 + Math.floor(random() * 9)));
    const scheduler = new RoundRobin(all);
    for (const index of all.keys()) scheduler.include(index);
    const expected = rotation(all);
    const left = [...all.keys()];
    for (let i = 0; i < 3000; i++) {
      const first = expected(left);
      t.equal(scheduler.pick(NO_KEY, []), first);
      if (i % 7 !== 0) continue;
      t.equal(scheduler.pick(NO_KEY, [first]), expected(left.filter((index) => index !== first)));
    }
  }
});

t.test('round_robin stays even after as many picks as in thousands of years', async (t) => {
  const all = servers(256, 3, 17, 1);
  const scheduler = new RoundRobin(all);
  for (const index of all.keys()) scheduler.include(index);
  // The earnings of so many picks, at once: the others pay for them.
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 277 * 40; i++) counts[scheduler.pick(NO_KEY, [])]!++;
  t.strictSame(
    counts,
    [256, 3, 17, 1].map((weight) => weight * 40),
  );
});

/** The highest score of all, computed from name and key. */
function rendezvous(all: readonly TestServer[]): (left: readonly number[], key: PickKey) => number {
  const score = (index: number, key: PickKey): number => {
    const { hash, effectiveWeight } = all[index] as TestServer;
    return effectiveWeight / -Math.log((mixHashes(hash, key) + 0.5) / 2 ** 31);
  };
  return (left, key) => left.reduce((best, index) => (score(index, key) > score(best, key) ? index : best));
}

t.test('hash remembers for many servers the same as it would compute anew', async (t) => {
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    const scheduler = new ConsistentHash(one, new RoundRobin(one), 0, 0);
    t.equal(picks(scheduler, one, seed), scanned(other, seed, rendezvous(other)));
  }
  const [few, drawn] = [equals(60), equals(60)];
  t.equal(picks(new ConsistentHash(few, new RoundRobin(few)), few, 1), scanned(drawn, 1, rendezvous(drawn)));
});

t.test('hash with a bound picks among many the same as by computing anew', async (t) => {
  for (const seed of SEEDS) {
    const [one, other] = [equals(60), equals(60)];
    t.equal(
      picks(new ConsistentHash(one, new RoundRobin(one), 1.25, 0), one, seed),
      picks(new ConsistentHash(other, new RoundRobin(other), 1.25, 1000), other, seed),
    );
  }
});

t.test('a key keeps its server when the fleet grows beyond the limit for comparing all', async (t) => {
  const all = equals(300);
  const place = (count: number): number[] => {
    const list = all.slice(0, count);
    const scheduler = new ConsistentHash(list, new RoundRobin(list));
    for (const index of list.keys()) scheduler.include(index);
    return Array.from({ length: 2000 }, (_, i) => scheduler.pick(keyOf(i), []));
  };
  for (const [fewer, more] of [
    [32, 33],
    [128, 129],
  ] as const) {
    const [before, after] = [place(fewer), place(more)];
    for (const [i, index] of after.entries()) if (index !== more - 1) t.equal(index, before[i]);
  }
});

/** ns of processor time that a pick takes; the least of several rounds. */
function cost(create: (list: readonly Candidate[]) => Scheduler, count: number): number {
  const list = equals(count);
  const scheduler = create(list);
  for (const index of list.keys()) scheduler.include(index);
  const flying: number[] = [];
  const none: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < 20_000; i++) {
      const picked = scheduler.pick(keyOf(i & 1023), none);
      (list[picked] as TestServer).active++;
      if (scheduler.followsLoad) scheduler.noteLoad(picked);
      flying.push(picked);
      if (flying.length < 64) continue;
      const ended = flying[(i * 7) & 63] as number;
      flying[(i * 7) & 63] = flying.pop() as number;
      (list[ended] as TestServer).active--;
      if (scheduler.followsLoad) scheduler.noteLoad(ended);
    }
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, ((user + system) * 1000) / 20_000);
  }
  return least;
}

t.test('a pick among ten thousand takes at most a microsecond more than among three', async (t) => {
  const ways: { readonly [name: string]: (list: readonly Candidate[]) => Scheduler } = {
    round_robin: (list) => new RoundRobin(list),
    least_connections: (list) => new LeastConnections(list),
    random: (list) => new Random(list, randomBits()),
    power_of_two: (list) => new PowerOfTwo(list, randomBits()),
    least_response_time: (list) => new LeastResponseTime(list, randomBits(), new ManualClock()),
    hash: (list) => new ConsistentHash(list, new RoundRobin(list)),
    'hash with a bound': (list) => new ConsistentHash(list, new RoundRobin(list), 1.25),
    first: (list) => new First(list),
  };
  for (const [name, create] of Object.entries(ways)) {
    const [few, many] = [cost(create, 3), cost(create, 10_000)];
    t.ok(many < few + 1000, `${name}: ${few.toFixed(0)} ns of 3, ${many.toFixed(0)} ns of 10,000`);
  }
});
