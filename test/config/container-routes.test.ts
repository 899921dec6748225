import t from 'tap';
import { loadConfig } from '../../lib/config/config.js';
import type { Config, ContainerRoute, RouteTerms } from '../../lib/config/types.js';

const TERMS: RouteTerms = {
  check: null,
  checkInterval: null,
  algorithm: null,
  sticky: null,
  stripPrefix: false,
  preserveHost: true,
  isSecure: false,
  isVerified: true,
};

function route(text: string, terms: Partial<RouteTerms> = {}): ContainerRoute {
  const at = text.indexOf('/');
  const host = text === '*' || at === 0 ? null : at < 0 ? text : text.slice(0, at).trim();
  return {
    route: text,
    host,
    path: at < 0 ? null : text.slice(at),
    by: 'mango-1',
    terms: { ...TERMS, ...terms },
  };
}

function load(text: string, ...routes: readonly ContainerRoute[]) {
  const result = loadConfig(text, { routes, needsRoute: true });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const refused = result.refusedRoutes.map(({ route, by, reason }) => `${by}: ${route}: ${reason}`);
  return { config: result.config, refused, warnings: result.warnings };
}

/** Each route with its sources and servers. */
function shape({ hosts, rest }: Config): string[] {
  const scopes = [...hosts.map(({ scope }) => scope), rest];
  const routes = scopes.flatMap(({ fallback, paths }) => [
    fallback,
    ...paths.map(({ scope }) => scope.fallback),
  ]);
  return routes.flatMap((one) =>
    one?.action.kind !== 'forward'
      ? []
      : [
          `${one.name}: ${[
            ...one.action.group.servers.map(({ name }) => name),
            ...one.action.group.providers.map(({ text }) => text),
          ].join(' ')}`,
        ],
  );
}

t.test(
  'routes of containers are added to those of the file, which is still right about its lines',
  async (t) => {
    const text = `docker: true
servers: [localhost:1]
hosts:
  - host: a.test
    servers: [localhost:2]
  - host: [b.test, B2.test.]
    servers: [localhost:3]
    paths: [{ path: /own, servers: [localhost:4] }]
`;
    const before = load(text).config;
    const { config, refused } = load(
      text,
      route('a.test/api'),
      route('c.test'),
      route('c.test/api'),
      route('/img'),
    );
    t.same(shape(config), [
      'a.test: localhost:2',
      'a.test/api: docker route a.test/api',
      'b.test: localhost:3',
      'b.test/own: localhost:4',
      // What the file says of all requests, which no request for this host meets.
      'c.test: localhost:1',
      'c.test/: docker route c.test',
      'c.test/api: docker route c.test/api',
      'default: localhost:1',
      '/img: docker route /img',
    ]);
    t.same(refused, []);
    t.equal(config.hosts[1]?.scope.fallback?.line, 6);
    t.equal(config.hosts[2]?.scope.fallback?.line, 0);
    t.same(load(text).config, before, 'the settings of the file are left as they are');
  },
);

t.test('a container gets no requests for a host that it does not name', async (t) => {
  const text =
    'docker: true\nhosts: [{ host: [a.test, B.test.], paths: [{ path: /own, servers: [localhost:4] }] }]';
  const { config, refused } = load(text, route('b.test/api'), route('b.test'), route('c.test'));
  t.same(shape(config), ['a.test/own: localhost:4', 'c.test/: docker route c.test']);
  const reason = 'the settings file has b.test in one entry with a.test: give it an entry of its own';
  t.same(refused, [`mango-1: b.test/api: ${reason}`, `mango-1: b.test: ${reason}`]);
});

t.test('the file takes precedence', async (t) => {
  const text = `docker: true
servers: [localhost:1]
paths: [{ path: /img/, redirect: { to: / } }]
hosts:
  - { host: a.test, respond: {} }
`;
  const { config, refused } = load(text, route('*'), route('a.test'), route('/img'), route('b.test'));
  t.same(refused, [
    'mango-1: *: the settings file has servers for all requests',
    'mango-1: a.test: the settings file has respond for a.test',
    'mango-1: /img: the settings file has /img',
  ]);
  t.same(shape(config), ['b.test: localhost:1', 'b.test/: docker route b.test', 'default: localhost:1']);
});

t.test('labels come to settings', async (t) => {
  const { config } = load(
    'docker: true\nhealth_check: { interval: 9s, path: /up }',
    route('a.test/api', {
      check: '/healthz',
      algorithm: 'least_connections',
      sticky: 'lb',
      stripPrefix: true,
      preserveHost: false,
      isSecure: true,
      isVerified: false,
    }),
    route('a.test', { checkInterval: '2s' }),
    route('*'),
  );
  const [host] = config.hosts;
  const api = host?.scope.paths[0]?.scope.fallback;
  t.match(api, {
    action: {
      group: {
        algorithm: { name: 'least_connections' },
        healthCheck: { path: '/healthz', interval: 9000 },
        providers: [
          { terms: { tls: { verify: false } }, source: { choice: { kind: 'route', route: 'a.test/api' } } },
        ],
      },
    },
    sticky: { kind: 'cookie', name: 'lb' },
    rules: { host: 'server', path: [{ kind: 'strip_prefix', prefix: '/api' }] },
  });
  t.match(host?.scope.paths[1]?.scope.fallback, {
    action: { group: { healthCheck: { path: '/up', interval: 2000 } } },
    rules: { host: 'client', path: [] },
    sticky: null,
  });
  t.match(config.rest.paths[0]?.scope.fallback, { rules: { host: 'client' } });
});

t.test('a route that makes no sense is left out, with the reason, and harms no other', async (t) => {
  const bad = { ...route('x.test'), host: 'x..test' };
  const { config, refused } = load('docker: true', route('a.test'), bad, route('b.test'));
  t.same(shape(config), ['a.test/: docker route a.test', 'b.test/: docker route b.test']);
  t.match(refused, [/^mango-1: x\.test: expected a host such as/]);

  const everything = { ...route('/'), route: '~ .*', path: '~ .*' };
  const all = load('docker: true\nservers: [localhost:1]', route('a.test'), everything);
  t.same(shape(all.config), ['a.test: localhost:1', 'a.test/: docker route a.test', 'default: localhost:1']);
  t.match(all.refused, [/^mango-1: ~ \.\*: never reached/], 'it would be in the way of the file');
});

t.test('a file with a mistake is refused for that, whatever containers ask for', async (t) => {
  const result = loadConfig('docker: true\nhosts: [{ host: a.test, servers: [nonsense] }]', {
    routes: [route('b.test')],
  });
  t.match(result, { ok: false, problems: [{ path: 'hosts[0].servers[0]' }] });
  t.match(loadConfig('', { needsRoute: true }), { ok: false });
  t.match(loadConfig('docker: true', { needsRoute: true }), { ok: true }, 'routes may come later');
});
