import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { type Changes, readChanges, writeChanges } from '../../lib/control/changes.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { type NamedOrigin, namedOrigins } from '../support/named-origins.js';
import { SWITCHED } from '../support/thread-switch.js';

let folders = 0;
const roots = new WeakMap<Test, string>();

/** One for each test: a second `testdir` would empty the first. */
function root(t: Test): string {
  const known = roots.get(t) ?? t.testdir();
  roots.set(t, known);
  return known;
}

/** A file of targets that is always complete. */
function targetsFile(t: Test) {
  const folder = join(root(t), String(folders++));
  mkdirSync(folder);
  const path = join(folder, 'targets.json');
  const write = (...servers: readonly (NamedOrigin | string)[]): void => {
    const targets = servers.map((server) => (typeof server === 'string' ? server : server.address));
    set([{ targets }]);
  };
  const set = (groups: readonly object[]): void => {
    writeFileSync(join(folder, 'next'), JSON.stringify(groups));
    renameSync(join(folder, 'next'), path);
  };
  return { path, write, set, broken: () => writeFileSync(path, '[{"targets": [') };
}

/** Who answers the next requests, each once, sorted. */
async function who(balancer: Balancer, client: RawClient, requests = 12): Promise<string> {
  await balancer.settled();
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) {
    client.send(GET);
    const { status, body } = await client.response();
    names.add(status === 200 ? body : String(status));
  }
  return [...names].sort().join(' ');
}

t.test(
  'servers of a file serve from the first request on, come and leave; requests in flight finish',
  async (t) => {
    const [a, b, c] = (await namedOrigins(t, 'a', 'b', 'c')) as [NamedOrigin, NamedOrigin, NamedOrigin];
    const file = targetsFile(t);
    file.write(a, b);
    const { balancer, connect } = await startBalancer(t, { servers: [{ file: file.path }] });
    const client = await connect();
    t.equal(await who(balancer, client), 'a b');
    const slow = await connect();
    let release = (): void => {};
    b.hold = new Promise((resolve) => {
      release = resolve;
    });
    const names = (): string[] => balancer.status().servers.map(({ name }) => name);
    t.same(names(), [a.address, b.address]);
    const before = b.heads.length;
    let held: Promise<{ status: number; body: string }> = Promise.resolve({ status: 0, body: '' });
    // Of two requests in turn one goes to b, and stays there.
    while (b.heads.length === before) {
      await held;
      slow.send(GET);
      held = slow.response();
      await Promise.race([held, until(() => b.heads.length > before)]);
    }
    file.write(a, c);
    await until(() => names().includes(c.address));
    t.same(names(), [a.address, c.address]);
    t.equal(await who(balancer, client), 'a c');
    release();
    t.match(await held, { status: 200, body: 'b' });
    await until(() => b.server.connections === 0);
    t.match(balancer.status().providers, [
      { source: `file ${file.path}`, kind: 'file', state: 'current', servers: 2, error: '' },
    ]);
    t.same(
      balancer.status().servers.map(({ source, fromFile }) => [source, fromFile]),
      [
        [`file ${file.path}`, false],
        [`file ${file.path}`, false],
      ],
    );
    const story = balancer.events().flatMap(({ what, reason }) => (what === 'discovered' ? [reason] : []));
    t.same(story, [
      `file ${file.path}: ${a.address}, ${b.address} came`,
      `file ${file.path}: ${c.address} came; ${b.address} left`,
    ]);
  },
);

t.test('a broken file changes nothing, an empty one has to stay empty', async (t) => {
  const [a] = (await namedOrigins(t, 'a')) as [NamedOrigin];
  const file = targetsFile(t);
  file.write(a);
  const { balancer, connect, seen } = await startBalancer(t, { servers: [{ file: file.path }] });
  const client = await connect();
  file.broken();
  const provider = () => balancer.status().providers[0];
  await until(() => provider()?.state === 'failing');
  t.equal(await who(balancer, client), 'a');
  t.match(provider()?.error, /targets\.json: line 1, column 15: not JSON/);
  file.write(a);
  await until(() => provider()?.state === 'current');
  file.write();
  await until(() => /reported no servers/.test(provider()?.error ?? ''));
  t.equal(await who(balancer, client), 'a');
  await until(() => provider()?.servers === 0);
  t.equal(await who(balancer, client), '503');
  await seen.when(({ requests }) => requests.at(-1)?.status === 503);
  t.match(seen.requests.at(-1), { reason: 'no_server', detail: 'no source has reported a server' });
  t.match(balancer.readyReasons, ['default has no usable server: no source has reported a server']);
  file.write(a);
  await until(() => provider()?.servers === 1);
  t.equal(await who(balancer, client), 'a');
});

t.test('plain servers, sources and their terms go together', async (t) => {
  const [a, b, c] = (await namedOrigins(t, 'a', 'b', 'c')) as [NamedOrigin, NamedOrigin, NamedOrigin];
  const file = targetsFile(t);
  file.set([
    { targets: [a.address, b.address], labels: { __lb_weight: '0', env: 'prod' } },
    { targets: [c.address], labels: { __lb_name: 'spare', __lb_backup: 'true' } },
  ]);
  const servers = [
    { address: a.address, name: 'plain' },
    { file: file.path, weight: 5, max_connections: 7 },
  ];
  const { balancer, connect } = await startBalancer(t, { servers });
  const client = await connect();
  const rows = () =>
    balancer
      .status()
      .servers.map(({ name, weight, backup }) => `${name} ${weight}${backup ? ' backup' : ''}`);
  t.same(
    rows(),
    ['plain 1', `${b.address} 0`, 'spare 5 backup'],
    'an address that the file lists is left to it',
  );
  t.equal(await who(balancer, client), 'a');
  file.set([{ targets: [b.address] }, { targets: [c.address], labels: { __lb_name: 'c' } }]);
  await until(() => rows().includes('c 5'));
  t.same(rows(), ['plain 1', `${b.address} 5`, 'c 5']);
  t.equal(b.server.accepted, 0);
  t.equal(await who(balancer, client, 22), 'a b c');
});

t.test("an operator's changes override what sources report, also when a server returns", async (t) => {
  const [a, b, c] = (await namedOrigins(t, 'a', 'b', 'c')) as [NamedOrigin, NamedOrigin, NamedOrigin];
  const file = targetsFile(t);
  file.write(a, b);
  const { balancer, connect } = await startBalancer(t, { servers: [{ file: file.path }] });
  const client = await connect();
  const source = `file ${file.path}`;
  const count = async (servers: number): Promise<void> =>
    until(() => balancer.status().providers[0]?.servers === servers);
  const { drift } = { drift: () => balancer.status().config.drift };
  balancer.setAvailability(a.address, 'draining');
  balancer.setWeight(b.address, 3);
  t.equal(await who(balancer, client), 'b');
  t.same(drift(), [
    `weight of ${b.address}: 3 (${source}: 1)`,
    `availability of ${a.address}: draining (${source}: ready)`,
  ]);
  file.write(b, c);
  await until(() => balancer.status().servers.some(({ name }) => name === c.address));
  t.equal(await who(balancer, client), 'b c');
  t.same(drift()[1], `availability of ${a.address}: draining (not there now)`);
  file.write(a, b, c);
  await count(3);
  t.equal(await who(balancer, client), 'b c', 'it is drained still');
  balancer.setAvailability(a.address, 'ready');
  balancer.setWeight(b.address, 1);
  t.equal(await who(balancer, client), 'a b c');
  t.same(drift(), []);
  balancer.removeServer(a.address);
  t.equal(await who(balancer, client), 'b c');
  t.same(drift(), [`servers of default: without ${a.address} (${source}: there)`]);
  file.write(a, b);
  await count(2);
  t.equal(await who(balancer, client), 'b');
  await balancer.reload(
    createConfig({
      listen: '127.0.0.1:0',
      health_check: false,
      passive_health: false,
      retry: false,
      servers: [{ file: file.path }],
    }),
  );
  t.equal(await who(balancer, client), 'b', 'a reload keeps that');
  balancer.addServer('default', { address: a.address });
  t.equal(await who(balancer, client), 'a b');
  t.same(drift(), []);
  balancer.addServer('default', { address: c.address });
  t.equal(await who(balancer, client), 'a b c');
  file.write(a, b, c);
  await count(3);
  t.same(drift(), [], 'the source tells of it now');
  file.write(a, b);
  await count(2);
  t.equal(await who(balancer, client), 'a b');
});

t.test(
  'a reload keeps a source that both have with its servers, and waits for the answer of a new one',
  async (t) => {
    const [a, b] = (await namedOrigins(t, 'a', 'b')) as [NamedOrigin, NamedOrigin];
    const [one, two] = [targetsFile(t), targetsFile(t)];
    one.write(a);
    two.write(b);
    const more = { listen: '127.0.0.1:0', health_check: false as const, passive_health: false as const };
    const { balancer, connect } = await startBalancer(t, { servers: [{ file: one.path }] });
    const client = await connect();
    t.equal(await who(balancer, client), 'a');
    await balancer.reload(
      createConfig({ ...more, servers: [{ file: one.path, weight: 2 }, { file: two.path }] }),
    );
    t.equal(await who(balancer, client), 'a b');
    t.equal(a.server.accepted, 1, 'its connection was kept');
    await balancer.reload(createConfig({ ...more, servers: [{ file: two.path }] }));
    t.equal(await who(balancer, client), 'b');
    t.same(
      balancer.status().providers.map(({ source }) => source),
      [`file ${two.path}`],
    );
    one.write(b);
  },
);

t.test(
  'without an answer a start waits for a bounded time, and the answer is used when it comes',
  async (t) => {
    const [a] = (await namedOrigins(t, 'a')) as [NamedOrigin];
    const file = targetsFile(t);
    const begun = performance.now();
    const { balancer, connect } = await startBalancer(t, {
      servers: [{ file: file.path }],
      timeouts: { discovery: '300ms' },
    });
    const took = performance.now() - begun;
    t.ok(took > 290 && took < 30_000, `${took} ms`);
    const client = await connect();
    t.equal(await who(balancer, client, 1), '503');
    t.match(balancer.status().providers, [
      { state: 'waiting', error: /there is no such file/, answeredAt: null },
    ]);
    file.write(a);
    await until(() => balancer.status().servers.length === 1);
    t.equal(await who(balancer, client), 'a');
  },
);

t.test('changes of servers that a source reports survive a restart, before it has answered', async (t) => {
  const [a, b, c] = (await namedOrigins(t, 'a', 'b', 'c')) as [NamedOrigin, NamedOrigin, NamedOrigin];
  const file = targetsFile(t);
  file.write(a, b, c);
  const config = (patience: string) =>
    createConfig({
      listen: '127.0.0.1:0',
      health_check: false,
      servers: [{ file: file.path }],
      timeouts: { discovery: patience },
    });
  let kept = '';
  const keep = (changes: Changes): void => {
    kept = writeChanges(changes);
  };
  const one = createBalancer(config('10s'), {}, { ...SWITCHED, store: { changes: null, keep } });
  t.teardown(() => one.stop());
  await one.start();
  one.setAvailability(a.address, 'draining');
  one.setWeight(b.address, 7);
  one.removeServer(c.address);
  const { drift } = one.status().config;
  one.stop();
  rmSync(file.path);
  const two = createBalancer(
    config('100ms'),
    {},
    { ...SWITCHED, store: { changes: readChanges(kept), keep } },
  );
  t.teardown(() => two.stop());
  await two.start();
  t.same(two.status().servers, []);
  t.same(two.status().config.drift, [
    `weight of ${b.address}: 7 (not there now)`,
    `availability of ${a.address}: draining (not there now)`,
    `servers of default: without ${c.address} (not there now)`,
  ]);
  file.write(a, b, c);
  await until(() => two.status().servers.length === 2);
  t.same(two.status().config.drift, drift);
  t.same(
    two.status().servers.map(({ name, state, weight }) => [name, state, weight]),
    [
      [a.address, 'draining', 1],
      [b.address, 'unchecked', 7],
    ],
  );
});

nothingIsLeft(t);
