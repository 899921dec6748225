import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { AlgorithmSetting } from '../../lib/config/settings.js';
import { type Started, startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { ask, type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';

type Settings = Parameters<typeof startBalancer>[1];
type Terms = { readonly weight?: number; readonly backup?: boolean; readonly max_connections?: number };

const listed = (origins: readonly NamedOrigin[], terms: readonly Terms[] = []) =>
  origins.map(({ name, address }, index) => ({ name, address, ...terms[index] }));

async function startThree(
  t: Test,
  algorithm: AlgorithmSetting,
  terms: readonly Terms[] = [],
  more: Settings = {},
): Promise<Started & { origins: NamedOrigin[] }> {
  const origins = await namedOrigins(t, 'a', 'b', 'c');
  return { ...(await startBalancer(t, { algorithm, servers: listed(origins, terms), ...more })), origins };
}

/** Who answers `count` requests, one after the other. */
async function servedBy(client: RawClient, count: number, of = (_i: number) => '/'): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i++) names.push((await ask(client, of(i))).server);
  return names;
}

const counted = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

/** Sends a request that is not answered until its server is let go. */
async function occupy(started: Started & { origins: NamedOrigin[] }, target = '/'): Promise<void> {
  const asked = (): number => started.origins.reduce((sum, { heads }) => sum + heads.length, 0);
  const before = asked();
  const client = await started.connect();
  client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await until(() => asked() > before);
}

function holdAll(t: Test, origins: readonly NamedOrigin[]): void {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  for (const origin of origins) origin.hold = held;
  t.teardown(() => release());
}

t.test('round_robin: in turn, as often as the weights say', async (t) => {
  const { connect } = await startThree(t, 'round_robin', [{ weight: 3 }, {}, { weight: 2 }]);
  const turns = (await servedBy(await connect(), 12)).join('');
  // Each thread begins at another turn.
  if (SWITCHED_WORKERS > 1) t.ok('acabca'.repeat(3).includes(turns), turns);
  else t.equal(turns, 'acabcaacabca');
});

t.test('random and power_of_two: every server gets requests', async (t) => {
  for (const algorithm of ['random', 'power_of_two'] as const) {
    const { connect } = await startThree(t, algorithm);
    const counts = counted(await servedBy(await connect(), 60));
    t.strictSame(Object.keys(counts).sort(), ['a', 'b', 'c'], algorithm);
  }
});

t.test('least_response_time: a slow server gets fewer requests', async (t) => {
  const { connect, origins } = await startThree(t, 'least_response_time');
  const client = await connect();
  const slow = origins[1]!;
  const timed = async (count: number): Promise<Record<string, number>> => {
    const names: string[] = [];
    for (let i = 0; i < count; i++) {
      slow.hold = new Promise((resolve) => setTimeout(resolve, 250));
      names.push((await ask(client)).server);
    }
    return counted(names);
  };
  // Until it has answered once it is as good as any; after that it is drawn against a faster one each time.
  const counts = await timed(40);
  t.ok((counts.b ?? 0) <= 4, JSON.stringify(counts));
  t.ok((counts.a ?? 0) > 4 && (counts.c ?? 0) > 4, JSON.stringify(counts));
});

t.test('least_connections: a request goes to a server that is not busy', async (t) => {
  const started = await startThree(t, 'least_connections', [{ weight: 2 }]);
  holdAll(t, started.origins);
  for (let i = 0; i < 8; i++) await occupy(started);
  t.strictSame(
    started.origins.map(({ heads }) => heads.length),
    [4, 2, 2],
  );
});

t.test('first: the next only when the one before has max_connections', async (t) => {
  const started = await startThree(t, 'first', [{ max_connections: 2 }, { max_connections: 1 }, {}]);
  holdAll(t, started.origins);
  const lengths: string[] = [];
  for (let i = 0; i < 5; i++) {
    await occupy(started);
    lengths.push(started.origins.map(({ heads }) => heads.length).join(''));
  }
  t.strictSame(lengths, ['100', '200', '210', '211', '212']);
});

t.test('hash: the same uri, the same server, also for another balancer', async (t) => {
  const algorithm = { name: 'hash', on: 'uri' } as const;
  const one = await startThree(t, algorithm);
  const client = await one.connect();
  const uris = (i: number): string => `/${i}?q=${i}`;
  const before = await servedBy(client, 30, uris);
  t.equal(new Set(before).size, 3);
  t.strictSame(await servedBy(client, 30, uris), before);
  const two = await startBalancer(t, { algorithm, servers: listed(one.origins.toReversed()) });
  t.strictSame(await servedBy(await two.connect(), 30, uris), before);
  one.balancer.setAvailability('b', 'maintenance');
  await one.balancer.settled();
  const after = await servedBy(client, 30, uris);
  const moved = after.filter((name, i) => name !== before[i]).length;
  t.equal(moved, before.filter((name) => name === 'b').length, 'only those of a server that left move');
});

t.test('hash on header, cookie, param and path', async (t) => {
  const cases: readonly [on: string, request: (i: number) => [target: string, fields: string]][] = [
    ['header.X-User', (i) => ['/', `x-user: u${i}\r\n`]],
    ['cookie.sid', (i) => ['/', `Cookie: other=${i % 2}; sid=s${i}\r\n`]],
    ['param.id', (i) => [`/?id=${i}`, '']],
    ['path', (i) => [`/${i}?ignored`, '']],
  ];
  for (const [on, request] of cases) {
    const { connect } = await startThree(t, { name: 'hash', on });
    const client = await connect();
    const serve = async (): Promise<string[]> => {
      const names: string[] = [];
      for (let i = 0; i < 12; i++) names.push((await ask(client, ...request(i))).server);
      return names;
    };
    const first = await serve();
    t.equal(new Set(first).size, 3, on);
    t.strictSame(await serve(), first, on);
  }
});

t.test('hash: requests without the field use the fallback', async (t) => {
  const turns = await startThree(t, { name: 'hash', on: 'header.X-User' });
  t.ok('abc'.repeat(3).includes((await servedBy(await turns.connect(), 6)).join('')));
  const client = await startThree(t, { name: 'hash', on: 'header.X-User', fallback: 'client_ip' });
  t.equal(new Set(await servedBy(await client.connect(), 6)).size, 1);
});

t.test('hash with a bound: a key of all requests is served by several servers', async (t) => {
  for (const [factor, most] of [
    [undefined, 6],
    [1.25, 3],
  ] as const) {
    const bound = factor === undefined ? {} : { balance_factor: factor };
    const started = await startThree(t, { name: 'hash', on: 'path', ...bound });
    holdAll(t, started.origins);
    for (let i = 0; i < 6; i++) await occupy(started, '/hot');
    t.equal(Math.max(...started.origins.map(({ heads }) => heads.length)), most, String(factor));
  }
});

t.test('ip_hash uses the client address that a trusted proxy forwards', async (t) => {
  const { connect } = await startThree(t, 'ip_hash', [], { trusted_proxies: ['127.0.0.1'] });
  const client = await connect();
  const homeOf = async (ip: string): Promise<string> =>
    (await ask(client, '/', `X-Forwarded-For: ${ip}\r\n`)).server;
  const homes: string[] = [];
  for (let i = 0; i < 12; i++) homes.push(await homeOf(`192.0.2.${i}`));
  t.equal(new Set(homes).size, 3);
  for (const [i, home] of homes.entries()) t.equal(await homeOf(`192.0.2.${i}`), home);
  const home = await homeOf('2001:db8:1:2::1');
  for (let i = 2; i < 8; i++) t.equal(await homeOf(`2001:db8:1:2:${i}::${i}`), home, 'one /64 is one client');
});

t.test('backup servers serve when no other server can', async (t) => {
  const { connect, balancer, origins } = await startThree(t, 'least_connections', [{}, {}, { backup: true }]);
  const client = await connect();
  t.equal(counted(await servedBy(client, 6)).c, undefined);
  balancer.setAvailability('a', 'maintenance');
  balancer.setAvailability('b', 'draining');
  t.strictSame(await servedBy(client, 3), ['c', 'c', 'c']);
  balancer.setAvailability('a', 'ready');
  t.strictSame(await servedBy(client, 3), ['a', 'a', 'a']);
  await origins[0]!.server.close();
  t.equal((await ask(client)).server, 'c', 'a request that found the others dead goes there too');
});

t.test('weight 0 at the start, and a weight that is changed while it runs', async (t) => {
  const { connect, balancer } = await startThree(t, 'round_robin', [{ weight: 0 }]);
  const client = await connect();
  t.strictSame(counted(await servedBy(client, 8)), { b: 4, c: 4 });
  balancer.setWeight('a', 2);
  t.strictSame(counted(await servedBy(client, 8)), { a: 4, b: 2, c: 2 });
});

t.test('a reload changes the algorithm and the weights, and keeps the connections', async (t) => {
  const { connect, balancer, origins } = await startThree(t, 'round_robin');
  const client = await connect();
  await servedBy(client, 6);
  const base = { listen: '127.0.0.1:0', health_check: false } as const;
  const servers = listed(origins, [{ weight: 2 }]);
  await balancer.reload(createConfig({ ...base, servers }));
  t.strictSame(counted(await servedBy(client, 8)), { a: 4, b: 2, c: 2 });
  await balancer.reload(createConfig({ ...base, servers, algorithm: { name: 'hash', on: 'uri' } }));
  t.equal(new Set(await servedBy(client, 6)).size, 1);
  t.strictSame(
    origins.map(({ server }) => server.accepted),
    [1, 1, 1],
  );
});

t.test('slow_start: a server that joins gets its share little by little', async (t) => {
  const origins = await namedOrigins(t, 'a', 'b');
  const settings = { health_check: false, listen: '127.0.0.1:0', slow_start: '10s' } as const;
  const { connect, balancer, clock } = await startBalancer(
    t,
    { ...settings, servers: listed(origins) },
    { manual: true },
  );
  const client = await connect();
  t.strictSame(counted(await servedBy(client, 10)), { a: 5, b: 5 }, 'all are new at the start');
  balancer.setAvailability('b', 'maintenance');
  balancer.setAvailability('b', 'ready');
  t.equal(counted(await servedBy(client, 22)).b, 2);
  clock.advance(5200);
  t.equal(counted(await servedBy(client, 30)).b, 10);
  clock.advance(5200);
  t.equal(counted(await servedBy(client, 10)).b, 5);
  const [late] = await namedOrigins(t, 'late');
  await balancer.reload(createConfig({ ...settings, servers: listed([...origins, late!]) }));
  t.equal(counted(await servedBy(client, 42)).late, 2, 'one that comes later is cold too');
});
