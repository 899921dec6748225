import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { SharedConfig } from '../../lib/config/types.js';
import { Fleet } from '../../lib/fleet/fleet.js';
import { ClientTables } from '../../lib/shared/client-tables.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

t.setTimeout(60_000);

interface Node {
  readonly fleet: Fleet;
  readonly clients: ClientTables;
  /** Lets so many ms pass, a round at a time, each when what the one before has asked is answered. */
  readonly pass: (ms: number) => Promise<void>;
}

/** A node whose time the test advances, with a real Redis. */
async function start(t: Test): Promise<Node> {
  const redis = await RedisServer.start(t);
  const clock = new ManualClock();
  const clients = ClientTables.attach(ClientTables.create(1), 0);
  const { shared } = createConfig({ shared: { redis: redis.url, node: 'one' } });
  const fleet = new Fleet(shared as SharedConfig, {
    clock,
    wheel: { readUntil: clock.now() },
    observer: {},
    clients,
    bans: { standing: () => [], adopt: () => {} },
    requests: () => 0,
    instance: 'one',
  });
  fleet.start();
  t.teardown(() => fleet.stop());
  const answered = (): boolean => {
    const { commands, answers, errors } = fleet.status;
    return commands === answers + errors;
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await until(answered);
      // What follows an answer is done, and may have asked again.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await until(
    () => fleet.status.state === 'shared',
    'Redis is shared',
    () => pass(50),
  );
  return { fleet, clients, pass };
}

t.test(
  'a node that nobody asks has five calls a second, with all that it looks for',
  { skip: skipWithoutRedis },
  async (t) => {
    const { fleet, pass } = await start(t);
    // The scripts are loaded.
    await pass(2000);
    const before = fleet.status.commands;
    await pass(10_000);
    const calls = fleet.status.commands - before;
    t.ok(calls >= 45 && calls <= 55, `${calls} calls in ten seconds`);
  },
);

t.test(
  'limits, bans and sticky values of one round go out in one call',
  { skip: skipWithoutRedis },
  async (t) => {
    const { fleet, clients, pass } = await start(t);
    await pass(2000);
    // A round without a look is over, so that the next one looks only if there is something to ask.
    let before = -1;
    await until(
      () => before === fleet.status.commands,
      'a round asks nothing',
      () => {
        before = fleet.status.commands;
        return pass(50);
      },
    );
    clients.leases.request(Int32Array.of(1, 3), 10, 1000);
    clients.news.add(Int32Array.of(5, 7), 9, 60, false);
    fleet.note({ what: 'banned', client: '192.0.2.1', firewall: 'all', forMs: 60_000 });
    await pass(50);
    t.equal(fleet.status.commands - before, 1);
    t.equal(fleet.status.state, 'shared');
  },
);
