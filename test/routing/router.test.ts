import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { Router } from '../../lib/routing/router.js';
import { requestHead, viewOf } from '../http/heads.js';
import { countSteps } from '../support/steps.js';

/** Returns the name of the route of a request, with its captures if there are any. */
function routing(settings: Settings): (host: string, target?: string, ...fields: string[]) => string | null {
  const router = Router.of(createConfig(settings), (route) => route.name);
  return (host, target = '/', ...fields) => {
    const found = router.resolve(viewOf(target, [`Host: ${host}`, ...fields]));
    if (found === null) return null;
    return [found.attached, ...found.captures.slice(1)].join(' ');
  };
}

const servers = ['localhost:1'];

t.test('a host is found by its exact name, then by the longest wildcard', async (t) => {
  const route = routing({
    servers,
    hosts: [
      { host: '*.mango.com', servers },
      { host: ['www.mango.com', 'mango.com'], servers },
      { host: '*.img.mango.com', servers },
    ],
  });
  t.equal(route('www.mango.com'), 'www.mango.com');
  t.equal(route('WWW.MANGO.COM.:8080'), 'www.mango.com');
  t.equal(route('mango.com'), 'www.mango.com');
  t.equal(route('a.mango.com'), '*.mango.com');
  t.equal(route('b.a.mango.com'), '*.mango.com');
  t.equal(route('img.mango.com'), '*.mango.com');
  t.equal(route('a.img.mango.com'), '*.img.mango.com');
  t.equal(route('xmango.com'), 'default');
  t.equal(route('.mango.com'), 'default');
  t.equal(route('other.test'), 'default');
});

t.test(
  'a host without a name of its own is found by the first expression, and its groups are captures',
  async (t) => {
    const route = routing({
      servers,
      hosts: [
        { host: '~ ^([a-z]+)\\.apps\\.test$', servers, paths: [{ path: '/x', servers }] },
        { host: '~* ^SHOP[0-9]+\\.', servers, paths: [{ path: '~ ^/(\\d+)', servers }] },
        { host: '~ \\.test$', servers },
        { host: 'www.apps.test', servers },
        { host: '*.b.test', servers },
      ],
    });
    t.equal(route('mango.apps.test'), '~ ^([a-z]+)\\.apps\\.test$ mango');
    t.equal(
      route('MANGO.apps.TEST.:8080'),
      '~ ^([a-z]+)\\.apps\\.test$ mango',
      'in lower case, without port and dot',
    );
    t.equal(route('mango.apps.test', '/x/y'), '~ ^([a-z]+)\\.apps\\.test$ /x mango', 'also within a path');
    t.equal(route('www.apps.test'), 'www.apps.test', 'the exact name is first');
    t.equal(route('mango.b.test'), '*.b.test', 'then the wildcard');
    t.equal(route('shop12.test'), '~* ^SHOP[0-9]+\\.', 'in the order of the file');
    t.equal(route('shop12.test', '/42'), '~* ^SHOP[0-9]+\\. ~ ^/(\\d+) 42');
    t.equal(route('9.apps.test'), '~ \\.test$');
    t.equal(route('other.example'), 'default');
  },
);

t.test('an expression for hosts takes time linear in the length of a host', async (t) => {
  const router = Router.of(
    createConfig({ hosts: [{ host: '~ ^(?:(?:[a-z]+)+)+\\.x$', servers }] }),
    (route) => route.name,
  );
  const longest = viewOf('/', [`Host: ${'a'.repeat(7000)}`]);
  const begin = process.cpuUsage();
  t.equal(router.resolve(longest), null);
  const { user } = process.cpuUsage(begin);
  t.ok(user < 1_000_000, `${user} µs`);
});

t.test('a request that matches nothing has no route', async (t) => {
  const route = routing({ hosts: [{ host: 'a.test', servers }], paths: [{ path: '/b', servers }] });
  t.equal(route('b.test'), null);
  t.equal(route('a.test', '/b'), 'a.test');
  t.equal(route('b.test', '/b'), '/b');
});

t.test('a path is found exactly, then by a pattern in order, then by the longest prefix', async (t) => {
  const route = routing({
    paths: [
      { path: '/', servers },
      { path: '/img', servers },
      { path: '/img/big', servers },
      { path: '= /img/big', servers },
      { path: '~ \\.(png|jpe?g)$', servers },
      { path: '~ ^/img/.*\\.png$', servers },
    ],
  });
  t.equal(route('a', '/'), '/');
  t.equal(route('a', '/images'), '/');
  t.equal(route('a', '/img'), '/img');
  t.equal(route('a', '/img/'), '/img');
  t.equal(route('a', '/img/bigger'), '/img');
  t.equal(route('a', '/img/big'), '= /img/big');
  t.equal(route('a', '/img/big/'), '/img/big');
  t.equal(route('a', '/img/big/x/y'), '/img/big');
  t.equal(route('a', '//%69mg/./big/x'), '/img/big');
  t.equal(route('a', '/img/big/a.png'), '~ \\.(png|jpe?g)$ png');
});

t.test('conditions are tried before paths, and a path may have conditions of its own', async (t) => {
  const route = routing({
    hosts: [
      {
        host: 'a.test',
        servers,
        routes: [{ match: { header: { 'User-Agent': '/Android|iPhone/i' } }, servers }],
        paths: [
          {
            path: '/shop',
            servers,
            routes: [
              { match: { method: 'POST' }, servers },
              { match: { param: { v: '1' } }, servers },
            ],
          },
        ],
      },
    ],
  });
  t.equal(route('a.test', '/shop'), 'a.test/shop');
  t.equal(route('a.test', '/shop?v=1'), 'a.test/shop#2');
  t.equal(route('a.test', '/x'), 'a.test');
  t.equal(route('a.test', '/shop', 'User-Agent: Mozilla (iphone)'), 'a.test#1');
});

t.test('captures of a path or condition are part of the match', async (t) => {
  const route = routing({
    servers,
    routes: [{ match: { path: '~ ^/old/(.*?)(-x)?$', header: { 'X-A': '*' } }, servers }],
    paths: [{ path: '~ ^/v(\\d)/', servers, routes: [{ match: { path: '~ /n$' }, servers }] }],
  });
  t.equal(route('a', '/old/caf%C3%A9', 'X-A: 1'), 'default#1 café ');
  t.equal(route('a', '/v2/n'), '~ ^/v(\\d)/#1 2');
  t.equal(route('a', '/v3/m'), '~ ^/v(\\d)/ 3');
});

t.test('OPTIONS * matches only routes for all paths', async (t) => {
  const options = requestHead('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
  const view = viewOf('/');
  view.load(options, '::1');
  const router = (settings: Settings) => Router.of(createConfig(settings), () => null);
  t.equal(router({ paths: [{ path: '/a', servers }] }).resolve(view), null);
  t.equal(router({ paths: [{ path: '/', servers }] }).resolve(view)?.route.name, '/');
});

t.test('attach is called once for every route', async (t) => {
  const config = createConfig({ servers, hosts: [{ host: ['a.test', 'b.test'], servers }] });
  let attached = 0;
  const router = Router.of(config, () => ({ number: attached++ }));
  t.equal(attached, 2);
  const a = router.resolve(viewOf('/', ['Host: a.test']));
  const b = router.resolve(viewOf('/x', ['Host: b.test']));
  t.equal(a, b, 'without captures all matches are one object');
});

t.test('with ten thousand hosts and a thousand paths a search takes as many steps as with ten', async (t) => {
  const small = await steps(10, 10);
  t.ok(small > 20 && small < 500, String(small));
  t.equal(await steps(10_000, 1000), small);
});

/** How many steps in lib/routing some requests take with so many hosts and paths. */
async function steps(hosts: number, paths: number): Promise<number> {
  const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  // All of the same length, as suffixes longer than the longest one are not looked up.
  const name = (i: number) => `h${String(i).padStart(5, '0')}`;
  const router = Router.of(
    createConfig({
      servers,
      hosts: [
        ...many(hosts, (i) => ({ host: `${i % 2 ? '' : '*.'}${name(i)}.test`, servers })),
        { host: 'paths.test', servers, paths: many(paths, (i) => ({ path: `/a/p${i}`, servers })) },
      ],
    }),
    () => null,
  );
  const views = [
    viewOf('/a/p9/x/y', ['Host: paths.test']),
    viewOf('/', ['Host: a.b.h00008.test']),
    viewOf('/', ['Host: a.b.h99999.test']),
  ];
  return await countSteps('routing', () => {
    for (const view of views) router.resolve(view);
  });
}

t.test('a route for a language serves clients that prefer it to all others offered', async (t) => {
  const unsaid = routing({
    hosts: [{ host: 'a', servers, routes: [{ match: { language: 'fr' }, servers }] }],
  });
  for (const [accepted, expected] of [
    ['fr', 'a#1'],
    ['fr-CA,fr;q=0.9,en;q=0.8', 'a#1'],
    ['en-US,en;q=0.9,fr;q=0.5', 'a'],
    ['en-US,en;q=.9,fr;q=.5', 'a'],
    ['de,fr;q=0.5', 'a'],
  ] as const)
    t.equal(unsaid('a', '/', `Accept-Language: ${accepted}`), expected, accepted);
  t.equal(unsaid('a'), 'a');
});

t.test(
  'the language of a route without a condition can be declared, and applies to its inner routes',
  async (t) => {
    const routes = [{ match: { language: 'fr' }, servers }];
    const route = routing({
      language: 'en',
      servers,
      routes,
      hosts: [
        { host: 'en.test', servers, routes },
        { host: 'de.test', language: ['de', 'nl'], servers, routes },
        { host: 'paths.test', servers, paths: [{ path: '/p', routes }] },
        { host: 'own.test', servers, paths: [{ path: '/p', language: 'de', routes }] },
      ],
    });
    for (const [host, german, english] of [
      ['any.test', 'default#1', 'default'],
      ['en.test', 'en.test#1', 'en.test'],
      ['de.test', 'de.test', 'de.test#1'],
      ['paths.test', 'paths.test/p#1', 'paths.test/p'],
      ['own.test', 'own.test/p', 'own.test/p#1'],
    ] as const) {
      t.equal(route(host, '/p', 'Accept-Language: de,fr;q=0.5'), german, host);
      t.equal(route(host, '/p', 'Accept-Language: en,fr;q=0.5'), english, host);
    }
  },
);
