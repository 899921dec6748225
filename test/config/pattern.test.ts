import t from 'tap';
import { WorkBudget } from '../../lib/base/work-budget.js';
import { loadConfig } from '../../lib/config/config.js';
import { parseHostName } from '../../lib/config/host-name.js';
import { openEnds } from '../../lib/config/host-pattern.js';
import { coversNetwork, isEverything, parseNetwork } from '../../lib/config/network.js';
import { coversPath, groupsOf, parsePath, parseValue } from '../../lib/config/pattern.js';
import { compileRegex } from '../../lib/config/regex.js';

t.test('a path is a prefix, exact or a regular expression', async (t) => {
  t.same(parsePath('/img'), { kind: 'prefix', path: '/img' });
  t.same(parsePath('/img/'), { kind: 'prefix', path: '/img' });
  t.same(parsePath('/'), { kind: 'prefix', path: '/' });
  t.same(parsePath('= /img/'), { kind: 'exact', path: '/img/' });
  t.match(parsePath('~ \\.php$'), { kind: 'regex', regex: { source: '\\.php$', ignoreCase: false } });
  t.match(parsePath('~*/A'), { kind: 'regex', regex: { source: '/A', ignoreCase: true } });
  t.same(parsePath('/a(b)'), { kind: 'prefix', path: '/a(b)' });
});

t.test('a dot of a path takes a line end: %0A is no way around a rule', async (t) => {
  const pattern = parsePath('~ ^/admin.*$');
  t.ok(pattern.kind === 'regex' && compileRegex(pattern.regex).test('/admin\n', new WorkBudget()));
});

t.test('a path covers everything that a narrower path covers', async (t) => {
  const covers = (a: string, b: string): boolean => coversPath(parsePath(a), parsePath(b));
  t.ok(covers('/', '/a'));
  t.ok(covers('/a', '/a/b'));
  t.ok(covers('/a', '= /a'));
  t.ok(covers('~ .*', '/a'));
  t.ok(covers('~ ^/', '/a'));
  t.ok(covers('~ x', '~ x'));
  t.notOk(covers('/a', '/ab'));
  t.notOk(covers('/a/b', '/a'));
  t.notOk(covers('= /a', '/a'));
  t.notOk(covers('~ ^/a', '/a'));
  t.notOk(covers('/a', '~ ^/a'));
  t.notOk(covers('~ ^$', '/a'));
});

t.test('a path offers the groups of its regular expression', async (t) => {
  t.equal(groupsOf(parsePath('~ (a)(?:b)(?<c>c)')), 2);
  t.equal(groupsOf(parsePath('/a')), 0);
  t.equal(groupsOf(null), 0);
});

t.test('a value is exact, a regular expression or just there', async (t) => {
  t.same(parseValue('a'), { kind: 'exact', text: 'a' });
  t.same(parseValue('*'), { kind: 'present' });
  t.match(parseValue('/a/'), { kind: 'regex', regex: { source: 'a', ignoreCase: false } });
  t.match(parseValue('/a/i'), { kind: 'regex', regex: { source: 'a', ignoreCase: true } });
  t.same(parseValue('/home'), { kind: 'exact', text: '/home' });
  t.throws(() => parseValue('/a/g'), { message: 'the flag g is not supported' });
});

t.test('a network has its first and last address', async (t) => {
  t.match(parseNetwork('10.1.2.3/8'), { version: 4, first: 0x0a000000n, last: 0x0affffffn });
  t.match(parseNetwork('192.0.2.1'), { version: 4, first: 0xc0000201n, last: 0xc0000201n });
  t.match(parseNetwork('::/0'), { version: 6, first: 0n, last: (1n << 128n) - 1n });
  t.match(parseNetwork('2001:db8::/32'), { version: 6, first: 0x20010db8n << 96n });
  t.match(parseNetwork('::ffff:10.0.0.0/104'), { version: 4, first: 0x0a000000n, last: 0x0affffffn });
  t.match(parseNetwork('::ffff:10.0.0.1'), { version: 4, first: 0x0a000001n, last: 0x0a000001n });
});

t.test('a text that is not a network is refused', async (t) => {
  const texts = [
    '10.1',
    '010.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    'fe80::1%eth0',
    '',
    'a',
    '10.0.0.0/-1',
  ];
  for (const text of texts) t.throws(() => parseNetwork(text), { name: 'ValueError' }, text);
});

t.test('networks cover one another', async (t) => {
  const covers = (a: string, b: string): boolean => coversNetwork(parseNetwork(a), parseNetwork(b));
  t.ok(covers('10.0.0.0/8', '10.1.0.0/16'));
  t.ok(covers('10.0.0.0/8', '::ffff:10.0.0.1'));
  t.notOk(covers('10.1.0.0/16', '10.0.0.0/8'));
  t.notOk(covers('::/0', '10.0.0.1'));
  t.ok(isEverything(parseNetwork('0.0.0.0/0')) && isEverything(parseNetwork('::/0')));
  t.notOk(isEverything(parseNetwork('0.0.0.0/1')));
});

t.test('a host is compared without case, port and final dot', async (t) => {
  t.same(parseHostName('WWW.Mango.com.'), { kind: 'exact', name: 'www.mango.com' });
  t.same(parseHostName('*.Mango.com'), { kind: 'wildcard', suffix: '.mango.com' });
  t.same(parseHostName('BÜCHER.example'), { kind: 'exact', name: 'xn--bcher-kva.example' });
  t.same(parseHostName('[2001:DB8::1]'), { kind: 'exact', name: '[2001:db8::1]' });
  for (const text of [
    'a.example:80',
    'http://a',
    'a/b',
    '*',
    'a*.b',
    '',
    '-a',
    'a..b',
    '1.2.3',
    'x'.repeat(64),
  ]) {
    t.throws(() => parseHostName(text), { name: 'ValueError' }, text);
  }
});

t.test('an expression for hosts that matches part of a host is warned of', async (t) => {
  const open: readonly (readonly [source: string, missing: string])[] = [
    ['^a\\.b$', ''],
    ['a\\.b', 'neither ^ nor $'],
    ['^a\\.b', 'no $'],
    ['a\\.b$', 'no ^'],
    ['^a$|^b$', ''],
    ['^a|b$', 'neither ^ nor $'],
    ['(?:^a$|^b$)', ''],
    ['^(?:a|b)\\.c$', ''],
    ['^a\\$', 'no $'],
    ['^a[$]', 'no $'],
    ['^a\\.b.*', ''],
    ['.*', ''],
  ];
  for (const [source, missing] of open) t.equal(openEnds(source), missing, source);
  const result = loadConfig('hosts: [{ host: "~ ^app[0-9]\\\\.a\\\\.test", servers: [a:1] }]', { env: {} });
  t.same(result.ok && result.warnings.map(({ line, message }) => `${line} ${message}`), [
    '1 matches longer hosts too, because it has no $',
  ]);
});
