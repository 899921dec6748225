import t from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { parseAddress } from '../../lib/base/address.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { type AnswerCallback, HostAddresses } from '../../lib/net/host-addresses.js';
import { Resolver } from '../../lib/net/resolver.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

const ADDRESS = parseAddress('localhost:1', { defaultHost: '' });

function known(host: HostAddresses): Promise<void> {
  return new Promise((resolve, reject) => host.wait({ onKnown: resolve, onUnknown: reject }));
}

function openResolver(t: { teardown(end: () => void): void }): Resolver {
  const wheel = new TimerWheel(new ManualClock());
  const resolver = new Resolver({ servers: [], minTtl: 1000, maxTtl: 60_000 }, wheel, {});
  t.teardown(() => resolver.close());
  t.teardown(() => wheel.close());
  return resolver;
}

t.test('a name without listeners is forgotten after its answer', async (t) => {
  const resolver = openResolver(t);
  const host = resolver.hostOf(ADDRESS) as HostAddresses;
  t.equal(resolver.hostOf(ADDRESS), host, 'resolved once for all that need it');
  await known(host);
  t.equal(resolver.hostCount, 0);
  t.equal(new Set(host.addresses).size, host.addresses.length, 'each address once');
});

t.test(
  'each connection begins with another address; a failed address comes last for ten seconds',
  async (t) => {
    const clock = new ManualClock();
    const wheel = new TimerWheel(clock);
    t.teardown(() => wheel.close());
    const answer = { addresses: ['127.0.0.1', '127.0.0.2', '127.0.0.3'], ttl: 60_000 };
    const resolver = {
      wheel,
      observer: {},
      ask: (_name: string, family: 4 | 6, callback: AnswerCallback) =>
        setImmediate(() => callback(null, family === 4 ? answer : { addresses: [], ttl: 60_000 })),
      drop: () => {},
    } as unknown as Resolver;
    const host = new HostAddresses('app.test', resolver);
    await known(host);
    const order = (): string =>
      host
        .candidates()
        .map((address) => address.slice(-1))
        .join('');
    t.same([order(), order(), order(), order()], ['123', '231', '312', '123']);
    host.noteFailed('127.0.0.2');
    t.same([order(), order(), order()], ['312', '312', '132']);
    clock.advance(9900);
    t.equal(order(), '312');
    clock.advance(200);
    t.same([order(), order()], ['312', '123'], 'tried normally again');
    host.noteFailed('127.0.0.3');
    host.noteConnected('127.0.0.3');
    t.equal(order(), '231', 'an address that has connected is treated like any other');
  },
);

t.test('a watched name is kept until the last watcher leaves', async (t) => {
  const resolver = openResolver(t);
  const host = resolver.hostOf(ADDRESS) as HostAddresses;
  const watchers = [{ onAddresses: () => {} }, { onAddresses: () => {} }] as const;
  for (const watcher of watchers) host.watch(watcher);
  await known(host);
  t.equal(resolver.hostCount, 1);
  host.unwatch(watchers[0]);
  t.equal(resolver.hostCount, 1);
  host.unwatch(watchers[1]);
  t.equal(resolver.hostCount, 0);
});

t.test('a name with more addresses than have TTLs is queried again', async (t) => {
  const server = await DnsServer.start();
  t.teardown(() => server.close());
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const resolver = new Resolver({ servers: [server.address], minTtl: 1000, maxTtl: 60_000 }, wheel, {});
  t.teardown(() => resolver.close());
  const addresses = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  server.set('many.test', 5, ...addresses);
  const host = resolver.hostOf(parseAddress('many.test:1', { defaultHost: '' })) as HostAddresses;
  const heard = new Promise<readonly string[]>((resolve) => host.watch({ onAddresses: resolve }));
  t.equal((await heard).length, 300);
  const asked = server.questions.length;
  clock.advance(5200);
  await until(() => server.questions.length > asked);
  t.pass('queried again when the TTL of 5 seconds is over');
});

t.test('a connection tries eight of thousands of addresses, the failed ones last', async (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const addresses = Array.from({ length: 4000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  const resolver = {
    wheel,
    observer: {},
    ask: (_name: string, family: 4 | 6, callback: AnswerCallback) =>
      setImmediate(() => callback(null, { addresses: family === 4 ? addresses : [], ttl: 60_000 })),
    drop: () => {},
  } as unknown as Resolver;
  const host = new HostAddresses('many.test', resolver);
  await known(host);
  for (const address of addresses.slice(0, 3)) host.noteFailed(address);
  t.same(host.candidates(), addresses.slice(3, 11));
  for (const address of addresses.slice(3)) host.noteFailed(address);
  t.equal(host.candidates().length, 8);
});
