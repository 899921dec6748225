import t from 'tap';
import type { RawServer } from '../../fixtures/raw-server.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { hasNamed, Named } from '../support/named.js';
import { origins, steadyLoad } from './steady-load.js';

function namesOf(balancer: Balancer): string {
  return balancer
    .status()
    .servers.map(({ name }) => name.replace(/:.*/, ''))
    .sort()
    .join(' ');
}

t.setTimeout(120_000);

/** With LB_REQUIRE_NAMED=1 its absence is a failure. */
const skip = hasNamed || process.env.LB_REQUIRE_NAMED === '1' ? false : 'BIND is not there: install bind9';

t.test(
  'sets of a real name server grow, shrink, change and fail under load: no request fails',
  { skip },
  async (t) => {
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const [first] = (await origins(t, hosts)) as [RawServer];
    const a = (...last: number[]): string[] => last.map((n) => `api 1 A 127.0.0.${n}`);
    const named = await Named.start(t, a(1, 2, 3));
    const { balancer, connect } = await startBalancer(t, {
      servers: [{ dns: `api.test:${first.port}` }],
      dns: { servers: [named.address] },
    });
    t.equal(namesOf(balancer), '127.0.0.1 127.0.0.2 127.0.0.3');
    const load = steadyLoad(t, connect);
    const even = await load.next(300);
    t.equal(even.size, 3);
    // On a busy machine a round may be late.
    const rounds: number[] = [];
    while (rounds.length < 3 && !rounds.some((ms) => ms < 2000)) {
      if (rounds.length > 0) await named.set(a(1, 2, 3));
      await until(() => namesOf(balancer) === '127.0.0.1 127.0.0.2 127.0.0.3');
      await named.set(a(1, 2, 3, 4));
      const [began, from] = [performance.now(), load.answers.length];
      await until(() => load.answers.includes('127.0.0.4', from));
      rounds.push(performance.now() - began);
      const share = (await load.next(400)).get('127.0.0.4') ?? 0;
      t.ok(share > 0.2 && share < 0.3, `it gets its share from then on: ${share}`);
    }
    t.ok(
      rounds.some((ms) => ms < 2000),
      `within 2 s of the answer of the name server: ${rounds.map(Math.round)}`,
    );
    await named.set(a(2, 4));
    await until(() => namesOf(balancer) === '127.0.0.2 127.0.0.4');
    t.same([...(await load.next(200)).keys()].sort(), ['127.0.0.2', '127.0.0.4']);
    await named.set(a(1, 3));
    await until(() => namesOf(balancer) === '127.0.0.1 127.0.0.3');
    await named.stop();
    await until(() => balancer.status().providers[0]?.state === 'failing');
    await load.next(200);
    t.equal(namesOf(balancer), '127.0.0.1 127.0.0.3', 'the last list stays');
    await named.run();
    await until(() => balancer.status().providers[0]?.state === 'current');
    await load.end();
    t.same(load.failures, []);
  },
);

t.test(
  'a plain server with a name follows a real name server under load: one address, several, and one again',
  { skip },
  async (t) => {
    const [first] = (await origins(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'])) as [RawServer];
    const a = (...last: number[]): string[] => last.map((n) => `api 1 A 127.0.0.${n}`);
    const named = await Named.start(t, a(1));
    const entry = `api.test:${first.port}`;
    const { balancer, connect } = await startBalancer(t, {
      servers: [entry],
      dns: { servers: [named.address] },
    });
    const names = (): string =>
      balancer
        .status()
        .servers.map(({ name }) => name.replace(entry, 'api'))
        .join(' ');
    const load = steadyLoad(t, connect);
    t.same([...(await load.next(100)).keys()], ['127.0.0.1']);
    t.equal(names(), 'api');
    await named.set(a(1, 2, 3));
    await until(() => names() === 'api/127.0.0.1 api/127.0.0.2 api/127.0.0.3');
    for (const [, share] of await load.next(300)) t.ok(share > 0.3 && share < 0.37, `a third: ${share}`);
    balancer.setAvailability(`${entry}/127.0.0.2`, 'draining');
    t.same([...(await load.next(100)).keys()].sort(), ['127.0.0.1', '127.0.0.3']);
    balancer.setAvailability(entry, 'ready');
    await named.set(a(2, 3));
    await until(() => names() === 'api/127.0.0.2 api/127.0.0.3');
    t.same([...(await load.next(100)).keys()].sort(), ['127.0.0.2', '127.0.0.3']);
    // The name is gone (NXDOMAIN), then its name server: the last good addresses stay.
    await named.set([]);
    await until(() => balancer.events().some(({ what }) => what === 'resolve_failed'));
    await named.stop();
    await load.next(100);
    t.equal(names(), 'api/127.0.0.2 api/127.0.0.3');
    await named.run();
    await named.set(a(3));
    await until(() => names() === 'api');
    t.same([...(await load.next(100)).keys()], ['127.0.0.3']);
    await load.end();
    t.same(load.failures, []);
  },
);

t.test(
  'SRV records of a real name server: port, weight, priority, and a target that cannot be resolved',
  { skip },
  async (t) => {
    const [one] = (await origins(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'])) as [RawServer];
    const { port } = one;
    const hosts = [1, 2, 3].map((n) => `h${n} 1 A 127.0.0.${n}`);
    const named = await Named.start(t, [
      ...hosts,
      `_http._tcp.api 1 SRV 1 30 ${port} h1`,
      `_http._tcp.api 1 SRV 1 10 ${port} h2`,
      `_http._tcp.api 1 SRV 5 10 ${port} h3`,
      `_http._tcp.api 1 SRV 1 10 ${port} gone.elsewhere.`,
    ]);
    const { balancer, connect } = await startBalancer(t, {
      servers: [{ srv: '_http._tcp.api.test' }],
      dns: { servers: [named.address] },
    });
    const rows = () =>
      balancer
        .status()
        .servers.map(({ name, weight, backup }) => `${name} ${weight}${backup ? ' backup' : ''}`)
        .sort();
    t.same(rows(), [`127.0.0.1:${port} 30`, `127.0.0.2:${port} 10`, `127.0.0.3:${port} 10 backup`]);
    t.match(balancer.status().providers[0]?.error, /gone\.elsewhere/);
    const load = steadyLoad(t, connect, 4);
    const shares = await load.next(400);
    t.notOk(shares.has('127.0.0.3'));
    const first = shares.get('127.0.0.1') ?? 0;
    t.ok(first > 0.7 && first < 0.8, `${first}`);
    await named.set([
      ...hosts,
      `_http._tcp.api 1 SRV 5 10 ${port} h3`,
      `_http._tcp.api 1 SRV 9 0 ${port} h1`,
    ]);
    await until(() => rows().length === 2);
    t.same(rows(), [`127.0.0.1:${port} 1 backup`, `127.0.0.3:${port} 10`]);
    await until(() => load.answers.at(-1) === '127.0.0.3');
    await load.end();
    t.same(load.failures, []);
  },
);

t.test('300 addresses of one name are 300 servers', { skip }, async (t) => {
  const addresses = Array.from(
    { length: 300 },
    (_, i) => `127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`,
  );
  const named = await Named.start(
    t,
    addresses.map((address) => `big 1 A ${address}`),
  );
  const { balancer } = await startBalancer(t, {
    servers: [{ dns: 'big.test:80' }],
    dns: { servers: [named.address] },
  });
  t.equal(balancer.status().servers.length, 300);
  await named.set(addresses.slice(0, 290).map((address) => `big 1 A ${address}`));
  await until(() => balancer.status().servers.length === 290);
  t.equal(balancer.status().providers[0]?.servers, 290);
  const plain = await startBalancer(t, {
    servers: ['big.test:80'],
    dns: { servers: [named.address] },
  });
  await until(() => plain.balancer.status().servers.length === 290);
});

t.test('one sick address of three is out within its check, the others serve', { skip }, async (t) => {
  const servers = await origins(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
  const { port } = servers[0] as RawServer;
  const named = await Named.start(
    t,
    [1, 2, 3].map((n) => `api 1 A 127.0.0.${n}`),
  );
  const { balancer, connect } = await startBalancer(t, {
    servers: [{ dns: `api.test:${port}` }],
    dns: { servers: [named.address] },
    health_check: { interval: '300ms', timeout: '5s', fall: 1, rise: 1 },
  });
  const load = steadyLoad(t, connect);
  await load.next(100);
  const began = performance.now();
  await servers[1]?.close();
  const state = (): string | undefined =>
    balancer.status().servers.find(({ name }) => name.startsWith('127.0.0.2'))?.state;
  await until(() => state() === 'down');
  t.comment(`out after ${Math.round(performance.now() - began)} ms: it is checked every 300 ms`);
  t.same([...(await load.next(200)).keys()].sort(), ['127.0.0.1', '127.0.0.3']);
  await load.end();
  t.same(load.failures, []);
});
