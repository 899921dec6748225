import * as net from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { answering, type RawConnection, startRawServer } from '../../fixtures/raw-server.js';
import { startFixtureServer } from '../../fixtures/server.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { GET, OK } from '../support/http.js';
import { turns, until } from '../support/loop-ticks.js';
import { unlessThreads } from '../support/thread-switch.js';

/** A server that answers when it is told to. */
async function patient(t: Test) {
  const asked: RawConnection[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      await connection.readHead();
      asked.push(connection);
    }
  });
  t.teardown(() => server.close());
  return { address: server.address, asked };
}
type Test = Parameters<typeof startBalancer>[0];

t.test('a drain answers requests in flight with Connection: close, then ends', async (t) => {
  const { address, asked } = await patient(t);
  const { balancer, connect } = await startBalancer(t, { servers: [address] });
  const clients = await Promise.all([connect(), connect(), connect()]);
  for (const client of clients) client.send(GET);
  await until(() => asked.length === 3);
  const drained = balancer.drain();
  await turns();
  t.ok(clients.every(({ ended }) => !ended));
  for (const connection of asked) void connection.write(OK);
  for (const client of clients) {
    const { status, head } = await client.response();
    t.equal(status, 200);
    t.match(head, /\r\nConnection: close\r\n/);
    client.end();
  }
  t.equal(await drained, true);
  t.equal(balancer.clientCount, 0);
});

t.test('idle connections are closed at once, and new ones refused', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { balancer, connect, port } = await startBalancer(t, { servers: [server.address] });
  const [silent, used] = await Promise.all([connect(), connect()]);
  used.send(GET);
  t.equal((await used.response()).status, 200);
  const drained = balancer.drain();
  for (const client of [silent, used]) {
    t.equal(await client.toEnd(), '');
    client.end();
  }
  t.equal(await drained, true);
  await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
});

t.test('requests sent before the drain are answered, though they were not read yet', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { balancer, connect, port } = await startBalancer(t, { servers: [server.address] });
  const idle = await connect();
  idle.send(GET);
  await idle.response();
  const fresh = Array.from({ length: 20 }, () => net.connect({ host: '127.0.0.1', port }));
  t.teardown(() => {
    for (const socket of fresh) socket.destroy();
  });
  const answers = fresh.map(
    (socket) =>
      new Promise<string>((resolve) => {
        let text = '';
        socket.on('data', (bytes) => {
          text += bytes;
        });
        socket.on('end', () => resolve(text));
        socket.on('error', (error) => resolve(`${text} ${error.message}`));
      }),
  );
  // All of them are in the kernel's hands: the first connected, the others behind it in the backlog.
  await Promise.all(fresh.map((socket) => new Promise((connected) => socket.once('connect', connected))));
  for (const socket of fresh) socket.write(GET);
  idle.send(GET);
  const drained = balancer.drain();
  t.match(await idle.toEnd(), /^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n\r\nok$/s);
  idle.end();
  for (const answer of await Promise.all(answers)) t.match(answer, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s);
  t.equal(await drained, true);
});

t.test('an answer under way goes on; the next request on its connection is the last', async (t) => {
  const { address, asked } = await patient(t);
  const { balancer, connect } = await startBalancer(t, { servers: [address] });
  const client = await connect();
  client.send(GET);
  await until(() => asked.length === 1);
  void asked[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
  t.notMatch(await client.until('ab'), /Connection: close/);
  client.send(GET);
  await turns();
  const drained = balancer.drain();
  await turns();
  void asked[0]?.write('cd');
  t.equal(await client.bytes(2), 'cd');
  await until(() => asked.length === 2);
  void asked[1]?.write(OK);
  t.match((await client.response()).head, /\r\nConnection: close\r\n/);
  client.end();
  t.equal(await drained, true);
});

t.test('timeouts.drain cuts requests that hang, with the reason in the record', async (t) => {
  const { address, asked } = await patient(t);
  const { balancer, connect, clock, seen } = await startBalancer(
    t,
    { servers: [address], timeouts: { drain: '20s' } },
    { manual: true },
  );
  const [unanswered, halfAnswered] = await Promise.all([connect(), connect()]);
  unanswered.send(GET);
  await until(() => asked.length === 1);
  halfAnswered.send(GET);
  await until(() => asked.length === 2);
  void asked[1]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
  await halfAnswered.until('ab');
  let over = false;
  const drained = balancer.drain().finally(() => {
    over = true;
  });
  await turns(30);
  clock.advance(19_900);
  await turns();
  t.equal(over, false);
  clock.advance(200);
  t.equal(await drained, false);
  t.match(await unanswered.toEnd(), /^HTTP\/1\.1 503 .*\r\nRetry-After: \d/s);
  await halfAnswered.gone();
  t.equal(halfAnswered.received, '', 'half an answer is cut, not filled up');
  t.same(seen.requests.map(({ status, reason }) => `${status} ${reason}`).sort(), [
    '200 shutdown',
    '503 shutdown',
  ]);
});

t.test('timeouts.drain: 0 waits as long as it takes', async (t) => {
  const { address, asked } = await patient(t);
  const { balancer, connect, clock } = await startBalancer(
    t,
    { servers: [address], timeouts: { drain: 0, response_header: 0 } },
    { manual: true },
  );
  const client = await connect();
  client.send(GET);
  await until(() => asked.length === 1);
  const drained = balancer.drain();
  await turns(30);
  clock.advance(3_600_000);
  await turns();
  void asked[0]?.write(OK);
  t.equal((await client.response()).status, 200);
  client.end();
  t.equal(await drained, true);
});

t.test('draining twice is draining once', async (t) => {
  const { balancer } = await startBalancer(t, {});
  const first = balancer.drain();
  t.equal(balancer.drain(), first);
  t.equal(await first, true);
  t.equal(await balancer.drain(), true);
});

t.test('stop during a drain ends it', async (t) => {
  const { address, asked } = await patient(t);
  const { balancer, connect } = await startBalancer(t, { servers: [address] });
  const client = await connect();
  client.send(GET);
  await until(() => asked.length === 1);
  const drained = balancer.drain();
  await turns(30);
  balancer.stop();
  t.equal(await drained, false);
  t.match(await client.toEnd(), /^HTTP\/1\.1 503 /);
});

t.test('no request in flight is lost, however often', async (t) => {
  const fixtures = await Promise.all([startFixtureServer({ name: 'a' }), startFixtureServer({ name: 'b' })]);
  t.teardown(() => Promise.all(fixtures.map((fixture) => fixture.close())));
  const servers = fixtures.map(({ address }) => address);
  for (let round = 0; round < 20; round++) {
    const { balancer, connect, seen } = await startBalancer(t, { servers });
    const clients = await Promise.all(Array.from({ length: 20 }, connect));
    let answered = 0;
    const lost: string[] = [];
    const load = clients.map(async (client, index) => {
      for (let id = 0; ; id++) {
        client.send(`GET /${index}-${id}?size=3000&delay=${id % 3} HTTP/1.1\r\nHost: a\r\n\r\n`);
        try {
          const { status, head, body } = await client.response();
          if (status !== 200 || body.length !== 3000) lost.push(`${index}-${id}: ${status}`);
          answered++;
          if (/\r\nConnection: close\r\n/.test(head)) break;
        } catch {
          // It crossed with the end of an idle connection, which RFC 9112, 9.5 tells clients to expect.
          if (seen.requests.some(({ target }) => target.startsWith(`/${index}-${id}?`)))
            lost.push(`${index}-${id}: taken but not answered`);
          break;
        }
      }
      client.end();
    });
    await until(() => answered > 100);
    const drained = balancer.drain();
    await Promise.all(load);
    t.equal(await drained, true);
    t.same(lost, []);
    t.ok(seen.requests.every(({ reason }) => reason === ''));
    t.equal(seen.requests.length, answered);
  }
});

t.test(
  'a tunnel has until timeouts.drain to end by itself, and its end is no request that was cut',
  async (t) => {
    const fixture = await startFixtureServer({ name: 'a' });
    t.teardown(() => fixture.close());
    const { balancer, port, clock } = await startBalancer(
      t,
      { servers: [fixture.address], timeouts: { drain: '20s' } },
      { manual: true },
    );
    const [patient, hasty] = await Promise.all([openWebSocket(t, port), openWebSocket(t, port)]);
    let over = false;
    const drained = balancer.drain().finally(() => {
      over = true;
    });
    await turns(30);
    hasty.close();
    await new Promise((resolve) => hasty.once('close', resolve));
    clock.advance(19_900);
    patient.send('still here');
    t.equal(String(await new Promise((resolve) => patient.once('message', resolve))), 'still here');
    t.equal(over, false);
    const closed = new Promise((resolve) => patient.once('close', resolve));
    clock.advance(200);
    await closed;
    t.equal(await drained, true);
  },
);

async function openWebSocket(t: Test, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  t.teardown(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

// What comes within the event-loop ticks in which a drain begins is known only where the test has the same ticks.
const SAME_TICKS = unlessThreads('the test does not know when a thread reads');

t.test(
  'a draining balancer is not ready, and answers requests of open connections',
  SAME_TICKS,
  async (t) => {
    const { address, asked } = await patient(t);
    const { balancer, connect } = await startBalancer(t, { servers: [address] });
    t.match(balancer.status(), { state: 'running', ready: true, readyReasons: [] });
    const [busy, late] = await Promise.all([connect(), connect()]);
    busy.send(GET);
    await until(() => asked.length === 1);
    const drained = balancer.drain();
    t.match(
      balancer.status(),
      { state: 'draining', ready: false, readyReasons: ['the balancer is draining'] },
      'before a listener is closed',
    );
    late.send(GET);
    await until(() => asked.length === 2);
    for (const connection of asked) void connection.write(OK);
    for (const client of [busy, late]) {
      t.match((await client.response()).head, /\r\nConnection: close\r\n/);
      client.end();
    }
    t.equal(await drained, true);
    t.match(balancer.status(), { state: 'stopped', ready: false });
  },
);

/** What a health check of somebody in front is told. */
async function ask(connect: () => Promise<RawClient>, head: string): Promise<string> {
  const client = await connect();
  client.send(`${head}\r\n\r\n`);
  client.end();
  return client.toEnd();
}

const READY = 'GET /readyz HTTP/1.1\r\nHost: a';

t.test('readiness_path is answered and not counted as a request', async (t) => {
  const asked: string[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      asked.push((await connection.readHead()).split(' HTTP')[0] ?? '');
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const settings = {
    servers: [{ name: 'secret', address: server.address }],
    readiness_path: '/readyz',
    firewall_rules: { path_reject: ['/'], rate_limit: { requests: 1, per: '1h' } },
  } as const;
  const { balancer, connect, seen } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  for (const target of ['/readyz', '/readyz?from=here', 'http://b/readyz']) {
    client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
    const { status, head, body } = await client.response();
    t.match({ status, body }, { status: 200, body: 'ready\n' }, target);
    t.match(head, /\r\nCache-Control: no-store\r\n/i);
    t.notMatch(head, /\r\n(Allow|Connection|X-|Via)/i);
  }
  t.match(
    await ask(connect, 'HEAD /readyz HTTP/1.1\r\nHost: a'),
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 6\r\n\r\n$/,
  );
  t.strictSame([seen.requests.length, balancer.status().requests.total], [0, 0]);
  for (const head of [
    READY.replace('GET', 'POST'),
    READY.replace('readyz', 'readyz/'),
    READY.replace('readyz', ''),
  ])
    t.match(await ask(connect, head), /^HTTP\/1\.1 403 /, head);
  balancer.setAvailability('secret', 'maintenance');
  t.match(await ask(connect, READY), /^HTTP\/1\.1 503 [\s\S]*\r\n\r\nnot ready: no usable server\n$/);
  t.strictSame(asked, []);
  t.match(balancer.status().readyReasons, ['default has no usable server: secret is in maintenance']);
  await balancer.reload(createConfig({ ...settings, listen: '127.0.0.1:0', readiness_path: '/up' }));
  t.match(await ask(connect, READY), /^HTTP\/1\.1 403 /);
  t.match(await ask(connect, READY.replace('readyz', 'up')), /^HTTP\/1\.1 503 /);
});

t.test('a client that is refused at accept gets no answer', async (t) => {
  const settings = {
    servers: ['127.0.0.1:1'],
    readiness_path: '/readyz',
    firewall_rules: { ip_reject: ['127.0.0.1'] },
  };
  const { connect } = await startBalancer(t, settings);
  // The reset may come before the client knows that it is connected.
  t.equal(await ask(connect, READY).catch(() => ''), '');
});

t.test('timeouts.drain_delay: readiness turns first, and all is served as before', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const settings = { servers: [server.address], readiness_path: '/readyz', timeouts: { drain_delay: '10s' } };
  const { balancer, connect, clock, port } = await startBalancer(t, settings, { manual: true });
  const kept = await connect();
  let isOver = false;
  const left = balancer.leave().then(() => {
    isOver = true;
  });
  t.match(
    await ask(connect, READY),
    /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n\r\nnot ready: draining\n$/,
  );
  t.match(balancer.status(), { state: 'draining', ready: false, readyReasons: ['the balancer is draining'] });
  await t.rejects(balancer.reload(balancer.config));
  clock.advance(9900);
  await turns();
  for (const client of [kept, await connect()]) {
    client.send(GET);
    const { status, head } = await client.response();
    t.equal(status, 200);
    t.match(head, /\r\nConnection: close\r\n/);
    client.end();
  }
  t.equal(isOver, false);
  clock.advance(300);
  await left;
  t.equal(await balancer.drain(), true);
  await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
  t.strictSame(
    balancer
      .events()
      .filter(({ what }) => what === 'draining')
      .map(({ reason }) => reason),
    ['in 10s', ''],
  );
});

t.test('a drain and a stop end the delay', async (t) => {
  for (const how of ['drain', 'stop'] as const) {
    const settings = { servers: ['127.0.0.1:1'], timeouts: { drain_delay: '1h' } };
    const { balancer } = await startBalancer(t, settings, { manual: true });
    const left = balancer.leave();
    await balancer[how]();
    await left;
    t.equal(balancer.status().state, 'stopped');
  }
});
