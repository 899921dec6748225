import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import { AddressSet } from '../../lib/base/address-set.js';
import { FUZZ_RUNS } from '../support/fuzz.js';

t.test('addresses and blocks, their first and last ones included', async (t) => {
  const set = new AddressSet(['192.0.2.1', '10.0.0.0/8', '10.64.0.0/10', '2001:db8::/32', '::1']);
  for (const inside of [
    '192.0.2.1',
    '10.0.0.0',
    '10.255.255.255',
    '2001:db8::',
    '2001:db8:ffff::ffff',
    '::1',
  ])
    t.ok(set.has(inside), inside);
  for (const outside of [
    '192.0.2.0',
    '192.0.2.2',
    '9.255.255.255',
    '11.0.0.0',
    '2001:db7:ffff::',
    '2001:db9::',
    '::2',
  ])
    t.notOk(set.has(outside), outside);
});

t.test('the bits of a block behind its prefix do not count', async (t) => {
  t.ok(new AddressSet(['10.1.2.3/8']).has('10.200.0.1'));
});

t.test('an IPv4 address is the same in IPv6 clothing, in the set and asked for', async (t) => {
  const set = new AddressSet(['10.0.0.0/8', '::ffff:192.0.2.0/120', '::ffff:198.51.100.7']);
  for (const inside of [
    '::ffff:10.1.1.1',
    '::ffff:a01:101',
    '192.0.2.77',
    '::ffff:192.0.2.77',
    '198.51.100.7',
  ])
    t.ok(set.has(inside), inside);
  t.notOk(set.has('192.0.3.1'));
});

t.test('all of one family is none of the other', async (t) => {
  t.ok(new AddressSet(['::/0']).has('2001:db8::1'));
  t.notOk(new AddressSet(['::/0']).has('192.0.2.1'));
  t.ok(new AddressSet(['0.0.0.0/0']).has('::ffff:192.0.2.1'));
  t.notOk(new AddressSet(['0.0.0.0/0']).has('2001:db8::1'));
});

t.test('what is no address is in no set', async (t) => {
  const set = new AddressSet(['0.0.0.0/0', '::/0']);
  for (const word of [
    '',
    'unix',
    'localhost',
    '1',
    '127.1',
    '0x7f.0.0.1',
    '10.0.0.1:80',
    '10.0.0.0/8',
    '[::1]',
  ])
    t.notOk(set.has(word), word);
  t.ok(set.has('fe80::1%eth0'), 'a link-local client has a zone');
  t.notOk(new AddressSet([]).has('127.0.0.1'));
});

t.test('an entry that is neither address nor block is named', async (t) => {
  for (const entry of [
    '',
    '10',
    '10.1',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    'localhost',
    '010.0.0.1',
    '10.0.0.0/8/8',
  ])
    t.throws(() => new AddressSet(['127.0.0.1', entry]), `"${entry}"`);
});

t.test('bisection finds what asking every entry finds', async () => {
  // Few values, so that blocks overlap, touch and repeat.
  const byte = fc.constantFrom(0, 1, 2, 127, 128, 254, 255);
  const v4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map((list) => list.join('.'));
  const group = fc.constantFrom('0', '1', '7fff', '8000', 'fffe', 'ffff');
  const v6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((list) => list.join(':'));
  const entry = fc.oneof(
    v4,
    v6,
    fc.tuple(v4, fc.nat(32)).map((pair) => pair.join('/')),
    fc.tuple(v6, fc.nat(128)).map((pair) => pair.join('/')),
    fc.tuple(v4, fc.integer({ min: 96, max: 128 })).map((pair) => `::ffff:${pair.join('/')}`),
  );
  const asked = fc.oneof(
    v4,
    v6,
    v4.map((address) => `::ffff:${address}`),
  );
  const matches = (address: string, block: string): boolean => {
    const ip = ipaddr.process(address);
    let [network, bits] = block.includes('/') ? ipaddr.parseCIDR(block) : [ipaddr.parse(block), 0];
    if (!block.includes('/')) bits = network.kind() === 'ipv4' ? 32 : 128;
    if (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96) {
      network = network.toIPv4Address();
      bits -= 96;
    }
    return ip.kind() === network.kind() && ip.match(network, bits);
  };
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 12 }),
      fc.array(asked, { minLength: 1, maxLength: 12 }),
      (entries, list) => {
        const set = new AddressSet(entries);
        for (const address of list) {
          const expected = entries.some((block) => matches(address, block));
          if (set.has(address) !== expected) throw new Error(`${address}: ${expected}`);
        }
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});
