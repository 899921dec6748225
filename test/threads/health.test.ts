import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { type Started, startBalancer } from '../support/balancer.js';
import { turns, until } from '../support/loop-ticks.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { origin, readRequest } from '../support/origin.js';
import { THREADS } from '../support/thread-switch.js';
import { answerers, connectMany } from './load.js';

/** Answers every request with a status, and counts checks. */
async function scripted(t: Parameters<typeof origin>[0], name: string) {
  const state = { status: 200, checks: 0, requests: 0, address: '' };
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      const isCheck = head.startsWith('GET /check ');
      if (isCheck) state.checks++;
      else state.requests++;
      await connection.write(`HTTP/1.1 ${state.status} X\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    }
  });
  state.address = server.address;
  return state;
}

t.setTimeout(180_000);

t.test(
  'servers are checked as often as by one thread, and all threads know the result',
  THREADS,
  async (t) => {
    const [a, b] = await Promise.all([scripted(t, 'a'), scripted(t, 'b')]);
    const settings = {
      servers: [a, b].map(({ address }, i) => ({ name: 'ab'[i]!, address })),
      health_check: { path: '/check', interval: '200ms', jitter: '0%' as never, fall: 2, rise: 2 },
    };
    const started = await startBalancer(t, settings as never, { workers: 3 });
    const { seen } = started;
    const clients = await connectMany(started);
    t.same(await answerers(clients), ['a', 'b']);
    const before = a.checks;
    await pause(2000);
    const checks = a.checks - before;
    t.ok(checks <= 12, `${checks} checks in 2 s`);
    a.status = 500;
    await until(() => seen.stateChanges.some((line) => line.startsWith('down a')));
    await started.balancer.settled();
    t.same(await answerers(clients), ['b']);
    a.status = 200;
    await until(() => seen.stateChanges.includes('up a'));
    await started.balancer.settled();
    t.same(await answerers(clients), ['a', 'b']);
  },
);

t.test(
  'failures that are spread over threads eject a server in all of them, and it returns',
  THREADS,
  async (t) => {
    const [a, b] = await Promise.all([scripted(t, 'a'), scripted(t, 'b')]);
    const settings = {
      servers: [a, b].map(({ address }, i) => ({ name: 'ab'[i]!, address })),
      passive_health: {
        consecutive_errors: 9,
        minimum_requests: 1000,
        eject_for: '1s',
        max_eject_for: '1s',
        trial_requests: 3,
      },
    };
    const started = await startBalancer(t, settings as never, { workers: 3 });
    const { seen } = started;
    const clients = await connectMany(started, 48);
    a.status = 503;
    // Each connection asks once at a time: no thread sees all the errors.
    for (const client of clients) await ask(client);
    await until(() => seen.stateChanges.some((line) => line.startsWith('ejected a')));
    t.match(seen.stateChanges[0], /^ejected a 1000 \d+ errors in a row: status 503$/);
    await started.balancer.settled();
    t.same(await answerers(clients), ['b']);
    a.status = 200;
    await until(() => seen.stateChanges.includes('returned a'));
    await started.balancer.settled();
    for (let i = 0; i < 20; i++) for (const client of clients.slice(0, 8)) await ask(client);
    t.same(await answerers(clients), ['a', 'b']);
    t.equal(seen.stateChanges.length, 2);
  },
);

t.test('errors are not in a row when other threads have successes between them', THREADS, async (t) => {
  let count = 0;
  const mixed = await origin(t, async (connection) => {
    for (;;) {
      await readRequest(connection);
      const status = count++ % 2 === 0 ? 503 : 200;
      await connection.write(`HTTP/1.1 ${status} X\r\nContent-Length: 1\r\n\r\na`);
    }
  });
  const [b] = await namedOrigins(t, 'b');
  const settings = {
    servers: [
      { name: 'a', address: mixed.address, weight: 9 },
      { name: 'b', address: b!.address },
    ],
    passive_health: { consecutive_errors: 4, minimum_requests: 100_000 },
  };
  const started = await startBalancer(t, settings as never, { workers: 3 });
  const clients = await connectMany(started, 24);
  for (let i = 0; i < 10; i++) for (const client of clients) await ask(client);
  await started.balancer.settled();
  t.same(started.seen.stateChanges, []);
});

/** Answers nothing for the path of a poll, and answers other requests and checks unless it `hangs`. */
async function polled(t: Parameters<typeof origin>[0], hangs = false) {
  const state = { unanswered: 0, answered: 0, address: '' };
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      const isCheck = head.startsWith('GET /check ');
      if (head.startsWith('GET /poll ') || (hangs && !isCheck)) {
        state.unanswered++;
        return connection.hang().then(() => connection.end());
      }
      if (!isCheck) state.answered++;
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  });
  state.address = server.address;
  return state;
}

/** Sends requests for `path`, each on a connection of its own, until `condition` holds. */
async function sendUntil({ connect }: Started, path: string, condition: () => boolean): Promise<void> {
  for (let sent = 0; !condition(); sent++) {
    if (sent === 200) throw new Error(`not after 200 requests: ${condition}`);
    (await connect()).send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await turns();
  }
}

t.test(
  'a request without an answer does not eject a server that answered another one, of whatever thread',
  THREADS,
  async (t) => {
    const servers = [await polled(t), await polled(t)] as const;
    const settings = {
      servers: servers.map(({ address }) => address),
      passive_health: { consecutive_failures: 1, failure_share: '10%', minimum_requests: 1 },
      timeouts: { response_header: '10s' },
    };
    const started = await startBalancer(t, settings, { workers: 3, manual: true });
    await sendUntil(started, '/poll', () => servers.every(({ unanswered }) => unanswered > 0));
    started.clock.advance(5000);
    await sendUntil(started, '/', () => servers.every(({ answered }) => answered > 0));
    started.clock.advance(5200);
    const polls = servers[0].unanswered + servers[1].unanswered;
    await started.seen.when(
      ({ requests }) => requests.filter(({ status }) => status === 504).length === polls,
    );
    await turns();
    t.same(started.seen.stateChanges, []);
  },
);

t.test(
  'a server that answers only its checks is ejected while another one answers requests of any thread',
  THREADS,
  async (t) => {
    const [hung, other] = [await polled(t, true), await polled(t)] as const;
    const settings = {
      servers: [hung.address, other.address],
      health_check: { path: '/check', interval: '1s' },
      passive_health: { consecutive_failures: 1 },
      timeouts: { response_header: '10s' },
      retry: false,
    };
    const started = await startBalancer(t, settings as never, { workers: 3, manual: true });
    const { clock, seen } = started;
    await sendUntil(started, '/', () => hung.unanswered > 0);
    const checked = seen.checks.length;
    clock.advance(2000);
    await seen.when(({ checks }) => checks.length >= checked + 2);
    const answered = other.answered;
    await sendUntil(started, '/', () => other.answered > answered);
    clock.advance(8200);
    await seen.when(({ requests }) => requests.some(({ status }) => status === 504));
    await until(() => seen.stateChanges.length > 0);
    t.match(seen.stateChanges[0], /^ejected \S+ 30000 1 failures in a row: no answer in time$/);
  },
);
