import t from 'tap';
import { answering, type RawServer, type Script, startRawServer } from '../../../fixtures/raw-server.js';
import { type Started, startBalancer } from '../../support/balancer.js';
import type { RawClient } from '../../support/client.js';
import { nothingIsLeft } from '../../support/leaks.js';
import { turns, until } from '../../support/loop-ticks.js';
import { GET, LATE, MANUAL, OK, startServer, status, type Test } from './support.js';

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
const passive = { consecutive_failures: 3, eject_for: '10s', max_eject_for: '25s', trial_requests: 2 };

/** A server whose behaviour is set by the test: answers with a status, resets, or stays silent. */
interface Moody extends RawServer {
  mood: number | 'reset' | 'silent';
  asked: number;
}

async function moody(t: Test, mood: Moody['mood'] = 200): Promise<Moody> {
  const state = { mood, asked: 0 };
  const server = await startServer(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      state.asked++;
      if (state.mood === 'reset') return connection.reset();
      if (state.mood === 'silent') return connection.hang().then(() => connection.end());
      await connection.write(state.mood === 200 ? OK : status(state.mood));
    }
  });
  return Object.defineProperties(state as Moody, {
    address: { value: server.address },
    accepted: { get: () => server.accepted },
  });
}

function start(
  t: Test,
  servers: readonly { address: string }[],
  settings: object = passive,
): Promise<Started> {
  const addresses = servers.map(({ address }) => address);
  return startBalancer(t, { servers: addresses, passive_health: settings }, MANUAL);
}

/** Sends `count` requests one after another; returns their statuses. */
async function ask(client: RawClient, count = 1, request = GET): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) {
    client.send(request);
    statuses.push((await client.response()).status);
  }
  return statuses;
}

t.test(
  'a server is ejected after consecutive_failures resets in a row, without an error for a client',
  async (t) => {
    const [bad, good] = [await moody(t, 'reset'), await moody(t)];
    const started = await start(t, [bad, good], { ...passive, consecutive_failures: 5 });
    const clients = await Promise.all(Array.from({ length: 10 }, () => started.connect()));
    const statuses = await Promise.all(clients.map((client) => ask(client, 20)));
    t.ok(statuses.flat().every((code) => code === 200));
    t.same(started.seen.stateChanges, [`ejected ${bad.address} 10000 5 failures in a row: cut`]);
    t.ok(bad.asked < 20, `${bad.asked} of 200 went there, including those in flight`);
    const before = bad.asked;
    await Promise.all(clients.map((client) => ask(client, 5)));
    t.equal(bad.asked, before, 'and no more after that');
  },
);

t.test(
  'after eject_for an ejected server gets one trial request at a time, then its whole share',
  async (t) => {
    const [bad, good] = [await moody(t, 'reset'), await moody(t)];
    const started = await start(t, [bad, good]);
    const { clock, seen } = started;
    const client = await started.connect();
    await ask(client, 6);
    t.equal(seen.stateChanges.length, 1);
    clock.advance(10_000 - 100);
    const before = bad.asked;
    await ask(client, 4);
    t.equal(bad.asked, before, 'not yet');
    clock.advance(100 + LATE);
    t.same(seen.stateChanges.slice(1), [`returned ${bad.address}`]);
    bad.mood = 'silent';
    const clients = await Promise.all(Array.from({ length: 8 }, () => started.connect()));
    for (const other of clients) other.send(GET);
    await until(() => seen.requests.length === 10 + 7);
    t.equal(bad.asked, before + 1, 'seven of eight go to the other server');
    for (const other of clients) other.reset();
    await until(() => seen.requests.length === 10 + 8);
    bad.mood = 200;
    await ask(client, 2);
    t.equal(bad.asked, before + 2, 'a request whose client left does not count: the trial continues');
    await ask(client, 2);
    t.equal(bad.asked, before + 3, 'the second success ends the trial');
    const waiting = await Promise.all(Array.from({ length: 4 }, () => started.connect()));
    bad.mood = 'silent';
    for (const other of waiting) other.send(GET);
    await until(() => bad.asked === before + 5);
    t.pass('two of four at a time');
  },
);

t.test('each failed trial ejects a server for longer, up to max_eject_for', async (t) => {
  const [bad, good] = [await moody(t, 'reset'), await moody(t)];
  const started = await start(t, [bad, good]);
  const { clock, seen } = started;
  const client = await started.connect();
  await ask(client, 6);
  for (const ms of [10_000, 20_000, 25_000]) {
    clock.advance(ms + LATE);
    t.same(await ask(client, 2), [200, 200]);
  }
  t.same(
    seen.stateChanges.filter((line) => line.startsWith('ejected')),
    [
      `ejected ${bad.address} 10000 3 failures in a row: cut`,
      ...[20_000, 25_000, 25_000].map((ms) => `ejected ${bad.address} ${ms} failed its trial: cut`),
    ],
  );
});

t.test('after a time without failures the next ejection is short again', async (t) => {
  const [bad, good] = [await moody(t, 'reset'), await moody(t)];
  const started = await start(t, [bad, good]);
  const { clock, seen } = started;
  const client = await started.connect();
  await ask(client, 6);
  clock.advance(10_000 + LATE);
  bad.mood = 200;
  await ask(client, 8);
  clock.advance(60_000);
  bad.mood = 'reset';
  await ask(client, 10);
  t.match(seen.stateChanges.at(-1), `ejected ${bad.address} 10000 `);
});

t.test('a good answer resets the count of consecutive failures', async (t) => {
  const [bad, good] = [await moody(t), await moody(t)];
  const { seen, connect } = await start(t, [bad, good], { ...passive, failure_share: '0%' });
  const client = await connect();
  for (let i = 0; i < 20; i++) {
    bad.mood = i % 3 === 2 ? 200 : 'reset';
    await ask(client, 2);
  }
  t.same(seen.stateChanges, []);
});

t.test('refused connections count for ejection without health checks too', async (t) => {
  const gone = await startRawServer(answering(OK));
  const good = await moody(t);
  // After the other server listens, which might get the port otherwise.
  await gone.close();
  const { seen, connect } = await start(t, [gone, good]);
  const client = await connect();
  t.ok((await ask(client, 10)).every((code) => code === 200));
  t.same(seen.stateChanges, [`ejected ${gone.address} 10000 3 failures in a row: no connection`]);
  t.equal(seen.requests.filter(({ attempts }) => attempts === 2).length, 3);
});

t.test('answer timeouts count for ejection', async (t) => {
  const [bad, good] = [await moody(t, 'silent'), await moody(t)];
  const started = await startBalancer(
    t,
    {
      servers: [bad.address, good.address],
      passive_health: { consecutive_failures: 1 },
      timeouts: { response_header: '1s' },
    },
    MANUAL,
  );
  const client = await started.connect();
  client.send(GET);
  await until(() => bad.asked === 1);
  started.clock.advance(1000 + LATE);
  t.equal((await client.response()).status, 504);
  t.match(started.seen.stateChanges, [/^ejected \S+ 30000 1 failures in a row: no answer in time$/]);
});

/** Leaves `/poll` without an answer; if `hangs`, everything except `/check`. */
async function polled(t: Test, hangs = false) {
  const state = { polls: 0, asked: 0 };
  const server = await startServer(t, async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      const isPoll = head.startsWith('GET /poll ');
      const isCheck = head.startsWith('GET /check ');
      if (isPoll) state.polls++;
      else if (!isCheck) state.asked++;
      if (isPoll || (hangs && !isCheck)) return connection.hang().then(() => connection.end());
      await connection.write(OK);
    }
  });
  return Object.assign(state, { address: server.address });
}

const POLL = 'GET /poll HTTP/1.1\r\nHost: a\r\n\r\n';

t.test('unanswered long polls do not eject a server that answers other requests', async (t) => {
  const servers = [await polled(t), await polled(t)] as const;
  const started = await startBalancer(
    t,
    {
      servers: servers.map(({ address }) => address),
      health_check: false,
      passive_health: { consecutive_failures: 1, failure_share: '10%', minimum_requests: 1 },
      timeouts: { response_header: '10s' },
    },
    MANUAL,
  );
  const polls = await Promise.all([started.connect(), started.connect()]);
  for (const client of polls) client.send(POLL);
  await until(() => servers[0].polls === 1 && servers[1].polls === 1);
  started.clock.advance(5000);
  t.same(await ask(await started.connect(), 2), [200, 200]);
  started.clock.advance(5000 + LATE);
  for (const client of polls) t.equal((await client.response()).status, 504);
  t.same(started.seen.stateChanges, []);
});

t.test('unanswered long polls do not eject a server that passes its checks', async (t) => {
  const servers = [await polled(t), await polled(t)] as const;
  const started = await startBalancer(
    t,
    {
      servers: servers.map(({ address }) => address),
      health_check: { path: '/check', interval: '1s' },
      passive_health: { consecutive_failures: 1, failure_share: '10%', minimum_requests: 1 },
      timeouts: { response_header: '10s' },
    },
    MANUAL,
  );
  const polls = await Promise.all([started.connect(), started.connect()]);
  for (const client of polls) client.send(POLL);
  await until(() => servers[0].polls === 1 && servers[1].polls === 1);
  for (let checked = 0; checked < 2; checked++) {
    const before = started.seen.checks.length;
    started.clock.advance(2000);
    await started.seen.when(() => started.seen.checks.length >= before + 2);
  }
  started.clock.advance(6000 + LATE);
  for (const client of polls) t.equal((await client.response()).status, 504);
  t.same(started.seen.stateChanges, []);
});

t.test('a server that answers only its checks is ejected while another server answers', async (t) => {
  const servers = [await polled(t, true), await polled(t)] as const;
  const started = await startBalancer(
    t,
    {
      servers: servers.map(({ address }) => address),
      health_check: { path: '/check', interval: '1s' },
      passive_health: { consecutive_failures: 1 },
      timeouts: { response_header: '10s' },
      retry: false,
    },
    MANUAL,
  );
  const { connect } = started;
  const [hung, other] = [await connect(), await connect()];
  hung.send(GET);
  await until(() => servers[0].asked === 1);
  t.same(await ask(other), [200]);
  const before = started.seen.checks.length;
  started.clock.advance(2000);
  await started.seen.when(() => started.seen.checks.length >= before + 2);
  const another = await connect();
  another.send(GET);
  await until(() => servers[0].asked === 2);
  t.same(await ask(other), [200]);
  started.clock.advance(8000 + LATE);
  t.equal((await hung.response()).status, 504);
  t.match(started.seen.stateChanges, [/^ejected \S+ 30000 1 failures in a row: no answer in time$/]);
});

t.test('clients that leave do not count for ejection', async (t) => {
  const [hung, good] = [await moody(t, 'silent'), await moody(t)];
  const { seen, connect } = await start(t, [hung, good], { ...passive, consecutive_failures: 1 });
  for (let i = 0; i < 10; i++) {
    const client = await connect();
    client.send(GET);
    await until(() => hung.asked + good.asked === i + 1);
    client.reset();
  }
  await until(() => seen.requests.length === 10);
  t.equal(seen.requests.filter(({ reason }) => reason === 'client_abort').length, 5);
  t.same(seen.stateChanges, []);
});

t.test('a stale pooled connection does not count for ejection', async (t) => {
  const closing: Script = async (connection) => {
    await connection.readHead();
    await connection.write(OK);
    // The next request crosses with this reset.
    await connection.readHead();
    connection.reset();
  };
  const server = await startServer(t, closing);
  const good = await startServer(t);
  const { seen, connect } = await start(t, [server, good], { ...passive, consecutive_failures: 1 });
  const client = await connect();
  t.ok((await ask(client, 20)).every((code) => code === 200));
  t.ok(server.accepted > 3);
  t.same(seen.stateChanges, []);
});

t.test(
  'consecutive errors and failures are counted separately; 500 is an error only if configured',
  async (t) => {
    const changesOf = async (codes: readonly Moody['mood'][], settings: object): Promise<string[]> => {
      const [bad, good] = [await moody(t), await moody(t)];
      const { seen, connect } = await start(t, [bad, good], { failure_share: '0%', ...settings });
      const client = await connect();
      for (const mood of codes) {
        bad.mood = mood;
        await ask(client, 2);
      }
      return seen.stateChanges.map((line) => line.replace(/^(\w+) \S+ \d+ /, '$1: '));
    };
    const five = [503, 502, 504, 503, 503];
    t.same(await changesOf(five, {}), ['ejected: 5 errors in a row: status 503']);
    t.same(await changesOf([500, 500, 500, 500, 500, 500, 404], {}), []);
    t.same(await changesOf([500, 500], { error_status: '500-599', consecutive_errors: 2 }), [
      'ejected: 2 errors in a row: status 500',
    ]);
    t.same(await changesOf([...five, ...five], { error_status: false }), []);
    t.same(await changesOf([...five, ...five], { consecutive_errors: 0 }), []);
    t.same(await changesOf([503, 503, 'reset', 503, 503, 'reset', 503], { consecutive_failures: 2 }), [
      'ejected: 5 errors in a row: status 503',
    ]);
    t.same(await changesOf(['reset', 'reset', 503, 'reset', 'reset'], { consecutive_failures: 3 }), []);
  },
);

t.test('the share of failed requests within the window counts from minimum_requests on', async (t) => {
  const [bad, good] = [await moody(t), await moody(t)];
  const started = await start(t, [bad, good], {
    consecutive_failures: 0,
    consecutive_errors: 0,
    window: '10s',
    failure_share: '40%',
    minimum_requests: 10,
  });
  const { clock, seen } = started;
  const client = await started.connect();
  const both = async (mood: Moody['mood']): Promise<void> => {
    bad.mood = mood;
    await ask(client, 2);
  };
  for (let i = 0; i < 9; i++) await both(503);
  t.same(seen.stateChanges, [], 'nine of nine, but too few requests');
  clock.advance(11_000);
  for (let i = 0; i < 7; i++) await both(200);
  for (let i = 0; i < 4; i++) await both(i % 2 === 0 ? 503 : 'reset');
  t.same(seen.stateChanges, [], 'four of eleven: older outcomes are forgotten');
  await both(503);
  t.same(seen.stateChanges, [`ejected ${bad.address} 30000 5 of 12 requests failed within 10s: status 503`]);
});

t.test('the last usable server is not ejected, whatever fails', async (t) => {
  const [one, two] = [await moody(t, 503), await moody(t, 503)];
  const { seen, connect, balancer } = await start(t, [one, two], {
    ...passive,
    consecutive_errors: 2,
    max_ejected: '100%',
  });
  const client = await connect();
  const statuses = await ask(client, 30);
  const out = seen.stateChanges[0]?.split(' ')[1] === one.address ? one : two;
  const left = out === one ? two : one;
  t.same(
    seen.stateChanges.map((text) => text.split(' ', 2).join(' ')),
    [`ejected ${out.address}`, `spared ${left.address}`],
    'one of two is ejected, and that the other ought to be is reported once',
  );
  const { servers } = balancer.status();
  t.equal(servers.find(({ name }) => name === left.address)?.totals.spared, 1);
  t.ok(
    statuses.every((code) => code === 503),
    'their own answers',
  );
  t.equal(seen.requests.filter(({ reason }) => reason === 'no_server').length, 0);
});

t.test('at most max_ejected servers are ejected at once', async (t) => {
  const servers = await Promise.all(Array.from({ length: 6 }, () => moody(t, 'reset')));
  servers.push(await moody(t));
  const { seen, connect } = await start(t, servers, {
    ...passive,
    consecutive_failures: 2,
    max_ejected: '30%',
  });
  const client = await connect();
  await ask(client, 60, POST);
  const told = seen.stateChanges.map((text) => text.split(' ')[0]);
  t.equal(told.filter((what) => what === 'ejected').length, 2, 'two of seven');
  t.equal(told.filter((what) => what === 'spared').length, 4, 'the other four are reported');
});

t.test('the only server of one list is not ejected from another list either', async (t) => {
  const [shared, good] = [await moody(t, 'reset'), await moody(t)];
  const started = await startBalancer(
    t,
    {
      passive_health: passive,
      servers: [shared.address, good.address],
      hosts: [{ host: 'alone', servers: [shared.address] }],
    },
    MANUAL,
  );
  await ask(await started.connect(), 20);
  t.same(started.seen.stateChanges, [`spared ${shared.address} 3 failures in a row: cut`]);
});

/** A server whose checks and whose requests succeed or fail independently. */
async function checked(t: Test, state: { healthy: boolean; works: boolean }): Promise<RawServer> {
  return startServer(t, async (connection) => {
    for (;;) {
      const isCheck = (await connection.readHead()).includes('lb-health');
      if (!isCheck && !state.works) return connection.reset();
      await connection.write(isCheck && !state.healthy ? status(500) : OK);
    }
  });
}

const health_check = { timeout: '1h', interval: '1s', fall: 1, rise: 1 };

t.test('when checks take out all other servers, the ejected one is used again', async (t) => {
  const one = { healthy: true, works: false };
  const two = { healthy: true, works: true };
  const [bad, good] = [await checked(t, one), await checked(t, two)];
  const servers = [bad.address, good.address];
  const started = await startBalancer(t, { servers, health_check, passive_health: passive }, MANUAL);
  const { seen, clock } = started;
  const client = await started.connect();
  await ask(client, 6);
  one.works = true;
  two.healthy = false;
  clock.advance(1500);
  await seen.when(() => seen.stateChanges.length === 3);
  t.same(seen.stateChanges.map((line) => line.split(' ').slice(0, 2).join(' ')).sort(), [
    `down ${good.address}`,
    `ejected ${bad.address}`,
    `returned ${bad.address}`,
  ]);
  t.same(await ask(client, 4), [200, 200, 200, 200]);
});

t.test('an ejected server that goes down and up by its checks gets a trial at once', async (t) => {
  const one = { healthy: true, works: false };
  const [bad, good] = [await checked(t, one), await checked(t, { healthy: true, works: true })];
  const servers = [bad.address, good.address];
  const started = await startBalancer(t, { servers, health_check, passive_health: passive }, MANUAL);
  const { seen, clock } = started;
  await ask(await started.connect(), 6);
  one.healthy = false;
  clock.advance(1500);
  await seen.when(() => seen.stateChanges.length === 2);
  one.healthy = true;
  clock.advance(1200);
  await seen.when(() => seen.stateChanges.length === 4);
  t.same(seen.stateChanges.map((line) => line.split(' ')[0]).sort(), ['down', 'ejected', 'returned', 'up']);
});

t.test('the outcome of a request from before an ejection does not count after it', async (t) => {
  const [bad, good] = [await moody(t, 'silent'), await moody(t)];
  const settings = {
    servers: [bad.address, good.address],
    passive_health: { ...passive, trial_requests: 5 },
    timeouts: { response_header: '15s' },
  };
  const started = await startBalancer(t, settings, MANUAL);
  const { clock, seen } = started;
  const early = await Promise.all([started.connect(), started.connect()]);
  for (const client of early) client.send(GET);
  await until(() => bad.asked === 1);
  bad.mood = 'reset';
  const client = await started.connect();
  await ask(client, 8);
  t.equal(seen.stateChanges.length, 1);
  clock.advance(10_000 + LATE);
  bad.mood = 200;
  t.equal(seen.stateChanges.length, 2);
  clock.advance(5000);
  await turns(30);
  t.equal(
    seen.requests.filter(({ status: code }) => code === 504).length,
    1,
    'it timed out during the trial',
  );
  await ask(client, 12);
  t.equal(seen.stateChanges.length, 2, 'and did not end the trial');
});

t.test('servers without checks are ejected too, except the last one', async (t) => {
  const servers = [await moody(t, 'reset'), await moody(t, 'reset')];
  const addresses = servers.map(({ address }) => address);
  const settings = {
    servers: addresses,
    health_check: false,
    passive_health: passive,
    retry: false,
  } as const;
  const started = await startBalancer(t, settings, MANUAL);
  t.ok((await ask(await started.connect(), 20)).every((code) => code === 502));
  t.match(started.seen.stateChanges, [
    /^ejected .* 10000 3 failures in a row: cut$/,
    /^spared .* 3 failures in a row: cut$/,
  ]);
  t.equal(started.seen.stateChanges.length, 2);
  t.equal(started.balancer.status().servers.filter(({ state }) => state === 'unchecked').length, 1);
});

t.test('passive_health: false never ejects a server', async (t) => {
  const [bad, good] = [await moody(t, 'reset'), await moody(t)];
  const started = await startBalancer(
    t,
    { servers: [bad.address, good.address], passive_health: false },
    MANUAL,
  );
  await ask(await started.connect(), 40);
  t.same(started.seen.stateChanges, []);
  t.equal(bad.asked, 20);
});

nothingIsLeft(t);
