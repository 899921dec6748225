import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { Load } from '../resilience/load.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { THREADS } from '../support/thread-switch.js';
import { makeThrow, runningWorkers } from '../support/worker-threads.js';
import { threadsEnded } from './load.js';

t.setTimeout(300_000);
/** Not so often that threads wait longer before they begin again. */
const EVERY_MS = 2500;
const KILLS = 6;
const CLIENTS = 12;

t.test(
  'threads that end under load, thrown or terminated: only their connections end',
  THREADS,
  async (t) => {
    const servers = await Promise.all(['a', 'b'].map((name) => startFixtureServer({ name })));
    t.teardown(() => Promise.all(servers.map((server) => server.close())));
    const entries = servers.map(({ name, address }) => ({ name, address, max_connections: 4 }));
    const settings = {
      servers: entries,
      passive_health: { consecutive_failures: 3 },
      limits: { connections_per_ip: 2 * CLIENTS },
    };
    const { balancer, port, seen } = await startBalancer(t, settings, { workers: 3 });
    const load = new Load(port, { clients: CLIENTS });
    for (let kill = 0; kill < KILLS; kill++) {
      await load.more(50);
      const victim = runningWorkers()[kill % runningWorkers().length]!;
      if (kill % 2 === 0) makeThrow(victim);
      else void victim.terminate();
      await until(() => threadsEnded(seen).length === kill + 1);
      await pause(EVERY_MS);
    }
    await load.more(100);
    await load.stop();
    t.ok(load.bad.length <= KILLS * CLIENTS, `${load.bad.length} of ${load.answered} requests were cut`);
    t.same(
      load.bad.filter(({ status, problem }) => status !== 0 || !/ended/.test(problem)),
      [],
    );
    t.same(seen.stateChanges, []);
    t.equal(runningWorkers().length, 3);
    for (const name of ['a', 'b'])
      await until(
        () => {
          const status = balancer.serverStatus(name);
          return status?.active === 0 && status.waiting === 0;
        },
        `${name} has no requests: ${JSON.stringify(balancer.serverStatus(name))}`,
      );
    // Every place is there again, those of servers and those of the client.
    const again = new Load(port, { clients: 2 * CLIENTS });
    await again.more(500);
    await again.stop();
    t.same(again.bad, []);
  },
);
