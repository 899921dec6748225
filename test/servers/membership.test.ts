import t from 'tap';
import type { AlgorithmName } from '../../lib/config/types.js';
import { NO_KEY } from '../../lib/servers/scheduler/scheduler.js';
import { algorithmOf, BY_VALUE } from '../../lib/servers/schedulers.js';
import type { Server } from '../../lib/servers/server.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { until } from '../support/loop-ticks.js';
import { ROUND_ROBIN, serverMaker } from './support.js';

const picks = (group: ServerGroup, count: number): string[] =>
  Array.from({ length: count }, () => group.pick(NO_KEY, [])?.name ?? '-');

const tally = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

t.test('an added server joins round robin, and the others keep their turns', (t) => {
  const { makeServer } = serverMaker(t);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => makeServer(name)) as [
    Server,
    Server,
    Server,
    Server,
  ];
  const group = new ServerGroup([a, b, c], ROUND_ROBIN);
  t.same(picks(group, 2), ['a', 'b']);
  group.setServers([a, b, c, d]);
  t.same(group.servers, [a, b, c, d]);
  t.equal(group.pick(NO_KEY, []), c, 'the next in turn');
  t.same(tally(picks(group, 40)), { a: 10, b: 10, c: 10, d: 10 });
  group.setServers([b, c, d]);
  t.same(tally(picks(group, 30)), { b: 10, c: 10, d: 10 });
  group.setServers([b, a, c, d]);
  t.same(tally(picks(group, 40)), { a: 10, b: 10, c: 10, d: 10 });
  t.end();
});

t.test('a removed server is not picked any more, not even as a backup or after it was down', (t) => {
  const { makeServer } = serverMaker(t);
  const a = makeServer('a');
  const b = makeServer('b', { backup: true });
  const c = makeServer('c', { maxConnections: 1 });
  const group = new ServerGroup([a, b, c], ROUND_ROBIN);
  a.judge(false);
  c.begin();
  group.setServers([a, c]);
  t.equal(group.pick(NO_KEY, []), c, 'although full, the only one');
  t.equal(group.usableCount, 1);
  group.setServers([a]);
  t.equal(group.pick(NO_KEY, []), null);
  t.notOk(group.isUsable);
  b.judge(false);
  b.judge(true);
  t.notOk(group.isUsable, 'removed servers do not affect it');
  a.judge(true);
  t.same(picks(group, 2), ['a', 'a']);
  t.equal(group.pick(NO_KEY, [a]), null);
  group.setServers([]);
  t.equal(group.pick(NO_KEY, []), null);
  group.setServers([c, b]);
  c.end(0);
  t.same(picks(group, 2), ['c', 'c'], 'the backup is not used');
  t.equal(group.pick(NO_KEY, [c]), b);
  t.end();
});

t.test('the listener of a group is called when servers are added and removed', (t) => {
  const { makeServer } = serverMaker(t);
  const [a, b] = [makeServer('a'), makeServer('b')];
  const group = new ServerGroup([a], ROUND_ROBIN);
  const heard: boolean[] = [];
  group.listen({ onUsability: ({ isUsable }) => heard.push(isUsable) });
  group.setServers([a, b]);
  group.setServers([b]);
  group.setServers([]);
  group.setServers([a]);
  a.setWeight(0);
  group.setServers([a, b]);
  t.same(heard, [false, true, false, true]);
  t.end();
});

t.test('first follows the order of the list, wherever a server is added', (t) => {
  const { makeServer, clock } = serverMaker(t);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => makeServer(name)) as [Server, Server, Server];
  const config = { name: 'first', on: null, fallback: 'round_robin', balanceFactor: 0 } as const;
  const group = new ServerGroup([b, c], algorithmOf(config, { random: () => 0, clock }));
  t.same(picks(group, 2), ['b', 'b']);
  group.setServers([a, b, c]);
  t.same(picks(group, 2), ['a', 'a']);
  group.setServers([c, b]);
  t.same(picks(group, 2), ['c', 'c']);
  t.end();
});

t.test('a sticky value stays with its server while others are added and removed', (t) => {
  const { makeServer } = serverMaker(t);
  const servers = Array.from({ length: 200 }, (_, index) => makeServer(`s${index}`));
  const group = new ServerGroup(servers.slice(0, 100), ROUND_ROBIN);
  const selection = group.selectionBy(BY_VALUE);
  t.equal(group.selectionBy(BY_VALUE), selection, 'one for all routes that use it');
  const keys = Array.from({ length: 300 }, (_, index) => index * 7_654_321);
  const where = (): (Server | null)[] => keys.map((key) => group.pick(key, [], true, selection));
  const before = where();
  group.setServers(servers.slice(20, 160));
  const after = where();
  const fresh = new ServerGroup(servers.slice(20, 160), ROUND_ROBIN);
  t.same(
    after.map((server) => server?.name),
    keys.map((key) => fresh.pick(key, [], true, fresh.selectionBy(BY_VALUE))?.name),
    'as in a group made of these servers',
  );
  for (const [index, server] of after.entries())
    t.ok(
      server === before[index] ||
        servers.indexOf(server as Server) >= 100 ||
        servers.indexOf(before[index] as Server) < 20,
    );
  t.equal(group.byHash(servers[150]?.hash ?? 0), servers[150]);
  t.equal(group.byHash(servers[5]?.hash ?? 0), undefined);
  t.end();
});

/** Servers are added and removed, beyond the number from which loads are kept in heaps, while requests come and go. */
t.test('a group whose servers change picks like a group made of the same servers', (t) => {
  const names: readonly AlgorithmName[] = [
    'round_robin',
    'least_connections',
    'random',
    'power_of_two',
    'least_response_time',
    'first',
    'hash',
  ];
  for (const name of names) {
    const { makeServer, clock } = serverMaker(t);
    let seed = 12_345;
    const random = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed;
    };
    const on = name === 'hash' ? ({ kind: 'path', name: '' } as const) : null;
    const config = { name, on, fallback: 'round_robin', balanceFactor: name === 'hash' ? 1.25 : 0 } as const;
    const all = Array.from({ length: 90 }, (_, index) =>
      makeServer(`s${index}`, {
        weight: 1 + (index % 3),
        maxConnections: index % 5 === 0 ? 3 : 0,
        backup: index % 7 === 0,
      }),
    );
    const group = new ServerGroup(all.slice(0, 3), algorithmOf(config, { random, clock }));
    let members = all.slice(0, 3);
    const busy: Server[] = [];
    for (let step = 0; step < 600; step++) {
      const one = all[random() % all.length] as Server;
      const growing = step < 300;
      if (random() % 3 === 0) {
        if (members.includes(one)) members = members.filter((server) => server !== one || growing);
        else if (growing || random() % 4 === 0)
          members = [...members.slice(0, step % 9), one, ...members.slice(step % 9)];
        if (members.length === 0) members = [one];
        group.setServers(members);
      }
      if (random() % 5 === 0) one.judge(random() % 4 !== 0);
      if (random() % 6 === 0) one.setWeight(random() % 4);
      const tried = random() % 4 === 0 ? members.slice(0, 2) : [];
      const picked = group.pick(random(), tried, random() % 2 === 0);
      const usable = members.filter((server) => server.isUsable && !tried.includes(server));
      if (usable.length === 0) {
        if (picked !== null) t.fail(`${name}: ${picked.name} was picked though none can be`);
      } else if (picked === null || !usable.includes(picked)) {
        t.fail(`${name}, step ${step}: ${picked?.name} of ${usable.length} usable ones`);
      } else if (
        picked.backup &&
        usable.some(({ backup, active, capacity }) => !backup && active < capacity)
      ) {
        t.fail(`${name}, step ${step}: a backup`);
      } else if (random() % 2 === 0) {
        picked.begin();
        busy.push(picked);
      }
      if (busy.length > 60) (busy.splice(random() % busy.length, 1)[0] as Server).end(0);
    }
    t.equal(group.usableCount, members.filter(({ isUsable }) => isUsable).length, name);
  }
  t.end();
});

t.test(
  'a server shared by thousands of groups notifies them in slices, and a group that picks knows the change at once',
  async (t) => {
    const { makeServer } = serverMaker(t);
    const [a, b] = [makeServer('a'), makeServer('b')];
    const groups = Array.from({ length: 3500 }, () => new ServerGroup([a, b], ROUND_ROBIN));
    const last = groups.at(-1) as ServerGroup;
    a.judge(false);
    t.same(picks(last, 2), ['b', 'b']);
    a.judge(true);
    b.judge(false);
    t.same(picks(last, 2), ['a', 'a'], 'also after two changes');
    await until(() => a.log.pending.length === 0);
    t.ok(groups.every((group) => group.usableCount === 1));
  },
);
