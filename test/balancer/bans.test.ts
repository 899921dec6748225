import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';

const BAN = { status: [404], count: 2, within: '1m', for: '5m' };

t.test('bans are listed with what is left of them, and lifted with a clean record', async (t) => {
  const { balancer, clock, connect, seen } = await startBalancer(
    t,
    {
      trusted_proxies: ['127.0.0.1'],
      respond: { status: 404 },
      firewall_rules: { ban: BAN },
      hosts: [{ host: 'a.test', respond: { status: 404 }, firewall_rules: { ban: BAN, mode: 'observe' } }],
    },
    { manual: true },
  );
  const told: string[] = [];
  seen.listen((event) => {
    if (event.what === 'unbanned') told.push(`${event.client} ${event.firewall}`);
  });
  const client = await connect();
  const ask = async (from: string, host = 'b.test'): Promise<number> => {
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-For: ${from}\r\n\r\n`);
    return (await client.response()).status;
  };
  for (const from of ['192.0.2.7', '2001:db8:1:2::7', '192.0.2.8'])
    for (let i = 0; i < 2; i++) t.equal(await ask(from, 'a.test'), 404);
  t.equal(await ask('192.0.2.7'), 403);
  clock.advance(60_000);
  const { total, bans } = balancer.bans();
  t.equal(total, 6);
  t.same(
    bans.filter(({ client }) => client === '2001:db8:1:2::/64').map(({ until, ...ban }) => ban),
    [
      { client: '2001:db8:1:2::/64', rule: 'firewall_rules', leftMs: 240_000, observed: false },
      {
        client: '2001:db8:1:2::/64',
        rule: 'firewall_rules of a.test',
        leftMs: 240_000,
        observed: true,
      },
    ],
  );
  t.same(
    balancer.status().firewall.map((firewall) => firewall.bans),
    [3, 3],
  );
  t.equal(bans[0]?.until, clock.wall() + 240_000);

  t.same(balancer.unban('192.0.2.7'), ['firewall_rules', 'firewall_rules of a.test']);
  t.same(balancer.unban('2001:db8:1:2:ffff::1'), ['firewall_rules', 'firewall_rules of a.test']);
  t.same(told, ['192.0.2.7 firewall_rules', '2001:db8:1:2::/64 firewall_rules']);
  t.match(balancer.events().at(-1), { what: 'unbanned', reason: '2001:db8:1:2::/64 by firewall_rules' });
  t.same([await ask('192.0.2.7'), await ask('192.0.2.7'), await ask('192.0.2.7')], [404, 404, 403]);
  t.throws(() => balancer.unban('192.0.2.99'), { code: 'unknown_ban' });
  for (const text of ['', 'x', '192.0.2.7/24', '192.0.2.7:80', 'unix'])
    t.throws(() => balancer.unban(text), { code: 'bad_value' }, text);
  clock.advance(300_001);
  t.same(balancer.bans(), { total: 0, bans: [] });
});

t.test(
  'a reload keeps bans whose settings are the same, and ends those that it changes or leaves out',
  async (t) => {
    const settings = (ban: object | undefined, other = {}): object => ({
      ...other,
      trusted_proxies: ['127.0.0.1'],
      respond: { status: 404 },
      firewall_rules: { ban },
    });
    const { balancer, connect } = await startBalancer(t, settings(BAN));
    const reload = (next: object): Promise<unknown> =>
      balancer.reload(createConfig({ ...next, listen: ['127.0.0.1:0'] }));
    const client = await connect();
    const ask = async (): Promise<number> => {
      client.send('GET / HTTP/1.1\r\nHost: b.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n');
      return (await client.response()).status;
    };
    t.same([await ask(), await ask(), await ask()], [404, 404, 403]);
    await reload(settings(BAN, { via: true }));
    t.equal(await ask(), 403);
    t.equal(balancer.bans().total, 1);
    await reload(settings({ ...BAN, for: '6m' }));
    t.equal(balancer.bans().total, 0);
    t.equal(await ask(), 404);
    await reload(settings(BAN));
    t.same(
      [await ask(), await ask(), await ask()],
      [404, 404, 403],
      'the settings from before, without their bans',
    );
    await reload(settings(undefined));
    t.equal(await ask(), 404);
    await reload(settings(BAN));
    t.equal(await ask(), 404);
  },
);

nothingIsLeft(t);
