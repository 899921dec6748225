import t, { type Test } from 'tap';
import type { RawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { hasNamed, Named } from '../support/named.js';
import { origins, steadyLoad } from './steady-load.js';

t.setTimeout(120_000);

/** With LB_REQUIRE_NAMED=1 its absence is a failure. */
const skip = hasNamed || process.env.LB_REQUIRE_NAMED === '1' ? false : 'BIND is not there: install bind9';

const ERRORS = ['ESERVFAIL', 'EREFUSED', 'ETIMEOUT'] as const;
type NameServerError = (typeof ERRORS)[number];

const records = (...last: number[]): string[] => last.map((n) => `api 1 A 127.0.0.${n}`);

/** Sets of a real name server under load: from two servers to the same two while it fails, then to three. */
async function ridesOver(t: Test, error: NameServerError): Promise<void> {
  const [{ port }] = (await origins(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'])) as [RawServer];
  const named = await Named.start(t, [...records(1, 2), `_http._tcp.api 1 SRV 1 1 ${port} api`]);
  const started = await startBalancer(t, {
    hosts: [
      { host: 'a', servers: [{ dns: `api.test:${port}` }] },
      { host: 'plain.test', servers: [`api.test:${port}`] },
      { host: 'srv.test', servers: [{ srv: '_http._tcp.api.test' }] },
    ],
    dns: { servers: [named.address] },
  });
  const { balancer, connect } = started;
  const counts = (): string =>
    balancer
      .status()
      .routes.map(({ servers }) => servers.length)
      .join(' ');
  await until(() => counts() === '2 2 2');
  const load = steadyLoad(t, connect, 4);
  await load.next(50);

  await named.fail(error);
  // At first nothing listens at its port, perhaps.
  const isFailing = (): boolean =>
    balancer.status().providers.every((one) => one.state === 'failing' && one.error.endsWith(error));
  await until(isFailing);
  await until(() => balancer.events().some(({ what }) => what === 'resolve_failed'));
  t.equal(counts(), '2 2 2', `${error}: the last list stays`);
  t.same([...(await load.next(100)).keys()].sort(), ['127.0.0.1', '127.0.0.2']);

  await named.mend([...records(1, 2, 3), `_http._tcp.api 1 SRV 1 1 ${port} api`]);
  await until(() => counts() === '3 3 3');
  t.ok(
    balancer.status().providers.every(({ state, error: told }) => state === 'current' && told === ''),
    'and it heals by itself',
  );
  t.equal((await load.next(300)).size, 3);
  await load.end();
  t.same(load.failures, []);
}

t.test('a real name server that fails, refuses or is silent takes no server away', { skip }, async (t) => {
  t.jobs = ERRORS.length;
  await Promise.all(ERRORS.map((error) => t.test(error, { buffered: true }, (t) => ridesOver(t, error))));
});

t.test('a name server that is silent at the start is waited for, and then followed', { skip }, async (t) => {
  const [{ port }] = (await origins(t, ['127.0.0.1', '127.0.0.2'])) as [RawServer];
  const named = await Named.start(t, records(1, 2));
  await named.fail('ETIMEOUT');
  const { balancer, connect } = await startBalancer(t, {
    servers: [{ dns: `api.test:${port}` }],
    dns: { servers: [named.address] },
    timeouts: { discovery: '200ms' },
  });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await client.response();
  t.equal(answer.status, 503);
  t.match(answer.head, /\r\nRetry-After: 1\r\n/i);
  t.equal(balancer.status().providers[0]?.state, 'waiting');
  await named.mend(records(1, 2));
  await until(() => balancer.status().servers.length === 2);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
});
