import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import type { Observer } from '../../lib/base/observer.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer, BalancerOptions } from '../../lib/control/balancer-contract.js';
import { CallbackFailures } from '../../lib/observe/callback-failures.js';
import { ObserverList } from '../../lib/observe/observer-list.js';
import { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin } from '../support/origin.js';
import { recordOf } from './record.js';

/** A balancer before one server, and a client of it. */
async function started(t: Test, observer: Observer, options: BalancerOptions = {}) {
  const server = await origin(t, answering(OK));
  const servers = [{ name: 'a', address: server.address }];
  const settings = { listen: '127.0.0.1:0', servers, health_check: false, timeouts: { keep_alive: '1m' } };
  const balancer = createBalancer(createConfig(settings), observer, options);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const [address] = balancer.addresses;
  const client = await RawClient.connect(address?.kind === 'tcp' ? address.port : 0);
  t.teardown(() => client.destroy());
  return { balancer, client };
}

function warnings(balancer: Balancer): string[] {
  return balancer.events().flatMap(({ what, reason }) => (what === 'warning' ? [reason] : []));
}

async function asks(client: RawClient, times: number, request = GET): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) {
    client.send(request);
    statuses.push((await client.response()).status);
  }
  return statuses;
}

t.test('an observer that throws for one request harms neither that request nor the next ones', async (t) => {
  let told = 0;
  const { balancer, client } = await started(t, {
    requestSettled() {
      told++;
      if (told === 1) throw new TypeError('no such\nfield');
    },
  });
  t.strictSame(await asks(client, 3), [200, 200, 200]);
  t.equal(told, 3);
  t.equal(balancer.metrics.callbackFailures, 1);
  t.match(warnings(balancer), [
    /^observer: requestSettled threw TypeError: no such field \(.*callbacks\.test\.[jt]s:\d+:\d+\); later failures/,
  ]);
});

t.test('an observer that always throws is reported once, and counted each time', async (t) => {
  const { balancer, client } = await started(t, {
    requestSettled() {
      throw new Error('always');
    },
  });
  t.strictSame(await asks(client, 5), [200, 200, 200, 200, 200]);
  t.equal(balancer.metrics.callbackFailures, 5);
  t.equal(warnings(balancer).length, 1);
});

t.test(
  'pipelined requests are all answered although their observer throws, and so are refused ones',
  async (t) => {
    const { client, balancer } = await started(t, {
      requestSettled() {
        throw new Error('always');
      },
    });
    client.send(GET.repeat(20));
    for (let i = 0; i < 20; i++) t.equal((await client.response()).status, 200);
    client.send('GET / HTTP/1.1\r\n\r\n');
    t.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
    client.end();
    await client.gone();
    t.equal(balancer.metrics.callbackFailures, 21);
  },
);

t.test('an async observer whose promise is rejected is treated as one that throws', async (t) => {
  // As JavaScript may hand it in: the types say that nothing is returned.
  const rejecting: () => unknown = async () => {
    await Promise.resolve();
    throw new Error('late');
  };
  const { balancer, client } = await started(t, { requestSettled: rejecting as () => void });
  t.strictSame(await asks(client, 3), [200, 200, 200]);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(balancer.metrics.callbackFailures, 3);
  t.match(warnings(balancer), [/requestSettled threw Error: late/]);
});

t.test('the other observers are called although one of them throws, each in its turn', async (t) => {
  const told: string[] = [];
  const failures = new CallbackFailures((line) => told.push(line));
  const thrower = (name: string): Observer => ({
    requestSettled() {
      told.push(name);
      throw new Error(name);
    },
    event() {
      told.push(name);
      throw new Error(name);
    },
  });
  const list = new ObserverList([thrower('a'), thrower('b'), { event: () => told.push('c') }], failures);
  list.event({ what: 'down', server: 's', reason: 'refused' });
  t.match(told, ['a', /observer: down threw Error: a/, 'b', /observer: down threw Error: b/, 'c']);
  told.length = 0;
  list.requestSettled(recordOf({}));
  t.strictSame(told, ['a', 'b'], 'each is reported once, whatever it throws at');
  t.equal(failures.count, 4);
});

t.test('members of a list of observers in another are called like its own members', async (t) => {
  const lines: string[] = [];
  const inner = new ObserverList([
    {
      event() {
        throw new Error('inner');
      },
    },
  ]);
  const failures = new CallbackFailures((line) => lines.push(line));
  new ObserverList([inner], failures).event({ what: 'queue_full', server: 'a' });
  t.equal(failures.count, 1);
  t.match(lines, [/^observer: queue_full threw Error: inner/]);
});

t.test('addresses are masked for all observers but the one that acts by them', async (t) => {
  const told: string[] = [];
  const listener = (name: string): Observer => ({
    event: (event) => {
      if (event.what === 'banned' || event.what === 'unbanned') told.push(`${name} ${event.client}`);
    },
  });
  const actor = listener('actor');
  const list = new ObserverList([listener('log'), actor, listener('webhook')]);
  list.masksAddresses = true;
  list.addressReader = actor;
  list.event({ what: 'banned', client: '192.0.2.77', firewall: 'f', forMs: 1000 });
  list.event({ what: 'unbanned', client: '2001:db8:1:2::/64', firewall: 'f' });
  t.strictSame(told, [
    'log 192.0.2.0',
    'actor 192.0.2.77',
    'webhook 192.0.2.0',
    'log 2001:db8:1::',
    'actor 2001:db8:1:2::/64',
    'webhook 2001:db8:1::',
  ]);
});

t.test('every call of an observer may throw', async (t) => {
  const failures = new CallbackFailures(() => {});
  const angry = new Proxy({} as Observer, {
    get: () => () => {
      throw new Error('angry');
    },
  });
  const list = new ObserverList([angry], failures);
  list.requestSettled(recordOf({}));
  list.event({ what: 'drained', server: 'a' });
  t.equal(failures.count, 2);
});

t.test('a listener to events that throws stops neither the change nor the other listeners', async (t) => {
  const { balancer, client } = await started(t, {});
  const heard: string[] = [];
  balancer.subscribe(() => {
    throw new Error('deaf');
  });
  balancer.subscribe(({ what }) => heard.push(what));
  balancer.setWeight('a', 3);
  balancer.setWeight('a', 4);
  t.strictSame(
    heard.filter((what) => what === 'weight'),
    ['weight', 'weight'],
  );
  t.match(warnings(balancer), [/^listener to events: threw Error: deaf/]);
  t.strictSame(await asks(client, 1), [200]);
});

t.test('a store that throws costs a warning; the change holds', async (t) => {
  const store = {
    changes: null,
    keep() {
      throw new Error('disk full');
    },
  };
  const { balancer } = await started(t, {}, { store });
  balancer.setWeight('a', 7);
  t.match(balancer.status().config.drift, ['weight of a: 7 (file: 1)']);
  t.match(warnings(balancer), [/^store: keep threw Error: disk full/]);
});

t.test('an observer whose warning throws too does not make an endless report', async (t) => {
  const { balancer, client } = await started(t, {
    requestSettled() {
      throw new Error('first');
    },
    event({ what }) {
      if (what === 'warning') throw new Error('second');
    },
  });
  t.strictSame(await asks(client, 2), [200, 200]);
  t.match(warnings(balancer), [/threw Error: first/]);
  t.equal(balancer.metrics.callbackFailures, 3, 'two requests and a warning');
});

t.test('whatever is thrown has a text of one line', async (t) => {
  const lines: string[] = [];
  const failures = new CallbackFailures((line) => lines.push(line));
  const hostile = {
    toString() {
      throw new Error('no text');
    },
  };
  for (const thrown of [null, undefined, 'a\nb', Symbol('s'), hostile, Object.create(null)])
    failures.guard({}, 'it', () => {
      throw thrown;
    });
  t.equal(failures.count, 6);
  t.equal(lines.length, 6);
  for (const line of lines) t.match(line, /^it threw .+; later failures of it are only counted$/);
});

nothingIsLeft(t);
