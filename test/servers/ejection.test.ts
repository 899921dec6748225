import t from 'tap';
import { NO_KEY } from '../../lib/servers/scheduler/scheduler.js';
import type { Server } from '../../lib/servers/server.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { ROUND_ROBIN, serverMaker } from './support.js';

type Test = Parameters<typeof serverMaker>[0];

/** `p` a primary, `b` a backup; each is named by its letter and position. */
function groupOf(t: Test, kinds: string): { group: ServerGroup; servers: Server[] } {
  const { makeServer } = serverMaker(t);
  const servers = [...kinds].map((kind, place) => makeServer(`${kind}${place}`, { backup: kind === 'b' }));
  return { group: new ServerGroup(servers, ROUND_ROBIN), servers };
}

/** Ejects every server that can be spared, in order; returns how many were ejected. */
function ejectAll(servers: readonly Server[], maxEjected: number): number {
  for (const server of servers) if (server.canBeSpared(maxEjected)) server.eject(true);
  return servers.filter(({ isEjected }) => isEjected).length;
}

const caps: readonly [servers: number, maxEjected: number, out: number][] = [
  [1, 1, 0],
  [2, 0.1, 1],
  [2, 0.5, 1],
  [2, 1, 1],
  [3, 0.5, 1],
  [4, 0.5, 2],
  [7, 0.3, 2],
  [10, 0.2, 2],
  [10, 1, 9],
];
for (const [count, share, out] of caps) {
  t.test(`of ${count} servers, ${share * 100}% at most ${out} are ejected`, async (t) => {
    const { group, servers } = groupOf(t, 'p'.repeat(count));
    t.equal(ejectAll(servers, share), out);
    t.ok(group.isUsable);
  });
}

t.test('servers that are down, draining or half-open do not count as left', async (t) => {
  const { servers } = groupOf(t, 'pppp');
  const [one, two, three, four] = servers as [Server, Server, Server, Server];
  two.judge(false);
  three.setAvailability('draining');
  t.equal(one.canBeSpared(1), true);
  four.beginHalfOpen(true);
  t.equal(one.canBeSpared(1), false);
  three.setAvailability('ready');
  t.equal(one.canBeSpared(1), true);
});

t.test('a backup replaces the last primary, which can then be ejected', async (t) => {
  const { group, servers } = groupOf(t, 'pb');
  t.equal(ejectAll(servers, 0.5), 1);
  t.equal(group.pick(NO_KEY, [])?.name, 'b1');
});

t.test('a server is ejected only if all its groups can do without it', async (t) => {
  const { servers } = groupOf(t, 'ppp');
  const alone = new ServerGroup([servers[0] as Server], ROUND_ROBIN);
  t.equal(servers[0]?.canBeSpared(1), false);
  t.equal(servers[1]?.canBeSpared(1), true);
  alone.release();
  t.equal(servers[0]?.canBeSpared(1), true, 'a group that was replaced has no influence');
});

t.test(
  'a half-open server gets one request at a time, the rest goes to others, or to a backup',
  async (t) => {
    const { group, servers } = groupOf(t, 'ppb');
    const [one, two] = servers as [Server, Server];
    const pick = (tried: readonly Server[] = []): string => {
      const server = group.pick(NO_KEY, tried) as Server;
      server.begin();
      return server.name;
    };
    one.beginHalfOpen(true);
    t.same(Array.from({ length: 6 }, () => pick()).sort(), ['p0', 'p1', 'p1', 'p1', 'p1', 'p1']);
    t.equal(pick([two]), 'b2', 'no second request for the half-open server');
    two.judge(false);
    t.equal(pick(), 'b2');
    servers[2]?.judge(false);
    t.equal(pick(), 'p0', 'when there is no other server');
  },
);

t.test('servers that are all half-open share the requests', async (t) => {
  const { group, servers } = groupOf(t, 'pp');
  for (const server of servers) server.beginHalfOpen(true);
  const names = Array.from({ length: 4 }, () => {
    const server = group.pick(NO_KEY, []) as Server;
    server.begin();
    return server.name;
  });
  t.equal(new Set(names).size, 2);
});

t.test('requests that may not be sent twice avoid half-open servers while there are others', async (t) => {
  const { group, servers } = groupOf(t, 'pp');
  const [one, two] = servers as [Server, Server];
  one.beginHalfOpen(true);
  for (let i = 0; i < 4; i++) t.equal(group.pick(NO_KEY, [], false), two);
  t.equal(group.pick(NO_KEY, [two], false), one);
  two.judge(false);
  t.equal(group.pick(NO_KEY, [], false), one);
});
