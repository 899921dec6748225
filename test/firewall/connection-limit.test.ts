import t from 'tap';
import { ConnectionLimit } from '../../lib/firewall/connection-limit.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { ip } from './support.js';

function limitOf(limit: number, { clients } = SharedMemory.create()): ConnectionLimit {
  return new ConnectionLimit(limit, clients, ['rules']);
}

t.test('a client gets a limited number of places until one is returned', async (t) => {
  const limit = limitOf(2);
  const client = ip('192.0.2.1');
  t.ok(limit.admits(client));
  limit.enter(client);
  t.ok(limit.admits(client));
  limit.enter(client);
  t.notOk(limit.admits(client));
  t.notOk(limit.enter(client));
  t.ok(limit.admits(ip('192.0.2.2')));
  limit.leave(client);
  t.ok(limit.admits(client));
});

t.test('IPv6 clients share the places of their /64', async (t) => {
  const limit = limitOf(1);
  limit.enter(ip('2001:db8::1'));
  t.notOk(limit.admits(ip('2001:db8::2')));
  t.ok(limit.admits(ip('2001:db8:0:1::1')));
});

t.test('nothing is kept of clients that are gone', async (t) => {
  const shared = SharedMemory.create();
  const limit = limitOf(5, shared);
  const clients = Array.from({ length: 100 }, (_, i) => ip(`192.0.2.${i}`));
  for (const client of [...clients, ...clients]) limit.enter(client);
  t.equal(shared.clients.places.size, 100);
  for (const client of [...clients, ...clients]) limit.leave(client);
  t.equal(shared.clients.places.size, 0);
});

t.test('a client keeps its places when the limit changes, and other scopes have others', async (t) => {
  const shared = SharedMemory.create();
  const client = ip('192.0.2.1');
  const before = limitOf(2, shared);
  t.ok(before.enter(client) && before.enter(client));
  const after = limitOf(3, shared);
  t.equal(after.placesOf(client), 2);
  t.ok(after.enter(client));
  t.notOk(after.enter(client));
  before.leave(client);
  t.equal(after.placesOf(client), 2);
  t.equal(new ConnectionLimit(1, shared.clients, ['other rules']).placesOf(client), 0);
});

t.test('places beyond the limit are counted where the limit is only observed', async (t) => {
  const limit = limitOf(1);
  const client = ip('192.0.2.1');
  for (let i = 0; i < 3; i++) limit.enterAnyway(client);
  t.equal(limit.placesOf(client), 3);
  for (let i = 0; i < 2; i++) limit.leave(client);
  t.notOk(limit.admits(client));
  limit.leave(client);
  t.ok(limit.admits(client));
});
