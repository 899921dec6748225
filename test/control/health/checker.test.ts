import t from 'tap';
import { answering, type RawConnection, type Script, startRawServer } from '../../../fixtures/raw-server.js';
import { startFixtureServer } from '../../../fixtures/server.js';
import { createConfig } from '../../../lib/config/config.js';
import { compileHealthCheck } from '../../../lib/config/health-check.js';
import { Report } from '../../../lib/config/report.js';
import type { HealthCheckConfig } from '../../../lib/config/types.js';
import { CheckSlots } from '../../../lib/control/health/check-slots.js';
import { Checker } from '../../../lib/control/health/checker.js';
import type { ResolveListener } from '../../../lib/net/host-addresses.js';
import type { Resolver } from '../../../lib/net/resolver.js';
import { Server } from '../../../lib/servers/server.js';
import { type Seen, startBalancer } from '../../support/balancer.js';
import { startDeafServer } from '../../support/deaf-server.js';
import { GET, OK } from '../../support/http.js';
import { turns, until } from '../../support/loop-ticks.js';
import type { ManualClock } from '../../support/manual-clock.js';
import { createPool, poolSupplies } from '../../support/pool.js';

type Test = Parameters<typeof startBalancer>[0];

const BROKEN = 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n';
const manual = { manual: true };
/** Deadlines fire up to two wheel ticks late; a check begins up to a tenth of its interval early or late. */
const LATE = 100;
const jittered = (interval: number): number => interval * 1.1 + LATE;

async function startServer(t: Test, script: Script) {
  const server = await startRawServer(script);
  t.teardown(() => server.close());
  return server;
}

/** Lets the next check begin, at most `interval` away, and waits for its result. */
async function nextCheck(seen: Seen, clock: ManualClock, interval = 5000): Promise<string> {
  const before = seen.checks.length;
  clock.advance(jittered(interval));
  await seen.when(() => seen.checks.length > before);
  return seen.checks[before]?.result ?? '';
}

/** With a very long timeout: a check may be in progress while a test's clock leaps. */
const check = { interval: '5s', timeout: '1h', rise: 2, fall: 3 };

const results: readonly [what: string, script: Script, ok: boolean, result: string][] = [
  ['a good answer', answering(OK), true, 'status 200'],
  [
    'a redirect',
    answering('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n'),
    true,
    'status 302',
  ],
  ['an error', answering(BROKEN), false, 'status 500'],
  ['a 103 first', answering(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`), true, 'status 200'],
  ['an endless body', answering('HTTP/1.1 200 OK\r\n\r\nendless'), true, 'status 200'],
  ['an answer in pieces', (c) => c.readHead().then(() => c.trickle(OK, 7)), true, 'status 200'],
  ['no answer but a FIN', (c) => c.readHead().then(() => c.end()), false, 'closed without an answer'],
  [
    'a FIN within the head',
    (c) =>
      c
        .readHead()
        .then(() => c.write(OK.slice(0, 30)))
        .then(() => c.end()),
    false,
    'closed without an answer',
  ],
  ['a reset', (c) => c.readHead().then(() => c.reset()), false, 'reset'],
  ['another protocol', (c) => c.write('SSH-2.0-OpenSSH_9.2\r\n'), false, 'bad response'],
  ['an invalid head', answering('HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n'), false, 'bad response'],
];

for (const [what, script, ok, result] of results) {
  t.test(`${what}: ${result}`, async (t) => {
    const server = await startServer(t, script);
    const { seen, clock } = await startBalancer(
      t,
      { servers: [server.address], health_check: check },
      manual,
    );
    t.equal(await nextCheck(seen, clock), result);
    t.match(seen.checks[0], { server: server.address, ok, result });
  });
}

t.test('a refused connection fails the check', async (t) => {
  const server = await startRawServer(answering(OK));
  const { address } = server;
  await server.close();
  const { seen, clock } = await startBalancer(t, { servers: [address], health_check: check }, manual);
  t.equal(await nextCheck(seen, clock), 'refused');
});

for (const [what, start] of [
  [
    'a server that accepts but does not answer',
    async (t: Test) => (await startServer(t, (c) => c.hang())).address,
  ],
  ['a server that does not accept', startDeafServer],
] as const) {
  t.test(`${what} has timed out after health_check.timeout, not before`, async (t) => {
    const address = await start(t);
    const health_check = { ...check, timeout: '2s' };
    const { seen, clock } = await startBalancer(t, { servers: [address], health_check }, manual);
    clock.advance(50);
    await turns();
    clock.advance(1900);
    await turns();
    t.same(seen.checks, []);
    clock.advance(100 + LATE);
    t.match(seen.checks, [{ ok: false, result: 'timed out' }]);
    t.ok((seen.checks[0]?.durationMs ?? 0) >= 2000);
  });
}

t.test('a check is a GET of the path with a Host, on a connection of its own', async (t) => {
  const heads: string[] = [];
  const server = await startServer(t, async (connection) => {
    heads.push(await connection.readHead());
    await connection.write(OK);
  });
  const health_check = { ...check, path: '/health?deep=1' };
  const { seen, clock } = await startBalancer(t, { servers: [server.address], health_check }, manual);
  await nextCheck(seen, clock);
  await nextCheck(seen, clock);
  t.match(heads[0], /^GET \/health\?deep=1 HTTP\/1\.1\r\n/);
  t.match(heads[0], `\r\nHost: ${server.address}\r\n`);
  t.match(heads[0], /\r\nUser-Agent: lb-health\r\n/);
  t.match(heads[0], /\r\nConnection: close\r\n/);
  t.equal(server.accepted, 2);
});

t.test('expect_status decides whether a check passes', async (t) => {
  const server = await startServer(t, answering('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
  const health_check = { ...check, expect_status: [200, '400-404'] };
  const { seen, clock } = await startBalancer(t, { servers: [server.address], health_check }, manual);
  await nextCheck(seen, clock);
  t.match(seen.checks, [{ ok: true, result: 'status 404' }]);
});

t.test(
  'fall failed checks take a server out, rise passed ones bring it back; each change is reported once',
  async (t) => {
    const fixture = await startFixtureServer({ name: 'one' });
    t.teardown(() => fixture.close());
    const { seen, clock } = await startBalancer(
      t,
      { servers: [fixture.address], health_check: check },
      manual,
    );
    t.equal(await nextCheck(seen, clock), 'status 200');
    fixture.healthy = false;
    await nextCheck(seen, clock);
    await nextCheck(seen, clock);
    t.same(seen.stateChanges, []);
    await nextCheck(seen, clock);
    t.same(seen.stateChanges, [`down ${fixture.address} status 500`]);
    await nextCheck(seen, clock);
    fixture.healthy = true;
    await nextCheck(seen, clock);
    t.equal(seen.stateChanges.length, 1);
    await nextCheck(seen, clock);
    await nextCheck(seen, clock);
    t.same(seen.stateChanges.slice(1), [`up ${fixture.address}`]);
  },
);

t.test('checks are an interval apart, and a second while the state is undecided', async (t) => {
  const fixture = await startFixtureServer({ name: 'one' });
  t.teardown(() => fixture.close());
  const { seen, clock } = await startBalancer(t, { servers: [fixture.address], health_check: check }, manual);
  await nextCheck(seen, clock);
  clock.advance(4400);
  await turns(30);
  t.equal(seen.checks.length, 1, 'nine tenths of 5 s have not passed');
  fixture.healthy = false;
  await nextCheck(seen, clock, 1000);
  clock.advance(800);
  await turns(30);
  t.equal(seen.checks.length, 2);
  await nextCheck(seen, clock, 1000);
  await nextCheck(seen, clock, 1000);
  t.equal(seen.stateChanges.length, 1, 'three failures within about two seconds');
  clock.advance(4400);
  await turns(30);
  t.equal(seen.checks.length, 4, 'once the state is decided the interval is normal again');
});

t.test('a check begins only when the one before it is over', async (t) => {
  const server = await startServer(t, (connection) => connection.hang());
  const health_check = { interval: '100ms', timeout: '1m', rise: 1, fall: 1 };
  const { seen, clock } = await startBalancer(t, { servers: [server.address], health_check }, manual);
  clock.advance(200);
  await until(() => server.accepted === 1);
  clock.advance(59_000);
  await turns(30);
  t.equal(server.accepted, 1);
  clock.advance(1000 + LATE);
  await seen.when(() => seen.stateChanges.length === 1);
  t.same(seen.stateChanges, [`down ${server.address} timed out`]);
});

t.test('a live request that cannot connect counts as a failed check at once', async (t) => {
  const good = await startServer(t, answering(OK));
  const bad = await startRawServer(answering(OK));
  const health_check = { ...check, interval: '10m' };
  const { seen, clock, connect } = await startBalancer(
    t,
    { servers: [bad.address, good.address], health_check },
    manual,
  );
  clock.advance(1000);
  await seen.when(() => seen.checks.length === 2);
  await bad.close();
  const client = await connect();
  for (let i = 1; i <= 6; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
  }
  t.same(seen.stateChanges, [`down ${bad.address} refused`], 'three of them are enough');
  t.ok(seen.requests.every(({ reason, server }) => reason === '' && server === good.address));
  t.same(
    seen.requests.map(({ attempts }) => attempts),
    [2, 1, 2, 1, 2, 1].slice(0, 6),
  );
  const back = await startFixtureServer({ name: 'back', port: bad.port });
  t.teardown(() => back.close());
  await until(
    () => seen.stateChanges.length > 1,
    'the server is up again',
    () => nextCheck(seen, clock, 600_000),
  );
  t.same(seen.stateChanges.slice(1), [`up ${bad.address}`]);
  const before = back.requests;
  const later = await connect();
  for (let i = 0; i < 2; i++) {
    later.send(GET);
    await later.response();
  }
  t.equal(back.requests, before + 1, 'and the server is used again');
});

t.test('a failed request brings the next check forward and never delays one', async (t) => {
  const good = await startServer(t, answering(OK));
  const gone = await startRawServer(answering(OK));
  await gone.close();
  const health_check = { ...check, interval: '10s', fall: 10 };
  const { seen, clock, connect } = await startBalancer(
    t,
    { servers: [gone.address, good.address], health_check },
    manual,
  );
  clock.advance(1000 + LATE);
  await seen.when(() => seen.checks.length === 2);
  const failed = (): number => seen.checks.filter(({ ok }) => !ok).length;
  t.equal(failed(), 1);
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    clock.advance(500);
    for (let both = 0; both < 2; both++) {
      client.send(GET);
      await client.response();
    }
  }
  await turns(30);
  t.equal(failed(), 2, 'a second after the first one, whatever else failed meanwhile');
});

t.test('while all servers are down the answer is 503 with Retry-After', async (t) => {
  const fixtures = await Promise.all([startFixtureServer({ name: 'a' }), startFixtureServer({ name: 'b' })]);
  t.teardown(() => Promise.all(fixtures.map((fixture) => fixture.close())));
  const servers = fixtures.map(({ address }) => address);
  const health_check = { ...check, rise: 1, fall: 1 };
  const { seen, clock, connect } = await startBalancer(t, { servers, health_check }, manual);
  for (const fixture of fixtures) fixture.healthy = false;
  clock.advance(1000 + LATE);
  await seen.when(() => seen.stateChanges.length === 2);
  const client = await connect();
  client.send(GET);
  const { status, head, body } = await client.response();
  t.equal(status, 503);
  t.equal(body, 'No backend servers available.');
  t.match(head, /\r\nRetry-After: [1-9]\d*\r\n/);
  t.notMatch(head, /Connection: close/);
  t.match(await seen.request(), { status: 503, reason: 'no_server', server: '', attempts: 0 });
  (fixtures[1] as { healthy: boolean }).healthy = true;
  clock.advance(jittered(5000));
  await seen.when(() => seen.stateChanges.length === 3);
  client.send(GET);
  t.equal((await client.response()).status, 200);
});

t.test('a server that goes down has its idle connections closed', async (t) => {
  const fixture = await startFixtureServer({ name: 'one', keepAliveTimeout: 60_000 });
  t.teardown(() => fixture.close());
  const health_check = { ...check, fall: 1 };
  const { seen, clock, connect } = await startBalancer(
    t,
    { servers: [fixture.address], health_check },
    manual,
  );
  const clients = [await connect(), await connect()];
  for (const client of clients) client.send('GET /?delay=20 HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const client of clients) t.equal((await client.response()).status, 200);
  t.equal(fixture.connections, 2);
  fixture.healthy = false;
  clock.advance(LATE);
  await seen.when(() => seen.stateChanges.length === 1);
  await until(() => fixture.connections === 0);
});

t.test('a request in flight on a server that goes down is finished', async (t) => {
  let asked: RawConnection | undefined;
  const server = await startServer(t, async (connection) => {
    const head = await connection.readHead();
    if (head.includes('lb-health')) await connection.write(BROKEN);
    else asked = connection;
  });
  const health_check = { ...check, fall: 1 };
  const { seen, clock, connect } = await startBalancer(
    t,
    { servers: [server.address], health_check },
    manual,
  );
  const client = await connect();
  client.send(GET);
  await until(() => asked !== undefined);
  clock.advance(LATE);
  await seen.when(() => seen.stateChanges.length === 1);
  await asked?.write(OK);
  t.equal((await client.response()).status, 200);
});

t.test(
  'with health_check and passive_health: false nothing is checked, and a dead server gets every request',
  async (t) => {
    const good = await startServer(t, answering(OK));
    const gone = await startRawServer(answering(OK));
    await gone.close();
    const { seen, clock, connect } = await startBalancer(
      t,
      { servers: [gone.address, good.address], health_check: false, passive_health: false },
      manual,
    );
    clock.advance(3_600_000);
    await turns();
    t.equal(good.accepted, 0);
    const client = await connect();
    for (let i = 0; i < 10; i++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
    }
    t.same(seen.stateChanges, []);
    t.same(seen.checks, []);
    t.equal(seen.requests.filter(({ attempts }) => attempts === 2).length, 5);
  },
);

t.test('the checks of many servers do not start in one moment', async (t) => {
  const started = await Promise.all(Array.from({ length: 10 }, () => startServer(t, answering(OK))));
  const servers = started.map(({ address }) => address);
  const { seen, clock } = await startBalancer(t, { servers, health_check: check }, manual);
  clock.advance(LATE);
  await turns(30);
  t.ok(seen.checks.length <= 2, `${seen.checks.length} at the first moment`);
  clock.advance(1000);
  await seen.when(() => seen.checks.length === 10);
});

t.test('at most 256 checks run at once, and the others wait', async (t) => {
  const held: RawConnection[] = [];
  const server = await startServer(t, async (connection) => {
    await connection.readHead();
    held.push(connection);
    await connection.hang();
    connection.end();
  });
  const servers = Array.from({ length: 300 }, (_, i) => `127.0.0.1:${i + 1}`);
  const health_check = { ...check, address: server.address, interval: '1h', fall: 1 };
  const { balancer, seen, clock } = await startBalancer(t, { servers, health_check }, manual);
  clock.advance(1000 + LATE);
  await until(() => held.length >= 256);
  await turns(30);
  t.equal(held.length, 256);
  for (const connection of held.splice(0, 10)) await connection.write(BROKEN);
  await until(() => held.length === 256);
  t.equal(seen.checks.length, 10);
  await balancer.reload(
    createConfig({ listen: '127.0.0.1:0', servers: servers.slice(0, 290), health_check }),
  );
  const answerAll = (): boolean => {
    for (const connection of held.splice(0)) void connection.write(OK);
    return seen.checks.length === 290;
  };
  await until(answerAll);
  await turns(30);
  t.equal(seen.checks.filter(({ ok }) => ok).length, 280, 'servers that are gone are not checked any more');
  t.equal(held.length, 0);
  const waited = seen.checks.filter(({ durationMs }) => durationMs === 0);
  t.ok(waited.length >= 34, 'the wait for a slot is not part of a check');
});

t.test('down_interval holds for a server that has never passed a check too', async (t) => {
  const { resolver: _, ...supplies } = poolSupplies(t);
  const { wheel, clock } = supplies;
  let asked = 0;
  const wait = (waiter: ResolveListener): void => {
    asked++;
    setImmediate(() => waiter.onUnknown(Object.assign(new Error('no such name'), { code: 'EMFILE' })));
  };
  const host = { wheel, isKnown: false, wait, cancel() {}, watch() {}, unwatch() {} };
  const resolver = { hostOf: () => host } as unknown as Resolver;
  const pool = createPool(t, 'server.test:80', {}, { ...supplies, resolver });
  const settings = { interval: '5s', down_interval: '500ms', jitter: '0%' };
  const compiled = compileHealthCheck(settings, [], new Report()) as HealthCheckConfig;
  const services = { ...supplies, resolver, clock, slots: new CheckSlots(1) };
  const server = new Server('server.test:80', pool, wheel);
  const checker = new Checker(server, compiled, 'down', services, undefined, true);
  // A minute after it came a twentieth of its age is 3 s.
  checker.start(60_000);
  for (const round of [1, 2, 3]) {
    clock.advance(round === 1 ? 60_000 + LATE : 500 + LATE);
    await turns();
    t.equal(asked, round);
  }
  checker.stop();
});

t.test('a check that cannot begin for lack of file descriptors releases its slot', async (t) => {
  const { resolver: _, ...supplies } = poolSupplies(t);
  const { wheel, clock } = supplies;
  let asked = 0;
  const wait = (waiter: ResolveListener): void => {
    asked++;
    setImmediate(() => waiter.onUnknown(Object.assign(new Error('too many files'), { code: 'EMFILE' })));
  };
  const host = { wheel, isKnown: false, wait, cancel() {}, watch() {}, unwatch() {} };
  const resolver = { hostOf: () => host } as unknown as Resolver;
  const pool = createPool(t, 'server.test:80', {}, { ...supplies, resolver });
  const compiled = compileHealthCheck(true, [], new Report()) as HealthCheckConfig;
  const slots = new CheckSlots(1);
  const services = { ...supplies, resolver, clock, slots };
  const checker = new Checker(new Server('server.test:80', pool, wheel), compiled, 'up', services);
  checker.start(1);
  for (const round of [1, 2, 3]) {
    clock.advance(round === 1 ? LATE : jittered(compiled.interval));
    await turns();
    t.equal(asked, round);
  }
  checker.stop();
  t.ok(slots.enter({ onSlot() {} }), 'and servers that are not checked any more hold no slot');
});
