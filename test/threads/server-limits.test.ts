import t from 'tap';
import { CountingServer } from '../shared/pool-threads.js';
import { startBalancer } from '../support/balancer.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';
import { THREADS } from '../support/thread-switch.js';
import { makeThrow, runningWorkers } from '../support/worker-threads.js';
import { connectMany, isGone, threadsEnded } from './load.js';

t.setTimeout(120_000);

/** Clients that ask one request after the other until their connection ends, or until they are told to stop. */
function keepAsking(clients: Awaited<ReturnType<typeof connectMany>>) {
  const load = {
    answered: 0,
    bad: [] as number[],
    isOver: false,
    done: Promise.resolve() as Promise<unknown>,
  };
  load.done = Promise.all(
    clients.map(async (client) => {
      while (!load.isOver && !isGone(client)) {
        client.send(GET);
        const status = await client.response().then(
          (response) => response.status,
          () => 0,
        );
        if (status === 200) load.answered++;
        else if (!isGone(client)) load.bad.push(status);
      }
    }),
  );
  return load;
}

t.test('max_connections holds over all threads, also after one of them was replaced', THREADS, async (t) => {
  const server = await CountingServer.start(t);
  let answers = 0;
  server.delay = () => 1 + (answers++ % 4);
  const servers = [{ name: 'a', address: server.address, max_connections: 4 }];
  const started = await startBalancer(t, { servers, pool: { max_waiting: 1000 } }, { workers: 4 });
  const { balancer, seen } = started;
  const load = keepAsking(await connectMany(started));
  await until(() => load.answered > 500);
  makeThrow(runningWorkers()[1] as NonNullable<ReturnType<typeof runningWorkers>[number]>);
  await until(() => threadsEnded(seen).length === 1 && runningWorkers().length === 4);
  const more = keepAsking(await connectMany(started));
  await until(() => more.answered > 500);
  const answered = load.answered;
  await until(() => load.answered > answered + 100);
  for (const each of [load, more]) each.isOver = true;
  await Promise.all([load.done, more.done]);
  t.same([...load.bad, ...more.bad], []);
  t.equal(server.mostOpen, 4);
  await until(() => balancer.status().servers[0]?.active === 0);
  t.match(balancer.status().servers, [{ active: 0, waiting: 0 }]);
  t.ok((balancer.status().servers[0]?.open ?? 9) <= 4);
});

t.test('round robin gives servers equally many requests of all threads', THREADS, async (t) => {
  const servers = await Promise.all(['a', 'b', 'c'].map(() => CountingServer.start(t)));
  const started = await startBalancer(t, { servers: servers.map(({ address }) => address) }, { workers: 4 });
  const load = keepAsking(await connectMany(started));
  await until(() => load.answered > 3000);
  load.isOver = true;
  await load.done;
  const counts = servers.map(({ paths }) => paths.length);
  t.ok(Math.max(...counts) - Math.min(...counts) <= 4, counts.join(', '));
});
