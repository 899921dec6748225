import t from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { NameServers } from '../../lib/net/name-servers.js';
import { ManualClock } from '../support/manual-clock.js';

interface Teardown {
  teardown(end: () => void): void;
}

async function start(t: Teardown) {
  const server = await DnsServer.start();
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const nameServers = new NameServers([server.address], wheel);
  t.teardown(() => {
    nameServers.cancel();
    wheel.close();
    void server.close();
  });
  const query = (name: string): Promise<string> =>
    new Promise((resolve) => {
      nameServers.query(name, 4, (error, records) =>
        resolve(error?.code ?? records.map(({ address }) => address).join()),
      );
    });
  return { server, clock, nameServers, query };
}

t.test('a query within the TTL of an answer reaches the name server again', async (t) => {
  const { server, clock, query } = await start(t);
  server.set('app.test', 300, '10.0.0.1');
  t.equal(await query('app.test'), '10.0.0.1');
  server.set('app.test', 300, '10.0.0.2');
  clock.advance(1000);
  t.equal(await query('app.test'), '10.0.0.2');
  t.same(server.questions, ['app.test A', 'app.test A']);
});

t.test('other name servers are asked from the next query on', async (t) => {
  const { server, nameServers, query } = await start(t);
  const other = await DnsServer.start();
  t.teardown(() => other.close());
  server.set('app.test', 300, '10.0.0.1');
  other.set('app.test', 300, '10.0.0.2');
  t.equal(await query('app.test'), '10.0.0.1');
  nameServers.use([other.address]);
  t.same(nameServers.addresses, [other.address]);
  t.equal(await query('app.test'), '10.0.0.2');
});

t.test('queries of a channel that is no longer used end when all are cancelled', async (t) => {
  const { server, clock, nameServers, query } = await start(t);
  server.mood = 'silent';
  const first = query('one.test');
  clock.advance(1000);
  const second = query('two.test');
  nameServers.cancel();
  t.same(await Promise.all([first, second]), ['ECANCELLED', 'ECANCELLED']);
});
