import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { type Changes, readChanges, writeChanges } from '../../lib/control/changes.js';
import { Seen, startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { field, origin } from '../support/origin.js';
import { THREADS } from '../support/thread-switch.js';

t.setTimeout(120_000);

const MINUTE = 60_000;

async function ask(
  client: RawClient,
  host: string,
  path = '/',
  fields = '',
): Promise<{ status: number; after: string | null; body: string }> {
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const { status, head, body } = await client.response();
  return { status, after: field(head, 'retry-after'), body };
}

t.test('a host in maintenance answers 503 with its error page, but to those who are let in', async (t) => {
  const server = await origin(t, answering(OK));
  const { balancer, connect, seen, clock } = await startBalancer(
    t,
    {
      trusted_proxies: ['127.0.0.1'],
      hosts: [
        { host: 'c.test', servers: [server.address] },
        {
          host: ['www.a.test', 'a.test'],
          servers: [server.address],
          error_pages: [{ status: 503, text: 'back soon: {reason}' }],
          paths: [{ path: '/walled', respond: {}, firewall_rules: { ip_reject: ['0.0.0.0/0'] } }],
        },
        { host: '*.b.test', paths: [{ path: '/only', servers: [server.address] }] },
      ],
    },
    { manual: true },
  );
  const client = await connect();
  balancer.setHostMaintenance('WWW.a.test', { forMs: 30 * MINUTE, allow: ['10.0.0.0/8'] });
  t.same(await ask(client, 'www.a.test'), { status: 503, after: '1800', body: 'back soon: maintenance' });
  t.match(await ask(client, 'www.a.test', '/', 'X-Forwarded-For: 10.1.2.3\r\n'), { status: 200 });
  t.match(await ask(client, 'www.a.test', '/walled'), { status: 403 }, 'guards are asked before');
  t.match(await ask(client, 'a.test'), { status: 200 }, 'another name of the same place');
  t.match(await ask(client, 'c.test'), { status: 200 });
  t.match(await seen.request(1), {
    status: 503,
    reason: 'maintenance',
    detail: 'maintenance of www.a.test',
    route: 'www.a.test',
    server: '',
  });

  balancer.setHostMaintenance('x.b.test', {});
  t.match(await ask(client, 'x.b.test', '/only'), { status: 503, after: '60' }, 'one name of a wildcard');
  t.match(await ask(client, 'x.b.test', '/nowhere'), { status: 503 }, 'also where there is no route');
  t.match(await ask(client, 'y.b.test', '/nowhere'), { status: 404 });
  balancer.setHostMaintenance('*', { allow: ['192.0.2.1'] });
  t.match(await ask(client, 'y.b.test', '/only'), { status: 503 });
  t.match(await ask(client, 'y.b.test', '/only', 'X-Forwarded-For: 192.0.2.1\r\n'), { status: 200 });
  t.match(
    await ask(client, 'x.b.test', '/only', 'X-Forwarded-For: 192.0.2.1\r\n'),
    { status: 503 },
    'the name is more exact than *',
  );
  t.match(balancer.status().maintenance, [
    { name: 'www.a.test', by: 'operator', until: clock.wall() + 30 * MINUTE, allow: ['10.0.0.0/8'] },
    { name: 'x.b.test', until: null, allow: [] },
    { name: '*' },
  ]);
  t.same(balancer.status().config.drift, [
    'maintenance of www.a.test (file: none)',
    'maintenance of x.b.test (file: none)',
    'maintenance of * (file: none)',
  ]);
  balancer.setHostMaintenance('*', null);
  balancer.setHostMaintenance('x.b.test', null);
  t.match(await ask(client, 'x.b.test', '/only'), { status: 200 });
});

t.test('a maintenance ends by itself, with an event', async (t) => {
  const { balancer, connect, clock } = await startBalancer(t, { respond: {} }, { manual: true });
  balancer.setHostMaintenance('*', { forMs: 2 * MINUTE });
  clock.advance(2 * MINUTE - 10);
  t.match(await ask(await connect(), 'a'), { status: 503, after: '1' });
  clock.advance(10);
  t.match(await ask(await connect(), 'a'), { status: 200 }, 'to the millisecond');
  clock.advance(200);
  t.same(balancer.status().maintenance, []);
  const told = balancer.events().filter(({ what }) => what === 'host_maintenance');
  t.same(
    told.map(({ reason }) => reason),
    ['* until 2026-01-31T12:02:01.000Z', '* is served again'],
  );
});

t.test('a maintenance that makes no sense is refused and changes nothing', async (t) => {
  const { balancer } = await startBalancer(t, { hosts: [{ host: 'a.test', respond: {} }] });
  const refuse = (code: string, ...[host, terms]: Parameters<typeof balancer.setHostMaintenance>): void => {
    t.throws(() => balancer.setHostMaintenance(host, terms), { name: 'OperationError', code }, host);
  };
  refuse('unknown_host', 'b.test', {});
  refuse('unknown_host', 'a.test', null);
  refuse('bad_value', 'a/b', {});
  refuse('bad_value', 'a.test', { forMs: 0 });
  refuse('bad_value', 'a.test', { forMs: 1e12 });
  refuse('bad_value', 'a.test', { allow: ['10.0.0.0/99'] });
  refuse('bad_value', 'a.test', { allow: Array.from({ length: 1001 }, () => '10.0.0.1') });
  t.same(balancer.maintenances(), []);
});

t.test('a maintenance survives a reload and a restart, while the file has the host', async (t) => {
  let kept: Changes | null = null;
  const host = (name: string) => ({ host: name, respond: {} });
  const settings = { listen: '127.0.0.1:0', hosts: [host('a.test'), host('b.test')] };
  const begin = async (seen = new Seen()) => {
    const store = {
      changes: kept === null ? null : readChanges(writeChanges(kept)),
      keep: (now: Changes) => {
        kept = now;
      },
    };
    const balancer = createBalancer(createConfig(settings), seen, { store });
    t.teardown(() => balancer.stop());
    await balancer.start();
    const [address] = balancer.addresses;
    const client = await RawClient.connect(address?.kind === 'tcp' ? address.port : 0);
    t.teardown(() => client.destroy());
    return { balancer, client };
  };
  const first = await begin();
  first.balancer.setHostMaintenance('a.test', { forMs: 10 * MINUTE, allow: ['10.0.0.0/8'] });
  first.balancer.setHostMaintenance('b.test', {});
  await first.balancer.reload(createConfig({ ...settings, via: true }));
  t.match(await ask(first.client, 'a.test'), { status: 503 });
  const before = first.balancer.maintenances();
  first.balancer.stop();

  const seen = new Seen();
  const { balancer, client } = await begin(seen);
  t.same(balancer.maintenances(), before);
  t.match(await ask(client, 'a.test'), { status: 503 });
  await balancer.reload(createConfig({ ...settings, hosts: [host('b.test'), host('c.test')] }));
  t.same(
    balancer.maintenances().map(({ name }) => name),
    ['b.test'],
  );
  t.match(seen.warnings.join(), 'the maintenance of a.test has ended');
  t.match(await ask(client, 'b.test'), { status: 503 });
});

t.test(
  'maintenance in the file is inherited, can be lifted inside, and says when to come back',
  async (t) => {
    const { balancer, connect } = await startBalancer(t, {
      trusted_proxies: ['127.0.0.1'],
      maintenance: { allow: '192.0.2.0/24' },
      respond: {},
      hosts: [
        { host: 'open.test', maintenance: false, respond: {} },
        {
          host: 'part.test',
          maintenance: false,
          paths: [{ path: '/shop', maintenance: { retry_after: '1h' }, respond: {} }],
        },
        { host: 'lost.test', maintenance: true, paths: [{ path: '/x', respond: {} }] },
      ],
    });
    const client = await connect();
    t.match(await ask(client, 'any.test'), { status: 503, after: '60' });
    t.match(await ask(client, 'any.test', '/', 'X-Forwarded-For: 192.0.2.9\r\n'), { status: 200 });
    t.match(await ask(client, 'open.test'), { status: 200 });
    t.match(await ask(client, 'part.test', '/shop/1'), { status: 503, after: '3600' });
    t.match(await ask(client, 'part.test', '/else'), { status: 200 });
    t.match(await ask(client, 'lost.test', '/else'), { status: 503 });
    t.match(balancer.status().maintenance, [
      { name: '*', by: 'file', until: null, allow: ['192.0.2.0/24'] },
      { name: 'part.test/shop', by: 'file' },
      { name: 'lost.test', by: 'file' },
    ]);
  },
);

t.test('an upload to a host in maintenance is read to its end, so that the answer arrives', async (t) => {
  const { balancer, connect } = await startBalancer(t, { respond: {} });
  balancer.setHostMaintenance('*', {});
  const client = await connect();
  const body = 'x'.repeat(3_000_000);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  t.match(await client.response(), { status: 503 });
  await client.toEnd();
  t.equal(client.error, null, 'no reset');
});

t.test('all threads put a host into maintenance, one that begins later too', THREADS, async (t) => {
  const { balancer, connect } = await startBalancer(t, { respond: {} }, { workers: 3 });
  const statuses = async (): Promise<string> => {
    const seen = new Set<number>();
    for (let i = 0; i < 30; i++) seen.add((await ask(await connect(), 'a')).status);
    return [...seen].sort().join();
  };
  balancer.setHostMaintenance('*', {});
  await balancer.settled();
  t.equal(await statuses(), '503');
  await balancer.reload(createConfig({ listen: '127.0.0.1:0', respond: {}, via: true }));
  t.equal(await statuses(), '503');
  balancer.setHostMaintenance('*', { forMs: 300 });
  await until(() => balancer.maintenances().length === 0);
  await balancer.settled();
  t.equal(await statuses(), '200');
});

t.test('a server in maintenance is not checked, and is checked at once when it returns', async (t) => {
  let checks = 0;
  const server = await origin(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      checks++;
      await connection.write(OK);
    }
  });
  const { balancer, clock, seen } = await startBalancer(
    t,
    { servers: [server.address], health_check: { interval: '5s' } },
    { manual: true },
  );
  clock.advance(6000);
  await seen.when(() => seen.checks.length > 0);
  balancer.setAvailability(server.address, 'maintenance');
  clock.advance(6000);
  await new Promise((resolve) => setImmediate(resolve));
  const before = checks;
  clock.advance(600_000);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(checks, before);
  balancer.setAvailability(server.address, 'ready');
  clock.advance(200);
  await until(() => checks === before + 1);
});

t.test(
  'a wildcard in maintenance closes the hosts that it serves, not those with an entry of their own',
  async (t) => {
    const respond = { status: 200 };
    const hosts = ['*.a.test', 'www.a.test', '*.deep.a.test', '~ ^x[0-9]+\\.b\\.test$'].map((host) => ({
      host,
      respond,
    }));
    const { balancer, connect } = await startBalancer(t, { listen: '127.0.0.1:0', hosts });
    const client = await connect();
    const closed = async (...names: string[]): Promise<readonly string[]> => {
      await balancer.settled();
      const found: string[] = [];
      for (const name of names) if ((await ask(client, name)).status === 503) found.push(name);
      return found;
    };
    const all = ['www.a.test', 'x.a.test', 'y.deep.a.test', 'x1.b.test'];
    balancer.setHostMaintenance('*.a.test', {});
    t.same(await closed(...all), ['x.a.test']);
    balancer.setHostMaintenance('*.deep.a.test', {});
    t.same(await closed(...all), ['x.a.test', 'y.deep.a.test']);
    balancer.setHostMaintenance('www.a.test', {});
    t.same(await closed(...all), ['www.a.test', 'x.a.test', 'y.deep.a.test']);
    balancer.setHostMaintenance('www.a.test', null);
    balancer.setHostMaintenance('x1.b.test', {});
    t.same(await closed(...all), ['x.a.test', 'y.deep.a.test', 'x1.b.test']);
    balancer.setHostMaintenance('*', {});
    t.same(await closed(...all), all, 'every host');
    client.destroy();
  },
);

nothingIsLeft(t);
