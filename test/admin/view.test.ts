import t, { type Test } from 'tap';
import { fleet, serverName } from '../../fixtures/fleet.js';
import { startFixtureServer } from '../../fixtures/server.js';
import { Admin } from '../../lib/admin/admin.js';
import { snakeCase } from '../../lib/admin/config-view.js';
import { differenceOf } from '../../lib/admin/view-difference.js';
import { createBalancer } from '../../lib/balancer.js';
import { processorTime } from '../../lib/base/processor-time.js';
import { atOnce } from '../../lib/base/slices.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import type { ViewQuery } from '../../lib/control/status/view.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { ManualClock } from '../support/manual-clock.js';
import { schemaFault, schemaPointer } from './description.js';
import { FakeSubject } from './fake-subject.js';
import { type Ask, asker, errorOf, openAdmin, SERVICES } from './support.js';

interface Row {
  readonly id: string;
  readonly [field: string]: unknown;
}

interface Table {
  readonly total: number;
  readonly order?: readonly string[];
  readonly rows: readonly Row[];
}

interface Answer {
  readonly version: string;
  readonly is_whole: boolean;
  readonly facts: { readonly [name: string]: unknown };
  readonly tables: { readonly [name: string]: Table };
}

/** What is looked at, as its description has it. */
async function look(t: Test, ask: Ask, query = ''): Promise<Answer> {
  const { json, text } = await ask(`/api/view${query}`);
  t.equal(schemaFault(schemaPointer('/api/view', 'GET', 200) ?? '', json), '', text.slice(0, 200));
  return json as Answer;
}

/** A balancer that serves nobody, with its admin listener. */
async function show(
  t: Test,
  settings: Settings,
  clock = new ManualClock(),
): Promise<{ balancer: Balancer; ask: Ask; clock: ManualClock }> {
  const config = createConfig({
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    health_check: false,
    ...settings,
  });
  const balancer = createBalancer(config, {}, { clock });
  const admin = new Admin(config.admin!, clock);
  t.teardown(() => {
    admin.close();
    balancer.stop();
  });
  await admin.open(balancer, SERVICES);
  return { balancer, clock, ask: asker(admin.address.kind === 'tcp' ? admin.address.port : 0) };
}

const EVERYTHING: ViewQuery = {
  search: '',
  onlyWrong: false,
  unfolded: new Set(),
  folded: new Set(),
  offset: 0,
  route: null,
  server: null,
  open: new Set(),
  closed: new Set(),
};

const ids = ({ rows }: Table = { total: 0, rows: [] }): string[] => rows.map(({ id }) => id);

t.test('a view has routes with their servers, found by parts of their names', async (t) => {
  const { ask } = await show(t, fleet(10, 30, 9) as Settings);
  const all = await look(t, ask);
  t.equal(all.tables.routes?.total, 10);
  t.equal(all.tables.servers?.rows.length, 30, 'few servers are shown with their routes');
  t.match(all.facts, { routes: 10, servers: 30, usable: 30, by_state: { unchecked: 30 }, wrong: 0 });
  const host = await look(t, ask, '?search=PAY.ex');
  t.same(ids(host.tables.routes), ['pay.example.com']);
  t.equal(host.tables.servers?.rows.length, 3, 'a route that is found comes with all its servers');
  const server = await look(t, ask, `?search=${serverName(7, 30)}`);
  t.equal(server.tables.routes?.total, 1, 'the route that has it');
  t.same(
    server.tables.servers?.rows.map(({ name }) => name),
    [serverName(7, 30)],
    'and no other server of it',
  );
  const address = await look(t, ask, '?search=127.1.0.8:9');
  t.same(ids(address.tables.servers), ids(server.tables.servers));
  const folded = await look(t, ask, '?fold=pay.example.com');
  t.equal(folded.tables.servers?.rows.length, 27);
  t.equal((await look(t, ask, '?search=nothing')).tables.routes?.total, 0);
});

t.test('a view of many routes comes in pages, and folds them', async (t) => {
  const { ask } = await show(t, fleet(120, 200, 9) as Settings);
  const first = await look(t, ask);
  t.equal(first.tables.routes?.total, 120);
  t.equal(first.tables.routes?.rows.length, 50);
  t.equal(first.tables.servers?.rows.length, 0);
  t.equal(first.tables.routes?.rows[3]?.is_folded, true);
  const last = await look(t, ask, '?offset=100&unfold=blog116.example.com');
  t.equal(last.tables.routes?.rows.length, 20);
  t.equal(last.tables.servers?.rows.length, 3);
  const alone = await look(t, ask, '?route=blog116.example.com');
  t.same(ids(alone.tables.routes), ['blog116.example.com']);
  t.match(alone.facts.focus, { kind: 'route', name: 'blog116.example.com', history: [], events: [] });
  const unknown = await look(t, ask, '?route=x');
  t.equal(unknown.facts.focus, null);
  t.equal(unknown.tables.routes?.total, 0);
});

t.test('a route that is looked at alone comes with its servers in pages', async (t) => {
  const servers = Array.from({ length: 300 }, (_, index) => `127.0.0.3:${1000 + index}`);
  const { ask } = await show(t, { servers });
  const list = await look(t, ask, '?unfold=default');
  t.match(list.tables.routes?.rows[0], { servers: 300, suitable: 300 });
  t.equal(list.tables.servers?.rows.length, 20);
  const page = await look(t, ask, '?route=default&offset=250');
  t.equal(page.tables.servers?.rows.length, 50);
  t.equal(page.tables.servers?.rows[0]?.name, '127.0.0.3:1250');
  const found = await look(t, ask, '?route=default&search=:107');
  t.equal(found.tables.servers?.rows.length, 10);
});

t.test('a view of what is wrong has the servers that are out, and their routes', async (t) => {
  const { ask, balancer } = await show(t, fleet(10, 30, 9) as Settings);
  balancer.setAvailability(serverName(7, 30), 'draining');
  balancer.setWeight(serverName(29, 30), 0);
  const { facts, tables } = await look(t, ask, '?wrong=true');
  t.match(facts, { usable: 28, wrong: 2, by_state: { unchecked: 29, draining: 1 } });
  t.same(
    tables.servers?.rows.map(({ name }) => name),
    [serverName(7, 30), serverName(29, 30)],
  );
  t.equal(tables.routes?.total, 2);
  t.equal(tables.servers?.rows[1]?.why, 'its weight is 0');
  const both = await look(t, ask, `?wrong=true&search=${serverName(7, 30)}`);
  t.equal(both.tables.routes?.total, 1);
  t.equal((await look(t, ask, `?wrong=true&search=${serverName(1, 30)}`)).tables.routes?.total, 0);
});

t.test('after the first view only what has changed is sent', async (t) => {
  const { ask, balancer } = await show(t, fleet(10, 30, 9) as Settings);
  const first = await look(t, ask);
  t.equal(first.is_whole, true);
  const same = await look(t, ask, `?since=${first.version}`);
  t.equal(same.is_whole, false);
  t.same(same.tables, {});
  t.same(same.facts, {});
  balancer.setWeight(serverName(4, 30), 7);
  const changed = await look(t, ask, `?since=${same.version}`);
  t.same(Object.keys(changed.tables), ['servers']);
  t.equal(changed.tables.servers?.order, undefined);
  t.same(changed.tables.servers?.rows, [
    { id: `api.example.com\n${serverName(4, 30)}`, weight: 7, effective_weight: 7 },
  ]);
  const other = await look(t, ask, `?since=${changed.version}&search=pay.ex`);
  t.equal(other.tables.routes?.order?.length, 1, 'another question is answered by the difference too');
  t.same(other.tables.routes?.rows, [], 'the row is known');
  t.equal((await look(t, ask, `?since=${changed.version}`)).is_whole, true, 'an answer was lost');
  t.equal((await look(t, ask, '?since=nonsense')).is_whole, true);
});

t.test('tables are sent while they are open, and null when they are closed', async (t) => {
  const { ask } = await show(t, {
    servers: ['127.0.0.1:9'],
    firewall_rules: { path_reject: ['/x'], ban: { status: [404], count: 1 } },
  });
  const first = await look(t, ask);
  t.same(Object.keys(first.tables).sort(), ['firewall', 'routes', 'servers']);
  t.match(first.facts.sections, { firewall: 2, bans: 0, threads: 0 });
  const closed = await look(t, ask, `?since=${first.version}&close=firewall`);
  t.same(closed.tables, { firewall: null });
  const refused = await ask('/api/view?open=everything');
  t.equal(refused.status, 400);
  t.match(errorOf(refused).hint, 'certificates, providers');
});

t.test('with many viewers, the one that has not asked for longest gets a whole view again', async (t) => {
  const { ask } = await openAdmin(t, new FakeSubject());
  const first = await look(t, ask);
  const others: string[] = [];
  for (let count = 0; count < 63; count++) others.push((await look(t, ask)).version);
  const again = await look(t, ask, `?since=${first.version}`);
  t.equal(again.is_whole, false, '64 are remembered');
  await look(t, ask);
  t.equal((await look(t, ask, `?since=${others[0]}`)).is_whole, true);
});

t.test('a server says why it is out, until when, and who took it out', async (t) => {
  const { balancer, clock, seen } = await startBalancer(
    t,
    {
      health_check: { interval: '5s', fall: 1, rise: 1, path: '/' },
      passive_health: { consecutive_failures: 2, eject_for: '30s' },
      servers: [{ address: '127.0.0.1:9', name: 'refusing' }, 'unix:/nowhere/a.sock'],
    },
    { manual: true },
  );
  const admin = await openAdmin(t, balancer, { clock });
  clock.advance(1500);
  await seen.when(() => seen.checks.length >= 2);
  clock.advance(100);
  const { tables } = await look(t, admin.ask);
  const [down] = tables.servers!.rows;
  t.match(down, { state: 'down', why: 'refused', check_ok: false, check_result: 'refused' });
  const wait = (down!.next_check_at as number) - clock.wall();
  t.ok(wait > 0 && wait < 10_000, `the next check is in ${wait} ms`);
  const patch = { method: 'PATCH', body: { state: 'drain' }, headers: { 'user-agent': 'lb/1.0' } };
  t.equal((await admin.ask('/api/servers/refusing', patch)).status, 200);
  const drained = await look(t, admin.ask);
  t.match(drained.tables.servers?.rows[0], { state: 'draining', by: '127.0.0.1 (lb)' });
});

t.test('an ejected server says for how long, and its errors are wrong', async (t) => {
  const servers = await Promise.all(
    ['apple', 'banana', 'cherry'].map((name) => startFixtureServer({ name })),
  );
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const { balancer, port, clock } = await startBalancer(
    t,
    {
      health_check: false,
      passive_health: { consecutive_errors: 2, eject_for: '30s' },
      servers: servers.map(({ name, address }) => ({ name, address })),
    },
    { manual: true },
  );
  const { ask } = await openAdmin(t, balancer, { clock });
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  for (let count = 0; count < 4; count++) {
    client.send('GET /?status=503 HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal((await client.response()).status, 503);
  }
  const { tables } = await look(t, ask, '?wrong=true');
  t.equal(tables.servers?.rows.length, 3, 'all of them fail');
  const ejected = tables.servers?.rows.find(({ state }) => state === 'ejected');
  t.match(ejected, { why: '2 errors in a row: status 503', errors: 2, share: 0.5 });
  const left = (ejected?.until as number) - clock.wall();
  t.ok(left > 29_000 && left < 31_000, `${left} ms are left`);
  t.match(tables.routes?.rows[0], { requests: 4, errors: 4, usable: 2 });
  const { facts } = await look(t, ask, `?server=${ejected?.name}`);
  t.match(facts.focus, { kind: 'server', events: [{ what: 'ejected' }], totals: { requests: 2 } });
  const { facts: route } = await look(t, ask, '?route=default');
  t.match(route.focus, { kind: 'route', events: [{ what: 'ejected', server: ejected?.name }] });
});

t.test('a view that is built during a reload has the servers after it', async (t) => {
  const settings = (count: number) => ({
    listen: '127.0.0.1:0',
    health_check: false,
    servers: Array.from({ length: count }, (_, index) => `127.0.0.1:${9000 + index}`),
  });
  const { balancer } = await startBalancer(t, settings(100));
  const view = balancer.views.open();
  t.equal(atOnce(view.readSteps(EVERYTHING)).facts.servers, 100);
  const steps = view.readSteps(EVERYTHING);
  t.equal(steps.next().done, false, 'it pauses between the servers');
  await balancer.reload(createConfig(settings(1)));
  t.equal(atOnce(steps).facts.servers, 1);
});

t.test('a refused reload is shown until other settings are in force', async (t) => {
  const { ask, balancer } = await show(t, { servers: ['127.0.0.1:9'] });
  t.match((await look(t, ask)).facts.config, { refused: null });
  balancer.refuseReload('lb.yaml:3:1 servers: expected a list');
  t.match((await look(t, ask)).facts.config, { refused: { reason: 'lb.yaml:3:1 servers: expected a list' } });
  t.match((await ask('/api/status')).json, { config: { refused: { at: Number } } });
});

/** Updates in a round, of which the processor time is measured. */
const UPDATES = 20;
/** Processor time for one, in ms, and how long it may be. */
const MOST_MS = 5;
const MOST_BYTES = 20_000;

t.test(
  'an update at ten thousand hosts with a thousand servers costs less than 5 ms and 20 KB',
  async (t) => {
    const { balancer, ask } = await show(t, fleet(10_000, 1000, 9) as Settings);
    t.match((await look(t, ask)).facts, { routes: 10_000, servers: 1000 });
    for (let index = 0; index < 1000; index += 25)
      balancer.setAvailability(serverName(index, 1000), 'draining');
    const questions: { readonly [what: string]: Partial<ViewQuery> } = {
      'the first page': {},
      'a search': { search: 'shop' },
      'what is wrong': { onlyWrong: true },
      'routes that are unfolded': {
        unfolded: new Set([0, 10, 20, 30].map((host) => `shop${host}.example.com`)),
      },
    };
    for (const [what, question] of Object.entries(questions)) {
      const view = balancer.views.open();
      const query = { ...EVERYTHING, ...question };
      let seen = atOnce(view.readSteps(query));
      let most = 0;
      const update = (): void => {
        const now = atOnce(view.readSteps(query));
        most = Math.max(most, JSON.stringify(snakeCase(differenceOf(seen, now))).length);
        seen = now;
      };
      // The best of some rounds: where it is busy, the processor's caches are full of what others do.
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 8 && best >= MOST_MS / 2; round++) {
        let spent = 0;
        for (let count = 0; count < UPDATES; count++) {
          balancer.setWeight(serverName(count, 1000), 2 + ((count + round) % 5));
          const before = processorTime();
          update();
          spent += processorTime() - before;
        }
        best = Math.min(best, spent / UPDATES);
      }
      t.ok(best < MOST_MS, `${what}: ${best.toFixed(2)} ms`);
      t.ok(most < MOST_BYTES, `${what}: ${most} bytes`);
    }
  },
);
