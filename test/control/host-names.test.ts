import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { parseAddress } from '../../lib/base/address.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { HostNames, type Resolution } from '../../lib/control/host-names.js';
import { type AnswerCallback, HostAddresses, hostNameOf } from '../../lib/net/host-addresses.js';
import type { Resolver } from '../../lib/net/resolver.js';
import { turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { origin } from '../support/origin.js';

interface Asked {
  readonly name: string;
  readonly family: 4 | 6;
  readonly callback: AnswerCallback;
}

/** Host names whose questions are answered by the test. */
function openNames(t: Test, tellsThreads = false) {
  const wheel = new TimerWheel(new ManualClock());
  t.teardown(() => wheel.close());
  const asked: Asked[] = [];
  const hosts = new Map<string, HostAddresses>();
  const resolver = {
    wheel,
    observer: {},
    ask: (name: string, family: 4 | 6, callback: AnswerCallback) => asked.push({ name, family, callback }),
    askSystem: (name: string, callback: AnswerCallback) => asked.push({ name, family: 4, callback }),
    drop: (host: HostAddresses) => hosts.delete(host.name),
    hostOf(address: ReturnType<typeof parseAddress>) {
      const name = hostNameOf(address) as string;
      const host = hosts.get(name) ?? new HostAddresses(name, resolver);
      hosts.set(name, host);
      return host;
    },
  } as unknown as Resolver;
  const told: [host: string, resolution: Resolution | null][] = [];
  const onResolved = (host: string, resolution: Resolution | null): void =>
    void told.push([host, resolution]);
  const names = new HostNames({ resolver, wheel, tellsThreads, onResolved });
  t.teardown(() => names.stop());
  /** Answers all questions so far. */
  const answer = (v4: readonly string[], v6: readonly string[] = []): void => {
    for (const { family, callback } of asked.splice(0))
      callback(null, { addresses: family === 4 ? v4 : v6, ttl: 60_000 });
  };
  const several = (): readonly string[] | undefined => told.at(-1)?.[1]?.several;
  return { names, asked, told, hosts, answer, several };
}

const at = (text: string) => parseAddress(text, { defaultHost: '' });

t.test('a name is asked for once, until the last server that has it is gone', async (t) => {
  const { names, asked, told, hosts, answer } = openNames(t);
  names.set('a', at('app.test:80'));
  names.set('b', at('APP.test:81'));
  names.set('c', at('127.0.0.1:80'));
  names.set('d', at('localhost:80'));
  t.same(
    asked.map(({ name, family }) => `${name} ${family}`),
    ['app.test 4', 'app.test 6'],
  );
  answer(['10.0.0.1']);
  t.same(told, [['app.test', { addresses: ['10.0.0.1'], several: [], failure: '' }]]);
  names.set('a', null);
  t.equal(told.length, 1);
  names.retain({ has: (name) => name !== 'b' });
  t.same(told[1], ['app.test', null]);
  t.equal(hosts.size, 0);
});

t.test('at most a hundred names are asked for at once', async (t) => {
  const { names, asked, answer, told } = openNames(t);
  for (let i = 0; i < 250; i++) names.set(`s${i}`, at(`h${i}.test:80`));
  const askedNow = (): number => new Set(asked.map(({ name }) => name)).size;
  t.equal(askedNow(), 100);
  names.set('s150', null);
  answer(['10.0.0.1']);
  t.equal(askedNow(), 100);
  answer(['10.0.0.1']);
  t.equal(askedNow(), 49);
  answer(['10.0.0.1']);
  t.equal(told.filter(([, resolution]) => resolution !== null).length, 249);
});

t.test('several addresses of one family are several servers, one of each family is one', async (t) => {
  const { names, answer, several } = openNames(t);
  names.set('a', at('a.test:80'));
  answer(['10.0.0.2', '10.0.0.1']);
  t.same(several(), ['10.0.0.1', '10.0.0.2'], 'in order, as name servers rotate them');
  names.set('b', at('b.test:80'));
  answer(['10.0.0.1'], ['fd00::1']);
  t.same(several(), []);
  names.set('c', at('c.test:80'));
  answer([], ['fd00::2', 'fd00::1']);
  t.same(several(), ['fd00::1', 'fd00::2']);
});

t.test('of two families the one that connects first is used', async (t) => {
  const { port } = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), '127.0.0.1');
  const { names, answer, several, told } = openNames(t);
  names.set('a', at(`a.test:${port}`));
  // Nothing listens at the addresses of the other one.
  answer(['127.0.0.1', '127.0.0.2'], ['::1', '::2']);
  t.same(several(), [], 'until it is known it is one server');
  await until(() => (several()?.length ?? 0) > 0);
  t.same(several(), ['127.0.0.1', '127.0.0.2']);
  t.equal(told.length, 2);
});

t.test('threads learn of localhost, which stays one server, and of names without an address', async (t) => {
  const { names, asked, answer, told } = openNames(t, true);
  names.set('a', at('localhost:80'));
  answer(['127.0.0.1', '127.0.0.2']);
  t.same(told, [['localhost', { addresses: ['127.0.0.1', '127.0.0.2'], several: [], failure: '' }]]);
  names.set('b', at('nobody.test:80'));
  const fail = (): void => {
    const error = Object.assign(new Error('no'), { code: 'ENOTFOUND' });
    for (const { callback } of asked.splice(0)) callback(error, { addresses: [], ttl: 0 });
  };
  fail();
  await turns(1);
  fail();
  t.same(told[1], ['nobody.test', { addresses: [], several: [], failure: 'ENOTFOUND' }]);
  t.same([...names.resolutions.keys()], ['localhost', 'nobody.test']);
});
