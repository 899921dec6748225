import t from 'tap';
import { ConnectionLimit } from '../../lib/firewall/connection-limit.js';
import { ip } from './support.js';

t.test('a client gets a limited number of places until one is returned', async (t) => {
  const limit = new ConnectionLimit(2);
  const client = ip('192.0.2.1');
  t.ok(limit.admits(client));
  limit.enter(client);
  t.ok(limit.admits(client));
  limit.enter(client);
  t.notOk(limit.admits(client));
  t.ok(limit.admits(ip('192.0.2.2')));
  limit.leave(client);
  t.ok(limit.admits(client));
});

t.test('IPv6 clients share the places of their /64', async (t) => {
  const limit = new ConnectionLimit(1);
  limit.enter(ip('2001:db8::1'));
  t.notOk(limit.admits(ip('2001:db8::2')));
  t.ok(limit.admits(ip('2001:db8:0:1::1')));
});

t.test('nothing is kept of clients that are gone', async (t) => {
  const limit = new ConnectionLimit(5);
  const clients = Array.from({ length: 100 }, (_, i) => ip(`192.0.2.${i}`));
  for (const client of [...clients, ...clients]) limit.enter(client);
  t.equal(limit.size, 100);
  for (const client of [...clients, ...clients]) limit.leave(client);
  t.equal(limit.size, 0);
});
