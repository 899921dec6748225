import t from 'tap';
import { parseAddress } from '../../lib/base/address.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { HostAddresses } from '../../lib/net/host-addresses.js';
import { Resolver } from '../../lib/net/resolver.js';
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

t.test('a name that nobody watches is forgotten behind its answer', async (t) => {
  const resolver = openResolver(t);
  const host = resolver.hostOf(ADDRESS) as HostAddresses;
  t.equal(resolver.hostOf(ADDRESS), host, 'asked for once, whoever needs it');
  await known(host);
  t.equal(resolver.hostCount, 0);
  t.equal(new Set(host.addresses).size, host.addresses.length, 'no address twice');
});

t.test('a name that is watched stays until the last watcher leaves', async (t) => {
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
