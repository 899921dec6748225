import t from 'tap';
import { ConsistentHash } from '../../../lib/servers/scheduler/consistent-hash.js';
import { RoundRobin } from '../../../lib/servers/scheduler/round-robin.js';
import { NO_KEY } from '../../../lib/servers/scheduler/scheduler.js';
import { Chooser, fits, keyOf, servers, type TestServer, tally } from './candidates.js';

const KEYS = 20_000;

const create = (factor = 0): Chooser =>
  new Chooser((list) => new ConsistentHash(list, new RoundRobin(list), factor));

/** The name of the server for each key. */
function placement(list: readonly TestServer[], scheduler = create()): string[] {
  return Array.from({ length: KEYS }, (_, i) => list[scheduler.pick(list, keyOf(i))]?.name ?? '?');
}

const moved = (before: readonly string[], after: readonly string[]): number =>
  before.filter((name, i) => after[i] !== name).length;

t.test('a key keeps its server in every process and whatever the order of the servers', async (t) => {
  const list = servers(1, 1, 1, 1, 1);
  t.equal(moved(placement(list), placement(list.toReversed())), 0);
});

t.test('keys do not move between versions of the program', async (t) => {
  const list = servers(1, 2, 0.5, 1);
  const names = Array.from({ length: 16 }, (_, i) => list[create().pick(list, keyOf(i))]?.name.slice(1));
  t.equal(names.join(''), '1311011200010022');
});

t.test('keys that differ little are spread evenly', async (t) => {
  t.ok(fits(tally(create(), servers(1, 1, 1, 1, 1, 1, 1), KEYS), [1, 1, 1, 1, 1, 1, 1]));
});

t.test('when a server leaves, only its keys move, evenly to all others', async (t) => {
  const list = servers(1, 1, 1, 1, 1);
  const before = placement(list);
  const after = placement(list.filter(({ name }) => name !== 's2'));
  const orphans = before.flatMap((name, i) => (name === 's2' ? [after[i] as string] : []));
  t.equal(moved(before, after), orphans.length);
  t.ok(Math.abs(orphans.length / KEYS - 1 / 5) < 0.01, `${orphans.length} of ${KEYS} move`);
  const heirs = ['s0', 's1', 's3', 's4'].map((heir) => orphans.filter((name) => name === heir).length);
  t.ok(fits(heirs, [1, 1, 1, 1]), heirs.join(', '));
});

t.test('a server whose weight grows takes keys, and none move between others', async (t) => {
  const list = servers(1, 1, 1, 0.1);
  const before = placement(list);
  list[3]!.effectiveWeight = 1;
  const after = placement(list);
  const strays = after.filter((name, i) => name !== before[i] && name !== 's3');
  t.equal(strays.length, 0);
  const share = (names: readonly string[]): number => names.filter((name) => name === 's3').length / KEYS;
  t.ok(Math.abs(share(before) - 0.1 / 3.1) < 0.005, String(share(before)));
  t.ok(Math.abs(share(after) - 1 / 4) < 0.01, String(share(after)));
});

t.test('a retry goes to the server that the key would have without the servers tried', async (t) => {
  const list = servers(1, 1, 1, 1);
  const scheduler = create();
  const seconds = new Set<string>();
  for (let i = 0; i < 500; i++) {
    const first = list[scheduler.pick(list, keyOf(i))];
    const others = list.filter((server) => server !== first);
    const second = others[scheduler.pick(others, keyOf(i))]?.name ?? '?';
    seconds.add(`${first?.name} ${second}`);
    t.equal(others[scheduler.pick(others, keyOf(i))]?.name, second);
  }
  t.equal(seconds.size, 12, 'and not the same for all keys');
});

t.test('a request without a key uses the other scheduler', async (t) => {
  const list = servers(1, 1, 1);
  const scheduler = create();
  t.strictSame(
    Array.from({ length: 4 }, () => scheduler.pick(list, NO_KEY)),
    [0, 1, 2, 0],
  );
});

t.test('with a bound no server has more than 1.25 of its share, however hot a key is', async (t) => {
  const scheduler = create(1.25);
  const list = servers(1, 1, 2, 1);
  const worst: string[] = [];
  for (let i = 1; i <= 1000; i++) {
    const picked = list[scheduler.pick(list, keyOf(i % 3))]!;
    picked.active++;
    if (picked.active > Math.ceil((1.25 * i * picked.effectiveWeight) / 5)) worst.push(`${i} ${picked.name}`);
  }
  t.same(worst, []);
});

t.test("requests beyond a server's bound go to the next server of the key, and return later", async (t) => {
  const list = servers(1, 1, 1, 1);
  const scheduler = create(1.25);
  const home = list[scheduler.pick(list, keyOf(1))]!;
  const others = list.filter((server) => server !== home);
  const next = others[scheduler.pick(others, keyOf(1))];
  home.active = 10;
  t.equal(list[scheduler.pick(list, keyOf(1))], next);
  home.active = 0;
  t.equal(list[scheduler.pick(list, keyOf(1))], home);
  const free = create();
  home.active = 10;
  t.equal(list[free.pick(list, keyOf(1))], home, 'without a bound the key stays');
});
