import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import { AddressSet } from '../../lib/base/address-set.js';
import { IpAddress } from '../../lib/base/ip-address.js';
import { parseNetwork } from '../../lib/config/network.js';

/** The slow way: block after block, all in IPv6. */
function linear(entries: readonly string[], address: string): boolean {
  const asV6 = (parsed: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv6 =>
    parsed instanceof ipaddr.IPv4 ? parsed.toIPv4MappedAddress() : parsed;
  const wanted = asV6(ipaddr.parse(address));
  return entries.some((entry) => {
    const [network, bits] = ipaddr.parseCIDR(entry);
    const length = bits + (network.kind() === 'ipv4' ? 96 : 0);
    // A block that reaches beyond the mapped addresses is one of IPv6, and holds no IPv4.
    if (length < 96 && wanted.isIPv4MappedAddress()) return false;
    return wanted.match(asV6(network), length);
  });
}

t.test('single addresses, blocks, both versions', async (t) => {
  const set = new AddressSet(['192.0.2.1', '10.0.0.0/8', '2001:db8::/32', '::1']);
  for (const inside of ['192.0.2.1', '10.0.0.0', '10.255.255.255', '2001:db8::', '2001:db8:ffff::1', '::1']) {
    t.ok(set.has(inside), inside);
  }
  for (const outside of [
    '192.0.2.0',
    '192.0.2.2',
    '9.255.255.255',
    '11.0.0.0',
    '2001:db7::',
    '2001:db9::',
    '::2',
  ]) {
    t.notOk(set.has(outside), outside);
  }
});

t.test('an IPv4 address and its mapped form are the same, on both sides', async (t) => {
  t.ok(new AddressSet(['192.0.2.0/24']).has('::ffff:192.0.2.7'));
  t.ok(new AddressSet(['::ffff:192.0.2.0/120']).has('192.0.2.7'));
  t.notOk(new AddressSet(['::ffff:192.0.2.0/120']).has('192.0.3.7'));
  t.notOk(new AddressSet(['::/0']).has('192.0.2.7'), 'a block of IPv6 holds no IPv4');
  t.notOk(new AddressSet(['0.0.0.0/0']).has('2001:db8::1'));
});

t.test('a CIDR with host bits stands for its network', async (t) => {
  t.ok(new AddressSet(['10.1.2.3/8']).has('10.200.0.1'));
});

t.test('what is no address is in no set', async (t) => {
  const everything = new AddressSet(['0.0.0.0/0', '::/0']);
  t.notOk(everything.has('unix'));
  t.notOk(everything.has(''));
  t.notOk(everything.has(IpAddress.unix));
});

t.test('an entry that is neither address nor CIDR is named', async (t) => {
  for (const entry of [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    '10.0.0.0/-1',
    'fe80::1%eth0',
  ]) {
    t.throws(
      () => new AddressSet([entry]),
      { message: `not an IP address or CIDR block: "${entry}"` },
      entry,
    );
  }
});

t.test('bisection finds what a walk through all blocks finds', async () => {
  // Few distinct bytes, so that blocks overlap, touch and are hit.
  const byte = fc.constantFrom(0, 1, 2, 127, 128, 254, 255);
  const v4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
  const v6 = fc
    .tuple(fc.constantFrom('::', '::ffff:', '2001:db8::', 'ffff:ffff::'), byte, byte)
    .map(([prefix, a, b]) => `${prefix}${((a << 8) | b).toString(16)}:${((b << 8) | a).toString(16)}`);
  const cidr = fc.oneof(
    fc.tuple(v4, fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
    fc.tuple(v6, fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
  );
  fc.assert(
    fc.property(
      fc.array(cidr, { maxLength: 30 }),
      fc.array(fc.oneof(v4, v6), { maxLength: 30 }),
      (entries, addresses) => {
        const set = new AddressSet(entries);
        const compiled = new AddressSet(entries.map(parseNetwork));
        return addresses.every((address) => {
          const expected = linear(entries, address);
          return set.has(address) === expected && compiled.has(address) === expected;
        });
      },
    ),
    { numRuns: 2000 },
  );
});
