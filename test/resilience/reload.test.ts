import { parseArgs } from 'node:util';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { SWITCHED } from '../support/thread-switch.js';
import { Load } from './load.js';

/** By hand for longer: `node dist/test/resilience/reload.test.js --reloads 5000`. */
const { values } = parseArgs({
  options: { reloads: { type: 'string', default: '40' } },
  strict: false,
});
const RELOADS = Number(values.reloads);
const CLIENTS = 8;
const MEBIBYTE = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The server groups that there are: those in use, and those of earlier configurations that something still holds on to. */
async function groupsInMemory(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return queryObjects(ServerGroup, { format: 'count' });
}

async function heap(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return process.memoryUsage().heapUsed;
}

t.test(`${RELOADS} reloads under load: no request fails, nothing grows`, { timeout: 0 }, async (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const servers = await Promise.all(names.map((name) => startFixtureServer({ name })));
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const [a, b, c, d] = servers.map(({ name, address }) => ({ name, address }));
  const kept = [a!, b!];
  const listen = '127.0.0.1:0';
  const health_check = { interval: '200ms' };
  // Each is another change: a server comes, one goes, limits, routes and rules change.
  const files = [
    { listen, health_check, servers: kept },
    { listen, health_check, servers: [...kept, c!], limits: { body_bytes: 5000 } },
    { listen, health_check, servers: [...kept, d!], paths: [{ path: '/other', servers: [c!] }] },
    { listen, health_check, servers: kept.map((server, i) => ({ ...server, max_connections: 100 + i })) },
    { listen, health_check, servers: kept, firewall_rules: { path_reject: ['/nothing'] } },
  ].map((settings) => createConfig(settings));
  const balancer = createBalancer(files[0]!, {}, SWITCHED);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const [address] = balancer.addresses;
  const port = address?.kind === 'tcp' ? address.port : 0;
  const load = new Load(port, { clients: CLIENTS, posts: 30 });
  let before = 0;
  for (let reload = 0; reload < RELOADS; reload++) {
    await load.more(8);
    await balancer.reload(files[reload % files.length]!);
    // What grows at first finds its size.
    if (reload === Math.floor(RELOADS / 2)) before = await heap();
  }
  const after = await heap();
  await load.stop();
  t.same(load.bad, []);
  t.ok(load.answered >= 8 * RELOADS, `${load.answered} answered`);
  t.ok(after - before < 2 * MEBIBYTE, `${((after - before) / MEBIBYTE).toFixed(1)} MiB more`);
  // An exchange on its object pool may know the group of its last request until it gets another.
  const groups = await groupsInMemory();
  t.ok(groups >= 1 && groups <= CLIENTS + 2, `${groups} groups, after ${RELOADS} reloads`);
  for (const server of servers.slice(0, 2)) {
    t.ok(server.connections <= 10, `${server.connections} connections to ${server.name}`);
  }
  t.match(balancer.status(), { ready: true, requests: { inFlight: 0, byStatus: { '5xx': 0 } } });
});
