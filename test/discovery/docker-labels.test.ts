import t from 'tap';
import { findAddress, type Viewpoint } from '../../lib/discovery/docker-address.js';
import { type Container, parseContainers } from '../../lib/discovery/docker-containers.js';
import { readLabels } from '../../lib/discovery/docker-labels.js';
import { signalNumber } from '../../lib/discovery/docker-watch.js';

function read(labels: Readonly<Record<string, string>>) {
  return readLabels(new Map(Object.entries(labels)));
}

/** The routes of all sets of labels. */
function routes(labels: Readonly<Record<string, string>>): string[] {
  const { sets, problems } = read(labels);
  t.same(problems, []);
  return sets.flatMap(({ claims }) => claims.map(({ route }) => route));
}

t.test('labels ask for routes: every host with every path, and several sets for one container', async (t) => {
  t.same(routes({ 'lb.host': 'www.mango.com' }), ['www.mango.com']);
  t.same(routes({ 'lb.host': 'WWW.mango.com., *.mango.com', 'lb.path': '/api/,/img' }), [
    'www.mango.com/api',
    'www.mango.com/img',
    '*.mango.com/api',
    '*.mango.com/img',
  ]);
  t.same(routes({ 'lb.path': '/api' }), ['/api']);
  t.same(routes({ 'lb.path': '/' }), ['*'], 'the path / is every path');
  t.same(routes({ 'lb.host': '*' }), ['*']);
  t.same(routes({ 'lb.enable': 'true' }), ['*']);
  t.same(routes({ 'lb.host': 'a.test', 'lb.path': '~ ^/v[1,2]' }), ['a.test ~ ^/v[1,2]']);
  t.same(routes({ 'lb.host': 'a.test', 'lb.admin.host': 'b.test', 'lb.admin.port': '9000' }), [
    'a.test',
    'b.test',
  ]);
  t.same(
    routes({ 'lb.port': '80', 'lb.service': 'api', 'lb.zone': 'eu', app: 'x' }),
    [],
    'no host, no route',
  );
});

t.test('labels say what servers and routes are like', async (t) => {
  const { sets, isEnabled } = read({
    'lb.host': 'a.test',
    'lb.port': ' 8081 ',
    'lb.weight': '0',
    'lb.backup': 'true',
    'lb.max-connections': '5',
    'lb.network': 'web',
    'lb.name': 'big',
    'lb.check': '/healthz',
    'lb.check_interval': '500ms',
    'lb.algorithm': 'first',
    'lb.sticky': 'lb',
    'lb.strip_prefix': 'true',
    'lb.preserve_host': 'false',
    'lb.scheme': 'https',
    'lb.verify': 'false',
  });
  t.ok(isEnabled);
  t.match(sets[0], {
    server: { port: 8081, weight: 0, backup: true, maxConnections: 5, network: 'web', name: 'big' },
    terms: {
      check: '/healthz',
      checkInterval: '500ms',
      algorithm: 'first',
      sticky: 'lb',
      stripPrefix: true,
      preserveHost: false,
      isSecure: true,
      isVerified: false,
    },
  });
});

/** `a0`, `a1`, … with something before and after each. */
function many(before: string, after: string, count: number): string {
  return Array.from({ length: count }, (_, n) => `${before}a${n}${after}`).join(',');
}

const BAD: readonly [labels: Readonly<Record<string, string>>, expected: RegExp][] = [
  [{ 'lb.port': '80a' }, /^lb\.port: expected a number from 1 to 65535, got "80a"$/],
  [{ 'lb.port': '0' }, /^lb\.port: expected/],
  [{ 'lb.api.port': '70000' }, /^lb\.api\.port: expected/],
  [{ 'lb.weight': '-1' }, /^lb\.weight: expected a number from 0 to 256/],
  [{ 'lb.host': 'http://a.test' }, /^lb\.host: expected a host such as .* Write the name alone\.$/],
  [{ 'lb.host': '' }, /^lb\.host: expected a value, got none$/],
  [{ 'lb.host': `${'a'.repeat(9000)}..b` }, /^lb\.host: expected a host .{300,400}\.\.\.$/],
  [{ 'lb.path': 'api' }, /^lb\.path: expected a path such as/],
  [{ 'lb.path': '/a/*' }, /^lb\.path: .*drop the/],
  [
    { 'lb.x.host': many('', '.test', 41), 'lb.x.path': many('/', '', 41) },
    /^lb\.x\.host: it asks for 1681 routes, and 1000 is the most$/,
  ],
  [{ 'lb.path': many('/', '', 1001) }, /^lb\.path: it asks for 1001 routes, and 1000 is the most$/],
  [{ 'lb.path': '~ (' }, /^lb\.path: /],
  [{ 'lb.path': '~ ^/a\r\nX-Admin: 1' }, /^lb\.path: a path has no control characters$/],
  [{ 'lb.scheme': 'h2c' }, /^lb\.scheme: expected http or https, got "h2c"$/],
  [{ 'lb.backup': 'yes' }, /^lb\.backup: expected true or false, got "yes"$/],
  [{ 'lb.enable': 'TRUE' }, /^lb\.enable: expected true or false, got "TRUE"$/],
  [{ 'lb.check_interval': '0' }, /^lb\.check_interval: expected/],
  [{ 'lb.check_interval': 'soon' }, /^lb\.check_interval: /],
  [{ 'lb.algorithm': 'hash' }, /^lb\.algorithm: expected round_robin, /],
  [{ 'lb.name': 'a:b' }, /^lb\.name: /],
  [{ 'lb.network': `\u001b[31m${'x'.repeat(500)}` }, /^lb\.network: .{20,140}\.\.\."$/],
  [{ 'lb.hots': 'a.test' }, /^lb\.hots is no label of lb\. Did you mean lb\.host\?$/],
];

t.test('a bad label is reported, and its set makes no route', async (t) => {
  for (const [labels, expected] of BAD) {
    const { problems, sets } = read({ ...labels, 'lb.good.host': 'good.test' });
    t.equal(problems.length, 1, JSON.stringify(labels));
    t.match(problems[0], expected);
    t.notMatch(problems[0], /[\x00-\x1f]/);
    t.ok(
      sets.some(({ name }) => name === 'good'),
      'other sets of the container stay',
    );
  }
  t.equal(read({ 'lb.enable': 'TRUE', 'lb.host': 'a.test' }).isEnabled, false);
  t.equal(read({ 'lb.enable': 'false', 'lb.host': 'a.test' }).isEnabled, false);
});

function container(entry: object): Container {
  return parseContainers(
    Buffer.from(JSON.stringify([{ Id: 'a1', Names: ['/a'], State: 'running', ...entry }])),
  )[0] as Container;
}

function networks(addresses: Readonly<Record<string, string>>): object {
  return {
    NetworkSettings: {
      Networks: Object.fromEntries(
        Object.entries(addresses).map(([name, IPAddress]) => [name, { IPAddress }]),
      ),
    },
  };
}

t.test('a container is reached by a network that is asked for, or by one that is shared', async (t) => {
  const view = (self: Container | null, ...others: readonly Container[]): Viewpoint => ({
    self,
    machine: '127.0.0.1',
    byId: new Map(others.map((one) => [one.id, one])),
  });
  const one = container(networks({ web: '10.1.0.2', back: '10.2.0.2', ingress: '10.0.0.9' }));
  const machine = view(null);
  t.same(findAddress(one, null, machine), { address: '10.2.0.2' });
  t.same(findAddress(one, 'web', machine), { address: '10.1.0.2' });
  t.match(findAddress(one, 'other', machine), {
    problem: 'it is not in the network other, but in back, ingress, web',
  });
  const inWeb = view(container({ Id: 'b2', Names: ['/lb'], ...networks({ web: '10.1.0.3' }) }));
  t.same(findAddress(one, null, inWeb), { address: '10.1.0.2' }, 'the network that both are in');
  const alone = view(container({ Id: 'b2', Names: ['/lb'], ...networks({ third: '10.3.0.3' }) }));
  t.match(findAddress(one, null, alone), {
    problem: /^it is in back, web, and this container \(lb\) in none/,
  });
  const project = container({
    ...networks({ shop_web: '10.4.0.2' }),
    Labels: { 'com.docker.compose.project': 'shop' },
  });
  t.same(findAddress(project, 'web', machine), { address: '10.4.0.2' }, 'as the compose file calls it');
  const onMachine = container({ HostConfig: { NetworkMode: 'host' }, ...networks({ host: '' }) });
  t.same(findAddress(onMachine, null, machine), { address: '127.0.0.1' });
  t.match(findAddress(onMachine, null, inWeb), { problem: /network of the machine/ });
  const sidecar = container({ Id: 'c3', HostConfig: { NetworkMode: 'container:a1' } });
  t.same(findAddress(sidecar, null, view(null, one)), { address: '10.2.0.2' });
  t.match(findAddress(sidecar, null, machine), { problem: /a container that is not there/ });
  t.match(findAddress(container({}), null, machine), { problem: 'it has no address in any network' });
  const v6 = container({
    NetworkSettings: { Networks: { six: { IPAddress: '', GlobalIPv6Address: 'fd00::2' } } },
  });
  t.same(findAddress(v6, null, machine), { address: 'fd00::2' });
});

t.test('what an engine lists is read with care', async (t) => {
  const read = (value: unknown) => parseContainers(Buffer.from(JSON.stringify(value)));
  t.same(read([]), []);
  t.throws(() => parseContainers(Buffer.from('[{')), /no JSON/);
  t.throws(() => read({}), /no list/);
  t.throws(() => read([{}]), /container 1 of the list has no Id/);
  t.throws(() => read([null]), /has no Id/);
  const odd = {
    Id: 'a1',
    Names: 5,
    Labels: { a: 1, b: 'x' },
    Ports: [null, {}, { Type: 'udp', PrivatePort: 53 }],
  };
  t.match(read([odd])[0], { name: 'a1', ports: [], networks: [], state: '', health: 'none' });
  t.same([...(read([odd])[0]?.labels ?? [])], [['b', 'x']]);
  t.equal(
    read([{ Id: 'a1', Names: ['/web/db', '/db'] }])[0]?.name,
    'db',
    'the name of a link is none of its own',
  );
  const health = (Status: string, Health?: string) =>
    read([{ Id: 'a1', Status, Health: Health === undefined ? undefined : { Status: Health } }])[0]?.health;
  t.equal(health('Up 5 seconds (health: starting)'), 'starting');
  t.equal(health('Up 5 seconds (healthy)'), 'healthy');
  t.equal(health('Up 5 seconds (unhealthy)'), 'unhealthy');
  t.equal(health('Up 5 seconds'), 'none');
  t.equal(health('Up 5 seconds', 'starting'), 'starting');
  t.equal(health('Up 5 seconds', 'none'), 'none');
});

t.test('signals are known by their names and numbers', async (t) => {
  for (const text of ['SIGQUIT', 'quit', 'QUIT', '3']) t.equal(signalNumber(text), 3, text);
  t.equal(signalNumber('SIGRTMIN+3'), 37);
  t.equal(signalNumber('SIGRTMIN'), 34);
  t.equal(signalNumber('SIGNOTHING'), null);
});
