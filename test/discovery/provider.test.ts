import t from 'tap';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { ProviderConfig } from '../../lib/config/types.js';
import type { DiscoveredServer, Source, SourceListener } from '../../lib/discovery/contract.js';
import { Provider } from '../../lib/discovery/provider.js';
import { ManualClock } from '../support/manual-clock.js';

const CONFIG: ProviderConfig = {
  text: 'file /targets.json',
  key: 'key',
  source: { kind: 'file', folder: '/', pattern: 'targets.json' },
  terms: { weight: 1, backup: false, maxConnections: 0, tls: null, sendProxy: null },
};

function at(address: string, more: Partial<DiscoveredServer> = {}): DiscoveredServer {
  const nothing = { name: null, weight: null, backup: null, maxConnections: null, host: null, origin: '' };
  return { address, ...nothing, ...more };
}

/** A provider whose source is the test. */
function scene() {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const events: string[] = [];
  const told: string[] = [];
  let asked = 0;
  let stopped = 0;
  const source: Source = {
    ask: () => {
      asked++;
    },
    stop: () => {
      stopped++;
    },
  };
  const event = (one: BalancerEvent): void => {
    if (one.what === 'source_failed') events.push(`failed: ${one.detail}, ${one.servers} stay`);
    if (one.what === 'source_recovered') events.push(`recovered after ${one.failedMs}`);
  };
  const provider = new Provider(CONFIG, source, {
    wheel,
    observer: { event },
    random: () => 0,
    onServers: (_key, servers) => told.push(servers.map(({ address }) => address).join(' ')),
    onFirstAnswer: () => told.push('first'),
  });
  provider.start();
  return {
    provider: provider as Provider & SourceListener,
    clock,
    events,
    told,
    asked: () => asked,
    stopped: () => stopped,
  };
}

t.test('an unchanged list is not reported again, and an order that changes is no change', async (t) => {
  const { provider, told } = scene();
  t.equal(provider.status.state, 'waiting');
  provider.onServers([at('a:1'), at('b:1'), at('a:1', { weight: 3 })], 5000);
  t.same(told, ['a:1 b:1', 'first'], 'of two servers at one address the first counts');
  provider.onServers([at('b:1'), at('a:1')], 5000);
  t.equal(told.length, 2);
  provider.onServers([at('b:1'), at('a:1', { weight: 3 })], 5000);
  t.equal(told.length, 3, 'other terms are a change');
  t.match(provider.status, { state: 'current', servers: 2, error: '', errors: 0 });
});

t.test('a source is asked again when its answer is not valid any more, and not before', async (t) => {
  const { provider, clock, asked } = scene();
  provider.onServers([at('a:1')], 5000);
  clock.advance(4900);
  t.equal(asked(), 1);
  clock.advance(200);
  t.equal(asked(), 2);
  provider.onServers([at('a:1')], 0);
  clock.advance(200);
  t.equal(asked(), 2, 'there is a shortest pause');
  clock.advance(150);
  t.equal(asked(), 3);
});

t.test(
  'errors keep the last list, are reported once, and are followed by tries at growing intervals',
  async (t) => {
    const { provider, clock, events, told, asked } = scene();
    provider.onServers([at('a:1')], 1000);
    clock.advance(1100);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      provider.onFailed('refused');
      const [before, since] = [asked(), clock.now()];
      while (asked() === before) clock.advance(50);
      pauses.push(Math.round((clock.now() - since) / 1000));
    }
    t.same(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    t.same(told, ['a:1', 'first']);
    t.match(provider.status, { state: 'failing', servers: 1, error: 'refused', errors: 9 });
    t.same(events, ['failed: refused, 1 stay']);
    provider.onServers([at('a:1')], 1000);
    t.match(events[1], /^recovered after 24\d{4}/);
    t.match(provider.status, { state: 'current', error: '' });
  },
);

t.test('a source that says nothing has failed after 30 s', async (t) => {
  const { provider, clock, events } = scene();
  clock.advance(30_100);
  t.same(events, ['failed: no answer within 30 s, 0 stay']);
  t.equal(provider.status.state, 'waiting');
});

t.test('an empty list has to be confirmed by a second answer, a second later', async (t) => {
  const { provider, clock, told, asked } = scene();
  provider.onServers([at('a:1')], 60_000);
  provider.onServers([], 60_000);
  provider.onServers([], 60_000);
  t.equal(provider.status.servers, 1, 'two answers of one moment are one');
  t.match(provider.status.error, /no server/);
  clock.advance(1400);
  t.equal(asked(), 2, 'it is asked long before its answer expires');
  provider.onServers([], 60_000);
  t.match(provider.status, { servers: 0, state: 'current' });
  t.same(told, ['a:1', 'first', '']);
  const other = scene();
  other.provider.onServers([at('a:1')], 60_000);
  other.provider.onServers([], 60_000);
  other.clock.advance(1400);
  other.provider.onServers([at('a:1')], 60_000);
  t.same(other.told, ['a:1', 'first'], 'a mistake has no effect');
  const never = scene();
  never.provider.onServers([], 60_000);
  t.same(never.told, ['first'], 'a first answer may be empty');
});

t.test('a partial trouble does not keep good servers from being used', async (t) => {
  const { provider, events, told } = scene();
  provider.onServers([at('a:1')], 5000, 'b.json is broken');
  t.same(told, ['a:1', 'first']);
  t.match(provider.status, { state: 'failing', error: 'b.json is broken', servers: 1, answeredAt: null });
  provider.onServers([at('a:1'), at('b:1')], 5000);
  t.match(events, [/^failed: b\.json is broken, /, /recovered/]);
});

t.test('too many servers are an error', async (t) => {
  const { provider, told } = scene();
  provider.onServers([at('a:1')], 5000);
  const many = Array.from({ length: 10_001 }, (_, i) => at(`10.0.${i >> 8}.${i & 255}:80`));
  provider.onServers(many, 5000);
  t.match(provider.status, { state: 'failing', servers: 1, error: /10001 servers/ });
  t.equal(told.length, 2);
});

t.test('after stop nothing is asked or reported', async (t) => {
  const { provider, clock, told, asked, stopped } = scene();
  provider.stop();
  provider.onServers([at('a:1')], 5000);
  provider.onFailed('late');
  clock.advance(100_000);
  t.same([told, asked(), stopped()], [[], 1, 1]);
});
