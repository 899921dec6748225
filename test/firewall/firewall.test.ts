import t from 'tap';
import { IpAddress } from '../../lib/base/ip-address.js';
import type { Observer } from '../../lib/base/observer.js';
import { parseNetwork } from '../../lib/config/network.js';
import { parsePath, parseValue } from '../../lib/config/pattern.js';
import type { FirewallConfig } from '../../lib/config/types.js';
import { Firewall, type FirewallScope } from '../../lib/firewall/firewall.js';
import { FirewallChain } from '../../lib/firewall/firewall-chain.js';
import type { GuardName } from '../../lib/firewall/guard.js';
import { PASSED } from '../../lib/firewall/verdict.js';
import { RequestView } from '../../lib/http/request-view.js';
import { requestHead, viewOf } from '../http/heads.js';
import { ManualClock } from '../support/manual-clock.js';
import { firewallConfig, ip } from './support.js';

const CLIENT = ip('192.0.2.1');
const networks = (...texts: readonly string[]) => texts.map(parseNetwork);

function firewall(
  settings: Partial<FirewallConfig>,
  scope: FirewallScope = 'requests',
  clock = new ManualClock(),
): Firewall {
  return new Firewall(firewallConfig(settings), scope, clock);
}

/** A request that every guard of `EVERYTHING` objects to. */
function badRequest(method = 'DELETE'): RequestView {
  const view = new RequestView();
  view.load(
    requestHead(`${method} /messages HTTP/1.1\r\nHost: a\r\nUser-Agent: sqlmap/1.7\r\n\r\n`),
    '192.0.2.1',
  );
  return view;
}

const EVERYTHING = {
  ipReject: networks('192.0.2.0/24'),
  ipAllow: networks('198.51.100.0/24'),
  maxConnectionsPerIp: 1,
  ban: { status: [{ from: 404, to: 404 }], count: 1, within: 1000, for: 1000 },
  methodReject: ['DELETE'],
  pathReject: [parsePath('/messages')],
  headerReject: [{ name: 'user-agent', value: parseValue('/sqlmap|nikto/i') }],
  rateLimit: { requests: 1, per: 1000, burst: 1, key: { kind: 'client_ip' }, status: 429 },
} as const satisfies Partial<FirewallConfig>;

t.test('guards are asked in the order of their settings, the first objection decides', async (t) => {
  const names: readonly (readonly [keyof typeof EVERYTHING, GuardName, number])[] = [
    ['ipReject', 'ip_reject', 403],
    ['ipAllow', 'ip_allow', 403],
    ['maxConnectionsPerIp', 'max_connections_per_ip', 429],
    ['ban', 'ban', 403],
    ['methodReject', 'method_reject', 403],
    ['pathReject', 'path_reject', 403],
    ['headerReject', 'header_reject', 403],
    ['rateLimit', 'rate_limit', 429],
  ];
  const left: Partial<Record<keyof FirewallConfig, unknown>> = { ...EVERYTHING };
  for (const [setting, guard, status] of names) {
    const judge = firewall(left as Partial<FirewallConfig>);
    // A place taken, a token used, an offence committed.
    if (setting === 'maxConnectionsPerIp') judge.judge(viewOf('/'), CLIENT);
    if (setting === 'rateLimit') judge.judge(viewOf('/'), CLIENT);
    judge.note(CLIENT, 404);
    const { refused, ...verdict } = judge.judge(badRequest(), CLIENT);
    t.ok(refused, guard);
    t.match(verdict, { guard, status, firewall: 'firewall_rules' });
    delete left[setting];
  }
  t.equal(firewall(left as Partial<FirewallConfig>).judge(badRequest(), CLIENT), PASSED);
});

t.test('a rejected address is refused in every spelling, at accept and later', async (t) => {
  const guard = firewall(
    { ipReject: networks('192.0.2.1', '10.0.0.0/8', '2001:db8::/32', '::ffff:203.0.113.0/120') },
    'connections',
  );
  for (const spelling of [
    ...['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:192.0.2.1'],
    ...[
      '0000:0000:0000:0000:0000:FFFF:C000:0201',
      '::ffff:192.0.2.1%eth0',
      '10.255.0.1',
      '::ffff:10.0.0.1',
      '::ffff:a00:1',
    ],
    ...[
      '2001:db8::1',
      '2001:DB8::1',
      '2001:0db8:0:0:0:0:0:1',
      '2001:db8:0::0:1',
      '2001:db8::0.0.0.1',
      '2001:db8::1%1',
    ],
    ...['2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107'],
  ]) {
    const { refused, guard: name } = guard.judgeAccept(ip(spelling));
    t.ok(refused && name === 'ip_reject', spelling);
    t.ok(guard.judge(viewOf('/'), ip(spelling)).refused, spelling);
  }
  for (const other of [
    '192.0.2.2',
    '11.0.0.1',
    '2001:db7::1',
    '::192.0.2.1',
    '2002:c000:201::1',
    '64:ff9b::c000:201',
    '::1',
  ]) {
    t.equal(guard.judgeAccept(ip(other)), PASSED, other);
  }
});

t.test('with ip_allow no other client is let in; with an empty address file none is', async (t) => {
  const some = firewall({ ipAllow: networks('192.0.2.0/24') }, 'connections');
  t.equal(some.judgeAccept(ip('::ffff:192.0.2.7')), PASSED);
  t.ok(some.judgeAccept(ip('192.0.3.7')).refused);
  t.ok(some.judgeAccept(ip('2001:db8::1')).refused);
  t.ok(some.judgeAccept(IpAddress.unix).refused);
  t.ok(firewall({ ipAllow: [] }, 'connections').judgeAccept(CLIENT).refused);
});

t.test('ip_reject wins over ip_allow', async (t) => {
  const guard = firewall({ ipReject: networks('192.0.2.1'), ipAllow: networks('192.0.2.0/24') });
  t.equal(guard.judge(viewOf('/'), CLIENT).guard, 'ip_reject');
  t.equal(guard.judge(viewOf('/'), ip('192.0.2.2')), PASSED);
});

t.test('before all routes it counts connections: from accept to leave, and no requests', async (t) => {
  const guard = firewall({ maxConnectionsPerIp: 1 }, 'connections');
  t.equal(guard.judgeAccept(CLIENT), PASSED);
  for (let i = 0; i < 5; i++) t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
  t.equal(guard.judgeAccept(CLIENT).guard, 'max_connections_per_ip');
  guard.leave(CLIENT);
  t.equal(guard.judgeAccept(CLIENT), PASSED);
});

t.test(
  'max_connections_per_ip of a route counts requests in flight; a refused request takes no place',
  async (t) => {
    const guard = firewall({ maxConnectionsPerIp: 2, pathReject: [parsePath('/messages')] });
    for (let i = 0; i < 5; i++) t.equal(guard.judge(viewOf('/messages'), CLIENT).guard, 'path_reject');
    t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
    t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
    t.equal(guard.judge(viewOf('/'), CLIENT).guard, 'max_connections_per_ip');
    t.equal(guard.judge(viewOf('/'), ip('192.0.2.2')), PASSED);
    guard.leave(CLIENT);
    t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
  },
);

t.test('a banned client is refused at accept, and on the connections it has', async (t) => {
  const clock = new ManualClock();
  const ban = { status: [{ from: 404, to: 404 }], count: 2, within: 1000, for: 5000 };
  const guard = firewall({ ban }, 'connections', clock);
  t.equal(guard.judgeAccept(CLIENT), PASSED);
  guard.note(CLIENT, 404);
  guard.note(CLIENT, 404);
  t.equal(guard.judge(viewOf('/'), CLIENT).guard, 'ban');
  t.equal(guard.judgeAccept(CLIENT).guard, 'ban');
  clock.advance(5000);
  t.equal(guard.judgeAccept(CLIENT), PASSED);
});

t.test('a ban is reported once, when it begins; an observed ban is not reported', async (t) => {
  const clock = new ManualClock();
  const ban = { status: [{ from: 404, to: 404 }], count: 2, within: 1000, for: 5000 };
  const told: unknown[] = [];
  const observer: Observer = {
    event: (event) => {
      if (event.what === 'banned') told.push([event.client, event.firewall, event.forMs]);
    },
  };
  for (const mode of ['enforce', 'observe'] as const) {
    const guard = new Firewall(firewallConfig({ name: mode, ban, mode }), 'connections', clock, observer);
    for (let i = 0; i < 5; i++) guard.note(CLIENT, 404);
    for (let i = 0; i < 2; i++) guard.note(ip('2001:db8:1:2::7'), 404);
  }
  t.same(told, [
    ['192.0.2.1', 'enforce', 5000],
    ['2001:db8:1:2::/64', 'enforce', 5000],
  ]);
});

t.test('a method is refused in every spelling, as servers may not regard its case', async (t) => {
  const guard = firewall({ methodReject: ['TRACE', 'DELETE'] });
  t.equal(guard.judge(badRequest(), CLIENT).guard, 'method_reject');
  for (const method of ['delete', 'Delete', 'deletE'])
    t.equal(guard.judge(badRequest(method), CLIENT).guard, 'method_reject', method);
  t.equal(guard.judge(badRequest('deleted'), CLIENT), PASSED);
  t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
});

t.test('a header is refused by any of its fields', async (t) => {
  const guard = firewall({
    headerReject: [
      { name: 'user-agent', value: parseValue('/sqlmap|nikto/i') },
      { name: 'x-debug', value: parseValue('*') },
      { name: 'x-mode', value: parseValue('test') },
    ],
  });
  for (const fields of [
    ['User-Agent: SQLMap/1.7'],
    ['USER-AGENT: x nikto'],
    ['User-Agent: curl', 'user-agent: sqlmap'],
    ['X-Debug: '],
    ['X-Mode: other', 'X-Mode: test'],
    [`User-Agent: ${'a'.repeat(9000)} nikto`],
  ]) {
    t.equal(guard.judge(viewOf('/', fields), CLIENT).guard, 'header_reject', fields.join(' | ').slice(0, 60));
  }
  for (const fields of [
    [],
    ['User-Agent: curl'],
    [`User-Agent: ${'a'.repeat(9000)}`],
    ['X-Mode: tests'],
    ['X-Mode: Test'],
    [`X-Mode: ${'a'.repeat(9000)}`],
  ]) {
    t.equal(guard.judge(viewOf('/', fields), CLIENT), PASSED, fields.join(' | ').slice(0, 60));
  }
});

t.test('header bytes beyond ASCII are compared as UTF-8', async (t) => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const guard = firewall({
    headerReject: [
      { name: 'x-city', value: parseValue('Zürich') },
      { name: 'x-name', value: parseValue('/^m[üö]ller$/i') },
    ],
  });
  for (const field of ['X-City: Zürich', 'X-Name: MÜLLER']) {
    t.equal(guard.judge(viewOf('/', [bytes(field)]), CLIENT).guard, 'header_reject', field);
  }
  for (const field of [bytes('X-City: Zurich'), 'X-City: Z\xfcrich', bytes('X-Name: Müüller')]) {
    t.equal(guard.judge(viewOf('/', [field]), CLIENT), PASSED);
  }
});

t.test('a refusal by rate says when to come back', async (t) => {
  const guard = firewall({ rateLimit: EVERYTHING.rateLimit });
  guard.judge(viewOf('/'), CLIENT);
  t.match(
    guard.judge(viewOf('/'), CLIENT).fields,
    /^Retry-After: 1\r\nRateLimit-Policy: [^\r]+\r\nRateLimit: [^\r]+\r\n$/,
  );
  t.equal(firewall({ ipAllow: [] }).judge(viewOf('/'), CLIENT).fields, '');
});

t.test('a request that is refused for another reason takes no token', async (t) => {
  const guard = firewall({ pathReject: [parsePath('/messages')], rateLimit: EVERYTHING.rateLimit });
  for (let i = 0; i < 5; i++) guard.judge(viewOf('/messages'), CLIENT);
  t.equal(guard.judge(viewOf('/'), CLIENT), PASSED);
});

t.test(
  'an observing firewall lets everything pass, names the guard that would have refused, and counts it',
  async (t) => {
    const guard = firewall({ ...EVERYTHING, mode: 'observe' });
    const { refused, ...verdict } = guard.judge(badRequest(), CLIENT);
    t.notOk(refused);
    t.match(verdict, { guard: 'ip_reject', firewall: 'firewall_rules', status: 403, fields: '' });
    t.same(guard.counts[0], { firewall: 'firewall_rules', guard: 'ip_reject', refused: 0, observed: 1 });
    const rate = firewall({ rateLimit: EVERYTHING.rateLimit, mode: 'observe' });
    rate.judge(viewOf('/'), CLIENT);
    t.match(rate.judge(viewOf('/'), CLIENT), { refused: false, guard: 'rate_limit', status: 429 });
  },
);

t.test('observing counts connections that it would not have let in, and lets them leave', async (t) => {
  const guard = firewall({ maxConnectionsPerIp: 1, mode: 'observe' }, 'connections');
  for (let i = 0; i < 3; i++) t.notOk(guard.judgeAccept(CLIENT).refused);
  t.same(guard.counts, [
    { firewall: 'firewall_rules', guard: 'max_connections_per_ip', refused: 0, observed: 2 },
  ]);
  for (let i = 0; i < 3; i++) guard.leave(CLIENT);
  t.equal(guard.judgeAccept(CLIENT), PASSED);
});

t.test('counts are there for each guard that is set, and grow by refusals alone', async (t) => {
  const guard = firewall({ methodReject: ['DELETE'], pathReject: [parsePath('/messages')] });
  guard.judge(badRequest(), CLIENT);
  guard.judge(badRequest(), CLIENT);
  guard.judge(viewOf('/messages'), CLIENT);
  guard.judge(viewOf('/'), CLIENT);
  t.same(guard.counts, [
    { firewall: 'firewall_rules', guard: 'method_reject', refused: 2, observed: 0 },
    { firewall: 'firewall_rules', guard: 'path_reject', refused: 1, observed: 0 },
  ]);
  t.equal(guard.counts[0], guard.counts[0], 'the same object each time');
});

t.test('explaining asks the guards in order and counts nothing', async (t) => {
  const guard = firewall({ ...EVERYTHING, ipReject: [], ipAllow: null });
  t.same(guard.explain(badRequest(), CLIENT), [
    { guard: 'max_connections_per_ip', status: 0 },
    { guard: 'ban', status: 0 },
    { guard: 'method_reject', status: 403 },
  ]);
  t.same(firewall({ ipAllow: [] }).explain(viewOf('/'), CLIENT), [{ guard: 'ip_allow', status: 403 }]);
  t.ok(guard.counts.every(({ refused, observed }) => refused === 0 && observed === 0));
  t.same(guard.explain(viewOf('/'), CLIENT).at(-1), { guard: 'rate_limit', status: 0 });
});

t.test(
  'a chain asks the outermost firewall first, and returns places when an inner one refuses',
  async (t) => {
    const clock = new ManualClock();
    const outer = new Firewall(firewallConfig({ name: 'outer', maxConnectionsPerIp: 1 }), 'requests', clock);
    const inner = new Firewall(
      firewallConfig({ name: 'inner', pathReject: [parsePath('/messages')] }),
      'requests',
      clock,
    );
    const chain = new FirewallChain([outer, inner]);
    for (let i = 0; i < 3; i++)
      t.match(chain.judge(viewOf('/messages'), CLIENT), { refused: true, firewall: 'inner' });
    t.equal(chain.judge(viewOf('/'), CLIENT), PASSED);
    t.match(chain.judge(viewOf('/messages'), CLIENT), { refused: true, firewall: 'outer' });
    chain.leave(CLIENT);
    t.equal(chain.judge(viewOf('/'), CLIENT), PASSED);
  },
);

t.test('a chain reports what was observed when no firewall refused', async (t) => {
  const clock = new ManualClock();
  const observing = new Firewall(
    firewallConfig({ name: 'outer', mode: 'observe', ipAllow: [] }),
    'requests',
    clock,
  );
  const enforcing = new Firewall(
    firewallConfig({ name: 'inner', methodReject: ['DELETE'] }),
    'requests',
    clock,
  );
  const chain = new FirewallChain([observing, enforcing]);
  t.match(chain.judge(viewOf('/'), CLIENT), { refused: false, guard: 'ip_allow', firewall: 'outer' });
  t.match(chain.judge(badRequest(), CLIENT), { refused: true, guard: 'method_reject', firewall: 'inner' });
  t.equal(new FirewallChain([]).judge(badRequest(), CLIENT), PASSED);
});

t.test('a chain reports the status that a client got to each of its firewalls', async (t) => {
  const clock = new ManualClock();
  const { ban } = EVERYTHING;
  const chain = new FirewallChain([new Firewall(firewallConfig({ ban }), 'requests', clock)]);
  chain.note(CLIENT, 404);
  t.equal(chain.judge(viewOf('/'), CLIENT).guard, 'ban');
});

t.test(
  'what cannot be matched within the budget of a request is refused, and passes where it is observed',
  async (t) => {
    const headerReject = [{ name: 'x-text', value: parseValue('/(?:[ab]*a[ab]{60}|[ab]*b[ab]{50})+[!?]/') }];
    let seed = 1;
    const next = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
    const text = Array.from({ length: 9000 }, () => 'ab'[(next() >>> 16) & 1]).join('');
    const fields = [`X-Text: ${text}`];
    const guard = firewall({ headerReject });
    t.match(guard.judge(viewOf('/', fields), CLIENT), {
      refused: true,
      status: 403,
      guard: 'header_reject',
      undecided: true,
    });
    t.match(guard.explain(viewOf('/', fields), CLIENT), [{ guard: 'header_reject', status: 403 }]);
    const observing = firewall({ headerReject, mode: 'observe' });
    const view = viewOf('/', fields);
    t.match(observing.judge(view, CLIENT), { refused: false, guard: 'header_reject', undecided: true });
    view.budget.spend(1000);
    t.pass('others still have a reserve');
    t.equal(guard.judge(viewOf('/', ['X-Text: abab']), CLIENT), PASSED);
  },
);
