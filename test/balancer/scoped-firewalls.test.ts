import t, { type Test } from 'tap';
import type { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { origin, readRequest } from '../support/origin.js';

type Settings = NonNullable<Parameters<typeof createConfig>[0]>;

/** Guards that let nobody in from here. */
const CLOSED = { ip_allow: ['192.0.2.1'] };

/** Asks for one target after the other over one connection; `ask` gives the status. */
async function asking(t: Test, settings: (server: string) => Settings) {
  const server = await origin(t, async (connection) => {
    for (;;) {
      await readRequest(connection);
      await connection.write('HTTP/1.1 204 No Content\r\n\r\n');
    }
  });
  const started = await startBalancer(t, settings(server.address));
  return {
    ...started,
    ask: async (target: string, host = 'a.test'): Promise<number> => {
      const client = await started.connect();
      client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const { status } = await client.response();
      client.destroy();
      return status;
    },
  };
}

/** Targets that some server takes for /private or for something below it. */
const PRIVATE = [
  '/private',
  '/private/',
  '/private/x',
  '/%70rivate',
  '//private',
  '/./private',
  '/x/../private',
  '/;/private',
  '/;a=b/private',
  '/.;/private',
  '/.;x/private',
  '/x/..;/private',
  '/x/..;a/private/y',
  '/x/%2e%2e;/private',
  '/private;x',
  '/private;x/y',
  '/private;',
  '/private%3bx',
  '/private%20',
  '/private%09',
  '/private.',
  '/private./x',
  '/private%20/x',
  '/%5cprivate',
  '/a%5c..%5cprivate',
  '/a/..%5cprivate',
  '/%2570rivate',
  '/%252570rivate',
  '/x%252f..%252fprivate',
  '/x/%252e%252e/private',
  '/private%2500.jpg',
  '/private%253fx',
  '/private/../public',
];

/** Targets that nobody takes for it. */
const PUBLIC = [
  '/',
  '/public',
  '/privat',
  '/privates',
  '/a;b/c',
  '/a%20b',
  '/a.b',
  '/x/../y',
  '/Private',
  '/a%5cb',
];

const PLACES: readonly (readonly [what: string, settings: (server: string) => Settings])[] = [
  [
    'a path of the file',
    (server) => ({
      paths: [{ path: '/private', servers: [server], firewall_rules: CLOSED }],
      servers: [server],
    }),
  ],
  [
    'a path of a host',
    (server) => ({
      hosts: [{ host: 'a.test', servers: [server], paths: [{ path: '/private', firewall_rules: CLOSED }] }],
    }),
  ],
  [
    'a route that asks for a path',
    (server) => ({
      routes: [{ match: { path: '/private' }, servers: [server], firewall_rules: CLOSED }],
      servers: [server],
    }),
  ],
  [
    'a route inside a path',
    (server) => ({
      paths: [
        {
          path: '/private',
          servers: [server],
          routes: [{ match: { method: 'GET' }, servers: [server], firewall_rules: CLOSED }],
        },
      ],
      servers: [server],
    }),
  ],
  [
    'a regular expression',
    (server) => ({
      paths: [{ path: '~ ^/private(/|$)', servers: [server], firewall_rules: CLOSED }],
      servers: [server],
    }),
  ],
  [
    'a path that nobody is let into by its answer',
    (server) => ({ paths: [{ path: '/private', respond: { status: 403 } }], servers: [server] }),
  ],
];

for (const [what, settings] of PLACES) {
  t.test(`the guards of ${what} are met in every reading of the path`, async (t) => {
    const { ask } = await asking(t, settings);
    for (const target of PRIVATE) t.equal(await ask(target), 403, target);
    for (const target of PUBLIC) t.equal(await ask(target), 204, target);
  });
}

t.test('the guards of an exact path are met with a slash more or less, and in other readings', async (t) => {
  const { ask } = await asking(t, (server) => ({
    paths: [
      { path: '= /login', servers: [server], firewall_rules: CLOSED },
      { path: '= /in/', servers: [server], firewall_rules: CLOSED },
      { path: '= /open', servers: [server], firewall_rules: CLOSED },
      { path: '= /open/', servers: [server] },
    ],
    servers: [server],
  }));
  for (const target of [
    '/login',
    '/login/',
    '/login;x',
    '/login%20',
    '/;/login/',
    '/in',
    '/in/',
    '/in;a',
    '/open',
  ])
    t.equal(await ask(target), 403, target);
  for (const target of ['/login/x', '/logins', '/', '/in/x']) t.equal(await ask(target), 204, target);
  t.equal(await ask('/open/'), 204, 'written down as it came');
});

t.test('an exact path that is let in stays so inside a guarded path', async (t) => {
  const { ask } = await asking(t, (server) => ({
    paths: [
      { path: '/private', servers: [server], firewall_rules: CLOSED },
      { path: '= /private/login', servers: [server] },
      { path: '/private/public', servers: [server] },
    ],
    servers: [server],
  }));
  t.equal(await ask('/private/login'), 204);
  t.equal(await ask('/private/public/x'), 204);
  t.equal(await ask('/private/public/'), 204);
  t.equal(await ask('/private/public/..;/x'), 403);
  t.equal(await ask('/private/login;x'), 403, 'another path, which is guarded');
});

t.test('a host has the guards of its own paths, and no others', async (t) => {
  const { ask } = await asking(t, (server) => ({
    hosts: [
      { host: 'a.test', servers: [server], paths: [{ path: '/private', firewall_rules: CLOSED }] },
      { host: 'b.test', servers: [server] },
    ],
  }));
  t.equal(await ask('/;/private'), 403);
  t.equal(await ask('/;/private', 'b.test'), 204);
});

t.test('the guards of the rest of a scope meet other readings of a path that is let through', async (t) => {
  const { ask } = await asking(t, (server) => ({
    hosts: [
      {
        host: 'a.test',
        respond: { status: 403 },
        paths: [{ path: '/public', servers: [server] }],
      },
      {
        host: 'b.test',
        routes: [{ match: { path: '/public' }, servers: [server] }],
        paths: [{ path: '/', servers: [server], firewall_rules: CLOSED }],
      },
    ],
  }));
  for (const host of ['a.test', 'b.test']) {
    t.equal(await ask('/public/x', host), 204);
    t.equal(await ask('/public/x;y', host), 204);
    t.equal(await ask('/public/..;/admin', host), 403);
    t.equal(await ask('/public/..%5cadmin', host), 403);
  }
});

t.test('guards that stand before both readings are asked as ever', async (t) => {
  const { ask } = await asking(t, (server) => ({
    hosts: [
      {
        host: 'a.test',
        servers: [server],
        firewall_rules: { rate_limit: { requests: 5, per: '1h', burst: 5 } },
        paths: [{ path: '/api' }, { path: '/files' }],
      },
    ],
  }));
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push(await ask('/x/..;/api'));
  t.same(statuses, [204, 204, 204, 204, 204, 429]);
});

t.test('a guarded regular expression is met in a path of whatever length', async (t) => {
  const { ask } = await asking(t, (server) => ({
    limits: { uri_bytes: '32kb', header_bytes: '64kb' },
    paths: [{ path: '~ ^/private', servers: [server], firewall_rules: CLOSED }],
    servers: [server],
  }));
  t.equal(await ask(`/private/${'a'.repeat(9000)}`), 403);
  t.equal(await ask(`/;/private/${'a'.repeat(3000)}`), 403);
  t.equal(await ask(`/public/${'a'.repeat(3000)}`), 204);
});

t.test(
  'the log names who would have been asked, and it is counted there; observing only counts',
  async (t) => {
    const settings =
      (mode: 'enforce' | 'observe') =>
      (server: string): Settings => ({
        paths: [{ path: '/private', servers: [server], firewall_rules: { ...CLOSED, mode } }],
        servers: [server],
      });
    const { ask, seen, balancer } = await asking(t, settings('enforce'));
    t.equal(await ask('/private;x'), 403);
    const { reason, detail, route } = await seen.request();
    t.same([reason, detail, route], ['blocked_path', 'firewall_rules of /private: other_reading', 'default']);
    const last = (one: typeof balancer) => one.status().firewall[0]?.verdicts.at(-1);
    await until(() => last(balancer)?.guard === 'other_reading');
    t.same(last(balancer), {
      guard: 'other_reading',
      refused: 1,
      observed: 0,
    });
    const observed = await asking(t, settings('observe'));
    t.equal(await observed.ask('/private;x'), 204);
    await until(() => last(observed.balancer)?.guard === 'other_reading');
    t.same(last(observed.balancer), {
      guard: 'other_reading',
      refused: 0,
      observed: 1,
    });
  },
);

nothingIsLeft(t);
