import { parseArgs } from 'node:util';
import t from 'tap';
import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { Load } from './load.js';

/** By hand for longer: `node dist/test/resilience/rolling-restart.test.js --rounds 100`. */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '2' } }, strict: false });
const ROUNDS = Number(values.rounds);

t.test('every server is restarted, drained before: no request fails', { timeout: 0 }, async (t) => {
  const names = ['a', 'b', 'c'];
  const fixtures = new Map<string, FixtureServer>();
  for (const name of names) fixtures.set(name, await startFixtureServer({ name }));
  t.teardown(() => Promise.all([...fixtures.values()].map((fixture) => fixture.close())));
  const servers = [...fixtures.values()].map(({ name, address }) => ({ name, address }));
  // While a server is down its checks fail: it is the checks that bring it back, and the operator who lets it.
  const health_check = { interval: '50ms', rise: 1, fall: 1 };
  const { balancer, port, seen } = await startBalancer(t, { servers, health_check });
  const stateOf = (name: string) => balancer.status().servers.find((server) => server.name === name)?.state;
  const drained: string[] = [];
  balancer.subscribe(({ what, server }) => {
    if (what === 'drained') drained.push(server);
  });
  const load = new Load(port, { clients: 8, posts: 50 });
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      await load.more(50);
      const old = fixtures.get(name)!;
      drained.length = 0;
      balancer.setAvailability(name, 'draining');
      await until(() => drained.includes(name));
      await old.close();
      await load.more(50);
      const fresh = await startFixtureServer({ name, port: old.port });
      fixtures.set(name, fresh);
      balancer.setAvailability(name, 'ready');
      await until(() => stateOf(name) === 'up' && fresh.requests > 0);
    }
  }
  await load.stop();
  t.same(load.bad, []);
  t.ok(load.answered >= 300 * ROUNDS, `${load.answered} answered`);
  t.same(balancer.status().requests.byReason, {});
  t.same(balancer.status().config.drift, []);
  // A server that goes on answering may have been checked by nothing but requests so far.
  const checks = seen.checks.length;
  await seen.when(() =>
    names.every((name) => seen.checks.slice(checks).some(({ server }) => server === name)),
  );
  for (const { lastCheck } of balancer.status().servers)
    t.match(lastCheck, { ok: true, result: 'status 200' });
});
