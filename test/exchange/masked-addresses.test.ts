import t from 'tap';
import { parseIpAddress } from '../../lib/base/ip-address.js';
import { maskedAddress, maskedClient } from '../../lib/base/masked-address.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field, origin } from '../support/origin.js';

const masked: readonly (readonly [address: string, network: string])[] = [
  ['192.0.2.77', '192.0.2.0'],
  ['10.255.255.255', '10.255.255.0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
  ['2001:db8::1', '2001:db8::'],
  ['::1', '::'],
  ['::ffff:192.0.2.77', '192.0.2.0'],
];

t.test('the network of a client is its /24, or its /48', async (t) => {
  for (const [address, network] of masked) {
    t.equal(maskedAddress(parseIpAddress(address)!), network, address);
    t.not(parseIpAddress(network), null, 'it is an address');
  }
  t.equal(maskedClient('2001:db8:1:2::/64'), '2001:db8:1::');
  t.equal(maskedClient('unix'), 'unix');
});

t.test('records and events have networks, and everything else uses the address', async (t) => {
  const heads: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  const settings = {
    trusted_proxies: ['127.0.0.1'],
    servers: [server.address],
    firewall_rules: { ban: { status: [404], count: 1, within: '1m', for: '5m' } },
    paths: [{ path: '/lost', respond: { status: 404 } }],
  };
  const { balancer, connect, seen } = await startBalancer(t, { ...settings, mask_addresses: true });
  const events: string[] = [];
  seen.listen((event) => {
    if (event.what === 'banned' || event.what === 'unbanned') events.push(`${event.what} ${event.client}`);
  });
  const client = await connect();
  const ask = async (from: string, path: string): Promise<number> => {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\n\r\n`);
    return (await client.response()).status;
  };
  t.equal(await ask('192.0.2.77', '/'), 200);
  t.match(await seen.request(1), { clientAddress: '192.0.2.0' });
  t.equal(field(heads[0] ?? '', 'x-forwarded-for'), '192.0.2.77, 127.0.0.1', 'the server gets the address');
  t.equal(await ask('2001:db8:1:2::7', '/'), 200);
  t.match(await seen.request(2), { clientAddress: '2001:db8:1::' });

  t.equal(await ask('192.0.2.77', '/lost'), 404);
  t.same(
    [await ask('192.0.2.77', '/'), await ask('192.0.2.78', '/')],
    [403, 200],
    'its neighbour is not banned',
  );
  t.match(balancer.bans(), { bans: [{ client: '192.0.2.77' }] }, 'who lifts a ban needs the address');
  balancer.unban('192.0.2.77');
  t.same(events, ['banned 192.0.2.0', 'unbanned 192.0.2.0']);
  t.match(balancer.events().at(-1), { what: 'unbanned', reason: '192.0.2.0 by firewall_rules' });

  const other = await connect();
  other.send('GET /\r\n\r\n');
  await other.toEnd();
  t.match(
    await seen.request(6),
    { status: 400, clientAddress: '127.0.0.0' },
    'of a head that is refused too',
  );

  await balancer.reload(createConfig({ listen: '127.0.0.1:0', ...settings }));
  t.equal(await ask('192.0.2.77', '/'), 200);
  t.match(await seen.request(7), { clientAddress: '192.0.2.77' });
});

nothingIsLeft(t);
