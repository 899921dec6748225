import t from 'tap';
import { createConfig } from '../../../lib/config/config.js';
import { DryRun, type Explanation } from '../../../lib/routing/dry-run/dry-run.js';
import type { DryRunOutcome } from '../../../lib/routing/dry-run/outcome.js';
import { startBalancer } from '../../support/balancer.js';
import { origin, readRequest } from '../../support/origin.js';

type Settings = Parameters<typeof createConfig>[0];

function bytes(line: string, ...fields: string[]): Buffer {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: www.mango.com'];
  return Buffer.from([`${line} HTTP/1.1`, ...host, ...fields, '', ''].join('\r\n'), 'latin1');
}

function send(settings: Settings, request: Buffer, peer = '192.0.2.1'): DryRunOutcome {
  return new DryRun(createConfig(settings)).send(request, peer);
}

function explain(settings: Settings, request: Buffer, peer = '192.0.2.1'): Explanation {
  return new DryRun(createConfig(settings)).explain(request, peer);
}

t.test('the head of a dry run is the one that a server gets', async (t) => {
  let received = '';
  const server = await origin(t, async (connection) => {
    received = (await readRequest(connection)).head;
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const settings = {
    hosts: [
      {
        host: 'www.mango.com',
        servers: [server.address],
        header_rules: { add: { 'X-A': '{client_ip} {path}' }, remove: ['Host', 'X-B'] },
        param_rules: { add: { p: '1' } },
        cookie_rules: { add: { shard: 'b' } },
        rewrite_rules: { replace: { v1: 'v2' } },
      },
    ],
  };
  const request = bytes('GET /v1/%2F?q=%20', 'X-B: 1', 'Cookie: a=1', 'X-Odd: caf\xe9', 'Connection: close');
  const { connect } = await startBalancer(t, settings);
  const client = await connect();
  client.send(request);
  t.equal((await client.response()).status, 200);
  const outcome = send(settings, request, '127.0.0.1');
  const withoutId = (head: string): string =>
    head.replace(/\r\nX-(?:Request-Id|Forwarded-Port): [^\r]*/g, '');
  t.equal(withoutId(outcome.kind === 'forwarded' ? outcome.head : ''), withoutId(received));
});

t.test('a request that the parser refuses is explained', async (t) => {
  const settings = { servers: ['a.test:1'] };
  t.match(send(settings, bytes('GET /', 'Content-Length: 1', 'Transfer-Encoding: chunked')), {
    kind: 'refused',
    status: 400,
    route: null,
  });
  t.match(send(settings, bytes('CONNECT a.test:1')), { kind: 'refused', status: 501 });
  t.match(send(settings, bytes('GET /%00')), { kind: 'refused', status: 400, reason: 'bad_request' });
  t.match(send({ ...settings, limits: { uri_bytes: '64b' } }, bytes(`GET /${'a'.repeat(100)}`)), {
    status: 414,
  });
});

t.test('an IPv4 client in IPv6 is an IPv4 client', async (t) => {
  const outcome = send({ servers: ['a.test:1'] }, bytes('GET /'), '::ffff:192.0.2.7');
  t.match(outcome, { head: /\r\nX-Forwarded-For: 192\.0\.2\.7\r\n/ });
});

t.test('a dry run shows redirects and fixed responses', async (t) => {
  const hosts = [
    { host: 'www.mango.com', redirect: { to: 'https://new.example{path}', status: 308 } },
    { host: 'a.test', respond: { status: 503, body: 'Back soon', headers: { 'Retry-After': '60' } } },
  ];
  t.match(send({ hosts }, bytes('GET /old?a=1')), {
    kind: 'replied',
    status: 308,
    location: 'https://new.example/old?a=1',
    route: { name: 'www.mango.com' },
  });
  t.match(send({ hosts }, bytes('GET /', 'Host: a.test')), {
    kind: 'replied',
    status: 503,
    location: null,
    body: 'Back soon',
    head: /\r\nRetry-After: 60\r\n/,
  });
});

t.test(
  'a client refused by the global firewall is cut off at accept, and answered if it comes through a trusted proxy',
  async (t) => {
    const settings = {
      servers: ['a.test:1'],
      trusted_proxies: ['10.0.0.0/8'],
      firewall_rules: { ip_reject: ['203.0.113.0/24'] },
    };
    const refused = {
      kind: 'refused',
      status: 403,
      reason: 'blocked_ip',
      detail: 'firewall_rules: ip_reject',
    };
    t.match(send(settings, bytes('GET /'), '203.0.113.1'), { ...refused, atAccept: true });
    const behind = bytes('GET /', 'X-Forwarded-For: 203.0.113.1');
    t.match(send(settings, behind, '10.0.0.1'), { ...refused, atAccept: false });
    t.match(send(settings, behind, '192.0.2.1'), { kind: 'forwarded' }, 'this peer is not believed');
    const explanation = explain(settings, behind, '10.0.0.1');
    t.match(explanation, { client: '203.0.113.1', trustsPeer: true });
    t.same(explanation.firewalls[0]?.opinions, [{ guard: 'ip_reject', status: 403 }]);
  },
);

t.test('each request of a dry run finds the firewalls in their initial state', async (t) => {
  const guards = {
    rate_limit: { requests: 1, per: '1h', burst: 1 },
    max_connections_per_ip: 1,
    ban: { status: [404], count: 1, within: '1h', for: '24h' },
  };
  const config = createConfig({
    firewall_rules: guards,
    hosts: [{ host: 'www.mango.com', servers: ['a.test:1'], firewall_rules: guards }],
  });
  const dryRun = new DryRun(config);
  for (let i = 0; i < 3; i++) {
    t.match(dryRun.send(bytes('GET /', 'Host: nowhere.test'), '192.0.2.1'), {
      status: 404,
      reason: 'no_route',
    });
    t.match(dryRun.send(bytes('GET /'), '192.0.2.1'), { kind: 'forwarded' });
    const { outcome, firewalls } = dryRun.explain(bytes('GET /'), '192.0.2.1');
    t.equal(outcome.kind, 'forwarded');
    t.equal(firewalls.length, 2);
    for (const { opinions } of firewalls) {
      t.same(
        opinions.map(({ guard, status }) => [guard, status]),
        [
          ['max_connections_per_ip', 0],
          ['ban', 0],
          ['rate_limit', 0],
        ],
      );
    }
  }
});

t.test('a firewall that observes says what it would have refused', async (t) => {
  const observing = { method_reject: ['DELETE'], mode: 'observe' as const };
  const settings = {
    hosts: [
      {
        host: 'www.mango.com',
        servers: ['a.test:1'],
        firewall_rules: observing,
        paths: [{ path: '/a', servers: ['b.test:1'], firewall_rules: { path_reject: ['/a/b'] } }],
      },
    ],
  };
  const { outcome, firewalls } = explain(settings, bytes('DELETE /a/b'));
  t.match(outcome, { kind: 'refused', reason: 'blocked_path', route: { name: 'www.mango.com/a' } });
  t.same(
    firewalls.map(({ firewall, opinions }) => [firewall.mode, ...opinions]),
    [
      ['observe', { guard: 'method_reject', status: 403 }],
      ['enforce', { guard: 'path_reject', status: 403 }],
    ],
  );
});

t.test('an explanation lists each rule and what it changed', async (t) => {
  const { steps } = explain(
    {
      hosts: [
        {
          host: 'www.mango.com',
          servers: ['a.test:1'],
          header_rules: {
            add: { 'X-A': 'new' },
            append: { 'X-A': 'more' },
            remove: ['Host', 'X-None'],
            replace: { Referer: { '/^http:/': 'https:' } },
          },
          rewrite_rules: {
            strip_prefix: '/api',
            replace: { v1: 'v2', '/^\\/(x)/': '/y' },
            add_prefix: '/in',
          },
        },
      ],
    },
    bytes('GET /api/v1', 'X-A: old', 'Referer: http://caf\xc3\xa9.test/', 'TE: trailers'),
  );
  const of = (rule: string): string[] =>
    steps.find((step) => step.rule === rule)?.changes.map(({ sign, text }) => sign + text) ?? [
      'no such step',
    ];
  t.same(of('').slice(0, 2), ['-TE: trailers', '+X-Forwarded-For: 192.0.2.1']);
  t.same(of('strip_prefix /api'), [
    '-GET /api/v1 HTTP/1.1',
    '+GET /v1 HTTP/1.1',
    '+X-Forwarded-Prefix: /api',
  ]);
  t.same(of('rewrite_rules.replace v1'), ['-GET /v1 HTTP/1.1', '+GET /v2 HTTP/1.1']);
  t.same(of('rewrite_rules.replace /^\\/(x)/'), []);
  t.same(of('add_prefix'), ['-GET /v2 HTTP/1.1', '+GET /in/v2 HTTP/1.1']);
  t.same(of('header_rules.add X-A'), ['-X-A: old', '+X-A: new']);
  t.same(of('header_rules.append X-A'), ['+X-A: more']);
  t.same(of('header_rules.remove X-None'), []);
  t.same(of('header_rules.replace Referer'), ['-Referer: http://café.test/', '+Referer: https://café.test/']);
  t.same(of("Host is the server's own"), ['-Host: www.mango.com', '+Host: a.test:1']);
});

t.test('an explanation says why no route was found', async (t) => {
  const hosts = [
    { host: 'www.mango.com', paths: [{ path: '/img', servers: ['a.test:1'] }] },
    { host: '*.apple.com', servers: ['a.test:1'] },
  ];
  const settings = { hosts, paths: [{ path: '= /exact', servers: ['a.test:1'] }] };
  t.same(explain(settings, bytes('GET /', 'Host: ww.mango.com:80')).absence, {
    host: 'ww.mango.com',
    hostKnown: false,
    known: ['www.mango.com', '*.apple.com'],
    nearest: 'www.mango.com',
    paths: ['= /exact'],
  });
  t.same(explain(settings, bytes('GET /imgs')).absence, {
    host: 'www.mango.com',
    hostKnown: true,
    known: ['/img'],
    nearest: '/img',
    paths: [],
  });
  t.equal(explain(settings, bytes('GET /img')).absence, null);
});

t.test('an explanation lists skipped conditional routes and the condition that was not met', async (t) => {
  const servers = ['a.test:1'];
  const settings = {
    hosts: [
      {
        host: 'www.mango.com',
        servers,
        routes: [
          { match: { header: { 'User-Agent': '/iPhone/' } }, servers: ['b.test:1'] },
          { match: { language: 'fr' }, servers: ['c.test:1'] },
          { match: { method: ['POST'] }, servers: ['d.test:1'] },
        ],
      },
    ],
  };
  const unmet = (request: Buffer): string[] => explain(settings, request).passedOver.map((one) => one.unmet);
  t.same(unmet(bytes('GET /')), ['header', 'language', 'method']);
  t.same(unmet(bytes('POST /')), ['header', 'language']);
  t.same(unmet(bytes('GET /', 'Accept-Language: fr')), ['header']);
  t.same(unmet(bytes('GET /', 'User-Agent: iPhone')), []);
});
