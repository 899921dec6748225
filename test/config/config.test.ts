// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { WorkBudget } from '../../lib/base/work-budget.js';
import { createConfig, type LoadOptions, type LoadResult, loadConfig } from '../../lib/config/config.js';
import type { Problem } from '../../lib/config/problems.js';
import { compileRegex } from '../../lib/config/regex.js';
import { lineIn } from '../../lib/config/sources.js';
import type { Config } from '../../lib/config/types.js';

function load(text: string, options: LoadOptions = {}): Config {
  const result = loadConfig(text, { env: {}, ...options });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

function refuse(text: string): readonly Problem[] {
  const result = loadConfig(text, { env: {} });
  if (result.ok) throw new Error('accepted');
  return result.problems;
}

t.test('an empty file has every default', async (t) => {
  t.same(load(''), createConfig());
  t.same(load('# only a comment\n'), createConfig());
  t.same(load('~'), createConfig());
  t.same(load('--- {}'), createConfig());
});

t.test('the command line is laid over the file', async (t) => {
  const text = 'listen: 8080\nservers: [localhost:1]\nhealth_check: { path: /a, interval: 9s }\n';
  const config = load(text, {
    overrides: { listen: 9090, servers: ['localhost:2', 'localhost:3'], health_check: { path: '/b' } },
  });
  t.match(config.listen, [{ address: { port: 9090 } }]);
  t.same(
    config.servers.map(({ name }) => name),
    ['localhost:2', 'localhost:3'],
  );
  t.match(config.healthCheck, { path: '/b', interval: 9000 });
});

t.test('a setting that the command line overrides is not reported', async (t) => {
  t.match(load('listen: nonsense\n', { overrides: { listen: 9090 } }).listen, [{ address: { port: 9090 } }]);
});

t.test('a setting that is undefined overrides nothing', async (t) => {
  t.match(load('listen: 9090\n', { overrides: { listen: undefined } as object }).listen, [
    { address: { port: 9090 } },
  ]);
});

t.test('a bad setting of the command line has no line', async (t) => {
  const result = loadConfig('listen: 8080\n', { overrides: { servers: ['localhost'] } });
  t.match(result, { ok: false, problems: [{ line: 0, path: 'servers[0]' }] });
});

t.test('a program can pass settings without YAML', async (t) => {
  const config = createConfig({ listen: 0, servers: ['localhost:5001'], health_check: false });
  t.equal(config.healthCheck, null);
  t.match(config.servers, [{ name: 'localhost:5001' }]);
  t.throws(() => createConfig({ servers: ['localhost', 'ftp://x:1'] }), {
    name: 'TypeError',
    message: /^bad settings:\nservers\[0\]: .*\n\nservers\[1\]: /,
  });
  t.throws(() => createConfig({ frob: 1 } as object), { message: /frob: unknown key/ });
});

t.test('a configuration is frozen to its depth', async (t) => {
  const config = load('servers: [localhost:5001]\n');
  t.throws(() => Object.assign(config.timeouts, { connect: 1 }), TypeError);
  t.throws(() => Object.assign(config.servers[0]!, { name: 'x' }), TypeError);
});

t.test('every kind of problem is found in one run', async (t) => {
  const problems = refuse('listen: ${NONE}\nfrob: 1\nservers: [localhost]\nlimits: { headers: no }\n');
  t.same(
    problems.map(({ line, path }) => `${line} ${path}`),
    ['1 listen', '2 frob', '3 servers[0]', '4 limits.headers'],
  );
});

t.test('a server named in one list has its name in all', async (t) => {
  const config = load('servers: [{ address: localhost:5001, name: big }]\n');
  t.match(config.servers, [{ name: 'big', address: { port: 5001 } }]);
});

t.test('numbers stay text where a digit would be lost', async (t) => {
  const problems = refuse('health_check: { rise: 02, fall: 1e1 }\n');
  t.match(problems, [{ message: /got "02"$/ }, { message: /got "1e1"$/ }]);
});

t.test('a thousand mistakes are all reported, quickly', async (t) => {
  const text = `servers:\n${'  - localhost\n'.repeat(5000)}`;
  const started = processorTime();
  const problems = refuse(text);
  t.equal(problems.length, 5000);
  t.ok(processorTime() - started < 2000);
});

t.test('what ten thousand hosts have in common is written once and merged into each', async (t) => {
  const shared = 'x-shop: &shop { algorithm: random, retry: { attempts: 1 }, timeouts: { connect: 1s } }\n';
  const hosts = Array.from(
    { length: 10_000 },
    (_, n) => `  - { <<: *shop, host: h${n}.example.com, servers: [localhost:1] }\n`,
  );
  const config = load(`${shared}hosts:\n${hosts.join('')}`);
  t.equal(config.hosts.length, 10_000);
  t.match(config.groups.at(-1), { algorithm: { name: 'random' } });
});

t.test('a program may have x- keys in its settings too', async (t) => {
  t.same(createConfig({ 'x-anything': { any: 'thing' } } as object), createConfig());
});

t.test('files are included within bounds: none by itself, none too deep', async (t) => {
  const directory = t.testdir({
    'loop.yaml': 'include: lo?p.yaml\nservers: [localhost:1]\n',
    'one.yaml': 'include: two.yaml\n',
    'two.yaml': 'include: one.yaml\n',
    ...Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`deep${n}.yaml`, `include: deep${n + 1}.yaml\n`]),
    ),
  });
  const read = (name: string): LoadResult => {
    const file = join(directory, name);
    return loadConfig(readFileSync(file, 'utf8'), { env: {}, file });
  };
  t.match(read('loop.yaml'), { ok: true, config: { included: [] } }, 'a pattern that fits the file itself');
  t.match(read('one.yaml'), {
    problems: [
      { file: join(directory, 'two.yaml'), line: 1, column: 10, message: 'one.yaml includes itself' },
    ],
  });
  t.match(read('deep0.yaml'), {
    problems: [{ file: join(directory, 'deep8.yaml'), message: 'files are nested deeper than 8' }],
  });
  t.throws(() => createConfig({ include: 'a.yaml' }), /include: works in a settings file only/);
});

t.test('lines of a configuration are numbered through, and lead back to file and line', async (t) => {
  const included = [
    { file: 'a.yaml', linesBefore: 10 },
    { file: 'b.yaml', linesBefore: 12 },
  ];
  t.same(lineIn(10, 'lb.yaml', included), { file: 'lb.yaml', line: 10 });
  t.same(lineIn(11, 'lb.yaml', included), { file: 'a.yaml', line: 1 });
  t.same(lineIn(13, 'lb.yaml', included), { file: 'b.yaml', line: 1 });
  t.same(lineIn(0, 'lb.yaml', included), { file: 'lb.yaml', line: 0 });
});

t.test('settings that routes share are one object', async (t) => {
  const { hosts, rest, groups } = load(`
servers: [localhost:1]
hosts:
  - host: a.example
    firewall_rules: { method_reject: TRACE }
    routes:
      - match: { method: POST }
        header_rules: { add: { X-A: b } }
`);
  const { routes, fallback } = hosts[0]!.scope;
  t.equal(groups.length, 1);
  t.equal(routes[0]!.route.firewalls[0], fallback!.firewalls[0]);
  for (const route of [routes[0]!.route, fallback!, rest.fallback!]) {
    t.equal(route.action.kind === 'forward' && route.action.group, groups[0]);
    t.equal(route.timeouts, rest.fallback!.timeouts);
  }
});

t.test('a regular expression of the settings is plain data, and compiles to what was written', async (t) => {
  const { rest } = load('servers: [localhost:1]\nrewrite_rules: { replace: { /a/: b } }\n');
  const [rule] = rest.fallback!.rules.path;
  const find = rule?.kind === 'replace' ? rule.edit.find : '';
  t.match(structuredClone(find), { source: 'a', ignoreCase: false });
  t.equal(
    typeof find === 'object' && compileRegex(find).replace('/a/a', new WorkBudget(), () => 'b'),
    '/b/b',
  );
});

t.test('a misspelt key does not make its place lead nowhere', async (t) => {
  const problems = refuse('hosts: [{ host: a.example, severs: [localhost:1] }]\n');
  t.same(
    problems.map(({ path }) => path),
    ['hosts[0].severs'],
  );
});

t.test('keys of the prototype are keys like others', async (t) => {
  const { rest } = load('servers: [localhost:1]\nheader_rules: { add: { __proto__: a, constructor: b } }\n');
  t.match(rest.fallback!.rules.headers, [{ name: '__proto__' }, { name: 'constructor' }]);
  t.same(
    refuse('__proto__: 1\nconstructor: 2\nlimits: { toString: 1 }\n').map(({ path }) => path),
    ['__proto__', 'constructor', 'limits.toString'],
  );
});

t.test('ten thousand hosts and networks load in a moment', async (t) => {
  const hosts = Array.from(
    { length: 10_000 },
    (_, n) => `  - { host: h${n}.example, servers: ["localhost:1"] }\n`,
  );
  const networks = Array.from({ length: 10_000 }, (_, n) => `    - 10.${n >> 8}.${n & 255}.0/24\n`);
  const text = `hosts:\n${hosts.join('')}firewall_rules:\n  ip_reject:\n${networks.join('')}`;
  const started = processorTime();
  const config = load(text);
  t.equal(config.hosts.length, 10_000);
  t.equal(config.firewall?.ipReject.length, 10_000);
  t.ok(processorTime() - started < 5000);
});

t.test(
  'a fixed response or a redirect for everything in front of servers is warned of, and servers are not',
  async (t) => {
    const servers = 'servers: [localhost:1]\nhosts:\n  - host: a\n    servers: [localhost:2]\n';
    const warned = (routes: string): readonly string[] => {
      const result = loadConfig(
        `${servers}    routes:\n${routes}    paths:\n      - path: /x\n        servers: [localhost:3]\n`,
      );
      if (!result.ok) return result.problems.map(({ line, message }) => `refused ${line} ${message}`);
      return result.warnings.map(({ line, message }) => `${line} ${message}`);
    };
    for (const action of ['respond: { status: 503 }', 'redirect: { to: /soon }']) {
      t.strictSame(warned(`      - match: { path: / }\n        ${action}\n`), [
        '4 never reached: everything is taken by line 6',
        '9 never reached: all it matches is taken by line 6',
      ]);
      t.match(
        warned(`      - match: { path: /x }\n        ${action}\n`)[0],
        /^refused 9 never reached: all it matches/,
      );
    }
    t.match(
      warned('      - match: { path: / }\n        servers: [localhost:4]\n')[0],
      /^refused 4 never reached: everything/,
    );
  },
);

t.test('a Redis at a public address without a password and without TLS is warned of', async (t) => {
  const warned = (shared: string): readonly string[] => {
    const result = loadConfig(`servers: [localhost:1]\nshared: ${shared}\n`, { env: {} });
    if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join(', '));
    return result.warnings.map(({ line, message }) => `${line} ${message}`);
  };
  const says = (host: string): string =>
    `2 ${host} is a public address, without a password and without TLS: everyone who reaches it can lift bans and limits`;
  t.strictSame(warned('{ redis: "redis://203.0.113.9:6379" }'), [says('203.0.113.9')]);
  t.strictSame(warned('{ cluster: true, redis: ["redis://10.0.0.1:6379", "redis://[2001:db8::1]:6379"] }'), [
    says('2001:db8::1'),
  ]);
  for (const fine of [
    '{ redis: "redis://:secret@203.0.113.9:6379" }',
    '{ redis: "redis://203.0.113.9:6379", password: secret }',
    '{ redis: "rediss://203.0.113.9:6379" }',
    '{ redis: "redis://redis.internal:6379" }',
    ...['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.1', '[::1]', '[fd00::1]'].map(
      (host) => `{ redis: "redis://${host}:6379" }`,
    ),
  ])
    t.strictSame(warned(fine), [], fine);
});
