import t, { type Test } from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { answering, type RawServer } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import type { Observer } from '../../lib/base/observer.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { type Changes, readChanges, writeChanges } from '../../lib/control/changes.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

/** The wheel fires up to two ticks late. */
const LATE = 100;
const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;

async function dnsServer(t: Test): Promise<DnsServer> {
  const server = await DnsServer.start();
  t.teardown(() => server.close().catch(() => {}));
  return server;
}

/** Servers on one port of several addresses of the loopback network, each of which answers with its address. */
async function origins(t: Test, hosts: readonly string[] = HOSTS): Promise<RawServer[]> {
  const servers: RawServer[] = [];
  for (const host of hosts) {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`;
    servers.push(await origin(t, answering(answer), host, servers[0]?.port));
  }
  return servers;
}

function rowsOf(balancer: Balancer): readonly string[] {
  return balancer.status().servers.map(({ name, weight, state }) => `${name} ${weight} ${state}`);
}

function namesOf(balancer: Balancer): readonly string[] {
  return balancer.status().servers.map(({ name }) => name);
}

/** What a name with a port and these addresses is called while it has them. */
function names(entry: string, ...hosts: readonly string[]): readonly string[] {
  return hosts.map((host) => `${entry}/${host}`);
}

/** Waits until a name with a port stands for servers at these addresses. */
function has(balancer: Balancer, entry: string, ...hosts: readonly string[]): Promise<void> {
  return until(() => namesOf(balancer).join() === names(entry, ...hosts).join());
}

/** Who answers the next requests, with how many each. */
async function counts(client: RawClient, requests: number): Promise<{ [host: string]: number }> {
  const found: { [host: string]: number } = {};
  for (let i = 0; i < requests; i++) {
    client.send(GET);
    const { status, body } = await client.response();
    const who = status === 200 ? body : String(status);
    found[who] = (found[who] ?? 0) + 1;
  }
  return found;
}

t.test('a name with several addresses is a server for each, with the terms of its entry', async (t) => {
  const dns = await dnsServer(t);
  const [{ port }] = (await origins(t)) as [RawServer];
  dns.set('app.test', 60, ...HOSTS);
  const entry = `app.test:${port}`;
  const { balancer, connect, seen } = await startBalancer(t, {
    servers: [{ address: entry, weight: 2, max_connections: 7 }],
    dns: { servers: [dns.address] },
  });
  await has(balancer, entry, ...HOSTS);
  t.same(
    rowsOf(balancer),
    names(entry, ...HOSTS).map((name) => `${name} 2 unchecked`),
  );
  const [first] = balancer.status().servers;
  t.match(first, { address: `127.0.0.1:${port}`, fromFile: true, source: '', routes: ['default'] });
  t.same(await counts(await connect(), 9), { '127.0.0.1': 3, '127.0.0.2': 3, '127.0.0.3': 3 });
  t.match(seen.requests.at(-1)?.server, /^app\.test:\d+\/127\.0\.0\.[123]$/);
  t.same(seen.names, [`app.test ${HOSTS.join(' ')}`]);
  t.same(balancer.status().config.drift, []);
});

t.test('one sick address of three is out alone', async (t) => {
  const dns = await dnsServer(t);
  const servers = await origins(t);
  const { port } = servers[0] as RawServer;
  dns.set('app.test', 60, ...HOSTS);
  const entry = `app.test:${port}`;
  const { balancer, connect, seen } = await startBalancer(t, {
    servers: [{ address: entry, name: 'web' }],
    dns: { servers: [dns.address] },
    health_check: { interval: '200ms', timeout: '150ms', fall: 1, rise: 1 },
  });
  await until(() => balancer.status().servers.filter(({ state }) => state === 'up').length === 3);
  await servers[1]?.close();
  await seen.when(({ stateChanges }) => stateChanges.some((line) => line.startsWith('down web/127.0.0.2 ')));
  t.same(Object.keys(await counts(await connect(), 6)).sort(), ['127.0.0.1', '127.0.0.3']);
  t.same(namesOf(balancer), names('web', ...HOSTS));
});

t.test('addresses come and go, down to one and up again; requests in flight finish', async (t) => {
  const dns = await dnsServer(t);
  let release = (): void => {};
  let isHeld = false;
  const first = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      if (isHeld)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n127.0.0.1');
    }
  });
  for (const host of HOSTS.slice(1)) {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`;
    await origin(t, answering(answer), host, first.port);
  }
  dns.set('app.test', 5, '127.0.0.1');
  const entry = `app.test:${first.port}`;
  const { balancer, connect, clock, seen } = await startBalancer(
    t,
    { servers: [entry], dns: { servers: [dns.address] }, retry: false },
    { manual: true },
  );
  const client = await connect();
  t.same(await counts(client, 4), { '127.0.0.1': 4 });
  t.same(namesOf(balancer), [entry], 'a name with one address is called as ever');
  const follow = async (...hosts: readonly string[]): Promise<void> => {
    dns.set('app.test', 5, ...hosts);
    clock.advance(5000 + LATE);
    if (hosts.length > 1) await has(balancer, entry, ...hosts);
    else await until(() => namesOf(balancer).join() === entry);
  };
  isHeld = true;
  const slow = await connect();
  slow.send(GET);
  await until(() => first.connections === 1 && balancer.serverStatus(entry)?.active === 1);
  await follow('127.0.0.1', '127.0.0.2');
  isHeld = false;
  t.same(await counts(client, 4), { '127.0.0.1': 2, '127.0.0.2': 2 });
  release();
  t.equal((await slow.response()).body, '127.0.0.1', 'a request of the one server that it was');
  await balancer.collectFigures();
  const [one, two] = balancer.status().servers;
  t.equal(one?.open, 1);
  await follow('127.0.0.1', '127.0.0.2', '127.0.0.3');
  t.same(await counts(client, 6), { '127.0.0.1': 2, '127.0.0.2': 2, '127.0.0.3': 2 });
  await balancer.collectFigures();
  t.equal(balancer.status().servers[1]?.totals.requests, (two?.totals.requests ?? 0) + 2, 'it goes on');
  await follow('127.0.0.2', '127.0.0.3');
  t.same(await counts(client, 4), { '127.0.0.2': 2, '127.0.0.3': 2 });
  await follow('127.0.0.3');
  t.same(await counts(client, 4), { '127.0.0.3': 4 });
  dns.mood = 'failing';
  clock.advance(5000 + LATE);
  await until(() => seen.names.at(-1) === 'app.test failed ESERVFAIL');
  t.same(await counts(client, 2), { '127.0.0.3': 2 });
  dns.mood = 'answering';
  await follow(...HOSTS);
  t.ok(seen.requests.every(({ status }) => status === 200));
});

t.test('what operators do to the entry holds for all its addresses, and each has a name', async (t) => {
  const dns = await dnsServer(t);
  const [{ port }] = (await origins(t)) as [RawServer];
  const [other] = (await origins(t, ['127.0.0.9'])) as [RawServer];
  dns.set('app.test', 60, ...HOSTS);
  const entry = `app.test:${port}`;
  const [a, b, c] = names(entry, ...HOSTS) as [string, string, string];
  const { balancer, connect } = await startBalancer(t, {
    servers: [entry, { address: other.address, backup: true }],
    dns: { servers: [dns.address] },
  });
  const client = await connect();
  await until(() => namesOf(balancer).length === 4);
  const drift = (): readonly string[] => balancer.status().config.drift;

  balancer.setAvailability(entry, 'draining');
  t.same(await counts(client, 2), { '127.0.0.9': 2 });
  t.match(balancer.serverStatus(entry), { name: entry, address: entry, state: 'draining' });
  t.same(drift(), [`availability of ${entry}: draining (file: ready)`]);
  t.throws(() => balancer.setAvailability(a, 'ready'), {
    message: `${a} is one of the addresses of ${entry}, which is draining: make ${entry} ready`,
  });
  balancer.setAvailability(entry, 'ready');
  balancer.setAvailability(b, 'maintenance');
  t.same(await counts(client, 4), { '127.0.0.1': 2, '127.0.0.3': 2 });
  t.same(drift(), [`availability of ${b}: maintenance (file: ready)`]);
  balancer.setAvailability(entry, 'ready');
  t.same(drift(), [], 'that is all of them');

  balancer.setWeight(entry, 3);
  balancer.setWeight(c, 0);
  t.same(
    balancer.status().servers.map(({ weight }) => weight),
    [3, 3, 0, 1],
  );
  t.same(drift(), [`weight of ${entry}: 3 (file: 1)`, `weight of ${c}: 0 (file: 3)`]);
  balancer.setWeight(entry, 1);
  t.same(drift(), []);
  t.same(await counts(client, 3), { '127.0.0.1': 1, '127.0.0.2': 1, '127.0.0.3': 1 });

  t.throws(() => balancer.removeServer(a), {
    message: `${a} is one of the addresses of ${entry}: let it drain, or remove ${entry}`,
  });
  balancer.setAvailability(a, 'draining');
  balancer.removeServer(entry);
  t.same(namesOf(balancer), [other.address]);
  t.same(await counts(client, 2), { '127.0.0.9': 2 });
  balancer.addServer('default', { address: entry });
  t.same(drift(), []);
  t.same(await counts(client, 3), { '127.0.0.1': 1, '127.0.0.2': 1, '127.0.0.3': 1 });

  // A name that the file does not have.
  dns.set('more.test', 60, '127.0.0.2', '127.0.0.3');
  const more = `more.test:${port}`;
  balancer.addServer('default', { address: more, weight: 4 });
  await until(() => namesOf(balancer).length === 6);
  t.same(namesOf(balancer).slice(4), names(more, '127.0.0.2', '127.0.0.3'));
  t.same(
    balancer.status().servers.map(({ weight }) => weight),
    [1, 1, 1, 1, 4, 4],
  );
  balancer.removeServer(more);
  t.same(namesOf(balancer), [a, b, c, other.address]);
  balancer.addServer('default', { address: more });
  t.equal(namesOf(balancer).length, 5, 'it is resolved again');
  await until(() => namesOf(balancer).length === 6);
});

t.test('changes are kept over a restart, before the name is resolved', async (t) => {
  const dns = await dnsServer(t);
  const [{ port }] = (await origins(t)) as [RawServer];
  dns.set('app.test', 60, ...HOSTS);
  const entry = `app.test:${port}`;
  const [a, b, c] = names(entry, ...HOSTS) as [string, string, string];
  const config = createConfig({
    listen: '127.0.0.1:0',
    health_check: false,
    servers: [entry],
    dns: { servers: [dns.address] },
  });
  let kept = '';
  const keep = (changes: Changes): void => {
    kept = writeChanges(changes);
  };
  const one = createBalancer(config, {}, { store: { changes: null, keep } });
  t.teardown(() => one.stop());
  await one.start();
  await has(one, entry, ...HOSTS);
  one.setAvailability(a, 'draining');
  one.setWeight(b, 7);
  const { drift } = one.status().config;
  one.stop();
  dns.mood = 'silent';
  let isGivenUp = false;
  const observer: Observer = {
    event: ({ what }) => {
      isGivenUp ||= what === 'resolve_failed';
    },
  };
  const two = createBalancer(config, observer, { store: { changes: readChanges(kept), keep } });
  t.teardown(() => two.stop());
  await two.start();
  t.notOk(isGivenUp, 'a start does not wait for a name server');
  t.same(rowsOf(two), [`${entry} 1 unchecked`]);
  t.same(two.status().config.drift, drift);
  dns.mood = 'answering';
  await has(two, entry, ...HOSTS);
  t.same(rowsOf(two), [`${a} 1 draining`, `${b} 7 unchecked`, `${c} 1 unchecked`]);
});

t.test('a reload keeps the servers at the addresses, also under other terms', async (t) => {
  const dns = await dnsServer(t);
  const servers = await origins(t);
  const { port } = servers[0] as RawServer;
  dns.set('app.test', 60, ...HOSTS);
  const entry = `app.test:${port}`;
  const settings = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
  const more = { ...settings, dns: { servers: [dns.address] } };
  const { balancer, connect } = await startBalancer(t, { servers: [entry], dns: { servers: [dns.address] } });
  await has(balancer, entry, ...HOSTS);
  const client = await connect();
  await counts(client, 3);
  await balancer.reload(createConfig({ ...more, servers: [{ address: entry, weight: 5 }] }));
  t.same(
    rowsOf(balancer),
    names(entry, ...HOSTS).map((name) => `${name} 5 unchecked`),
  );
  await counts(client, 3);
  t.same(
    servers.map(({ accepted }) => accepted),
    [1, 1, 1],
    'their connections were kept',
  );
  dns.set('next.test', 60, '127.0.0.2', '127.0.0.3');
  const next = `next.test:${port}`;
  await balancer.reload(createConfig({ ...more, servers: [entry, next] }));
  await until(() => namesOf(balancer).length === 5);
  await balancer.reload(createConfig({ ...more, servers: [next] }));
  t.same(namesOf(balancer), names(next, '127.0.0.2', '127.0.0.3'));
  t.same(await counts(client, 4), { '127.0.0.2': 2, '127.0.0.3': 2 });
});

nothingIsLeft(t);
