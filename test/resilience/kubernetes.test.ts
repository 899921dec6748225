import t, { type Test } from 'tap';
import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';
import { startBalancer } from '../support/balancer.js';
import { startCluster } from '../support/kubernetes.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { SWITCHED_WORKERS, THREADS } from '../support/thread-switch.js';
import { Load } from './load.js';

/** The conditions of a pod in the order of its life. */
const STARTING = { ready: false, serving: false, terminating: false };
const READY = { ready: true, serving: true, terminating: false };
const LEAVING = { ready: false, serving: true, terminating: true };

/**
 * A Deployment of three pods is replaced, one pod after the other, in front of the API server that is built from the
 * documents (fixtures/kubernetes-api.ts), while clients ask all the time.
 */
async function rollOut(t: Test, workers: number): Promise<void> {
  const { api, kubeconfig } = await startCluster(t);
  const pods = new Map<string, FixtureServer>();
  t.teardown(() => Promise.all([...pods.values()].map((pod) => pod.close())));
  let made = 0;
  const tell = (name: string, conditions: object): void => {
    const { host, port } = pods.get(name) as FixtureServer;
    // Pods of one Service may listen on different ports, in slices of their own.
    api.set(`api-${name}`, {
      ports: [{ name: 'http', port }],
      endpoints: [{ address: host, pod: name, ...conditions }],
    });
  };
  const start = async (): Promise<string> => {
    const name = `api-7d4b-${made++}`;
    pods.set(name, await startFixtureServer({ name, keepAliveTimeout: 60_000 }));
    tell(name, STARTING);
    return name;
  };
  const first = [await start(), await start(), await start()];
  for (const name of first) tell(name, READY);
  const servers = [{ kubernetes: { service: 'default/api', port: 'http', kubeconfig } }];
  const { balancer, port } = await startBalancer(t, { servers }, { workers });
  const names = (): string =>
    balancer
      .status()
      .servers.map(({ name }) => name)
      .sort()
      .join(' ');
  t.equal(names(), first.join(' '), 'they have the names of their pods');
  const load = new Load(port, { clients: 8, posts: 50 });
  await load.more(100);
  for (const old of first) {
    const fresh = await start();
    const pod = pods.get(fresh) as FixtureServer;
    await load.more(50);
    t.equal(pod.requests, 0, 'a pod that is not ready gets nothing');
    tell(fresh, READY);
    await until(() => pod.requests > 0);
    const leaving = pods.get(old) as FixtureServer;
    tell(old, LEAVING);
    // What it has is finished, then its connections are closed.
    await until(() => !names().includes(old) && leaving.connections === 0);
    const { requests } = leaving;
    await load.more(50);
    t.equal(leaving.requests, requests, 'a pod that leaves gets nothing new');
    // What the API server loses meanwhile harms nobody.
    if (old === first[1]) api.cut();
    if (old === first[2]) api.expire();
    await leaving.close();
    api.delete(`api-${old}`);
  }
  await load.more(100);
  await load.stop();
  t.same(load.bad, []);
  t.equal(names(), [...pods.keys()].slice(3).join(' '));
  t.match(balancer.status().providers, [
    { kind: 'kubernetes', source: 'kubernetes default/api:http', servers: 3 },
  ]);
}

t.test('pods roll under load: no request fails', (t) => rollOut(t, SWITCHED_WORKERS));

t.test('pods roll under load, with several threads: no request fails', THREADS, (t) => rollOut(t, 3));

nothingIsLeft(t);
