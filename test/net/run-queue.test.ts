import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { noteAccepted, noteBurst, RunQueue } from '../../lib/net/loop-tick.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin, readRequest } from '../support/origin.js';

/** Several times as many as begin in one tick. */
const CROWD = 200;
const PER_TICK = 32;

/** What `count` queued connections did, a list for each tick of the event loop. */
async function run(queue: RunQueue, count: number): Promise<number[][]> {
  const begun: number[] = [];
  for (let number = 1; number <= count; number++) {
    if (queue.admit()) begun.push(number);
    else queue.push({ run: () => begun.push(number) });
  }
  const perTick: number[][] = [];
  for (let left = count; left > 0; left -= perTick.at(-1)?.length ?? 0) {
    await turns(1);
    perTick.push(begun.splice(0));
  }
  return perTick;
}

t.test('a few requests begin at once, the others in later ticks, first come, first served', async (t) => {
  const perTick = await run(new RunQueue(() => 0), 100);
  t.strictSame(
    perTick.map(({ length }) => length),
    [PER_TICK, PER_TICK, PER_TICK, 4],
  );
  t.strictSame(
    perTick.flat(),
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

t.test('each tick begins as many requests', async (t) => {
  const queue = new RunQueue(() => 0);
  for (let turn = 0; turn < 3; turn++) t.strictSame((await run(queue, PER_TICK)).length, 1);
});

t.test('a long tick begins as many requests as arrived meanwhile, up to a limit', async (t) => {
  const queue = new RunQueue(() => 0);
  let begun = 0;
  for (let number = 0; number < 500; number++) {
    if (!queue.admit()) queue.push({ run: () => begun++ });
  }
  noteBurst();
  await turns(1);
  t.equal(begun, 256 - PER_TICK);
  await turns(1);
  t.equal(begun, 256);
  await until(() => begun === 500 - PER_TICK);
});

t.test(
  'while connections keep coming a tick begins fewer requests, and afterwards as many as before',
  async (t) => {
    const queue = new RunQueue(() => 0);
    let begun = 0;
    for (let number = 0; number < 100; number++) {
      if (!queue.admit()) queue.push({ run: () => begun++ });
    }
    await turns(1);
    begun = 0;
    const perTick: number[] = [];
    for (const accepts of [true, true, false, false]) {
      if (accepts) noteAccepted();
      await turns(1);
      perTick.push(begun);
      begun = 0;
    }
    // The last tick that accepts may not be the last one in which requests wait.
    t.strictSame(perTick, [8, 8, 8, PER_TICK]);
  },
);

t.test('no request overtakes a waiting one', async (t) => {
  const queue = new RunQueue(() => 0);
  const begun: string[] = [];
  while (queue.admit());
  queue.push({ run: () => begun.push('first') });
  t.equal(queue.admit(), false);
  queue.push({ run: () => begun.push('second') });
  // The first tick has begun enough, these two follow in the second.
  await turns(2);
  t.strictSame(begun, ['first', 'second']);
  t.equal(queue.admit(), true, 'the queue is empty again');
});

t.test('a queued connection begins a few requests, then the others have their turn', async (t) => {
  const queue = new RunQueue(() => 0);
  const begun: string[] = [];
  const greedy = (name: string, left: number): { run(): void } => ({
    run: () => {
      begun.push(name);
      let more = left - 1;
      while (more > 0 && queue.admitNext(100)) {
        begun.push(name);
        more--;
      }
      if (more > 0) queue.push(greedy(name, more));
    },
  });
  for (const name of ['a', 'b', 'c']) queue.push(greedy(name, 10));
  queue.push({ run: () => begun.push('once') });
  await turns(2);
  t.equal(begun.join(' '), 'a a a a b b b b c c c c once a a a a b b b b c c c c a a b b c c');
});

t.test('requests that are answered at once count like others', async (t) => {
  const queue = new RunQueue(() => 0);
  let begun = 0;
  const without: { run(): void } = {
    run: () => {
      begun++;
      while (queue.admitNext(100)) begun++;
      if (begun < 4 * PER_TICK) queue.push(without);
    },
  };
  queue.push(without);
  for (const expected of [1, 2, 3]) {
    await turns(1);
    t.equal(begun, expected * PER_TICK);
  }
});

t.test('a tick begins no more requests after they have taken 4 ms', async (t) => {
  let time = 0;
  const queue = new RunQueue(() => time);
  const begun: number[] = [];
  const slow = (ms: number) => ({
    run: () => {
      begun.push(ms);
      time += ms;
    },
  });
  for (let count = 0; count < 12; count++) queue.push(slow(2));
  await turns(1);
  t.equal(begun.length, 4, 'the clock is read at every fourth');
  await turns(1);
  t.equal(begun.length, 8);
  t.equal(queue.admit(), false, 'four more are queued');
  await turns(1);
  t.equal(begun.length, 12);
  for (let count = 0; count < 8; count++) {
    t.equal(queue.admit(), true, 'the time before the first reading is unknown');
    time += 1;
  }
  t.equal(queue.admit(), true, 'this is 4 ms after the fourth');
  time += 1;
  for (let count = 0; count < 3; count++) queue.admit();
  t.equal(queue.admit(), false);
  await turns(1);
  t.equal(queue.admit(), true, 'the next tick starts anew');
});

t.test('long heads count for more than one request', async (t) => {
  const queue = new RunQueue(() => 0);
  let begun = 0;
  const longHeads: { run(): void } = {
    run: () => {
      begun++;
      while (queue.admitNext(32 * 1024)) begun++;
      if (begun < 100) queue.push(longHeads);
    },
  };
  queue.push(longHeads);
  await turns(1);
  t.ok(begun < 6, `${begun} with heads of 32 KiB`);
});

/** Clients that the balancer has accepted. */
async function crowd({ connect, balancer }: Awaited<ReturnType<typeof startBalancer>>): Promise<RawClient[]> {
  const before = balancer.clientCount;
  const clients = await Promise.all(Array.from({ length: CROWD }, connect));
  await until(() => balancer.clientCount === before + CROWD);
  return clients;
}

t.test('requests of many clients at once begin a few at a time', async (t) => {
  const settings = { routes: [{ match: { path: '/' }, respond: { status: 200, body: 'here' } }] };
  const started = await startBalancer(t, settings);
  const { seen } = started;
  const clients = await crowd(started);
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let most = 0;
  for (let before = 0; before < CROWD; before = seen.requests.length) {
    await turns(1);
    most = Math.max(most, seen.requests.length - before);
  }
  t.equal(most, PER_TICK);
  for (const client of clients) t.equal((await client.response()).body, 'here');
});

t.test('a client in the run queue may send more, end or leave meanwhile', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { body } = await readRequest(connection);
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      await connection.write(body);
    }
  });
  const started = await startBalancer(t, { servers: [server.address] });
  const clients = await crowd(started);
  const bodies = clients.map((_, index) => `${index}.`.repeat(1 + (index % 7) * 500));
  for (const [index, client] of clients.entries()) {
    const length = (bodies[index] as string).length;
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n`);
  }
  await turns(1);
  const meanwhile = ['send', 'end', 'leave', 'split'] as const;
  for (const [index, client] of clients.entries()) {
    const rest = `\r\n${bodies[index]}`;
    const does = meanwhile[index % meanwhile.length];
    if (does === 'leave') client.reset();
    else if (does === 'split') await client.sendPieces([rest.slice(0, 1), rest.slice(1)]);
    else client.send(rest);
    if (does === 'end') client.end();
  }
  for (const [index, client] of clients.entries()) {
    if (meanwhile[index % meanwhile.length] === 'leave') continue;
    const answer = await client.response();
    if (answer.status !== 200 || answer.body !== bodies[index]) t.fail(`client ${index} got another answer`);
  }
  const answered = started.seen.requests.filter(({ status }) => status === 200).length;
  t.equal(answered, (CROWD * 3) / meanwhile.length);
});

t.test('a connection that sends requests without a pause does not starve others', async (t) => {
  const server = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  const started = await startBalancer(t, { servers: [server.address] });
  const greedy = await started.connect();
  const clients = await crowd(started);
  greedy.send('GET /greedy HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500));
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const client of clients) t.equal((await client.response()).status, 200);
  for (let count = 0; count < 500; count++) t.equal((await greedy.response()).status, 200);
  const last = started.seen.requests.findLastIndex(({ target }) => target === '/');
  t.ok(last < 300, `the last of the crowd is number ${last} of 700`);
});

t.test('the keep-alive timeout does not end a connection whose request waits in the run queue', async (t) => {
  const settings = {
    routes: [{ match: { path: '/' }, respond: { status: 200, body: 'here' } }],
    timeouts: { keep_alive: '5s' },
  };
  const started = await startBalancer(t, settings, { manual: true });
  const clients = await crowd(started);
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => started.seen.requests.length > 0);
  const waiting = CROWD - started.seen.requests.length;
  t.ok(waiting > 0);
  started.clock.advance(6000);
  let answered = 0;
  for (const client of clients) if ((await client.response()).body === 'here') answered++;
  t.equal(answered, CROWD);
});

nothingIsLeft(t);
