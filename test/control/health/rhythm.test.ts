import t from 'tap';
import { type RawConnection, startRawServer } from '../../../fixtures/raw-server.js';
import { spread } from '../../../lib/base/timer-wheel.js';
import { type Started, startBalancer } from '../../support/balancer.js';
import { turns, until } from '../../support/loop-ticks.js';
import { GET, LATE, MANUAL, nextCheck, OK, startServer, status, type Test } from './support.js';

const check = { interval: '5s', timeout: '1h', rise: 2, fall: 2 };

/** A server whose checks can be made to fail. */
async function moody(t: Test): Promise<{ address: string; healthy: boolean }> {
  const state = { address: '', healthy: true };
  const server = await startServer(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      await connection.write(state.healthy ? OK : status(500));
    }
  });
  state.address = server.address;
  return state;
}

/** Advances the clock by `ms`, a wheel tick at a time, and waits for the answers to whatever begins. */
async function pass({ clock }: Started, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50);
    await turns(8);
  }
}

/** Counts the checks that began within `ms`; each is answered before the clock advances. */
async function countChecks(started: Started, ms: number): Promise<number> {
  const before = started.seen.checks.length;
  await pass(started, ms);
  return started.seen.checks.length - before;
}

t.test('spread changes an interval by at most the given share, in both directions', async (t) => {
  const values = [0, 0.5, 1].map((random) => spread(1000, 0.1, () => random));
  t.same(values, [900, 1000, 1100]);
  t.equal(
    spread(1000, 0, () => 0.9),
    1000,
  );
});

t.test('checks with jitter: 0% are exactly periodic, with 50% they vary within bounds', async (t) => {
  const gaps = async (jitter: string): Promise<number[]> => {
    const server = await moody(t);
    const health_check = { ...check, interval: '2s', jitter };
    const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
    const times: number[] = [];
    let seen = 0;
    for (let passed = 0; passed < 40_000; passed += 50) {
      await pass(started, 50);
      if (started.seen.checks.length > seen) times.push(started.clock.now());
      seen = started.seen.checks.length;
    }
    return times.slice(1).map((at, index) => at - (times[index] as number));
  };
  const even = await gaps('0%');
  t.ok(even.length >= 17, `${even.length} checks`);
  t.ok(
    even.every((gap) => gap >= 2000 && gap <= 2000 + LATE),
    String(even),
  );
  const uneven = await gaps('50%');
  t.ok(
    uneven.every((gap) => gap >= 1000 && gap <= 3000 + LATE),
    String(uneven),
  );
  t.ok(Math.max(...uneven) - Math.min(...uneven) > 200, String(uneven));
});

t.test(
  'fast_interval applies while the state is undecided, down_interval while the server is down',
  async (t) => {
    const server = await moody(t);
    const health_check = {
      ...check,
      fast_interval: '300ms',
      down_interval: '20s',
      jitter: '0%',
      rise: 3,
      fall: 4,
    };
    const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
    const { seen, clock } = started;
    await nextCheck(seen, clock, 0);
    t.equal(await countChecks(started, 15_500), 3, 'every 5 s');
    server.healthy = false;
    await nextCheck(seen, clock);
    t.equal(await countChecks(started, 1500), 3, 'three more within 1.2 s or so');
    t.same(seen.stateChanges, [`down ${server.address} status 500`]);
    t.equal(await countChecks(started, 41_000), 2, 'every 20 s');
    server.healthy = true;
    await nextCheck(seen, clock, 20_000);
    t.equal(seen.stateChanges.length, 1);
    t.equal(await countChecks(started, 1500), 2, 'two more at fast_interval');
    t.same(seen.stateChanges.slice(1), [`up ${server.address}`]);
    t.equal(await countChecks(started, 4000), 0, 'and back to every 5 s');
  },
);

t.test('the default while undecided is a second, at most the interval', async (t) => {
  const server = await moody(t);
  server.healthy = false;
  const health_check = { ...check, interval: '400ms', jitter: '0%', fall: 5 };
  const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
  await nextCheck(started.seen, started.clock, 0);
  t.equal(await countChecks(started, 2000), 4);
  t.equal(started.seen.stateChanges.length, 1);
});

t.test('initial: up is used at once, down only after rise checks, unknown after the first', async (t) => {
  const ask = async (started: Started): Promise<number> => {
    const client = await started.connect();
    client.send(GET);
    return (await client.response()).status;
  };
  const statuses: { [initial: string]: number[] } = {};
  for (const initial of ['up', 'down', 'unknown'] as const) {
    const server = await moody(t);
    const health_check = { ...check, initial };
    const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
    const seen = [await ask(started)];
    for (let i = 0; i < 2; i++) {
      await nextCheck(started.seen, started.clock);
      seen.push(await ask(started));
    }
    statuses[initial] = seen;
    t.same(started.seen.stateChanges, initial === 'up' ? [] : [`up ${server.address}`]);
  }
  t.same(statuses, { up: [200, 200, 200], down: [503, 503, 200], unknown: [503, 200, 200] });
});

t.test('initial: unknown is down after a first failed check', async (t) => {
  const server = await moody(t);
  server.healthy = false;
  const health_check = { ...check, fall: 9, initial: 'unknown' } as const;
  const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
  await nextCheck(started.seen, started.clock);
  t.same(started.seen.stateChanges, [`down ${server.address} status 500`]);
});

t.test(
  'a server that comes while requests are served is asked at once, and soon again until it has started',
  async (t) => {
    const [old, late] = [await moody(t), await moody(t)];
    late.healthy = false;
    const health_check = { ...check, interval: '10s', jitter: '0%' };
    const started = await startBalancer(t, { servers: [old.address], health_check }, MANUAL);
    await pass(started, 100);
    const { balancer, seen } = started;
    const ofLate = (): number => seen.checks.filter(({ server }) => server === late.address).length;
    balancer.addServer('default', { address: late.address });
    await pass(started, LATE);
    t.ok(ofLate() >= 1, 'at once');
    t.same(seen.stateChanges, [`down ${late.address} status 500`], 'one failed check takes it out');
    await pass(started, 900);
    t.ok(ofLate() >= 8, `${ofLate()} within a second`);
    late.healthy = true;
    await pass(started, LATE + 50);
    t.same(seen.stateChanges.slice(1), [`up ${late.address}`], 'and one that passes brings it in');
    const before = ofLate();
    await pass(started, 9000);
    t.equal(ofLate(), before, 'then it is like the others');
    late.healthy = false;
    await pass(started, 1200);
    t.equal(seen.stateChanges.length, 2, 'of which one failed check takes none out');
  },
);

t.test('a server that never starts is asked less and less, at last every interval', async (t) => {
  const [old, dead] = [await moody(t), await moody(t)];
  dead.healthy = false;
  const health_check = { ...check, interval: '2s', jitter: '0%' };
  const started = await startBalancer(t, { servers: [old.address], health_check }, MANUAL);
  started.balancer.addServer('default', { address: dead.address });
  const counted: number[] = [];
  for (let i = 0; i < 4; i++) {
    const before = started.seen.checks.filter(({ server }) => server === dead.address).length;
    await pass(started, 20_000);
    counted.push(started.seen.checks.filter(({ server }) => server === dead.address).length - before);
  }
  const [first = 0, second = 0, third = 0, fourth = 0] = counted;
  t.ok(first < 100 && first > second && second > third, String(counted));
  t.ok(fourth >= 9 && fourth <= 11, String(counted));
});

t.test('on_down: cut cuts the requests on a server that goes down, and retries them elsewhere', async (t) => {
  let healthy = true;
  const waiting: RawConnection[] = [];
  const hung = await startServer(t, async (connection, index) => {
    for (let asked = 0; ; asked++) {
      const head = await connection.readHead();
      if (head.includes('lb-health')) await connection.write(healthy ? OK : status(500));
      else if (index === 0 && asked === 0) await connection.write(OK);
      else break;
    }
    waiting.push(connection);
    await connection.hang();
    connection.end();
  });
  const good = await startServer(t);
  const started = await startBalancer(
    t,
    { servers: [hung.address, good.address], health_check: { ...check, fall: 1, on_down: 'cut' } },
    MANUAL,
  );
  const [client, post] = [await started.connect(), await started.connect()];
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200, 'leaves an idle connection');
  }
  client.send(GET);
  await until(() => waiting.length === 1);
  for (const method of ['GET', 'POST'])
    post.send(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
  t.equal((await post.response()).status, 200, 'the other server');
  await until(() => waiting.length === 2);
  healthy = false;
  started.clock.advance(1000 + LATE);
  await started.seen.when(() => started.seen.stateChanges.length === 1);
  t.equal((await client.response()).status, 200, 'a GET is safe to send again');
  t.equal((await post.response()).status, 502, 'a POST is not');
  await until(() => hung.connections === 0);
  t.equal(hung.accepted, 3, 'no further request: two requests and a check');
});

t.test('a check does not begin before the one before it is over, however short its interval', async (t) => {
  const server = await startRawServer((connection) => connection.hang());
  t.teardown(() => server.close());
  const health_check = { ...check, interval: '50ms', fast_interval: '50ms', timeout: '10s' };
  const started = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
  await pass(started, 9000);
  t.equal(server.accepted, 1);
  await pass(started, 2000);
  t.equal(server.accepted, 2);
});
