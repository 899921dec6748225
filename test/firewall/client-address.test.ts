import fc from 'fast-check';
import t from 'tap';
import { AddressSet } from '../../lib/base/address-set.js';
import { IpAddress } from '../../lib/base/ip-address.js';
import { processorTime } from '../../lib/base/processor-time.js';
import { clientAddress } from '../../lib/http/forwarded.js';
import { requestHead } from '../http/heads.js';
import { ip } from './support.js';

const TRUSTED = new AddressSet(['10.0.0.0/8', '2001:db8:ffff::/48']);

/** Whom a request from `peer` with these X-Forwarded-For fields is from. */
function clientOf(peer: string, ...forwarded: readonly string[]): string {
  const fields = forwarded.map((value) => `X-Forwarded-For: ${value}\r\n`).join('');
  const head = requestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return clientAddress(ip(peer), head, TRUSTED).text;
}

/** The same by Forwarded, with an X-Forwarded-For beside it if there is one. */
function standardOf(peer: string, elements: readonly string[], beside = ''): string {
  const fields = elements.map((value) => `Forwarded: ${value}\r\n`).join('') + beside;
  return clientAddress(ip(peer), requestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`), TRUSTED).text;
}

t.test('a peer that is not trusted is the client, whatever it claims', async (t) => {
  for (const claim of ['203.0.113.9', '10.0.0.1', '127.0.0.1', '::1', 'unknown', '']) {
    t.equal(clientOf('192.0.2.1', claim), '192.0.2.1', claim);
  }
  t.equal(clientOf('::ffff:192.0.2.1', '203.0.113.9'), '192.0.2.1');
  t.equal(clientOf('2001:db8::1', '203.0.113.9'), '2001:db8::1');
});

t.test('behind trusted proxies the client is the rightmost address that is not trusted', async (t) => {
  const cases: readonly (readonly [client: string, ...fields: string[]])[] = [
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9', '198.51.100.1, 203.0.113.9'],
    ['203.0.113.9', '203.0.113.9, 10.0.0.2'],
    ['203.0.113.9', '10.0.0.3, 203.0.113.9, 10.0.0.2, 10.1.1.1'],
    ['203.0.113.9', '127.0.0.1,203.0.113.9'],
    ['203.0.113.9', '  203.0.113.9\t, \t10.0.0.2  '],
    // Several fields are one list.
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['203.0.113.9', '198.51.100.1, 203.0.113.9', '10.0.0.2'],
    ['203.0.113.9', '203.0.113.9', '10.0.0.2', '10.0.0.3'],
    // Empty elements do not count.
    ['203.0.113.9', '203.0.113.9, , 10.0.0.2,'],
    ['203.0.113.9', '203.0.113.9', '', ' , '],
    // Ports and brackets.
    ['203.0.113.9', '203.0.113.9:4711'],
    ['203.0.113.9', '203.0.113.9:4711, 10.0.0.2:80'],
    ['2001:db8::7', '[2001:db8::7]'],
    ['2001:db8::7', '[2001:db8::7]:4711'],
    ['203.0.113.9', '[::ffff:203.0.113.9]:4711'],
    // Other spellings.
    ['2001:db8::7', '2001:DB8:0:0:0:0:0:7'],
    ['2001:db8::7', '2001:0db8:0000:0000:0000:0000:0000:0007'],
    ['203.0.113.9', '::ffff:203.0.113.9'],
    ['203.0.113.9', '::ffff:cb00:7109, ::ffff:10.0.0.2'],
    ['203.0.113.9', '203.0.113.9, 2001:db8:ffff::1'],
    ['fe80::1', 'fe80::1%eth0'],
    // All are trusted: the first of them.
    ['10.0.0.3', '10.0.0.3, 10.0.0.2'],
    ['10.0.0.1'],
    ['10.0.0.1', ''],
  ];
  for (const [client, ...fields] of cases)
    t.equal(clientOf('10.0.0.1', ...fields), client, fields.join(' | '));
});

t.test('Forwarded is walked in the same way, where there is no X-Forwarded-For', async (t) => {
  const cases: readonly (readonly [client: string, ...fields: string[]])[] = [
    ['203.0.113.9', 'for=203.0.113.9'],
    ['203.0.113.9', 'For=198.51.100.1, FOR=203.0.113.9;proto=https;by=10.0.0.2'],
    ['203.0.113.9', 'proto=https; for="203.0.113.9:4711" ;host=a, for=10.0.0.2'],
    ['203.0.113.9', 'for=198.51.100.1', 'for=203.0.113.9', 'for=10.0.0.2'],
    ['2001:db8::7', 'for="[2001:db8::7]"', 'for=10.0.0.2'],
    ['2001:db8::7', 'for="[2001:db8::7]:4711"'],
    ['203.0.113.9', 'for="2\\03.0.113.9"'],
    ['203.0.113.9', 'for=203.0.113.9, , for=10.0.0.2,'],
    ['10.0.0.3', 'for=10.0.0.3, for=10.0.0.2'],
    // What a client writes in a Host is no parameter.
    ['203.0.113.9', 'host="a;for=6.6.6.6;b";for=203.0.113.9'],
    ['203.0.113.9', 'host="a, for=6.6.6.6";for=203.0.113.9'],
    ['203.0.113.9', 'for=203.0.113.9;host="a\\", for=6.6.6.6, \\""'],
    // Nor does a quote that it left open hide what its proxy wrote behind it.
    ['203.0.113.9', 'for="6.6.6.6, for=203.0.113.9'],
  ];
  for (const [client, ...fields] of cases)
    t.equal(standardOf('10.0.0.1', fields), client, fields.join(' | '));
  const garbage = ['unknown', '_hidden', '"203.0.113.9"x', '', '"[203.0.113.9]"', '203.0.113.9;for=6.6.6.6'];
  for (const end of garbage)
    t.equal(standardOf('10.0.0.1', [`for=6.6.6.6, for=${end}, for=10.0.0.2`]), '10.0.0.2', end);
  t.equal(standardOf('10.0.0.1', ['for=6.6.6.6, host=a']), '10.0.0.1', 'nobody is named');
  t.equal(standardOf('10.0.0.1', ['for=6.6.6.6'], 'X-Forwarded-For: 203.0.113.9\r\n'), '203.0.113.9', 'both');
  t.equal(standardOf('192.0.2.1', ['for=6.6.6.6']), '192.0.2.1', 'a stranger');
});

t.test('a text that is not an address ends the walk at the last trusted proxy', async (t) => {
  const garbage = [
    ...[
      'unknown',
      '_hidden',
      'example.test',
      '203.0.113',
      '203.0.113.09',
      '0xcb.0.113.9',
      '203.0.113.9:',
      '203.0.113.9:x',
    ],
    ...[
      '203.0.113.9:123456',
      '203.0.113.9 10.0.0.4',
      '[203.0.113.9]',
      '[2001:db8::7',
      '[2001:db8::7]x',
      '[2001:db8::7]80',
    ],
    ...[
      '2001:db8::7]',
      '2001:db8:::7',
      '"203.0.113.9"',
      'for=203.0.113.9',
      '203.0.113.9;x',
      '[]',
      ':',
      '[:]:80',
      '::1%',
    ],
  ];
  for (const entry of garbage) {
    t.equal(clientOf('10.0.0.1', `203.0.113.1, ${entry}, 10.0.0.2`), '10.0.0.2', entry);
    t.equal(clientOf('10.0.0.1', `203.0.113.1, ${entry}`), '10.0.0.1', entry);
  }
});

t.test('whatever a client makes of the field, it is read in little time', async (t) => {
  const started = processorTime();
  for (const unit of [' ', '\t', 'a', '"', '\\', '\\"', ',', ';', ';a=', 'for=10.0.0.2,']) {
    const run = unit.repeat(Math.floor(30_000 / unit.length));
    for (const value of [`for=10.0.0.3;${run}x`, `${run}x`, `for="${run}`, `x${run}"`])
      standardOf('10.0.0.1', [value]);
  }
  t.ok(processorTime() - started < 500);
});

t.test('other fields say nothing', async (t) => {
  const head = requestHead(
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded: 203.0.113.9\r\nX_Forwarded_For: 203.0.113.8\r\nX-Real-IP: 203.0.113.7\r\n\r\n',
  );
  t.equal(clientAddress(ip('10.0.0.1'), head, TRUSTED).text, '10.0.0.1');
});

t.test('the peer of a Unix socket is trusted by no list of addresses', async (t) => {
  const head = requestHead('GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n');
  t.equal(clientAddress(IpAddress.unix, head, TRUSTED), IpAddress.unix);
});

t.test('claims of an untrusted client do not count beyond the address its proxy added', async () => {
  const entry = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('10.0.0.9', 'unknown', '', '[', ']', ':', '10.0.0.9:1'),
  );
  const claims = fc.array(
    fc.array(entry, { maxLength: 5 }).map((entries) => entries.join(', ')),
    { maxLength: 3 },
  );
  const proxies = fc.array(
    fc.constantFrom('10.0.0.2', '10.1.2.3:80', '2001:db8:ffff::1', '[2001:db8:ffff::2]:1'),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(claims, proxies, (claimed, passed) => {
      const appended = ['203.0.113.9', ...passed].join(', ');
      return clientOf('10.0.0.1', ...claimed, appended) === '203.0.113.9';
    }),
  );
});
