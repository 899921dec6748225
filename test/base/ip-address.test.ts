import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import { IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';

const textOf = (spelling: string): string | undefined => parseIpAddress(spelling)?.text;

t.test('every spelling of an address gives one text', async (t) => {
  const spellings: readonly (readonly [spelling: string, text: string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::ffff:C000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['0000:0000:0000:0000:0000:ffff:c000:0201', '192.0.2.1'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['2001:db8::0.0.0.1', '2001:db8::1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1::', '1::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%25', 'fe80::1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ];
  for (const [spelling, text] of spellings) t.equal(textOf(spelling), text, spelling);
});

t.test('what is no address, or not the same one everywhere, is none', async (t) => {
  const others = [
    ...[
      '',
      ' ',
      '192.0.2',
      '192.0.2.1.',
      '.192.0.2.1',
      '192.0.2.1.1',
      '192.0.2.256',
      '192.0.2.-1',
      '192.0..1',
    ],
    ...[
      '192.0.2.01',
      '010.0.0.1',
      '0x0a.0.0.1',
      '10.1',
      '3221225985',
      '192.0.2.1 ',
      '192.0.2.1%eth0',
      '192.0.2.1:80',
    ],
    ...[
      ':',
      ':::',
      ':1',
      '1:',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '::1:2:3:4:5:6:7:8',
    ],
    ...[
      '12345::',
      'g::',
      '::192.0.2',
      '::192.0.2.1:1',
      '1:2:3:4:5:6:7:192.0.2.1',
      '[::1]',
      '::1%',
      '::1%a b',
      '%eth0',
    ],
    ...['unknown', '_hidden', '１.1.1.1'],
  ];
  for (const other of others) t.equal(parseIpAddress(other), null, JSON.stringify(other));
});

t.test('part of a text is read where it lies', async (t) => {
  t.equal(parseIpAddress('a, 192.0.2.1, b', 3, 12)?.text, '192.0.2.1');
  t.equal(parseIpAddress('[2001:db8::1]:80', 1, 12)?.text, '2001:db8::1');
  t.equal(parseIpAddress('192.0.2.1', 0, 8)?.text, undefined);
  t.equal(parseIpAddress('192.0.2.10', 0, 9)?.text, '192.0.2.1');
});

t.test('IPv6 clients are counted by /64, IPv4 clients one by one', async (t) => {
  const keyOf = (text: string): string | undefined => parseIpAddress(text)?.key;
  t.equal(keyOf('2001:db8:1:2::1'), keyOf('2001:db8:1:2:ffff:ffff:ffff:ffff'));
  t.not(keyOf('2001:db8:1:2::1'), keyOf('2001:db8:1:3::1'));
  t.equal(keyOf('::ffff:192.0.2.1'), keyOf('192.0.2.1'));
  t.not(keyOf('192.0.2.1'), keyOf('192.0.2.2'));
  t.not(IpAddress.unix.key, keyOf('::1'));
});

t.test('the same texts are addresses as for Node, with the same canonical text as in ipaddr.js', async () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
  const octet = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.constantFrom('', '00', '01', 'a'));
  const v4 = fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join('.'));
  const part = fc.oneof(group, fc.constant('0'), fc.constant(''));
  const v6 = fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 9 }), fc.option(v4))
    .map(([parts, tail]) => (tail === null ? parts : [...parts, tail]).join(':'));
  fc.assert(
    fc.property(fc.oneof(v4, v6, fc.ipV4(), fc.ipV6()), (text) => {
      // ipaddr.js reads the forgotten form ::a.b.c.d as ::ffff:a.b.c.d.
      fc.pre(!/^::\d+\./.test(text));
      const read = parseIpAddress(text);
      if ((read !== null) !== (isIPv4(text) || isIPv6(text))) return false;
      return read === null || read.text === ipaddr.process(text).toString();
    }),
    { numRuns: 5000 },
  );
});
