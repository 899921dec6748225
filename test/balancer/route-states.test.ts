import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { isSwitchedNotice, startBalancer } from '../support/balancer.js';
import { turns, until } from '../support/loop-ticks.js';
import { namedOrigins } from '../support/named-origins.js';
import { deadAddress, origin } from '../support/origin.js';

const BASE = { listen: '127.0.0.1:0', health_check: false, passive_health: false } as const;
const NOWHERE = { a: '127.0.0.1:1', b: '127.0.0.1:2', c: '127.0.0.1:3' } as const;

function server(name: keyof typeof NOWHERE, terms: object = {}): { name: string; address: string } {
  return { name, address: NOWHERE[name], ...terms };
}

/** Two hosts: `shop` has a and b, `blog` has b and c. */
const TWO_HOSTS = {
  ...BASE,
  hosts: [
    { host: 'shop', servers: [server('a'), server('b')] },
    { host: 'blog', servers: [server('b'), server('c')] },
  ],
};

/** What was told of servers and routes: `down a`, `route_down shop a is down`. */
function story(balancer: Balancer): string[] {
  return balancer
    .events()
    .filter(({ what, reason }) => what !== 'listening' && what !== 'resolved' && !isSwitchedNotice(reason))
    .map(({ what, server, route = '', reason }) =>
      what.startsWith('route') || what === 'warning' ? `${what} ${route} ${reason}` : `${what} ${server}`,
    );
}

async function metric(balancer: Balancer, line: RegExp): Promise<string[]> {
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  const text = await exposition.text();
  exposition.close();
  return text.split('\n').filter((one) => line.test(one));
}

t.test('events name a route that loses its last server, and when it has one again', async (t) => {
  const { balancer } = await startBalancer(t, TWO_HOSTS);
  balancer.setAvailability('a', 'draining');
  await until(() => story(balancer).includes('drained a'));
  t.strictSame(story(balancer), ['availability a', 'drained a'], 'shop has another one');
  balancer.setAvailability('b', 'maintenance');
  await until(() => story(balancer).includes('drained b'));
  t.strictSame(story(balancer).slice(2), [
    'availability b',
    'route_down shop a is draining, b is in maintenance',
    'drained b',
  ]);
  const { routes, servers, ready } = balancer.status();
  t.match(routes, [
    { name: 'shop', downSince: Number },
    { name: 'blog', downSince: null },
  ]);
  t.strictSame(
    servers.map(({ name, routesDown }) => [name, routesDown]),
    [
      ['a', ['shop']],
      ['b', ['shop']],
      ['c', []],
    ],
  );
  t.equal(ready, true, 'others can be served');
  t.strictSame(await metric(balancer, /^lb_route|^lb_ready/), [
    'lb_ready 1',
    'lb_route_up{route="shop"} 0',
    'lb_route_up{route="blog"} 1',
    'lb_route_usable_servers{route="shop"} 0',
    'lb_route_usable_servers{route="blog"} 1',
  ]);
  balancer.setWeight('c', 0);
  t.match(story(balancer).at(-1), 'route_down blog b is in maintenance, c has weight 0');
  t.match(balancer.status(), {
    ready: false,
    readyReasons: [
      'shop has no usable server: a is draining, b is in maintenance',
      'blog has no usable server: b is in maintenance, c has weight 0',
    ],
  });
  balancer.setAvailability('b', 'ready');
  t.match(story(balancer).slice(-3), [
    'availability b',
    /^route_up shop after \d+ m?s$/,
    /^route_up blog after/,
  ]);
  t.match(balancer.status(), { ready: true, routes: [{ downSince: null }, { downSince: null }] });
});

t.test('the event of a route follows that of the server it lost, by a check or a request', async (t) => {
  let status = '200 OK';
  const checked = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    connection.end();
  });
  const settings = {
    health_check: { interval: '1s', fall: 1, rise: 1, address: checked.address },
    hosts: [
      { host: 'shop', servers: [server('a')] },
      { host: 'blog', servers: [server('c')], health_check: false as const },
    ],
  };
  const { balancer, clock, seen } = await startBalancer(t, settings, { manual: true });
  status = '500 Broken';
  clock.advance(1500);
  await seen.when(({ stateChanges }) => stateChanges.includes('down a status 500'));
  t.strictSame(story(balancer), ['down a', 'route_down shop a is down']);
  status = '200 OK';
  await until(
    () => seen.stateChanges.includes('up a'),
    'the server is up again',
    () => {
      clock.advance(1000);
      return turns();
    },
  );
  t.match(story(balancer).slice(-2), ['up a', /^route_up shop after \d+ m?s$/]);
  t.equal(balancer.status().routes[1]?.downSince, null, 'nobody checks c');
});

t.test('a backup server that can be used keeps its route up', async (t) => {
  const { balancer } = await startBalancer(t, { servers: [server('a'), server('b', { backup: true })] });
  balancer.setAvailability('a', 'maintenance');
  t.notMatch(story(balancer).join(), 'route_down');
  balancer.setAvailability('b', 'draining');
  t.match(story(balancer).join(), 'route_down default a is in maintenance, b is draining');
});

t.test(
  'a reload that removes the last server of a route, or adds one, emits an event of the route',
  async (t) => {
    const { balancer } = await startBalancer(t, TWO_HOSTS);
    const [shop, blog] = TWO_HOSTS.hosts as [(typeof TWO_HOSTS.hosts)[0], (typeof TWO_HOSTS.hosts)[0]];
    const none = { ...TWO_HOSTS, hosts: [{ ...shop, servers: [server('a', { weight: 0 })] }, blog] };
    await balancer.reload(createConfig(none));
    t.ok(story(balancer).includes('route_down shop a has weight 0'), story(balancer).join('; '));
    await balancer.reload(createConfig(none));
    t.equal(story(balancer).filter((line) => line.startsWith('route_down')).length, 1, 'once');
    await balancer.reload(createConfig(TWO_HOSTS));
    t.match(story(balancer).at(-1), /^route_up shop after/);
    balancer.setAvailability('c', 'draining');
    balancer.setAvailability('b', 'draining');
    await balancer.reload(createConfig({ ...TWO_HOSTS, hosts: [shop] }));
    t.notMatch(story(balancer).slice(-2).join(), 'route_up blog', 'a route that is gone is told nothing of');
    t.equal(balancer.status().routes.length, 1);
  },
);

t.test('a route without a server at the start is reported then', async (t) => {
  const { balancer } = await startBalancer(t, { servers: [server('a', { weight: 0 })] });
  t.strictSame(story(balancer), ['route_down default a has weight 0']);
});

t.test('a route whose servers are not checked yet is reported after the first check', async (t) => {
  const dead = await deadAddress();
  const live = await startRawServer(answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  t.teardown(() => live.close());
  const { balancer, clock, seen } = await startBalancer(
    t,
    {
      health_check: { interval: '1s', initial: 'unknown' },
      hosts: [
        { host: 'dead', servers: [{ name: 'a', address: dead }] },
        { host: 'live', servers: [{ name: 'b', address: live.address }] },
      ],
    },
    { manual: true },
  );
  t.strictSame(story(balancer), []);
  clock.advance(1000);
  await seen.when(({ stateChanges }) => stateChanges.length === 2);
  clock.advance(1200);
  t.strictSame(story(balancer).toSorted(), ['down a', 'route_down dead a is down', 'up b']);
});

t.test('of thousands of routes that lose their last server at once a few are named', async (t) => {
  const hosts = Array.from({ length: 3000 }, (_, i) => ({ host: `h${i}`, servers: [server('a')] }));
  const { balancer } = await startBalancer(t, { hosts });
  balancer.setAvailability('a', 'maintenance');
  const down = story(balancer).filter((line) => line.startsWith('route_down'));
  t.equal(down.length, 20);
  t.match(
    story(balancer).join('\n'),
    /warning {2}2980 more routes have no server that takes requests either/,
  );
  t.equal(balancer.status().readyReasons.length, 21);
  balancer.setAvailability('a', 'ready');
  t.equal(story(balancer).filter((line) => line.startsWith('route_up')).length, 20);
  t.equal(balancer.status().ready, true);
});

t.test('an ejected server that is called back as no other is left leaves its route up', async (t) => {
  const [a, b] = await namedOrigins(t, 'a', 'b');
  const { balancer, connect, seen } = await startBalancer(t, {
    passive_health: { consecutive_failures: 1, eject_for: '1m' },
    retry: false,
    servers: [
      { name: 'a', address: a!.address },
      { name: 'b', address: b!.address },
    ],
  });
  await a!.server.close();
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.response();
  }
  await seen.when(({ stateChanges }) => stateChanges.some((change) => change.startsWith('ejected a')));
  balancer.setAvailability('b', 'maintenance');
  t.notMatch(story(balancer).join(), 'route_down');
  t.equal(balancer.status().ready, true);
});

t.test('a refused change does not suppress the event of a route that goes down', async (t) => {
  const one = await startRawServer(answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  t.teardown(() => one.close());
  const health_check = { interval: '1s', fall: 1, path: '/' };
  const { balancer, clock, seen } = await startBalancer(
    t,
    { servers: [one.address], health_check },
    { manual: true },
  );
  clock.advance(1100);
  await seen.when(({ checks }) => checks.length > 0);
  t.throws(() => balancer.setWeight('nope', 3), { code: 'unknown_server' });
  await one.close();
  clock.advance(3000);
  await seen.when(({ stateChanges }) => stateChanges.length > 0);
  await turns();
  t.match(
    balancer.events().filter(({ what }) => what === 'route_down'),
    [{ route: 'default' }],
  );
});
