import t, { type Test } from 'tap';
import type { AlgorithmName } from '../../../lib/config/types.js';
import { NO_KEY } from '../../../lib/servers/scheduler/scheduler.js';
import { algorithmOf } from '../../../lib/servers/schedulers.js';
import { Server } from '../../../lib/servers/server.js';
import { LoadLog } from '../../../lib/servers/server-counters.js';
import { ServerGroup } from '../../../lib/servers/server-group.js';
import { SharedMemory } from '../../../lib/shared/shared-memory.js';
import { createPool, poolSupplies } from '../../support/pool.js';
import { seeded } from '../../support/random.js';

interface Terms {
  readonly name: AlgorithmName;
  readonly servers: number;
  readonly threads: number;
  readonly maxConnections?: number;
  readonly weights?: readonly number[];
}

/** A group in each thread, of the same servers. The threads are one here: what they share is memory. */
function groupsOf(t: Test, { name, servers, threads, maxConnections = 0, weights = [1] }: Terms) {
  const deps = poolSupplies(t);
  const memory = SharedMemory.create(threads === 1 ? 1 : threads + 1);
  const slots = Array.from({ length: servers }, () => memory.servers.claim());
  const random = seeded(4);
  const bits = (): number => Math.floor(random() * 2 ** 31);
  const groups = Array.from({ length: threads }, (_, index) => {
    const shared = threads === 1 ? memory : SharedMemory.attach(memory.handle, index + 1);
    const log = new LoadLog();
    const all = slots.map((slot, place) => {
      const pool = createPool(t, '127.0.0.1:1', { maxConnections }, { ...deps, shared }, slot);
      const weight = weights[place % weights.length] as number;
      return new Server(`s${place}`, pool, deps.wheel, { weight, backup: false, slowStart: 0 }, log);
    });
    const config = {
      name,
      on: { kind: 'path', name: '' },
      fallback: 'round_robin',
      balanceFactor: 0,
    } as const;
    return new ServerGroup(all, algorithmOf(config, { random: bits, clock: deps.clock, firstTurn: index }));
  });
  const rows = slots.map((slot) => memory.servers.row(slot));
  return { groups, rows, random };
}

/** Random requests in all threads, so that `load` are in flight; the mean of the difference between servers. */
function unevenness(t: Test, terms: Terms, load: number): number {
  const { groups, rows, random } = groupsOf(t, terms);
  const inFlight: (readonly [Server, number])[] = [];
  let sum = 0;
  const rounds = 40 * load;
  for (let round = 0; round < rounds; round++) {
    const group = groups[Math.floor(random() * groups.length)] as ServerGroup;
    const server = group.pick(NO_KEY, []) as Server;
    inFlight.push([server, server.begin()]);
    if (inFlight.length > load) {
      const [[ended, token]] = inFlight.splice(Math.floor(random() * inFlight.length), 1) as [
        [Server, number],
      ];
      ended.end(token);
    }
    const loads = rows.map(({ active }) => active);
    if (round > rounds / 2) sum += Math.max(...loads) - Math.min(...loads);
  }
  return sum / (rounds / 2);
}

for (const [name, servers, load] of [
  ['least_connections', 8, 100],
  ['least_connections', 100, 500],
  ['power_of_two', 8, 100],
] as const) {
  t.test(`${name} is as even with 4 threads as with one, over ${servers} servers`, async (t) => {
    const alone = unevenness(t, { name, servers, threads: 1 }, load);
    const together = unevenness(t, { name, servers, threads: 4 }, load);
    t.ok(together < alone * 1.2 + 0.2, `${together} between servers, and ${alone} with one thread`);
  });
}

t.test('first fills servers in order over all threads, however many there are', async (t) => {
  for (const servers of [4, 100]) {
    const { groups, rows } = groupsOf(t, { name: 'first', servers, threads: 4, maxConnections: 3 });
    for (let i = 0; i < 9; i++) groups[i % 4]?.pick(NO_KEY, [])?.begin();
    t.same(
      rows.slice(0, 4).map(({ active }) => active),
      [3, 3, 3, 0],
      `of ${servers}`,
    );
  }
});

t.test(
  'a server that requests of other threads have filled is full, and has room when they have ended',
  async (t) => {
    for (const servers of [3, 100]) {
      const { groups, rows } = groupsOf(t, { name: 'round_robin', servers, threads: 2, maxConnections: 1 });
      const [one, other] = groups as [ServerGroup, ServerGroup];
      const tokens = Array.from({ length: servers - 1 }, () => {
        const server = one.pick(NO_KEY, []) as Server;
        return [server, server.begin()] as const;
      });
      const free = rows.findIndex(({ active }) => active === 0);
      t.equal(other.pick(NO_KEY, [])?.name, `s${free}`, `of ${servers}`);
      for (const [server, token] of tokens) server.end(token);
      const names = new Set(Array.from({ length: 2 * servers }, () => other.pick(NO_KEY, [])?.name));
      t.ok(names.size > servers * 0.6, `${names.size} of ${servers} have room again`);
    }
  },
);

t.test('round robin is fair over all threads, and by weight', async (t) => {
  for (const weights of [[1], [5, 1, 1]]) {
    const { groups } = groupsOf(t, { name: 'round_robin', servers: 3, threads: 4, weights });
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const name = groups[i % 4]?.pick(NO_KEY, [])?.name as string;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const all = weights.length === 1 ? [1, 1, 1] : weights;
    const total = all.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of all.entries()) {
      const due = (4000 * weight) / total;
      const got = counts.get(`s${index}`) as number;
      t.ok(Math.abs(got - due) <= 4, `s${index} with weight ${weight} gets ${got} of ${due}`);
    }
  }
});

t.test('the first requests of several threads go to several servers', async (t) => {
  const { groups } = groupsOf(t, { name: 'round_robin', servers: 3, threads: 4 });
  const picks = (): (string | undefined)[] => groups.map((group) => group.pick(NO_KEY, [])?.name);
  t.same(picks(), ['s0', 's1', 's2', 's0']);
  t.same(picks(), ['s1', 's2', 's0', 's1']);
});

t.test('with one thread round robin begins with the first server', async (t) => {
  const { groups } = groupsOf(t, { name: 'round_robin', servers: 3, threads: 1 });
  const names = Array.from({ length: 6 }, () => groups[0]?.pick(NO_KEY, [])?.name);
  t.same(names, ['s0', 's1', 's2', 's0', 's1', 's2']);
});

t.test('a half-open server is picked as a trial by one thread at a time', async (t) => {
  for (const servers of [2, 100]) {
    const { groups, rows } = groupsOf(t, { name: 'round_robin', servers, threads: 3 });
    for (const group of groups) group.servers[0]?.beginHalfOpen(true);
    const trials = (): readonly (readonly [Server, number])[] => {
      const begun: (readonly [Server, number])[] = [];
      for (let i = 0; i < 6 * servers; i++) {
        const server = groups[i % 3]?.pick(NO_KEY, []) as Server;
        if (server.name === 's0') begun.push([server, server.begin()]);
      }
      return begun;
    };
    const [first, ...rest] = trials();
    t.same(rest, [], `of ${servers}`);
    t.equal(rows[0]?.active, 1);
    first?.[0].end(first[1]);
    t.equal(trials().length, 1);
  }
});
