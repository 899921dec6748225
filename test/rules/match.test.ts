import t from 'tap';
import { PLAIN_TRANSPORT } from '../../lib/base/transport-info.js';
import { createConfig } from '../../lib/config/config.js';
import type { MatchSettings } from '../../lib/config/settings.js';
import type { RequestView } from '../../lib/http/request-view.js';
import { Conditions, firstMet } from '../../lib/rules/match.js';
import { viewOf } from '../http/heads.js';

/** The conditions of some routes, as a file would give them. */
function conditions(...matches: MatchSettings[]): Conditions[] {
  const { rest } = createConfig({
    routes: matches.map((match) => ({ match, respond: { status: 200 } })),
  });
  return rest.routes.map(({ match }) => new Conditions(match));
}

function unmet(match: MatchSettings, view: RequestView): string | null {
  return (conditions(match)[0] as Conditions).unmet(view);
}

t.test('fields and cookies are read as UTF-8, as the file is', async (t) => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const view = viewOf('/', [bytes('X-City: Zürich'), bytes('Cookie: city=Genève')]);
  t.equal(unmet({ header: { 'X-City': 'Zürich' } }, view), null);
  t.equal(unmet({ header: { 'X-City': '/^z.rich$/i' } }, view), null);
  t.equal(unmet({ cookie: { city: '/^Gen[èé]ve$/' } }, view), null);
  t.equal(unmet({ cookie: { city: 'Geneve' } }, view), 'cookie');
});

t.test('a header, parameter or cookie is matched by its value, a pattern, or its presence', async (t) => {
  const view = viewOf('/?v=1&v=%32&e', ['X-A: one', 'X-A: Two', 'Cookie: beta=; c=x']);
  t.equal(unmet({ header: { 'x-A': 'one' } }, view), null);
  t.equal(unmet({ header: { 'X-A': '/^two$/i' } }, view), null);
  t.equal(unmet({ header: { 'X-A': 'ONE' } }, view), 'header');
  t.equal(unmet({ header: { 'X-B': '*' } }, view), 'header');
  t.equal(unmet({ param: { v: '2', e: '*' } }, view), null);
  t.equal(unmet({ param: { v: '1', e: 'x' } }, view), 'param');
  t.equal(unmet({ cookie: { beta: '*', c: 'x' } }, view), null);
  t.equal(unmet({ cookie: { Beta: '*' } }, view), 'cookie');
});

t.test('method and path are compared case as given', async (t) => {
  const view = viewOf('/old//%61');
  t.equal(unmet({ method: ['POST', 'GET'] }, view), null);
  t.equal(unmet({ method: 'POST' }, view), 'method');
  t.equal(unmet({ path: '/old' }, view), null);
  t.equal(unmet({ path: '= /old/a' }, view), null);
  t.equal(unmet({ path: '/Old' }, view), 'path');
  t.equal(unmet({ path: '/ol' }, view), 'path');
  t.equal(unmet({ path: '~ ^/o.*a$' }, view), null);
});

t.test('a client is in a block, IPv4 in IPv6 too', async (t) => {
  const inside = ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::9'];
  for (const address of inside) {
    t.equal(unmet({ client_ip: ['10.0.0.0/8', '2001:db8::/32'] }, viewOf('/', [], address)), null, address);
  }
  t.equal(unmet({ client_ip: '10.0.0.0/8' }, viewOf('/', [], '11.0.0.1')), 'client_ip');
});

t.test('the first route whose conditions are all met wins', async (t) => {
  const routes = conditions({ path: '/a', method: 'POST' }, { path: '/a' }, { header: { 'X-A': '*' } });
  t.equal(firstMet(routes, viewOf('/a', ['X-A: 1'])), 1);
  t.equal(firstMet(routes, viewOf('/b', ['X-A: 1'])), 2);
  t.equal(firstMet(routes, viewOf('/b')), -1);
});

t.test(
  'a language wins as the best fit among those of the routes that are open to the request',
  async (t) => {
    const routes = conditions(
      { language: ['fr', 'it'] },
      { language: 'en', path: '/shop' },
      { language: 'de' },
      { header: { 'X-A': '*' } },
    );
    const first = (accepted: string, target = '/', ...fields: string[]) =>
      firstMet(routes, viewOf(target, [`Accept-Language: ${accepted}`, ...fields]));
    t.equal(first('it'), 0);
    t.equal(first('de, fr;q=0.9'), 2);
    t.equal(
      first('en, de;q=0.9'),
      -1,
      'English is for /shop alone, and there may be some without a condition',
    );
    t.equal(first('en;q=0.9, de'), 2);
    t.equal(first('en, de;q=0.9', '/shop'), 1);
    t.equal(first('ja'), -1);
    t.equal(first('ja', '/', 'X-A: 1'), 3);
    const known = (accepted: string) =>
      firstMet(routes, viewOf('/', [`Accept-Language: ${accepted}`]), ['es']);
    t.equal(known('en, de;q=0.9'), 2, 'what has no condition is Spanish');
    t.equal(known('es, de;q=0.9'), -1);
    t.equal(firstMet(routes, viewOf('/')), -1, 'without Accept-Language none is');
  },
);

t.test('the scheme is the one that a trusted proxy reports, else http', async (t) => {
  const head = ['X-Forwarded-Proto: http, https'];
  for (const [fields, trusted, scheme] of [
    [head, true, 'https'],
    [head, false, 'http'],
    [['X-Forwarded-Proto: HTTPS', 'Forwarded: proto=http'], true, 'https'],
    [['X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'], true, 'http'],
    [['X-Forwarded-Proto: wss'], true, 'https'],
    [['X-Forwarded-Proto: gopher'], true, 'http'],
    [['Forwarded: for=1.1.1.1;proto=http, for=2.2.2.2;Proto="https"'], true, 'https'],
    [['Forwarded: proto=https'], false, 'http'],
    [[], true, 'http'],
  ] as const) {
    const view = viewOf('/', fields, '192.0.2.1', {
      address: '10.0.0.1',
      trusted,
      transport: PLAIN_TRANSPORT,
    });
    const other = scheme === 'http' ? 'https' : 'http';
    t.equal(unmet({ scheme }, view), null, `${fields} ${trusted}`);
    t.equal(unmet({ scheme: other }, view), 'scheme');
    t.equal(unmet({ scheme: ['http', 'https'] }, view), null);
  }
});

t.test(
  'over a transport that is encrypted the scheme is https, unless a trusted proxy tells another',
  async (t) => {
    const transport = { scheme: 'https', port: 443, alpn: 'http/1.1', sni: 'a', tls: null } as const;
    for (const [fields, trusted, scheme] of [
      [[], false, 'https'],
      [[], true, 'https'],
      [['X-Forwarded-Proto: http'], false, 'https'],
      [['X-Forwarded-Proto: http'], true, 'http'],
    ] as const) {
      const view = viewOf('/', fields, '192.0.2.1', { address: '10.0.0.1', trusted, transport });
      t.equal(view.scheme, scheme, `${fields} ${trusted}`);
      t.equal(unmet({ header: { 'X-Forwarded-Proto': scheme } }, view) === null, true, 'as servers are told');
    }
  },
);

t.test('conditions trust only trusted proxies about the client of a request', async (t) => {
  const claims = [
    'Host: a',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 10.1.1.1',
    'X-Forwarded-Host: evil',
    'X-Forwarded-Port: 443',
    'X-Real-IP: 10.1.1.1',
    'Forwarded: proto=https',
    'X-Request-Id: mine',
  ];
  const view = (trusted: boolean) =>
    viewOf('/', claims, '192.0.2.1', {
      address: '192.0.2.1',
      trusted,
      transport: PLAIN_TRANSPORT,
    });
  for (const claim of claims.slice(1)) {
    const [name = '', value = ''] = claim.split(': ');
    t.equal(unmet({ header: { [name]: value } }, view(true)), null, claim);
    t.equal(unmet({ header: { [name]: value } }, view(false)), 'header', claim);
  }
  t.equal(unmet({ header: { 'X-Forwarded-Proto': 'http' } }, view(false)), null, 'as servers are told');
  t.equal(unmet({ header: { 'X-Forwarded-Host': 'a' } }, view(false)), null);
  t.equal(unmet({ header: { 'X-Forwarded-For': '192.0.2.1' } }, view(false)), null);
  t.equal(unmet({ header: { 'X-Real-IP': '*' } }, view(false)), 'header');
});

t.test('peer_ip is the address of the connection, not of the client', async (t) => {
  const view = viewOf('/', [], '203.0.113.9', {
    address: '10.0.0.1',
    trusted: true,
    transport: PLAIN_TRANSPORT,
  });
  t.equal(unmet({ peer_ip: '10.0.0.0/8' }, view), null);
  t.equal(unmet({ peer_ip: ['192.0.2.1', '203.0.113.0/24'] }, view), 'peer_ip');
  t.equal(unmet({ client_ip: '10.0.0.0/8' }, view), 'client_ip');
});

t.test(
  'not holds unless all its conditions do, any holds if one of its conditions does, also nested',
  async (t) => {
    const view = viewOf('/a?v=1', ['X-A: 1']);
    t.equal(unmet({ not: { path: '/b' } }, view), null);
    t.equal(unmet({ not: { path: '/a' } }, view), 'not');
    t.equal(unmet({ not: { path: '/a', header: { 'X-A': '2' } } }, view), null);
    t.equal(unmet({ any: [{ path: '/b' }, { param: { v: '1' } }] }, view), null);
    t.equal(unmet({ any: [{ path: '/b' }, { method: 'POST' }] }, view), 'any');
    t.equal(unmet({ path: '/a', not: { any: [{ path: '/b' }, { header: { 'X-A': '*' } }] } }, view), 'not');
    t.equal(unmet({ any: [{ not: { not: { path: '/a' } } }] }, view), null);
  },
);

t.test(
  'a route is reached unless one before it surely takes all it matches, not and any included',
  async (t) => {
    const reached = (first: MatchSettings, second: MatchSettings): boolean => {
      try {
        conditions(first, second);
        return true;
      } catch {
        return false;
      }
    };
    for (const [first, second, expected] of [
      [{ not: { path: '/a' } }, { not: { path: '/a' } }, false],
      [{ not: { path: '/a/b' } }, { not: { path: '/a' } }, false],
      [{ not: { path: '/a' } }, { not: { path: '/a/b' } }, true],
      [{ not: { path: '/a' } }, { path: '/b' }, true],
      [{ any: [{ path: '/a' }, { path: '/b' }] }, { path: '/a/c' }, false],
      [{ any: [{ path: '/a' }, { path: '/b' }] }, { any: [{ path: '/b' }, { path: '/a' }] }, false],
      [{ any: [{ path: '/a' }] }, { any: [{ path: '/b' }, { path: '/a' }] }, true],
      [{ path: '/a' }, { path: '/a', scheme: 'https' }, false],
      [{ scheme: 'https' }, { scheme: 'http' }, true],
      [{ peer_ip: '10.0.0.0/8' }, { peer_ip: '10.1.0.0/16' }, false],
    ] as const)
      t.equal(reached(first, second), expected, JSON.stringify([first, second]));
  },
);

t.test('conditions that ask nothing, or for a language inside, are refused', async (t) => {
  for (const match of [
    { not: {} },
    { any: [] },
    { any: [{}] },
    { scheme: 'ftp' },
    { not: { language: 'fr' } },
    { peer_ip: 'x' },
    { not: { path: 'x' } },
  ])
    t.throws(() => conditions(match as MatchSettings), JSON.stringify(match));
});

t.test(
  'conditions on the handshake hold for the name and the certificate that the client showed',
  async (t) => {
    const certificate = {
      error: '',
      subject: 'CN=alice,O=Example',
      issuer: 'CN=CA',
      serial: '0A',
      fingerprint: 'ab',
      notBefore: 0,
      notAfter: 0,
      names: ['DNS:alice.example', 'URI:spiffe://example/alice'],
      der: Buffer.alloc(0),
    };
    const over = (sni: string | null, clientCertificate: typeof certificate | null, trusted = false) => {
      const tls = { version: '', cipher: '', resumed: false, policy: '', policyOf: null, clientCertificate };
      const transport = { scheme: 'https', port: 443, alpn: null, sni, tls } as const;
      return viewOf('/', [], '192.0.2.1', { address: '192.0.2.1', trusted, transport });
    };
    const alice = over('www.example.com', certificate);
    const expired = over(null, { ...certificate, error: 'CERT_HAS_EXPIRED' });
    const nobody = over('example.com', null);
    for (const sni of ['www.example.com', 'WWW.Example.com', '*.example.com', ['a.test', '*.com']]) {
      t.equal(unmet({ sni }, alice), null, String(sni));
      t.equal(unmet({ sni }, expired), 'sni', 'a client that named no host');
    }
    t.equal(unmet({ sni: '*.example.com' }, nobody), 'sni', 'a star stands for at least one label');
    for (const client_cert of [
      true,
      { subject: '/(^|,)O=Example(,|$)/' },
      { subject: 'CN=alice,O=Example', issuer: 'CN=CA', serial: '0A', fingerprint: '/^ab/' },
      { name: 'DNS:alice.example' },
      { name: '/^URI:spiffe:\\/\\/example\\//' },
    ]) {
      t.equal(unmet({ client_cert }, alice), null, JSON.stringify(client_cert));
      t.equal(unmet({ client_cert }, expired), 'client_cert', 'a certificate that is not valid has no facts');
      t.equal(unmet({ client_cert }, nobody), 'client_cert');
      t.equal(
        unmet({ client_cert }, over(null, certificate, true)),
        'client_cert',
        'that of a trusted proxy',
      );
    }
    for (const client_cert of [
      { subject: 'CN=alice' },
      { subject: 'CN=alice,O=Example', serial: '0B' },
      false,
    ])
      t.equal(unmet({ client_cert }, alice), 'client_cert', JSON.stringify(client_cert));
    for (const view of [expired, nobody]) t.equal(unmet({ client_cert: false }, view), null);
  },
);
